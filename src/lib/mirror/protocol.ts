/**
 * The mirror's own protocol, pure: what the bytes on the connection mean. Inside TLS or plain, the sender speaks first.
 *
 *   sender                         receiver
 *   preamble, hello  ───────────▶            versions, sensor, stream, compressions
 *              ◀───────────  challenge       a nonce, the receiver's clock
 *   answer           ───────────▶            HMAC-SHA256 of the nonce under the token; the sender's clock
 *              ◀───────────  welcome|refuse  version and compression chosen, where to go on, window
 *   block block …    ───────────▶            numbered; as many unacknowledged ones as the window allows
 *              ◀───────────  ack             "all up to this number are with the pipeline"
 *   status           ───────────▶            every second: clock, counters      ◀── pulse: the receiver's clock
 *   bye              ───────────▶            nothing more will come
 *
 * A frame:  0      1      4        8
 *           | type | zero | length | payload …      little-endian; every payload but a block's and an ack's is JSON
 */
export const preamble: Uint8Array = Uint8Array.from('earshot-mirror\r\n', (c) => c.charCodeAt(0))
export const protocolVersion = 1
export const frameHeaderLength = 8

/** No block is larger than this, packed or not: its tables and a frame of packets. */
export const blockBytesMax = 4 << 20
const CONTROL_BYTES_MAX = 16 << 10

/** Every kind of frame, by number, with the largest payload that is believed. */
export const frameTypes = {
  hello: { number: 1, max: CONTROL_BYTES_MAX },
  challenge: { number: 2, max: CONTROL_BYTES_MAX },
  answer: { number: 3, max: CONTROL_BYTES_MAX },
  welcome: { number: 4, max: CONTROL_BYTES_MAX },
  refuse: { number: 5, max: CONTROL_BYTES_MAX },
  block: { number: 16, max: blockBytesMax },
  ack: { number: 17, max: 8 },
  status: { number: 18, max: CONTROL_BYTES_MAX },
  pulse: { number: 19, max: CONTROL_BYTES_MAX },
  bye: { number: 20, max: CONTROL_BYTES_MAX },
} as const
export type FrameType = keyof typeof frameTypes

const typeByNumber: ReadonlyMap<number, FrameType> = new Map(
  Object.entries(frameTypes).map(([name, { number }]) => [number, name as FrameType]),
)

export interface Hello {
  readonly versions: readonly number[]
  readonly sensorId: number
  readonly name: string
  /** Names the numbering of blocks: a sender that lost its numbers has another stream. 32 hexadecimal digits. */
  readonly stream: string
  /** Compressions the sender can use, best first. */
  readonly compressions: readonly string[]
  readonly software: string
}

export interface Challenge {
  readonly version: number
  /** 64 hexadecimal digits. */
  readonly nonce: string
  readonly micros: number
}

export interface Answer {
  /** HMAC-SHA256 in hexadecimal, empty without a token. */
  readonly proof: string
  readonly micros: number
}

export interface Welcome {
  readonly compression: string
  /** All blocks up to this number are acknowledged; -1 when the receiver does not know this stream. */
  readonly acked: number
  /** All up to this number have arrived, some of them may still wait to be acknowledged; -1 as above. */
  readonly have: number
  /** Blocks that may be on their way at one time. */
  readonly window: number
}

export interface Refuse {
  readonly code: 'VERSION' | 'TOKEN' | 'DUPLICATE' | 'CLOCK' | 'BROKEN'
  readonly reason: string
}

/** The sender's account of itself. */
export interface Status {
  readonly micros: number
  /** The receiver's clock in the last pulse, and how long ago that came, for the round trip; 0 before the first. */
  readonly pulseMicros: number
  readonly heldMicros: number
  readonly packets: number
  readonly blocks: number
  readonly memoryBytes: number
  readonly memoryMax: number
  readonly diskBytes: number
  readonly diskMax: number
  /** Capture time of the oldest packet that waits; 0 when none does. */
  readonly oldestMicros: number
  /** How far capture time has come: nothing older will follow what was sent. */
  readonly untilMicros: number
  /** Packets lost, by stage: kernel, filter, rate cap, memory full, disk full … */
  readonly dropped: Readonly<Record<string, number>>
}

export interface Pulse {
  readonly micros: number
}

export interface Messages {
  hello: Hello
  challenge: Challenge
  answer: Answer
  welcome: Welcome
  refuse: Refuse
  status: Status
  pulse: Pulse
  bye: Record<string, never>
}

type Check = (value: unknown) => boolean
const isCount: Check = (v) => typeof v === 'number' && Number.isSafeInteger(v) && v >= 0
const isNumberOrNone: Check = (v) => v === -1 || isCount(v)
const isText =
  (max: number): Check =>
  (v) =>
    typeof v === 'string' && v.length <= max
const isHex =
  (digits: number): Check =>
  (v) =>
    typeof v === 'string' && v.length === digits && /^[0-9a-f]*$/.test(v)
const isList =
  (of: Check): Check =>
  (v) =>
    Array.isArray(v) && v.length > 0 && v.length <= 16 && v.every(of)
const STAGES_MAX = 32
const isCounts: Check = (v) =>
  typeof v === 'object' &&
  v !== null &&
  !Array.isArray(v) &&
  Object.entries(v).length <= STAGES_MAX &&
  Object.entries(v).every(([key, n]) => key.length <= 64 && isCount(n))

