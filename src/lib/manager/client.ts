import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { fingerprintOf, type KnownServers } from '../access/index.js'
import { exitCodes, OperatorError } from '../base/errors.js'
import { addressText, type ManagerAddress } from './address.js'
import type { About, Answer } from './backend.js'
import {
  creditAtStart,
  creditFrame,
  type Frame,
  FrameReader,
  frame,
  kinds,
  payloadMax,
  preface,
  prefaceLength,
  protocolVersion,
  readPreface,
} from './protocol.js'

/** A client of our own protocol: any number of requests at a time over one connection, each read at its own pace. */
export interface ClientOptions {
  readonly token?: string | undefined
  /** PEM: shows who the client is, instead of a token. */
  readonly certificate?: { readonly certificate: string; readonly key: string } | undefined
  readonly known: KnownServers
  /** Asked about a service that nobody vouches for and that was never seen before. Answers whether to believe it from now on. */
  trust(address: string, fingerprint: string): Promise<boolean>
  readonly timeoutMs?: number
}

export interface Greeting {
  readonly about: About
  readonly client: string
  readonly rights: readonly string[]
}

/** The service refused, or could not. `code` is one of the protocol's: "denied", "expired", "not-found" … */
export class AnswerError extends Error {
  readonly code: string
  readonly detail: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, detail: Readonly<Record<string, unknown>>) {
    super(message)
    this.name = 'AnswerError'
    this.code = code
    this.detail = detail
  }
}

/** The connection broke; what was asked can be asked again. */
export class ConnectionLost extends Error {
  constructor(address: string, why: string) {
    super(`The connection to ${address} broke: ${why}.`)
    this.name = 'ConnectionLost'
  }
}

const CONNECT_MS = 10_000

export async function connectManager(address: ManagerAddress, options: ClientOptions): Promise<ManagerClient> {
  if (address.kind === 'voipmonitor') throw new Error('VoIPmonitor does not speak this protocol.')
  const name = addressText(address)
  const timeoutMs = options.timeoutMs ?? CONNECT_MS
  let socket: Socket | undefined
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(unreachable(name, new Error(`no answer within ${timeoutMs / 1000} s`))), timeoutMs).unref()
  })
  try {
    return await Promise.race([
      late,
      (async () => {
        socket = await openSocket(address, name, options)
        const client = new ManagerClient(name, socket)
        client.greeting = await client.hello(options.token)
        return client
      })(),
    ])
  } catch (error) {
    socket?.destroy()
    if (error instanceof AnswerError) {
      throw new OperatorError('DENIED', `${name} lets this client do nothing: ${error.message}`, {
        cause: error,
        suggestions: [
          `There: earshot manager token add ${process.env['USER'] ?? 'NAME'} --role fetch`,
          'Here: put the token into the environment as EARSHOT_TOKEN, or name a file that holds it: --token-file FILE',
        ],
      })
    }
    throw error instanceof ConnectionLost ? unreachable(name, error) : error
  }
}

async function openSocket(
  address: Exclude<ManagerAddress, { kind: 'voipmonitor' }>,
  name: string,
  options: ClientOptions,
): Promise<Socket> {
  const opened = (socket: Socket, event: string): Promise<void> =>
    new Promise((resolve, reject) => {
      socket.once(event, () => resolve())
      socket.once('error', (error) => reject(unreachable(name, error)))
      socket.once('close', () => reject(unreachable(name, new Error('it closed the connection'))))
    })
  if (address.kind === 'unix' || !address.tls) {
    const socket =
      address.kind === 'unix'
        ? connectPlain({ path: address.path })
        : connectPlain({ host: address.host, port: address.port, noDelay: true })
    await opened(socket, 'connect')
    return socket
  }
  const { host, port } = address
  const { certificate } = options
  const socket = connectTls({
    host,
    port,
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    minVersion: 'TLSv1.2',
    // An authority's word is one way to believe a certificate, a remembered fingerprint the other: both are looked at below.
    rejectUnauthorized: false,
    ...(certificate && { cert: certificate.certificate, key: certificate.key }),
  })
  await opened(socket, 'secureConnect')
  try {
    await believe(socket, name, options)
  } catch (error) {
    socket.destroy()
    throw error
  }
  return socket
}

