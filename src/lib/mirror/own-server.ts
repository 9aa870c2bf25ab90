import type { Socket } from 'node:net'
import type { BatchFill } from '../pcap/batch.js'
import { newNonce } from './auth.js'
import { blockFill, blockInterface, isCompression, readBlockHead, unpackBlock } from './block.js'
import type { ArrivedBlock } from './lane.js'
import { SILENCE_MS } from './link.js'
import {
  type Answer,
  FrameReader,
  type FrameType,
  type Hello,
  preamble,
  protocolVersion,
  type Refuse,
  readMessage,
  type Status,
  writeAck,
  writeMessage,
} from './protocol.js'

/** The receiving end of one connection in our own protocol. What it may do with the lanes it asks of the host, the receiver. */
export interface OwnHost {
  /** May this sensor come in, and where does its stream go on? */
  admit(hello: Hello, nonce: string, answer: Answer, connection: OwnConnection): Admission | Refuse
  arrived(block: ArrivedBlock, connection: OwnConnection): void
  status(status: Status, connection: OwnConnection): void
  ended(connection: OwnConnection, reason: string): void
  odd(reason: string, by?: number): void
}

export interface Admission {
  readonly acked: number
  readonly have: number
  readonly window: number
  /** Added to each packet's time. */
  readonly shiftMicros: number
}

const HANDSHAKE_MS = 10_000
const PULSE_MS = 1000

type State = 'preamble' | 'hello' | 'answer' | 'open'
const allowed: Readonly<Record<State, readonly FrameType[]>> = {
  preamble: [],
  hello: ['hello'],
  answer: ['answer'],
  open: ['block', 'status', 'bye'],
}

export class OwnConnection {
  readonly socket: Socket
  readonly address: string
  readonly encrypted: boolean
  readonly #host: OwnHost
  readonly #reader = new FrameReader((type) => allowed[this.#state].includes(type))
  readonly #nonce = newNonce()
  readonly #challengedMs = Date.now()
  #state: State = 'preamble'
  #preambleFill = 0
  #hello: Hello | undefined
  #shiftMicros = 0
  #timer: NodeJS.Timeout
  #ended = false
  heardMs = Date.now()
  /** The receiver's clock minus the sender's, µs; undefined before it was measured. */
  skewMicros: number | undefined
  roundTripMicros = Number.POSITIVE_INFINITY
  bytesReceived = 0
  status: Status | undefined