/** What each field of each message must be. Fields that are not here are ignored: a later version may send them. */
const shapes: { readonly [K in keyof Messages]: { readonly [F in keyof Messages[K]]: Check } } = {
  hello: {
    versions: isList(isCount),
    sensorId: (v) => isCount(v) && (v as number) <= 65_535,
    name: isText(256),
    stream: isHex(32),
    compressions: isList(isText(32)),
    software: isText(128),
  },
  challenge: { version: isCount, nonce: isHex(64), micros: isCount },
  answer: { proof: (v) => v === '' || isHex(64)(v), micros: isCount },
  welcome: { compression: isText(32), acked: isNumberOrNone, have: isNumberOrNone, window: (v) => isCount(v) && (v as number) > 0 },
  refuse: { code: isText(32), reason: isText(1024) },
  status: {
    micros: isCount,
    pulseMicros: isCount,
    heldMicros: isCount,
    packets: isCount,
    blocks: isCount,
    memoryBytes: isCount,
    memoryMax: isCount,
    diskBytes: isCount,
    diskMax: isCount,
    oldestMicros: isCount,
    untilMicros: isCount,
    dropped: isCounts,
  },
  pulse: { micros: isCount },
  bye: {},
}

/** Reads a JSON payload. Answers a reason when it is not what the message must be. */
export function readMessage<K extends keyof Messages>(type: K, payload: Uint8Array): Messages[K] | string {
  let value: unknown
  try {
    value = JSON.parse(textOf(payload))
  } catch {
    return `${type} that is not JSON`
  }
  if (typeof value !== 'object' || value === null) return `${type} that is not an object`
  for (const [field, check] of Object.entries(shapes[type]) as [string, Check][])
    if (!check((value as Record<string, unknown>)[field])) return `${type} with a wrong "${field}"`
  return value as Messages[K]
}

/** A whole frame with a JSON payload. */
export function writeMessage<K extends keyof Messages>(type: K, message: Messages[K]): Uint8Array {
  const payload = new TextEncoder().encode(JSON.stringify(message))
  const frame = new Uint8Array(frameHeaderLength + payload.length)
  writeFrameHeader(frame, type, payload.length)
  frame.set(payload, frameHeaderLength)
  return frame
}

export function writeFrameHeader(out: Uint8Array, type: FrameType, length: number): void {
  out.fill(0, 0, 4)
  out[0] = frameTypes[type].number
  new DataView(out.buffer, out.byteOffset).setUint32(4, length, true)
}

export function writeAck(number: number): Uint8Array {
  const frame = new Uint8Array(frameHeaderLength + 8)
  writeFrameHeader(frame, 'ack', 8)
  new DataView(frame.buffer).setFloat64(frameHeaderLength, number, true)
  return frame
}

/** The acknowledged number; -1 when it is none. */
export function readAck(payload: Uint8Array): number {
  if (payload.length !== 8) return -1
  const number = new DataView(payload.buffer, payload.byteOffset).getFloat64(0, true)
  return Number.isSafeInteger(number) && number >= 0 ? number : -1
}

const decoder = new TextDecoder('utf-8', { fatal: true })
const textOf = (bytes: Uint8Array): string => decoder.decode(bytes)

/**
 * Frames out of a stream of bytes that comes in any pieces. Each payload is a buffer of its own.
 * What a peer's length can cost is the largest payload of its type, and of a type that is allowed now.
 */
export class FrameReader {
  readonly #allowed: (type: FrameType) => boolean
  readonly #header = new Uint8Array(frameHeaderLength)
  #headerFill = 0
  #type: FrameType = 'hello'
  #payload: Uint8Array | undefined
  #payloadFill = 0

  /** `allowed` says which types may come in the state the connection is in. */
  constructor(allowed: (type: FrameType) => boolean) {
    this.#allowed = allowed
  }

  /** Takes the next bytes. Answers why the stream is broken, or undefined. After a reason, ask no more. */
  push(chunk: Uint8Array, onFrame: (type: FrameType, payload: Uint8Array) => string | undefined): string | undefined {
    let at = 0
    while (at < chunk.length) {
      if (this.#payload === undefined) {
        const step = Math.min(frameHeaderLength - this.#headerFill, chunk.length - at)
        this.#header.set(chunk.subarray(at, at + step), this.#headerFill)
        this.#headerFill += step
        at += step
        if (this.#headerFill < frameHeaderLength) return undefined
        const reason = this.#begin()
        if (reason !== undefined) return reason
      }
      const payload = this.#payload as unknown as Uint8Array
      const step = Math.min(payload.length - this.#payloadFill, chunk.length - at)
      payload.set(chunk.subarray(at, at + step), this.#payloadFill)
      this.#payloadFill += step
      at += step
      if (this.#payloadFill < payload.length) return undefined
      this.#payload = undefined
      this.#headerFill = 0
      const reason = onFrame(this.#type, payload)
      if (reason !== undefined) return reason
    }
    return undefined
  }

  #begin(): string | undefined {
    const header = this.#header
    const type = typeByNumber.get(header[0] as number)
    if (type === undefined || header[1] !== 0 || header[2] !== 0 || header[3] !== 0) return 'unknown kind of frame'
    if (!this.#allowed(type)) return `${type} at the wrong time`
    const length = new DataView(header.buffer).getUint32(4, true)
    if (length > frameTypes[type].max) return `${type} longer than one can be`
    this.#type = type
    this.#payload = new Uint8Array(length)
    this.#payloadFill = 0
    return undefined
  }
}