/** Like ssh: what was seen once must be the same again. */
async function believe(socket: TLSSocket, name: string, { known, trust }: ClientOptions): Promise<void> {
  const fingerprint = fingerprintOf(socket.getPeerCertificate().raw)
  const remembered = known.get(name)
  if (remembered === fingerprint || (remembered === undefined && socket.authorized)) return
  if (remembered !== undefined) {
    throw new OperatorError('FINGERPRINT', `${name} shows another certificate than before: somebody may be in between.`, {
      exit: exitCodes.unreachable,
      suggestions: [
        `Shown: ${fingerprint}`,
        `Known: ${remembered}  (${known.file})`,
        `If its certificate was changed on purpose: earshot sensor trust ${name}`,
      ],
    })
  }
  if (!(await trust(name, fingerprint))) {
    throw new OperatorError('UNKNOWN_SERVER', `${name} is not known yet; its certificate is ${fingerprint}.`, {
      exit: exitCodes.unreachable,
      suggestions: [`Compare it with what the service says at its start, then: earshot sensor trust ${name} --fingerprint ${fingerprint}`],
    })
  }
  known.set(name, fingerprint)
}

const unreachable = (name: string, cause: Error): OperatorError => {
  const { code } = cause as NodeJS.ErrnoException
  const notOurs = code === 'EPROTO' || /wrong version number|packet length too long/i.test(cause.message)
  return new OperatorError('UNREACHABLE', `Cannot reach ${name}: ${cause.message}.`, {
    cause,
    exit: exitCodes.unreachable,
    suggestions: notOurs
      ? [`It speaks no TLS. A real VoIPmonitor sensor? Then: --sensor voipmonitor://${name}`]
      : ['Does the service run there, and does a firewall let its port through? earshot sensor status shows all sensors.'],
  })
}

/** Answers that wait for their reader: never more than the credit. */
class Inbox {
  readonly answers: { readonly answer: Answer; readonly bytes: number }[] = []
  ended: { trailer: Readonly<Record<string, unknown>> } | { error: Error } | undefined
  #wake: (() => void) | undefined

  put(answer: Answer, bytes: number): void {
    this.answers.push({ answer, bytes })
    this.wake()
  }

  finish(how: NonNullable<Inbox['ended']>): void {
    this.ended ??= how
    this.wake()
  }

  wake(): void {
    this.#wake?.()
    this.#wake = undefined
  }

