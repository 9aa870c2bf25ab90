/**
 * A text with `*` for anything: the pieces between the stars. `['486']` is the whole text, `['+420', '']` a beginning,
 * `['', '100']` an end, `['', 'pbx', '']` a part.
 */
export interface Pattern {
  readonly pieces: readonly string[]
}

/** `*` stands for anything, `\*` for a star, `\\` for a backslash. */
export function parsePattern(text: string): Pattern {
  const pieces: string[] = []
  let piece = ''
  for (let i = 0; i < text.length; i++) {
    const sign = text.charAt(i)
    if (sign === '*') {
      // Two stars say no more than one.
      if (pieces.length === 0 || piece !== '') pieces.push(piece)
      piece = ''
    } else if (sign === '\\' && /^[*\\]/.test(text.slice(i + 1, i + 2))) piece += text.charAt(++i)
    else piece += sign
  }
  return { pieces: [...pieces, piece] }
}

export const exactly = (text: string): Pattern => ({ pieces: [text] })
export const containing = (pattern: Pattern): Pattern => ({ pieces: ['', ...pattern.pieces.filter((p) => p !== ''), ''] })
/** The whole text or its end: how people look for a number. */
export const endingWith = (text: string): Pattern => ({ pieces: ['', text] })

/** Whether a text fits. No regular expression, so no pattern can make it slow. */
export function fits(pattern: Pattern, text: string): boolean {
  const { pieces } = pattern
  const first = pieces[0] as string
  if (pieces.length === 1) return text === first
  const last = pieces.at(-1) as string
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  let at = first.length
  const end = text.length - last.length
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, at)
    if (found < 0 || found + piece.length > end) return false
    at = found + piece.length
  }
  return true
}

/** Lower case of A–Z alone: what SQLite's NOCASE does, and what needs no table of languages. */
export const folded = (text: string): string => (/[A-Z]/.test(text) ? text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : text)
