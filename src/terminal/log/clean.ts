/** Text on its way to a log: no secret and no control byte gets through, wherever the text came from. */

/** `scheme://user:password@`; to the last `@` of the word, because a password may hold one. */
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"']*):[^\s"']*@/gi
/** `password=…`, `"token": "…"`; but not `password-file=…`, which names a file. */
const NAMED_SECRET = /((?:password|passwd|secret|token)["']?\s*[=:]\s*["']?)[^\s"'&,;]+/gi
/** Tokens of the manager begin with a mark, so that they are known anywhere. */
const TOKEN = /\bearshot_[A-Za-z0-9_-]{20,}/g

export const withoutSecrets = (text: string): string =>
  text.replace(URL_PASSWORD, '$1:***@').replace(NAMED_SECRET, '$1***').replace(TOKEN, 'earshot_***')

// biome-ignore lint/suspicious/noControlCharactersInRegex: removing control characters is what this is for.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** For a terminal: lines stay lines. */
export const cleanLines = (text: string): string => withoutSecrets(text).replace(CONTROL, '·')

/** For a log of one line an event: an advice on a line of its own goes behind the sentence. */
export const cleanLine = (text: string): string =>
  cleanLines(text)
    .replace(/\s*\n\s*/g, ' ')
    .replaceAll('\t', ' ')
