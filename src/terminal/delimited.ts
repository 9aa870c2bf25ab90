import { printable } from '../lib/base/text-safe.js'

/**
 * Cells of CSV and TSV. Names and user agents are written by strangers, and the file is opened in a spreadsheet or shown in a
 * terminal: control characters become `·`, and what a spreadsheet would take for a formula gets an apostrophe before it.
 *
 * Not guarded is a sign before digits only: +420123456789 runs nothing, and whoever reads the file with a program gets the number
 * as it is. A spreadsheet may show it without the plus; import that column as text to keep it.
 */

/** Signs that begin a formula in some spreadsheet; the wide ones do in Japanese and Chinese ones. */
const FORMULA = /^(\s*[=@＝＠＋－]|\s*[+-](?!\d+$))/
/** The same behind a semicolon: where that is the separator of the country, a file with commas is cut there. */
const INNER = /(;["'\s]*)(?=[=@＝＠＋－+-])/g

/** What most texts are: nothing in them needs a second look. */
const PLAIN = /^(?:[A-Za-z0-9_.:[][A-Za-z0-9_.:[\]/()@ +-]*|\+\d+)?$/

const guarded = (text: string): string => {
  const safe = printable(text)
  const inner = safe.replace(INNER, "$1'")
  return FORMULA.test(inner) ? `'${inner}` : inner
}

/** RFC 4180. */
export function csvCell(value: string | number | null): string {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  if (PLAIN.test(value)) return value
  const text = guarded(value)
  return /[",;]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** A tab within a text is a control character, and so already a `·`. */
export const tsvCell = (value: string | number | null): string =>
  value === null ? '' : typeof value === 'number' ? String(value) : PLAIN.test(value) ? value : guarded(value)

export const delimiters = {
  csv: { separator: ',', end: '\r\n', cell: csvCell },
  tsv: { separator: '\t', end: '\n', cell: tsvCell },
} as const

/** JSON that is safe to look at: beyond what JSON itself escapes, also C1, DEL and what turns the direction of writing. The value is the same. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
