import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { type TLSSocket, Server as TlsServer } from 'node:tls'
import { fingerprintOf, mayDo, type Role, type ServerCertificate, type Tokens } from '../access/index.js'
import { Counters } from '../base/counters.js'
import { OperatorError } from '../base/errors.js'
import { healthOf, worstOf } from '../health/index.js'
import { isLoopback, type ServiceStats } from '../manager/index.js'
import { contentType, scrape } from './scrape.js'
import type { MetricContext } from './table.js'

/**
 * `/metrics` for Prometheus and `/healthz` for whoever watches: numbers, no calls. Everybody on this host may read them; from
 * elsewhere only TLS is answered, and a client needs a token or a certificate with the right to. Whatever clients do, the services
 * are asked at most once a second, and what clients may hold is bounded.
 */
export interface MetricsOptions {
  readonly host: string
  readonly port: number
  /** Needed off loopback. */
  readonly certificate: ServerCertificate | undefined
  readonly tokens: Tokens
  readonly versions: MetricContext['versions']
  stats(): Promise<readonly ServiceStats[]>
  /** Services that the last question got no answer from. */
  unanswered?(): readonly string[]
  readonly limits?: Partial<MetricsLimits>
}

export interface MetricsLimits {
  /** Beyond it the oldest goes. */
  readonly connectionsMax: number
  /** For a request to be whole, and for an answer to be taken. */
  readonly requestMs: number
  /** For the services to say what they count. */
  readonly statsMs: number
  /** An answer serves everybody for so long. */
  readonly sharedMs: number
}

export const metricsLimits: MetricsLimits = { connectionsMax: 64, requestMs: 10_000, statsMs: 5000, sharedMs: 1000 }
const HEADER_BYTES_MAX = 8192

export interface MetricsServer {
  /** `http://127.0.0.1:5031`. */
  readonly url: string
  readonly counters: Counters
  /** Another certificate, for clients that come from now on. */
  show(certificate: ServerCertificate): void
  close(): Promise<void>
}

export async function startMetrics(options: MetricsOptions): Promise<MetricsServer> {
  const { host, certificate } = options
  if (!isLoopback(host) && certificate === undefined)
    throw new OperatorError('NO_TLS', `Metrics on "${host}" need a certificate.`, {
      suggestions: ['Only loopback may be listened to without one.'],
    })
  const server = new Metrics(options)
  await server.listen()
  return server
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

class Metrics implements MetricsServer {
  readonly counters = new Counters()
  readonly #options: MetricsOptions
  readonly #limits: MetricsLimits
  readonly #server: Server
  /** In order of arrival. */
  readonly #sockets = new Set<Socket>()
  readonly #shared = new Map<string, { readonly atMs: number; readonly answer: Promise<Answer> }>()
  url = ''

  constructor(options: MetricsOptions) {
    this.#options = options
    this.#limits = { ...metricsLimits, ...options.limits }
    const { certificate } = options
    const { requestMs } = this.#limits
    const http = {
      maxHeaderSize: HEADER_BYTES_MAX,
      requestTimeout: requestMs,
      headersTimeout: requestMs,
      connectionsCheckingInterval: 1000,
    }
    const listener: RequestListener = (request, response) => void this.#request(request, response)
    this.#server =
      certificate === undefined
        ? createServer(http, listener)
        : createTlsServer(
            {
              ...http,
              cert: certificate.certificate,
              key: certificate.key,
              minVersion: 'TLSv1.2',
              // A client certificate is welcome; whether it is known is asked of the tokens, not of an authority.
              requestCert: true,
              rejectUnauthorized: false,
              handshakeTimeout: requestMs,
            },
            listener,
          )
    this.#server.timeout = requestMs
    this.#server.keepAliveTimeout = requestMs
    this.#server.on('connection', (socket: Socket) => this.#connection(socket))
    this.#server.on('tlsClientError', () => this.counters.add('TLS handshake failed'))
    this.#server.on('clientError', (_, socket) => {
      this.counters.add('request broken')
      socket.destroy()
    })
  }

  async listen(): Promise<void> {
    const { host, port, certificate } = this.#options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(listenFailure(host, port, error)))
      this.#server.listen({ host, port }, resolve)
    })
    // Out of file handles: those that are here are served, others later.
    this.#server.on('error', () => this.counters.add('connection not accepted'))
    const address = this.#server.address() as { address: string; port: number }
    const name = address.address.includes(':') ? `[${address.address}]` : address.address
    this.url = `${certificate === undefined ? 'http' : 'https'}://${name}:${address.port}`
  }

  show({ certificate, key }: ServerCertificate): void {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext({ cert: certificate, key, minVersion: 'TLSv1.2' })
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #connection(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    socket.on('error', () => this.counters.add('connection broken'))
    if (this.#sockets.size > this.#limits.connectionsMax) {
      this.counters.add('too many connections')
      this.#sockets.values().next().value?.destroy()
    }
  }

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Bodies are read by nobody.
    request.resume()
    const { status, type, body } = await this.#answer(request).catch((error: Error) => plain(503, `${error.message}\n`))
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(status === 401 && { 'www-authenticate': 'Bearer realm="earshot"' }),
      ...(status === 405 && { allow: 'GET, HEAD' }),
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'Only GET and HEAD are answered here.\n')
    const page = Object.hasOwn(pages, pathOf(request)) ? pages[pathOf(request)] : undefined
    const refused = this.#refusal(request)
    if (refused !== undefined) return refused
    if (page === undefined) return plain(404, 'There are /metrics and /healthz here.\n')
    return this.#once(pathOf(request), page)
  }

  /** A client on this host is let in; from elsewhere it needs a token, or a certificate that is known. */
  #refusal(request: IncomingMessage): Answer | undefined {
    const address = request.socket.remoteAddress ?? ''
    if (isLoopback(address) && isLoopback(this.#options.host)) return undefined
    try {
      const role = this.#roleOf(request)
      if (mayDo(role, 'metrics')) return undefined
      this.counters.add(role === undefined ? 'without a token that is known' : 'without the right')
      return role === undefined
        ? plain(401, 'A token is needed: earshot manager token add NAME --role metrics\n')
        : plain(403, 'The role of this client may not read metrics.\n')
    } catch {
      this.counters.add('clients file not readable')
      return plain(503, 'The list of clients cannot be read.\n')
    }
  }

  #roleOf({ headers, socket }: IncomingMessage): Role | undefined {
    const { tokens } = this.#options
    const token = /^Bearer +([\w.~+/-]{1,512}=*)$/i.exec(headers.authorization ?? '')?.[1]
    if (token !== undefined) return tokens.byToken(token)?.role
    const shown = (socket as Partial<TLSSocket>).getPeerCertificate?.()
    return shown?.raw === undefined ? undefined : tokens.byCertificate(fingerprintOf(shown.raw))?.role
  }

  /** Many clients at a time, or one that asks all the time, get one answer. */
  #once(path: string, make: (self: MetricsOptions, limits: MetricsLimits) => Promise<Answer>): Promise<Answer> {
    const nowMs = performance.now()
    const shared = this.#shared.get(path)
    if (shared !== undefined && nowMs - shared.atMs < this.#limits.sharedMs) return shared.answer
    const answer = make(this.#options, this.#limits)
    this.#shared.set(path, { atMs: nowMs, answer })
    return answer
  }
}

