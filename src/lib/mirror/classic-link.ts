import type { Socket } from 'node:net'
import type { Notice } from '../base/notice.js'
import type { QueuedBlock } from './block-queue.js'
import type { LinkEnd, LinkParts } from './link.js'
import { classicHandshake, stampClassicBlock } from './voipmonitor.js'

/**
 * The sending end of one connection to a VoIPmonitor receiver. With confirmation one block is on its way at a time, so that
 * throughput is one block a round trip: that is how the other side works.
 */

const ANSWER_MS = 4000
/** Before a refused block is sent again; longer after many attempts. */
const AGAIN_MS = [1000, 5000] as const
const PATIENT_ATTEMPTS = 10
const REPLY_MAX = 4096

interface ClassicOptions {
  readonly confirm: boolean
  readonly checksum: boolean
  readonly onNotice: Notice
}

/** The counter of blocks runs through all connections of a sender, so it is made once. */
export function runClassicLink(options: ClassicOptions): (socket: Socket, parts: LinkParts) => Promise<LinkEnd> {
  const counter = { value: 0, number: -1 }
  return (socket, parts) => new Promise((resolve) => new ClassicLink(socket, parts, options, counter, resolve))
}

class ClassicLink {
  readonly #socket: Socket
  readonly #parts: LinkParts
  readonly #options: ClassicOptions
  readonly #counter: { value: number; number: number }
  readonly #done: (end: LinkEnd) => void
  #opened = false
  #reply = ''
  /** Sent and not confirmed yet. */
  #waiting: QueuedBlock | undefined
  #attempts = 0
  #timer: NodeJS.Timeout
  #ended = false

  constructor(
    socket: Socket,
    parts: LinkParts,
    options: ClassicOptions,
    counter: { value: number; number: number },
    done: (end: LinkEnd) => void,
  ) {
    this.#socket = socket
    this.#parts = parts
    this.#options = options
    this.#counter = counter
    this.#done = done
    socket.on('data', (chunk: Uint8Array) => this.#hear(chunk))
    socket.on('error', (error) => this.#end(error.message))
    socket.on('close', () => this.#end('the connection was closed'))
    parts.queue.onReady(() => this.#pump())
    parts.signal.addEventListener('abort', this.#onAbort, { once: true })
    socket.write(classicHandshake(parts.identity.sensorId, parts.identity.name, new Date()))
    // Silence means yes: old receivers do not answer.
    this.#timer = setTimeout(() => this.#open(), ANSWER_MS)
  }

  readonly #onAbort = (): void => this.#end('stopped')

  #hear(chunk: Uint8Array): void {
    this.#reply = (this.#reply + String.fromCharCode(...chunk.subarray(0, REPLY_MAX))).slice(-REPLY_MAX)
    if (!this.#opened) {
      if (this.#reply.includes('bad time')) this.#end('its clock and ours differ too much (it says "bad time")', 'CLOCK')
      else if (this.#reply.startsWith('ok')) this.#open()
      return
    }
    if (this.#waiting === undefined) return
    if (this.#reply.includes('block_ok')) {
      const { number } = this.#waiting
      this.#waiting = undefined
      this.#attempts = 0
      this.#reply = ''
      clearTimeout(this.#timer)
      this.#parts.queue.ack(number)
      this.#parts.onProgress()
      this.#pump()
    } else if (!'block_ok'.startsWith(this.#reply)) {
      this.#options.onNotice(`The receiver refused a block: ${printable(this.#reply)}`, 'error')
      this.#again()
    }
  }

  #open(): void {
    if (this.#opened || this.#ended) return
    clearTimeout(this.#timer)
    this.#opened = true
    this.#reply = ''
    this.#parts.onOpen(this.#parts.compression)
    this.#parts.queue.rewind(-1)
    this.#pump()
  }

  #pump(): void {
    if (!this.#opened || this.#ended) return
    while (this.#waiting === undefined && this.#socket.writableLength === 0) {
      const block = this.#parts.queue.next()
      if (block === undefined) return
      this.#send(block)
    }
  }

  #send(block: QueuedBlock): void {
    const { confirm, checksum } = this.#options
    if (block.number !== this.#counter.number) {
      this.#counter.number = block.number
      this.#counter.value++
    }
    stampClassicBlock(block.bytes, {
      counter: this.#counter.value,
      confirm,
      checksum,
      seconds: confirm ? Math.floor(Date.now() / 1000) : 0,
    })
    this.#reply = ''
    if (confirm) {
      this.#waiting = block
      this.#timer = setTimeout(() => this.#again(), ANSWER_MS)
    }
    this.#socket.write(block.bytes, (error) => {
      if (error || confirm || this.#ended) return
      this.#parts.queue.ack(block.number)
      this.#parts.onProgress()
      this.#pump()
    })
    this.#parts.onSent(block.packets, block.bytes.length)
  }

  #again(): void {
    clearTimeout(this.#timer)
    const wait = AGAIN_MS[this.#attempts++ < PATIENT_ATTEMPTS ? 0 : 1]
    this.#timer = setTimeout(() => {
      if (this.#waiting !== undefined && !this.#ended) this.#send(this.#waiting)
    }, wait)
  }

  #end(reason: string, code?: LinkEnd['code']): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    this.#parts.signal.removeEventListener('abort', this.#onAbort)
    this.#parts.queue.onReady(() => {})
    if (reason === 'stopped') this.#socket.end()
    else this.#socket.destroy()
    this.#done({ reason, code, opened: this.#opened })
  }
}

/** What a stranger sent, safe for a terminal. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200)
