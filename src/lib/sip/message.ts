import { utf8 } from '../base/text.js'
import { type HeaderName, headerNameOf } from './headers.js'
import { beginsSip, beginsStatusLine, skipEmptyLines } from './start-line.js'

/**
 * One SIP message read in place (RFC 3261 7): start line, the header fields of `headerTable`, where the body is.
 * It points into the packet's bytes and means nothing after them; strings taken from it are their own.
 */
export interface SipMessage {
  /** Undefined in a response. Case matters (RFC 3261 7.1). */
  readonly method: string | undefined
  readonly requestUri: string | undefined
  /** Undefined in a request. */
  readonly status: number | undefined
  readonly reasonPhrase: string | undefined
  /** First value of a header field, unfolded and trimmed. */
  header(name: HeaderName): string | undefined
  /** All lines of it, in order. */
  headers(name: HeaderName): string[]
  readonly bytes: Uint8Array
  /** Where its start line begins. */
  readonly at: number
  readonly bodyAt: number
  readonly bodyEnd: number
  /** Where the message ends: the next one may begin there. */
  readonly end: number
}

const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
const SPACE = 0x20
const TAB = 0x09
const DIGIT_0 = 0x30
/** `SIP/2.0 NNN` */
const STATUS_LINE_MIN = 11

/** Header fields kept of one message; a longer one is cut off there. */
const FIELDS_MAX = 512

export type SipProblem = 'SIP start line without an end' | 'not SIP'

class Message implements SipMessage {
  method: string | undefined
  requestUri: string | undefined
  status: number | undefined
  reasonPhrase: string | undefined
  readonly bytes: Uint8Array
  readonly at: number
  bodyAt = 0
  bodyEnd = 0
  end = 0
  readonly #names: HeaderName[] = []
  readonly #ranges: number[] = []
  /** Texts that were asked for. */
  readonly #values: (string | undefined)[] = []

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes
    this.at = at
  }

  add(name: HeaderName, from: number, to: number): void {
    if (this.#names.length >= FIELDS_MAX) return
    this.#names.push(name)
    this.#ranges.push(from, to)
  }

  header(name: HeaderName): string | undefined {
    const i = this.#names.indexOf(name)
    return i < 0 ? undefined : this.#value(i)
  }

  headers(name: HeaderName): string[] {
    const values: string[] = []
    for (let i = 0; i < this.#names.length; i++) if (this.#names[i] === name) values.push(this.#value(i))
    return values
  }

  #value(i: number): string {
    const known = this.#values[i]
    if (known !== undefined) return known
    const text = utf8(this.bytes, this.#ranges[2 * i] as number, this.#ranges[2 * i + 1] as number)
    const value = (text.includes('\n') ? text.replace(/\r?\n[ \t]+/g, ' ') : text).trim()
    this.#values[i] = value
    return value
  }
}

/**
 * Reads the message that begins at `at`. A message that was `cut` (by the snaplen) keeps the lines that are whole: half a
 * Call-ID would be a call that never was, half a port another port. Answers a reason when there is no message.
 */
export function readSip(bytes: Uint8Array, at: number, end: number, cut = false): SipMessage | SipProblem {
  const start = skipEmptyLines(bytes, at, end)
  if (!beginsSip(bytes, start, end)) return 'not SIP'
  const message = new Message(bytes, start)
  const startLineEnd = lineEnd(bytes, start, end)
  readStartLine(message, startLineEnd)
  let i = nextLine(bytes, startLineEnd, end)
  let headerEnd = i
  for (;;) {
    if (i >= end) {
      headerEnd = end
      break
    }
    let eol = lineEnd(bytes, i, end)
    if (isEmptyLine(bytes, i, eol)) {
      headerEnd = nextLine(bytes, eol, end)
      break
    }
    // Folding: a line that begins with white space goes on with the one before (RFC 3261 7.3.1).
    for (
      let next = nextLine(bytes, eol, end);
      next < end && (bytes[next] === SPACE || bytes[next] === TAB);
      next = nextLine(bytes, eol, end)
    ) {
      eol = lineEnd(bytes, next, end)
    }
    if (eol < end || !cut) readField(message, i, eol)
    i = nextLine(bytes, eol, end)
  }
  message.bodyAt = headerEnd
  message.bodyEnd = Math.min(end, headerEnd + (contentLength(message) ?? end - headerEnd))
  message.end = message.bodyEnd
  if (cut && message.bodyEnd === end) while (message.bodyEnd > headerEnd && bytes[message.bodyEnd - 1] !== LF) message.bodyEnd--
  return message
}

/** Content-Length when it is a sane number; undefined when absent or nonsense (then the datagram's end is the body's, 18.3). */
export function contentLength(message: SipMessage): number | undefined {
  const text = message.header('content-length')
  return text !== undefined && /^\d{1,8}$/.test(text) ? Number(text) : undefined
}

function readStartLine(message: Message, end: number): void {
  const { bytes, at } = message
  if (beginsStatusLine(bytes, at, end)) {
    message.status = (bytes[at + 8]! - DIGIT_0) * 100 + (bytes[at + 9]! - DIGIT_0) * 10 + bytes[at + 10]! - DIGIT_0
    message.reasonPhrase = utf8(bytes, at + STATUS_LINE_MIN, end).trim()
    return
  }
  const line = utf8(bytes, at, end).trim()
  const space = line.indexOf(' ')
  message.method = line.slice(0, space)
  message.requestUri = line.slice(space + 1, line.lastIndexOf(' ')).trim()
}

function readField(message: Message, from: number, to: number): void {
  const { bytes } = message
  let colon = from
  // No header name that we keep is longer than 32 bytes.
  const limit = Math.min(to, from + 40)
  while (colon < limit && bytes[colon] !== COLON) colon++
  if (colon === limit) return
  let nameEnd = colon
  while (nameEnd > from && (bytes[nameEnd - 1] as number) <= SPACE) nameEnd--
  const name = headerNameOf(bytes, from, nameEnd)
  if (name !== undefined) message.add(name, colon + 1, to)
}

function lineEnd(bytes: Uint8Array, at: number, end: number): number {
  // Not `indexOf`: that would search the rest of the batch.
  let i = at
  while (i < end && bytes[i] !== LF) i++
  return i
}

const nextLine = (_bytes: Uint8Array, eol: number, end: number): number => Math.min(end, eol + 1)
const isEmptyLine = (bytes: Uint8Array, from: number, eol: number): boolean => eol === from || (eol === from + 1 && bytes[from] === CR)
