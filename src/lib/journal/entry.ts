import { Buffer } from 'node:buffer'
import { crc32 } from './crc32.js'

/**
 * One entry of a journal, as bytes and back. A line, so that after damage the next line feed is a new beginning:
 *
 *     0        8 9       17 18           31 32
 *     | length | | CRC-32 | | queued at ms | | text … | \n
 *       hex        hex        decimal, 13
 *                           └────── length bytes, what the CRC is of ──────┘
 */
export interface Entry {
  /** Wall-clock time at which it was queued, ms since the epoch. */
  readonly queuedMs: number
  readonly text: string
}

const HEADER_LENGTH = 18
const STAMP_LENGTH = 14
/** An entry longer than this is none: its length is damaged. */
export const entryBytesMax = 16 << 20
const LINE_FEED = 10

export function entryBytes({ queuedMs, text }: Entry): Buffer {
  const payload = Buffer.from(`${String(Math.max(0, Math.floor(queuedMs))).padStart(13, '0')} ${text}`)
  return Buffer.concat([Buffer.from(`${hex8(payload.length)} ${hex8(crc32(payload))} `, 'latin1'), payload, LINE])
}

const LINE = Buffer.from('\n')
const hex8 = (value: number): string => value.toString(16).padStart(8, '0')

/** What stands at `at`: an entry and where the next one begins; damage, and where to go on; or nothing whole up to the end of the bytes. */
export type Read =
  | { readonly state: 'entry'; readonly entry: Entry; readonly next: number }
  | { readonly state: 'damaged'; readonly next: number }
  | { readonly state: 'partial' }

export function readEntry(bytes: Uint8Array, at: number): Read {
  const end = entryEnd(bytes, at)
  if (end < 0) return resume(bytes, at)
  if (hexAt(bytes, at + 9) !== crc32(bytes, at + HEADER_LENGTH, end)) return resume(bytes, at)
  const stamp = Number(Buffer.from(bytes.buffer, bytes.byteOffset + at + HEADER_LENGTH, 13).toString('latin1'))
  const textAt = at + HEADER_LENGTH + STAMP_LENGTH
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + textAt, end - textAt).toString('utf8')
  return { state: 'entry', entry: { queuedMs: stamp, text }, next: end + 1 }
}

/** The same by lengths alone: what stands there is a whole line, though it may not be the one that was written. Quick, for counting. */
export function skipEntry(
  bytes: Uint8Array,
  at: number,
): { readonly state: 'entry'; readonly next: number } | Exclude<Read, { state: 'entry' }> {
  const end = entryEnd(bytes, at)
  return end < 0 ? resume(bytes, at) : { state: 'entry', next: end + 1 }
}

/** Where the line feed of the entry at `at` is; -1 when it is not there, or there is no entry. */
function entryEnd(bytes: Uint8Array, at: number): number {
  const length = hexAt(bytes, at)
  if (length === undefined || length > entryBytesMax || length < STAMP_LENGTH) return -1
  const end = at + HEADER_LENGTH + length
  return end < bytes.length && bytes[end] === LINE_FEED ? end : -1
}

/** Either cut short, or a line ends before its time: then it is damaged, and what follows may be whole. */
function resume(bytes: Uint8Array, at: number): Read {
  const lineFeed = bytes.indexOf(LINE_FEED, at)
  return lineFeed < 0 ? { state: 'partial' } : { state: 'damaged', next: lineFeed + 1 }
}

/** Eight digits and a blank; undefined when it is not that. */
function hexAt(bytes: Uint8Array, at: number): number | undefined {
  if (at + 9 > bytes.length || bytes[at + 8] !== 32) return undefined
  let value = 0
  for (let i = at; i < at + 8; i++) {
    const c = bytes[i]!
    const digit = c >= 48 && c <= 57 ? c - 48 : c >= 97 && c <= 102 ? c - 87 : -1
    if (digit < 0) return undefined
    value = value * 16 + digit
  }
  return value
}
