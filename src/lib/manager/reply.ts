import type { Duplex } from 'node:stream'
import { creditAtStart, frame, frameHeader, type Kind, kinds, payloadMax } from './protocol.js'

/**
 * The answer to one request, on its way out. It waits where the client or the network is slow: payload goes out only while
 * the client has given credit for it, and at most a megabyte of it lies in this process.
 */
const OUTSTANDING_MAX = 1 << 20
/** JSON of one frame; a list that is longer goes out in several. */
const ITEM_BYTES = 96 * 1024

/** What ends a request early, as the client is told it. */
export class RequestError extends Error {
  readonly code: string
  readonly detail: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, detail: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.name = 'RequestError'
    this.code = code
    this.detail = detail
  }
}

export class Reply {
  readonly request: number
  readonly #stream: Duplex
  readonly #controller = new AbortController()
  readonly #stallMs: number
  #credit = creditAtStart
  #outstanding = 0
  #wake: (() => void) | undefined
  /** Bytes of data that went out; what is told about them does not count. */
  sent = 0

  constructor(stream: Duplex, request: number, stallMs: number) {
    this.#stream = stream
    this.request = request
    this.#stallMs = stallMs
  }

  /** Aborts when the client cancels, goes away, or takes nothing for too long. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  abort(reason: string): void {
    if (!this.signal.aborted) this.#controller.abort(new RequestError('cancelled', reason))
    this.#resume()
  }

  give(credit: number): void {
    this.#credit = Math.min(this.#credit + credit, 1 << 30)
    this.#resume()
  }

  async item(value: unknown): Promise<void> {
    await this.#send(kinds.item, Buffer.from(JSON.stringify(value)), undefined)
  }

  /** A list under `key`, in as many items as its size asks for; `head` is in each of them. */
  async list(head: Readonly<Record<string, unknown>>, key: string, values: readonly unknown[]): Promise<void> {
    let part: string[] = []
    let bytes = 0
    const flush = async (): Promise<void> => {
      if (part.length === 0) return
      const text = `${JSON.stringify(head).slice(0, -1)}${Object.keys(head).length > 0 ? ',' : ''}${JSON.stringify(key)}:[${part.join(',')}]}`
      part = []
      bytes = 0
      await this.#send(kinds.item, Buffer.from(text), undefined)
    }
    for (const value of values) {
      const text = JSON.stringify(value)
      if (text.length > ITEM_BYTES / 2) continue
      if (bytes + 2 * text.length > ITEM_BYTES) await flush()
      part.push(text)
      bytes += text.length + 1
    }
    await flush()
  }

  /** Bytes as they lie: they may be changed again when `written` is called. */
  async data(bytes: Uint8Array, written?: () => void): Promise<void> {
    for (let at = 0; at < bytes.length; at += payloadMax) {
      const last = at + payloadMax >= bytes.length
      await this.#send(kinds.data, bytes.subarray(at, at + payloadMax), last ? written : undefined)
    }
  }

  end(trailer: unknown): void {
    this.#write(kinds.end, Buffer.from(JSON.stringify(trailer ?? {})))
  }

  fail(error: RequestError): void {
    this.#write(kinds.error, Buffer.from(JSON.stringify({ code: error.code, message: error.message, ...error.detail })))
  }

  async #send(kind: Kind, payload: Uint8Array, written: (() => void) | undefined): Promise<void> {
    while (this.#credit <= 0 || this.#outstanding >= OUTSTANDING_MAX) {
      this.signal.throwIfAborted()
      await this.#room()
    }
    this.signal.throwIfAborted()
    this.#credit -= payload.length
    this.#outstanding += payload.length
    if (kind === kinds.data) this.sent += payload.length
    this.#stream.cork()
    this.#stream.write(frameHeader(kind, this.request, payload.length))
    this.#stream.write(payload, () => {
      this.#outstanding -= payload.length
      written?.()
      this.#resume()
    })
    this.#stream.uncork()
  }

  #write(kind: Kind, payload: Uint8Array): void {
    if (this.#stream.writable) this.#stream.write(frame(kind, this.request, payload))
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.abort(`nothing was taken for ${this.#stallMs / 1000} s`)
        // What lies in the socket would lie there for ever.
        if (this.#outstanding > 0) this.#stream.destroy()
      }, this.#stallMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #resume(): void {
    this.#wake?.()
    this.#wake = undefined
  }
}
