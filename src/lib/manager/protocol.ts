import type { Framed } from '../base/framing.js'

/**
 * Our own protocol, as bytes. Both ends begin with a preface, then frames go both ways; many requests at a time on one
 * connection, each with a number that the client chose.
 *
 *   preface   E5 45 41 52 53 48  version  00                 (no VoIPmonitor command and no TLS record begins with E5)
 *
 *   frame     0        4      5       6          8         12
 *             | length | kind | flags | reserved | request | payload …        all numbers little-endian
 *
 * `length` counts the payload. Text is JSON in UTF-8. What a request answers are `item` frames (JSON), `data` frames (bytes)
 * and at the end one `end` or `error`. A server sends no more payload for a request than the client has given credit for:
 * so one reader that is slow holds up nobody else on the connection, and neither end buffers more than the credit.
 */
export const protocolVersion = 1
export const prefaceLength = 8
const MAGIC = [0xe5, 0x45, 0x41, 0x52, 0x53, 0x48]

export const frameHeaderLength = 12
/** Of a frame from the server; requests are shorter. */
export const payloadMax = 256 * 1024
export const requestMax = 64 * 1024
/** Payload bytes a server may send for a new request before it is given more. */
export const creditAtStart = 1 << 20

/** Kinds of frames. The first three come from the client. */
export const kinds = { request: 1, credit: 2, cancel: 3, item: 16, data: 17, end: 18, error: 19 } as const
export type Kind = (typeof kinds)[keyof typeof kinds]

export interface Frame {
  readonly kind: number
  readonly request: number
  /** In place; valid until the buffer is used again. */
  readonly payload: Uint8Array
}

export function preface(): Uint8Array {
  return Uint8Array.of(...MAGIC, protocolVersion, 0)
}

/** Answers the peer's version. */
export function readPreface(bytes: Uint8Array, at: number): Framed<number> {
  const have = Math.min(bytes.length - at, prefaceLength)
  for (let i = 0; i < Math.min(have, MAGIC.length); i++)
    if (bytes[at + i] !== MAGIC[i]) return { state: 'broken', reason: 'it does not speak this protocol' }
  return have < prefaceLength ? { state: 'partial' } : { state: 'complete', value: bytes[at + 6] as number, used: prefaceLength }
}

export const beginsOurs = (first: number): boolean => first === MAGIC[0]

/** A frame's header before its payload, for payloads that are sent as they lie. */
export function frameHeader(kind: Kind, request: number, length: number): Uint8Array {
  const header = new Uint8Array(frameHeaderLength)
  const view = new DataView(header.buffer)
  view.setUint32(0, length, true)
  header[4] = kind
  view.setUint32(8, request, true)
  return header
}

export function frame(kind: Kind, request: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(frameHeaderLength + payload.length)
  bytes.set(frameHeader(kind, request, payload.length))
  bytes.set(payload, frameHeaderLength)
  return bytes
}

export function creditFrame(request: number, bytes: number): Uint8Array {
  const payload = new Uint8Array(4)
  new DataView(payload.buffer).setUint32(0, bytes, true)
  return frame(kinds.credit, request, payload)
}

/** Undefined when the frame is none. */
export const creditOf = ({ payload }: Frame): number | undefined =>
  payload.length === 4 ? new DataView(payload.buffer, payload.byteOffset).getUint32(0, true) : undefined

interface FrameHead {
  readonly kind: number
  readonly request: number
  /** Of the payload. */
  readonly length: number
}

/** Reads a frame's header; a length beyond `max` is told before anything is buffered. */
export function readFrameHead(bytes: Uint8Array, at: number, end: number, max: number): Framed<FrameHead> {
  if (end - at < frameHeaderLength) return { state: 'partial' }
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const length = view.getUint32(at, true)
  if (length > max) return { state: 'broken', reason: `a frame of ${length} bytes, where ${max} is the most` }
  if (view.getUint16(at + 6, true) !== 0 || view.getUint8(at + 5) !== 0)
    return { state: 'broken', reason: 'bits that this version does not know' }
  return {
    state: 'complete',
    value: { kind: view.getUint8(at + 4), request: view.getUint32(at + 8, true), length },
    used: frameHeaderLength,
  }
}

/**
 * Cuts what a socket delivers into frames. Holds never more than the one frame that is not whole; of `data` frames, where somebody
 * takes them in parts, not even that: their payload goes on as it comes, and is not copied.
 */
export class FrameReader {
  readonly #max: number
  readonly #onData: ((request: number, part: Uint8Array) => void) | undefined
  #held = new Uint8Array(4096)
  #heldLength = 0
  /** Bytes until the held frame, or its header, is whole. */
  #wanted = 0
  #dataRequest = 0
  /** Of a `data` frame whose payload is on its way. */
  #dataLeft = 0

  constructor(max: number, onData?: (request: number, part: Uint8Array) => void) {
    this.#max = max
    this.#onData = onData
  }

  /** Bytes of a frame that is not whole yet. */
  get pending(): number {
    return this.#heldLength
  }

  /** Calls `onFrame` for each whole frame; its payload is valid within the call. Answers why the stream is broken, or undefined. */
  push(chunk: Uint8Array, onFrame: (frame: Frame) => void): string | undefined {
    for (let at = 0; at < chunk.length; ) {
      if (this.#dataLeft > 0) {
        const part = chunk.subarray(at, at + this.#dataLeft)
        at += part.length
        this.#dataLeft -= part.length
        this.#onData?.(this.#dataRequest, part)
        continue
      }
      // Frames are taken where they lie, but for one that began in an earlier chunk.
      const held = this.#heldLength > 0
      if (held) at += this.#hold(chunk, at)
      const bytes = held ? this.#held : chunk
      const from = held ? 0 : at
      const end = held ? this.#heldLength : chunk.length
      const head = readFrameHead(bytes, from, end, this.#max)
      if (head.state === 'broken') return head.reason
      if (head.state === 'complete') {
        const { kind, request, length } = head.value
        const start = from + frameHeaderLength
        const inParts = kind === kinds.data && this.#onData !== undefined
        if (inParts || end - start >= length) {
          this.#heldLength = 0
          if (!held) at = inParts ? start : start + length
          if (inParts) {
            this.#dataRequest = request
            this.#dataLeft = length
          } else onFrame({ kind, request, payload: bytes.subarray(start, start + length) })
          continue
        }
        this.#wanted = frameHeaderLength + length
      } else this.#wanted = frameHeaderLength
      if (!held) at += this.#hold(chunk, at)
    }
    return undefined
  }

  /** Keeps what the held frame wants, or what there is of it. */
  #hold(chunk: Uint8Array, at: number): number {
    if (this.#held.length < this.#wanted) {
      const larger = new Uint8Array(this.#wanted)
      larger.set(this.#held.subarray(0, this.#heldLength))
      this.#held = larger
    }
    const part = chunk.subarray(at, at + this.#wanted - this.#heldLength)
    this.#held.set(part, this.#heldLength)
    this.#heldLength += part.length
    return part.length
  }
}
