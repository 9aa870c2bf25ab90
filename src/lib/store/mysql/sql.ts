import type { SqlValue } from '../values.js'

/** Values and names as SQL text. We write the text ourselves: a statement of hundreds of rows is too long for placeholders. */
export type Write = (value: SqlValue) => string

export const name = (text: string): string => `\`${text.replaceAll('`', '``')}\``

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must not reach the server as they are.
const special = /[\0\n\r\x1a'"\\]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
const specials = /[\0\n\r\x1a'"\\]/g
const escapes: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\n': '\\n',
  '\r': '\\r',
  '\x1a': '\\Z',
  "'": "\\'",
  '"': '\\"',
  '\\': '\\\\',
}

/** Right for every sql_mode without NO_BACKSLASH_ESCAPES, which our sessions never have, and for utf8mb4, which they speak. */
export const quote = (text: string): string =>
  special.test(text) ? `'${text.replace(specials, (c) => escapes[c] as string)}'` : `'${text}'`

export const hex = (bytes: Uint8Array): string => `x'${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}'`
const ipv4Hex = (address: number): string => `x'${address.toString(16).padStart(8, '0')}'`

/** Addresses are the only columns that VoIPmonitor keeps in two forms. */
export const isAddress = (column: string): boolean => /^(sipcall(er|ed)ip|([ab]_)?[sd]addr|ip|dst)$/.test(column)

/** How a value is written into a column of this type, as the server has it (which may not be the type we would have made). */
export function writerOf(type: string): Write {
  // Whole seconds are cut, not rounded, as VoIPmonitor does it: 34.74 s is 34.
  if (/^(tiny|small|medium|big)?int/.test(type))
    return (v) => (typeof v === 'number' ? integer(v) : typeof v === 'bigint' ? String(v) : 'NULL')
  if (/^(decimal|double|float)/.test(type)) return (v) => (typeof v === 'number' && Number.isFinite(v) ? String(v) : 'NULL')
  if (/^varbinary/.test(type)) return (v) => (typeof v === 'number' ? ipv4Hex(v) : v instanceof Uint8Array ? hex(v) : 'NULL')
  const fraction = /^(?:datetime|timestamp)(?:\((\d)\))?/.exec(type)
  if (fraction) {
    const length = fraction[1] === undefined || fraction[1] === '0' ? 19 : 20 + Number(fraction[1])
    return (v) => (typeof v === 'string' ? `'${v.slice(0, length)}'` : 'NULL')
  }
  return (v) => (v === null ? 'NULL' : typeof v === 'string' ? quote(v) : v instanceof Uint8Array ? hex(v) : String(v))
}

/** Most numbers of a record are counts, and most counts are small: their texts are made once. */
const SMALL = Array.from({ length: 1024 }, (_, i) => String(i))

/** What a bigint column holds at most; beyond, the server would cut it and a look-up would not find it again. */
const BIGINT_MAX = 2 ** 63 - 1024
const integer = (v: number): string => {
  if (!Number.isSafeInteger(v))
    return Number.isFinite(v) ? BigInt(Math.trunc(Math.max(-BIGINT_MAX, Math.min(BIGINT_MAX, v)))).toString() : 'NULL'
  if (v < 0 || v >= 1e15 * 9) return String(v)
  if (v < SMALL.length) return SMALL[v] as string
  if (v < 1e9) return String(v)
  // Times and SSRCs: two small numbers become text several times faster than a large one.
  const high = Math.floor(v / 1e9)
  return String(high) + String(1e9 + (v - high * 1e9)).slice(1)
}
