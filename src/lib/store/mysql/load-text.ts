import type { SqlValue } from '../values.js'
import { type Write, writerOf } from './sql.js'

/** Values as LOAD DATA reads them with its defaults: fields between tabs, rows between line feeds, a backslash before what would be either. */
const NOTHING = '\\N'

const special = /[\0\t\n\\]/
const specials = /[\0\t\n\\]/g
const escapes: Readonly<Record<string, string>> = { '\0': '\\0', '\t': '\\t', '\n': '\\n', '\\': '\\\\' }

const plain = (text: string): string => (special.test(text) ? text.replace(specials, (c) => escapes[c] as string) : text)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')

/** Bytes travel as hexadecimal digits, and the statement turns them back. */
export const isBinary = (type: string): boolean => /^(var)?binary/.test(type)

/** How a value is written for a column of this type. */
export function fieldWriterOf(type: string): Write {
  if (isBinary(type)) return (v) => (typeof v === 'number' ? v.toString(16).padStart(8, '0') : v instanceof Uint8Array ? hex(v) : NOTHING)
  if (/^(datetime|timestamp)/.test(type)) {
    const quoted = writerOf(type)
    return (v) => (typeof v === 'string' ? quoted(v).slice(1, -1) : NOTHING)
  }
  if (/^((tiny|small|medium|big)?int|decimal|double|float)/.test(type)) {
    const number = writerOf(type)
    return (v) => (v === null ? NOTHING : smallOrNot(v, number))
  }
  return (v) =>
    typeof v === 'string' ? plain(v) : v === null ? NOTHING : v instanceof Uint8Array ? plain(Buffer.from(v).toString()) : String(v)
}

const smallOrNot = (v: SqlValue, number: Write): string => {
  const text = number(v)
  return text === 'NULL' ? NOTHING : text
}

/** `LOAD DATA …` for these columns of a table. */
export function loadStatement(table: string, columns: readonly { readonly quoted: string; readonly type: string }[]): string {
  const into = columns.map(({ quoted, type }, i) => (isBinary(type) ? `@b${i}` : quoted))
  const turned = columns.flatMap(({ quoted, type }, i) => (isBinary(type) ? [`${quoted} = UNHEX(@b${i})`] : []))
  return `LOAD DATA LOCAL INFILE 'records' INTO TABLE ${table} CHARACTER SET utf8mb4 (${into.join(', ')})${turned.length === 0 ? '' : ` SET ${turned.join(', ')}`}`
}