const pathOf = ({ url }: IncomingMessage): string => (url ?? '').split('?')[0] as string
const plain = (status: number, body: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body })

const pages: Readonly<Record<string, (options: MetricsOptions, limits: MetricsLimits) => Promise<Answer>>> = {
  '/': async () => plain(200, 'earshot\n/metrics  for Prometheus\n/healthz  JSON; 200 while no check fails, else 503\n'),
  '/metrics': async (options, limits) => {
    const services = await inTime(options.stats(), limits.statsMs)
    const { versions, unanswered } = options
    const body = await scrape(services, { nowMs: Date.now(), versions, unanswered: unanswered?.() ?? [] })
    return { status: 200, type: contentType, body }
  },
  '/healthz': async (options, limits) => {
    const services = await inTime(options.stats(), limits.statsMs).then(
      (stats) => stats.map((s) => healthOf(s, Date.now())),
      (error: Error) => [unhealthy('service', error.message)],
    )
    const silent = (options.unanswered?.() ?? []).map((name) => unhealthy(name, 'It does not say what it counts.'))
    const all = [...services, ...silent]
    const level = worstOf(all.map((health) => health.level))
    return {
      status: level === 'failing' ? 503 : 200,
      type: 'application/json',
      body: `${JSON.stringify({ schema_version: 1, status: level, services: all }, null, 2)}\n`,
    }
  },
}

/** A service that does not answer is not well, whatever it would say. */
const unhealthy = (service: string, what: string) => ({
  service,
  level: 'failing' as const,
  checks: [
    {
      name: 'answers',
      level: 'failing' as const,
      what,
      why: 'It hangs, or was killed and has left its socket behind.',
      next: 'Look at its log; restart it.',
    },
  ],
})

function inTime<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`The services did not say within ${ms / 1000} s what they count.`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

function listenFailure(host: string, port: number, error: NodeJS.ErrnoException): OperatorError {
  const name = `${host.includes(':') ? `[${host}]` : host}:${port}`
  if (error.code === 'EADDRINUSE')
    return new OperatorError('IN_USE', `Metrics cannot be served on ${name}: something listens there already.`, {
      cause: error,
      suggestions: [
        'serve-manager speaks for all services of the host: one of them with --metrics is enough.',
        'Or another port: --metrics :5032',
      ],
    })
  return new OperatorError('LISTEN', `Metrics cannot be served on ${name}: ${error.message}.`, {
    cause: error,
    suggestions: [
      error.code === 'EACCES' ? 'That needs another user, or another port.' : 'Is the address one of this host? ip addr shows them.',
    ],
  })
}
