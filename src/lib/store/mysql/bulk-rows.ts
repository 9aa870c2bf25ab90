import type { SqlValue } from '../values.js'

/**
 * Rows of one statement in the form of MariaDB's COM_STMT_BULK_EXECUTE, written as they come into one buffer:
 *
 *     length[3] sequence[1] 0xfa statement[4] flags[2] type[2] × columns, then of each row each column: indicator[1] value
 *
 * Numbers are little-endian. The indicator is 0 for a value and 1 for NULL, which has none. The first column is the id of the
 * call, 8 bytes, and may be filled in later. https://mariadb.com/kb/en/com_stmt_bulk_execute/
 */
export class BulkRows {
  readonly #types: readonly BulkType[]
  readonly #headBytes: number
  #bytes: Buffer = Buffer.allocUnsafe(1 << 16)
  #at = 0
  #starts: number[] = []
  /** Which call a row is of. */
  #places: number[] = []

  constructor(types: readonly BulkType[]) {
    this.#types = types
    this.#headBytes = 11 + 2 * types.length
    this.clear()
  }

  get count(): number {
    return this.#starts.length
  }

  clear(): void {
    this.#at = this.#headBytes
    this.#starts = []
    this.#places = []
  }

  /** What is written next are the columns of a row; `place` says which call it is of. */
  startRow(place: number): void {
    this.#starts.push(this.#at)
    this.#places.push(place)
  }

  placeOf(row: number): number {
    return this.#places[row] as number
  }

  /** Puts the ids of their calls into the first columns. */
  setIds(idOfPlace: readonly number[]): void {
    for (const [row, place] of this.#places.entries())
      writeUint64(this.#bytes, (this.#starts[row] as number) + 1, idOfPlace[place] as number)
  }

  /** Takes the rows of some calls out. */
  leaveOut(places: ReadonlySet<number>): void {
    const starts: number[] = []
    let at = this.#headBytes
    this.#starts.forEach((from, row) => {
      const to = this.#starts[row + 1] ?? this.#at
      if (places.has(this.placeOf(row))) return
      this.#bytes.copyWithin(at, from, to)
      starts.push(at)
      at += to - from
    })
    this.#starts = starts
    this.#places = this.#places.filter((place) => !places.has(place))
    this.#at = at
  }

  null(): void {
    this.#room(1)
    this.#bytes[this.#at++] = 1
  }

  /** Beyond 32 bits the nearest that is not. */
  int32(v: number): void {
    this.#room(5)
    const b = this.#bytes
    const at = this.#at
    const n = v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : v | 0
    b[at] = 0
    b[at + 1] = n
    b[at + 2] = n >> 8
    b[at + 3] = n >> 16
    b[at + 4] = n >> 24
    this.#at = at + 5
  }