  news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

export interface AskOptions {
  /** Cancels the request. */
  readonly signal?: AbortSignal | undefined
  /** Bytes of its answers that may be on their way or wait here; not below what every request has. */
  readonly creditBytes?: number
}

export class ManagerClient {
  readonly address: string
  greeting: Greeting | undefined
  readonly #socket: Socket
  readonly #reader = new FrameReader(payloadMax, (request, part) => {
    this.#inboxes.get(request)?.put({ kind: 'data', bytes: part }, part.length)
  })
  readonly #inboxes = new Map<number, Inbox>()
  #preface: Uint8Array | undefined = new Uint8Array(0)
  #requests = 0
  #lost: Error | undefined

  constructor(address: string, socket: Socket) {
    this.address = address
    this.#socket = socket
    socket.write(preface())
    socket.on('data', (chunk) => this.#data(chunk))
    socket.on('error', (error) => this.#lose(error.message))
    socket.once('close', () => this.#lose('closed by the other side'))
  }

  /** Whether anything can be asked still. */
  get open(): boolean {
    return this.#lost === undefined
  }

  async hello(token: string | undefined): Promise<Greeting> {
    const { trailer } = await this.all('hello', { ...(token === undefined ? {} : { token }), version: protocolVersion })
    return trailer as unknown as Greeting
  }

  /** Asks, and yields the answers as they come; the generator's result is the trailer. Leaving it early cancels the request. */
  async *ask(
    what: string,
    parameters: Readonly<Record<string, unknown>> = {},
    { signal, creditBytes = creditAtStart }: AskOptions = {},
  ): AsyncGenerator<Answer, Readonly<Record<string, unknown>>, void> {
    if (this.#lost !== undefined) throw this.#lost
    const request = ++this.#requests
    const inbox = new Inbox()
    this.#inboxes.set(request, inbox)
    this.#socket.write(frame(kinds.request, request, Buffer.from(JSON.stringify({ do: what, ...parameters }))))
    if (creditBytes > creditAtStart) this.#socket.write(creditFrame(request, creditBytes - creditAtStart))
    let taken = 0
    const stop = (): void => inbox.finish({ error: new AnswerError('cancelled', 'Cancelled here.', {}) })
    signal?.addEventListener('abort', stop, { once: true })
    let whole = false
    try {
      for (;;) {
        const next = inbox.answers.shift()
        if (next !== undefined) {
          yield next.answer
          taken += next.bytes
          if (taken >= creditBytes / 4) {
            this.#socket.write(creditFrame(request, taken))
            taken = 0
          }
          continue
        }
        if (inbox.ended !== undefined) {
          whole = signal?.aborted !== true
          if ('error' in inbox.ended) throw inbox.ended.error
          return inbox.ended.trailer
        }
        await inbox.news()
      }
    } finally {
      this.#inboxes.delete(request)
      signal?.removeEventListener('abort', stop)
      if (!whole && this.#lost === undefined) this.#socket.write(frame(kinds.cancel, request, new Uint8Array(0)))
    }
  }

  /** Asks, and answers all items at once: for what is small. */
  async all<T = unknown>(
    what: string,
    parameters: Readonly<Record<string, unknown>> = {},
  ): Promise<{ items: T[]; trailer: Readonly<Record<string, unknown>> }> {
    const items: T[] = []
    const answers = this.ask(what, parameters)
    for (;;) {
      const next = await answers.next()
      if (next.done === true) return { items, trailer: next.value }
      if (next.value.kind === 'item') items.push(next.value.value as T)
    }
  }

  close(): void {
    this.#lose('closed here')
    this.#socket.destroy()
  }

  #data(chunk: Uint8Array): void {
    let bytes = chunk
    if (this.#preface !== undefined) {
      bytes = Buffer.concat([this.#preface, chunk])
      const found = readPreface(bytes, 0)
      if (found.state === 'partial') {
        this.#preface = bytes
        return
      }
      if (found.state === 'broken') {
        this.#fail(found.reason)
        return
      }
      this.#preface = undefined
      bytes = bytes.subarray(prefaceLength)
    }
    const broken = this.#reader.push(bytes, (found) => this.#frame(found))
    if (broken !== undefined) this.#fail(broken)
  }

  #frame({ kind, request, payload }: Frame): void {
    const inbox = this.#inboxes.get(request)
    if (request === 0 && kind === kinds.error) this.#fail(String(jsonOf(payload)['message']))
    else if (inbox === undefined) return
    else if (kind === kinds.item) inbox.put({ kind: 'item', value: jsonOf(payload) }, payload.length)
    else if (kind === kinds.end) inbox.finish({ trailer: jsonOf(payload) })
    else if (kind === kinds.error) {
      const { code, message, ...detail } = jsonOf(payload)
      inbox.finish({ error: new AnswerError(String(code), String(message), detail) })
    }
  }

  #fail(why: string): void {
    this.#lose(why)
    this.#socket.destroy()
  }

  #lose(why: string): void {
    this.#lost ??= new ConnectionLost(this.address, why)
    for (const inbox of this.#inboxes.values()) inbox.finish({ error: this.#lost })
  }
}

function jsonOf(payload: Uint8Array): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('utf8')) as Record<string, unknown>
  } catch {
    return {}
  }
}