  constructor(socket: Socket, host: OwnHost, encrypted: boolean) {
    this.socket = socket
    this.#host = host
    this.encrypted = encrypted
    this.address = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`
    socket.setNoDelay(true)
    socket.on('data', (chunk: Uint8Array) => this.#hear(chunk))
    socket.on('error', (error) => this.end(error.message))
    socket.on('close', () => this.end('the connection was closed'))
    this.#timer = setTimeout(() => this.refuse({ code: 'BROKEN', reason: 'no handshake in time' }), HANDSHAKE_MS)
  }

  get hello(): Hello | undefined {
    return this.#hello
  }

  #hear(chunk: Uint8Array): void {
    this.heardMs = Date.now()
    this.bytesReceived += chunk.length
    let rest = chunk
    if (this.#state === 'preamble') {
      const want = preamble.subarray(this.#preambleFill)
      const step = Math.min(want.length, chunk.length)
      for (let i = 0; i < step; i++)
        if (chunk[i] !== want[i]) {
          this.#host.odd('connection with a wrong beginning')
          this.end('it does not speak this protocol')
          return
        }
      this.#preambleFill += step
      if (this.#preambleFill < preamble.length) return
      this.#state = 'hello'
      rest = chunk.subarray(step)
    }
    const reason = this.#reader.push(rest, (type, payload) => (this.#ended ? undefined : this.#accept(type, payload)))
    if (reason === undefined || this.#ended) return
    this.#host.odd('connection broken: protocol')
    this.refuse({ code: 'BROKEN', reason })
  }

  #accept(type: FrameType, payload: Uint8Array): string | undefined {
    switch (type) {
      case 'hello': {
        const hello = readMessage('hello', payload)
        if (typeof hello === 'string') return hello
        if (!hello.versions.includes(protocolVersion))
          this.refuse({ code: 'VERSION', reason: `this receiver knows version ${protocolVersion} of the protocol only` })
        this.#hello = hello
        this.#state = 'answer'
        this.socket.write(writeMessage('challenge', { version: protocolVersion, nonce: this.#nonce, micros: Date.now() * 1000 }))
        return undefined
      }
      case 'answer': {
        const answer = readMessage('answer', payload)
        if (typeof answer === 'string') return answer
        this.#open(answer)
        return undefined
      }
      case 'block':
        return this.#block(payload)
      case 'status': {
        const status = readMessage('status', payload)
        if (typeof status === 'string') return status
        this.#measure(status)
        this.status = status
        this.#host.status(status, this)
        return undefined
      }
      default:
        this.end('the sender has ended')
        return undefined
    }
  }

  #open(answer: Answer): void {
    const nowMs = Date.now()
    const roundTrip = (nowMs - this.#challengedMs) * 1000
    this.skewMicros = nowMs * 1000 - roundTrip / 2 - answer.micros
    this.roundTripMicros = roundTrip
    const hello = this.#hello as Hello
    const admission = this.#host.admit(hello, this.#nonce, answer, this)
    if ('code' in admission) {
      this.refuse(admission)
      return
    }
    clearTimeout(this.#timer)
    this.#state = 'open'
    this.#shiftMicros = admission.shiftMicros
    const { acked, have, window } = admission
    this.socket.write(writeMessage('welcome', { compression: hello.compressions.find(isCompression) ?? 'none', acked, have, window }))
    this.#timer = setInterval(() => this.#tick(), PULSE_MS)
  }

  #block(bytes: Uint8Array): string | undefined {
    const head = readBlockHead(bytes)
    if (typeof head === 'string') return head
    const { stream, sensorId } = this.#hello as Hello
    const shift = this.#shiftMicros
    const host = this.#host
    this.#host.arrived(
      {
        number: head.number,
        packets: head.packets,
        bytes: bytes.length,
        interfaceName: blockInterface(bytes),
        stream: { sensorId, id: stream },
        arrivedMs: Date.now(),
        *batches() {
          const unit = units.pop() ?? { plain: new Uint8Array(0), fill: blockFill(0) }
          if (unit.plain.length < head.plainLength) unit.plain = new Uint8Array(head.plainLength)
          if (unit.fill.capacity < head.packets) unit.fill = blockFill(head.packets)
          try {
            const reason = unpackBlock(bytes, unit.plain, shift, unit.fill)
            if (reason === undefined) yield unit.fill
            else host.odd(reason)
          } finally {
            if (units.length < UNITS_MAX) units.push(unit)
          }
        },
      },
      this,
    )
    return undefined
  }

  /** A sample of the clocks is as good as its round trip is short. */
  #measure({ micros, pulseMicros, heldMicros }: Status): void {
    if (pulseMicros === 0) return
    const nowMicros = Date.now() * 1000
    const roundTrip = nowMicros - pulseMicros - heldMicros
    if (roundTrip < 0 || roundTrip > 2 * this.roundTripMicros + 10_000) return
    this.roundTripMicros = Math.max(1000, roundTrip)
    this.skewMicros = nowMicros - roundTrip / 2 - micros
  }

  #tick(): void {
    // While we do not read, we cannot hear.
    if (!this.socket.isPaused() && Date.now() - this.heardMs > SILENCE_MS) this.end(`nothing heard for ${SILENCE_MS / 1000} s`)
    else if (this.socket.writableLength < 1 << 16) this.socket.write(writeMessage('pulse', { micros: Date.now() * 1000 }))
  }

  ack(number: number): void {
    if (!this.#ended) this.socket.write(writeAck(number))
  }

  refuse(refuse: Refuse): void {
    if (this.#ended) return
    this.socket.end(writeMessage('refuse', refuse))
    this.end(refuse.reason)
    // Who does not take the answer is not waited for.
    setTimeout(() => this.socket.destroy(), 1000).unref()
  }

  /** Takes no more, but lets the last acknowledgements reach the sender. */
  finish(reason: string): void {
    if (this.#ended) return
    this.socket.removeAllListeners('data')
    this.socket.resume()
    this.socket.end()
    this.end(reason)
  }

  end(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    if (!this.socket.writableEnded) this.socket.destroy()
    this.#host.ended(this, reason)
  }
}

/** Room for unpacked blocks, used again. */
const units: { plain: Uint8Array; fill: BatchFill }[] = []
const UNITS_MAX = 16