  /** A whole number of at most 2^63 either way; two's complement. */
  int64(v: number | bigint): void {
    this.#room(9)
    this.#bytes[this.#at] = 0
    if (typeof v === 'bigint') this.#bytes.writeBigUInt64LE(BigInt.asUintN(64, v), this.#at + 1)
    else writeUint64(this.#bytes, this.#at + 1, v)
    this.#at += 9
  }

  double(v: number): void {
    this.#room(9)
    this.#bytes[this.#at] = 0
    this.#bytes.writeDoubleLE(v, this.#at + 1)
    this.#at += 9
  }

  text(s: string): void {
    const { length } = s
    this.#room(10 + 3 * length)
    const b = this.#bytes
    const at = this.#at
    b[at] = 0
    if (length > SHORT) {
      const size = b.write(s, at + 10)
      writeLength(b, at + 1, size)
      this.#at = at + 10 + size
      return
    }
    // Most are short and plain: a loop is done before a call into the machine room has begun.
    const from = at + 2
    let i = 0
    for (; i < length; i++) {
      const c = s.charCodeAt(i)
      if (c > 0x7f) break
      b[from + i] = c
    }
    const size = i === length ? length : b.write(s, from)
    b[at + 1] = size
    this.#at = from + size
  }

  bytes(value: Uint8Array): void {
    const { length } = value
    this.#room(10 + length)
    const b = this.#bytes
    const at = this.#at
    b[at] = 0
    const from = length <= PLAIN_LENGTH_MAX ? at + 2 : at + 10
    if (length <= PLAIN_LENGTH_MAX) b[at + 1] = length
    else writeLength(b, at + 1, length)
    b.set(value, from)
    this.#at = from + length
  }

  /** `2026-11-24 09:00:00.123`, cut after as many digits as the column keeps. */
  dateTime(text: string, fractionDigits: number): void {
    this.#room(TIME_BYTES)
    const known = timeBytes(text, fractionDigits)
    for (let i = 0; i < TIME_BYTES; i++) this.#bytes[this.#at + i] = known[i] as number
    this.#at += TIME_BYTES
  }

  /**
   * The packets that carry the rows to a prepared statement, each about as long as said. They share the buffer: one is only
   * good until the next is asked for, and all until `clear`.
   */
  *packets(statementId: number, packetBytes: number): Generator<Uint8Array> {
    for (let row = 0; row < this.#starts.length; ) {
      const from = this.#starts[row] as number
      while (row < this.#starts.length && (this.#starts[row] as number) - from < packetBytes) row++
      const to = this.#starts[row] ?? this.#at
      // The head goes before the first of its rows, over what has been sent.
      const start = from - this.#headBytes
      this.#head(start, statementId, to - start - 4)
      yield this.#bytes.subarray(start, to)
    }
  }

  #head(at: number, statementId: number, length: number): void {
    const b = this.#bytes
    b.writeUIntLE(length, at, 3)
    b[at + 3] = 0
    b[at + 4] = COM_STMT_BULK_EXECUTE
    b.writeUInt32LE(statementId, at + 5)
    b.writeUInt16LE(SEND_TYPES_TO_SERVER, at + 9)
    for (const [i, { code }] of this.#types.entries()) b.writeUInt16LE(code, at + 11 + 2 * i)
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#at + bytes))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

const COM_STMT_BULK_EXECUTE = 0xfa
const SEND_TYPES_TO_SERVER = 128
const INT32_MAX = 2 ** 31 - 1
const INT32_MIN = -(2 ** 31)
/** A length up to this is one byte. */
const PLAIN_LENGTH_MAX = 250
/** Characters that take at most as many bytes. */
const SHORT = Math.floor(PLAIN_LENGTH_MAX / 3)
const ZERO = 48

/** How values of a column travel: its code (with 0x8000: unsigned), and what writes one. */
export interface BulkType {
  readonly code: number
  readonly write: (to: BulkRows, value: SqlValue) => void
}

const LONG = 3
const DOUBLE = 5
const LONGLONG = 8
const DATETIME = 12
const BLOB = 252
const VAR_STRING = 253
const UNSIGNED = 0x8000

/** By the type that the column has on this server; the same values as `writerOf` writes as text. */
export function bulkTypeOf(type: string): BulkType {
  if (/^(tiny|small|medium)int/.test(type)) return { code: LONG, write: (to, v) => whole(to, v, small) }
  if (/^(big)?int/.test(type))
    return /unsigned/.test(type)
      ? { code: LONGLONG | UNSIGNED, write: (to, v) => whole(to, v, unsigned) }
      : { code: LONGLONG, write: (to, v) => whole(to, v, signed) }
  if (/^(decimal|double|float)/.test(type))
    return { code: DOUBLE, write: (to, v) => (typeof v === 'number' && Number.isFinite(v) ? to.double(v) : to.null()) }
  if (/^varbinary/.test(type))
    return {
      code: BLOB,
      write: (to, v) => (typeof v === 'number' ? to.bytes(ipv4Bytes(v)) : v instanceof Uint8Array ? to.bytes(v) : to.null()),
    }
  if (/^binary/.test(type)) return { code: BLOB, write: (to, v) => (v instanceof Uint8Array ? to.bytes(v) : to.null()) }
  const fraction = /^(?:datetime|timestamp)(?:\((\d)\))?/.exec(type)
  if (fraction) {
    const fractionDigits = Number(fraction[1] ?? 0)
    return { code: DATETIME, write: (to, v) => (typeof v === 'string' ? to.dateTime(v, fractionDigits) : to.null()) }
  }
  return { code: VAR_STRING, write: (to, v) => (v === null ? to.null() : v instanceof Uint8Array ? to.bytes(v) : to.text(String(v))) }
}

/** Cut, not rounded; NULL for what is no number. */
function whole(to: BulkRows, v: SqlValue, write: (to: BulkRows, v: number | bigint) => void): void {
  if (typeof v === 'number' ? Number.isFinite(v) : typeof v === 'bigint') write(to, v as number | bigint)
  else to.null()
}

const small = (to: BulkRows, v: number | bigint): void => to.int32(Number(v))
const signed = (to: BulkRows, v: number | bigint): void =>
  to.int64(typeof v === 'bigint' ? v : Math.trunc(Math.max(-BIGINT_MAX, Math.min(BIGINT_MAX, v))))
/** What is below nothing the server would make 0 as well. */
const unsigned = (to: BulkRows, v: number | bigint): void =>
  to.int64(v < 0 ? 0 : typeof v === 'bigint' ? v : Math.trunc(Math.min(BIGINT_MAX, v)))

/** What a bigint column holds at most, as a double; see `writerOf`. */
const BIGINT_MAX = 2 ** 63 - 1024

function writeUint64(b: Uint8Array, at: number, v: number): void {
  const high = Math.floor(v / 2 ** 32)
  const low = v - high * 2 ** 32
  b[at] = low
  b[at + 1] = low >>> 8
  b[at + 2] = low >>> 16
  b[at + 3] = low >>> 24
  b[at + 4] = high
  b[at + 5] = high >> 8
  b[at + 6] = high >> 16
  b[at + 7] = high >> 24
}

/** A length-encoded integer in its longest form, 9 bytes. */
function writeLength(b: Uint8Array, at: number, length: number): void {
  b[at] = 0xfe
  writeUint64(b, at + 1, length)
}

/** Indicator, length, year[2], month, day, hour, minute, second, microsecond[4]. */
const TIME_BYTES = 13
const time = new Uint8Array(TIME_BYTES)
/** Every row of a call begins with the same time. */
let timeText = ''
let timeDigits = -1

function timeBytes(text: string, fractionDigits: number): Uint8Array {
  if (text === timeText && fractionDigits === timeDigits) return time
  timeText = text
  timeDigits = fractionDigits
  const year = digits(text, 0, 4)
  let micros = 0
  for (let i = 0; i < 6; i++) micros = 10 * micros + (i < fractionDigits && 20 + i < text.length ? text.charCodeAt(20 + i) - ZERO : 0)
  time.set([0, TIME_BYTES - 2, year, year >> 8, digits(text, 5, 2), digits(text, 8, 2)])
  time.set([digits(text, 11, 2), digits(text, 14, 2), digits(text, 17, 2)], 6)
  time.set([micros, micros >> 8, micros >> 16, micros >> 24], 9)
  return time
}

function digits(text: string, at: number, count: number): number {
  let value = 0
  for (let i = at; i < at + count; i++) value = 10 * value + text.charCodeAt(i) - ZERO
  return value
}

const ipv4Bytes = (address: number): Uint8Array =>
  Uint8Array.of(address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255)
