import type { Socket } from 'node:net'
import type { ArrivedBlock } from './lane.js'
import {
  type ClassicBlock,
  type ClassicEvent,
  type ClassicHandshake,
  ClassicReader,
  classicBatches,
  clockDifference,
} from './voipmonitor.js'

/** The receiving end of one connection from a VoIPmonitor sender. */
export interface ClassicHost {
  /** Answers a reason when this sensor may not come in. */
  admit(handshake: ClassicHandshake, connection: ClassicConnection): string | undefined
  arrived(block: ArrivedBlock, connection: ClassicConnection): void
  /** Whether there is room for more of this sender. */
  hasRoom(connection: ClassicConnection): boolean
  ended(connection: ClassicConnection, reason: string): void
  odd(reason: string, by?: number): void
}

export interface ClassicOptions {
  readonly linkType: number
  /** At the connection, and at each block; 0 does not look. */
  readonly connectDifferenceSecondsMax: number
  readonly blockDifferenceSecondsMax: number
  /**
   * A sender says nothing while its wire is silent: after so long without a word its time goes on, this much behind ours, so that
   * the calls that ended last are recorded. Longer than a break of the line that should end no calls.
   */
  readonly quietMs?: number
}

export const classicQuietMs = 30_000

/** Blocks refused in a row before the connection is given up. */
const REFUSED_MAX = 20
/** A silent wire is no reason to close: without confirmation, that costs the next block. Dead hosts are found by TCP. */
const IDLE_MS = 3_600_000
const KEEPALIVE_MS = 60_000
const HANDSHAKE_MS = 10_000
/** The sender sends again after four seconds without an answer. */
const CONFIRM_MS = 3000

export class ClassicConnection {
  readonly socket: Socket
  readonly address: string
  readonly encrypted = false
  readonly #host: ClassicHost
  readonly #options: ClassicOptions
  readonly #reader: ClassicReader
  #lastCounter = -1
  #refused = 0
  #confirms: boolean | undefined
  #timer: NodeJS.Timeout
  #ended = false
  /** A block that waits to be confirmed until there is room. */
  #owed: NodeJS.Timeout | undefined
  handshake: ClassicHandshake | undefined
  heardMs = Date.now()
  skewMicros: number | undefined
  bytesReceived = 0

  constructor(socket: Socket, host: ClassicHost, options: ClassicOptions) {
    this.socket = socket
    this.#host = host
    this.#options = options
    this.#reader = new ClassicReader({ linkType: options.linkType, differenceSecondsMax: options.blockDifferenceSecondsMax })
    this.address = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEPALIVE_MS)
    socket.on('data', (chunk: Uint8Array) => this.#hear(chunk))
    socket.on('error', (error) => this.end(error.message))
    socket.on('close', () => this.end('the connection was closed'))
    this.#timer = setTimeout(() => this.end('no handshake in time'), HANDSHAKE_MS)
  }

  #hear(chunk: Uint8Array): void {
    this.heardMs = Date.now()
    this.bytesReceived += chunk.length
    const broken = this.#reader.push(chunk, this.heardMs / 1000, (event) => {
      if (!this.#ended) this.#take(event)
    })
    if (broken !== undefined && !this.#ended) {
      this.#host.odd('connection broken: protocol')
      this.end(broken)
    }
  }

  #take(event: ClassicEvent): void {
    switch (event.kind) {
      case 'handshake':
        this.#shake(event.handshake)
        return
      case 'refused':
        this.#host.odd(`VoIPmonitor block refused: ${event.reason.split(':')[0]}`)
        if (++this.#refused > REFUSED_MAX) this.end('too many broken blocks in a row')
        else if (this.#confirms !== false) this.socket.write(event.reason)
        return
      case 'block':
        this.#block(event.block)
        return
      default:
        event satisfies never
    }
  }

  #shake(handshake: ClassicHandshake): void {
    clearTimeout(this.#timer)
    this.#timer = setInterval(() => {
      if (!this.socket.isPaused() && Date.now() - this.heardMs > IDLE_MS) this.end('nothing heard for an hour')
    }, 10_000)
    this.handshake = handshake
    const max = this.#options.connectDifferenceSecondsMax
    if (handshake.seconds !== undefined) {
      const now = Date.now() / 1000
      this.skewMicros = Math.round(clockDifference(now, handshake.seconds) * 1e6)
      if (max > 0 && Math.abs(clockDifference(Math.floor(now), handshake.seconds)) > max) {
        this.#host.odd('VoIPmonitor sender with a wrong clock')
        this.socket.end('bad time')
        this.end(`its clock differs from ours by more than ${max} s`)
        return
      }
    }
    const refused = this.#host.admit(handshake, this)
    if (refused === undefined) this.socket.write('ok')
    else this.end(refused)
  }

  #block(block: ClassicBlock): void {
    this.#refused = 0
    // The first block decides whether this connection confirms.
    this.#confirms ??= block.confirm
    if (block.counter === this.#lastCounter) this.#host.odd('VoIPmonitor block received twice')
    else {
      if (this.#lastCounter >= 0 && block.counter > this.#lastCounter + 1)
        this.#host.odd('VoIPmonitor blocks lost before they came here', block.counter - this.#lastCounter - 1)
      this.#lastCounter = block.counter
      const { packets, interfaceName } = block
      const odd = (reason: string): void => this.#host.odd(reason)
      this.#host.arrived(
        {
          number: block.counter,
          packets,
          bytes: block.plain.length + block.offsets.byteLength,
          interfaceName,
          stream: undefined,
          arrivedMs: Date.now(),
          batches: () => classicBatches(block, 0, odd),
        },
        this,
      )
    }
    if (this.#confirms) this.#confirm(Date.now() + CONFIRM_MS)
  }

  /** Confirmed when there is room for the next: so the other side keeps what we cannot use yet. */
  #confirm(endMs: number): void {
    clearTimeout(this.#owed)
    if (this.#ended) return
    if (this.#host.hasRoom(this)) this.socket.write('block_ok')
    else if (Date.now() < endMs) this.#owed = setTimeout(() => this.#confirm(endMs), 20)
    // Else the block comes again, is known by its counter, and asks once more.
  }

  end(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    clearInterval(this.#timer)
    clearTimeout(this.#owed)
    if (!this.socket.writableEnded) this.socket.destroy()
    this.#host.ended(this, reason)
  }
}
