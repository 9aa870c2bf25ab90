import type { Socket } from 'node:net'
import { keyOf, proofOf } from './auth.js'
import { type Compression, isCompression } from './block.js'
import type { BlockQueue } from './block-queue.js'
import { type LinkEnd, type LinkParts, type SenderCounts, SILENCE_MS } from './link.js'
import {
  type Challenge,
  FrameReader,
  type FrameType,
  frameHeaderLength,
  preamble,
  protocolVersion,
  type Refuse,
  readAck,
  readMessage,
  type Welcome,
  writeFrameHeader,
  writeMessage,
} from './protocol.js'

/** The sending end of one connection in our own protocol: handshake, blocks as the window allows, acknowledgements, heartbeat. */

const STATUS_MS = 1000
/** Bytes given to the socket ahead of the network. */
const AHEAD_BYTES = 4 << 20

type State = 'hello' | 'answer' | 'open'
/** What the receiver may say in which state. */
const allowed: Readonly<Record<State, readonly FrameType[]>> = {
  hello: ['challenge', 'refuse'],
  answer: ['welcome', 'refuse'],
  open: ['ack', 'pulse', 'refuse'],
}

/** Runs until the connection ends; says how. */
export function runOwnLink(socket: Socket, parts: LinkParts): Promise<LinkEnd> {
  return new Promise((resolve) => new OwnLink(socket, parts, resolve))
}

class OwnLink {
  readonly #socket: Socket
  readonly #parts: LinkParts
  readonly #queue: BlockQueue
  readonly #done: (end: LinkEnd) => void
  readonly #reader = new FrameReader((type) => allowed[this.#state].includes(type))
  readonly #timer: NodeJS.Timeout
  #state: State = 'hello'
  #window = 0
  #heardMs = Date.now()
  #pulse = { micros: 0, atMs: 0 }
  #ended = false

  constructor(socket: Socket, parts: LinkParts, done: (end: LinkEnd) => void) {
    this.#socket = socket
    this.#parts = parts
    this.#queue = parts.queue
    this.#done = done
    socket.on('data', (chunk: Uint8Array) => {
      this.#heardMs = Date.now()
      const reason = this.#reader.push(chunk, (type, payload) => this.#accept(type, payload))
      if (reason !== undefined) this.#end(`the receiver sent ${reason}`)
    })
    socket.on('error', (error) => this.#end(error.message))
    socket.on('close', () => this.#end('the connection was closed'))
    socket.on('drain', () => this.#pump())
    this.#timer = setInterval(() => this.#tick(), STATUS_MS)
    parts.queue.onReady(() => this.#pump())
    parts.signal.addEventListener('abort', this.#onAbort, { once: true })
    socket.write(preamble)
    socket.write(
      writeMessage('hello', {
        versions: [protocolVersion],
        sensorId: parts.identity.sensorId,
        name: parts.identity.name,
        stream: parts.queue.stream,
        compressions: parts.compression === 'none' ? ['none'] : [parts.compression, 'none'],
        software: parts.identity.software,
      }),
    )
  }

  readonly #onAbort = (): void => this.#end('stopped')

  #accept(type: FrameType, payload: Uint8Array): string | undefined {
    switch (type) {
      case 'challenge':
        return withMessage(readMessage('challenge', payload), (challenge) => this.#answer(challenge))
      case 'welcome':
        return withMessage(readMessage('welcome', payload), (welcome) => this.#open(welcome))
      case 'refuse':
        return withMessage(readMessage('refuse', payload), ({ code, reason }) => this.#end(reason, code))
      case 'ack': {
        const number = readAck(payload)
        if (number < 0) return 'an impossible acknowledgement'
        this.#queue.ack(number)
        this.#pump()
        this.#parts.onProgress()
        return undefined
      }
      default:
        return withMessage(readMessage('pulse', payload), ({ micros }) => {
          this.#pulse = { micros, atMs: Date.now() }
        })
    }
  }

  #answer({ version, nonce }: Challenge): void {
    if (version !== protocolVersion) {
      this.#end(`the receiver wants version ${version} of the protocol`, 'VERSION')
      return
    }
    const { token, sensorId } = this.#parts.identity
    const proof = token === undefined ? '' : proofOf(keyOf(token), nonce, sensorId)
    this.#state = 'answer'
    this.#socket.write(writeMessage('answer', { proof, micros: Date.now() * 1000 }))
  }

  #open({ compression, acked, have, window }: Welcome): void {
    this.#state = 'open'
    this.#window = window
    this.#parts.onOpen(isCompression(compression) ? (compression as Compression) : 'none')
    if (acked >= 0) this.#queue.ack(acked)
    this.#queue.rewind(have)
    this.#sendStatus()
    this.#pump()
    this.#parts.onProgress()
  }

  #pump(): void {
    if (this.#state !== 'open' || this.#ended) return
    const socket = this.#socket
    while (this.#queue.inFlight < this.#window && socket.writableLength < AHEAD_BYTES) {
      const block = this.#queue.next()
      if (block === undefined) return
      const header = new Uint8Array(frameHeaderLength)
      writeFrameHeader(header, 'block', block.bytes.length)
      socket.cork()
      socket.write(header)
      socket.write(block.bytes)
      socket.uncork()
      this.#parts.onSent(block.packets, block.bytes.length)
    }
  }

  #tick(): void {
    if (Date.now() - this.#heardMs > SILENCE_MS) this.#end(`nothing heard for ${SILENCE_MS / 1000} s`)
    else if (this.#state === 'open') this.#sendStatus()
  }

  #sendStatus(): void {
    if (this.#socket.writableLength > AHEAD_BYTES) return
    const counts: SenderCounts = this.#parts.counts()
    const nowMs = Date.now()
    this.#socket.write(
      writeMessage('status', {
        micros: nowMs * 1000,
        pulseMicros: this.#pulse.micros,
        heldMicros: this.#pulse.micros === 0 ? 0 : Math.max(0, nowMs - this.#pulse.atMs) * 1000,
        ...counts,
        // Only what has no older packets waiting before it.
        untilMicros: this.#queue.unsent ? 0 : counts.untilMicros,
      }),
    )
  }

  #end(reason: string, code?: Refuse['code']): void {
    if (this.#ended) return
    this.#ended = true
    clearInterval(this.#timer)
    this.#parts.signal.removeEventListener('abort', this.#onAbort)
    this.#parts.queue.onReady(() => {})
    const opened = this.#state === 'open'
    // All acknowledged: a farewell, so that the receiver need not wait for more.
    if (reason === 'stopped' && opened && this.#queue.empty) this.#socket.end(writeMessage('bye', {}))
    else this.#socket.destroy()
    this.#done({ reason, code, opened })
  }
}

function withMessage<T extends object>(message: T | string, use: (message: T) => void): string | undefined {
  if (typeof message === 'string') return message
  use(message)
  return undefined
}
