import { chmodSync, mkdtempSync, renameSync, rmSync, unlinkSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { loadavg } from 'node:os'
import { dirname, join } from 'node:path'
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls'
import { fingerprintOf, type Role, type ServerCertificate, type Tokens } from '../access/index.js'
import { Counters } from '../base/counters.js'
import { OperatorError } from '../base/errors.js'
import { makeDirectory } from '../native/make-directory.js'
import type { Audit } from './audit.js'
import type { ManagerBackend } from './backend.js'
import { History, sampleSeconds } from './history.js'
import { attempt, clearLeftSockets } from './left-sockets.js'
import { type ManagerLimits, managerLimits } from './limits.js'
import { LiveSniffers } from './live-sniffers.js'
import { isLoopback } from './loopback.js'
import { OwnConnection } from './own-connection.js'
import { CompletedMembers, type PlainContext } from './plain-commands.js'
import { plainConnection } from './plain-connection.js'
import { beginsOurs } from './protocol.js'

/**
 * The manager's server. One port for everything; the first byte tells what a client speaks:
 *
 *   16  a TLS record           → TLS, and inside it our own protocol
 *   E5  our preface            → our own protocol, on a unix socket and on loopback
 *   …   text                   → VoIPmonitor's plain protocol, on a unix socket and on loopback (elsewhere if the operator insists)
 */
export interface ManagerOptions {
  readonly backend: ManagerBackend
  /** Path of a unix socket; who can open it is an administrator here. */
  readonly socket: string | undefined
  readonly tcp: readonly { readonly host: string; readonly port: number }[]
  /** Needed off loopback. */
  readonly certificate: ServerCertificate | undefined
  readonly tokens: Tokens
  readonly audit: Audit
  /** Answers VoIPmonitor's protocol, without encryption and without asking who it is, to every host. */
  readonly plainForEverybody: boolean
  /** Its TCP port is lent: `serve-manager` may ask for it. */
  readonly givesWay?: boolean
  readonly limits?: Partial<ManagerLimits>
}

export interface Manager {
  /** `127.0.0.1:5029`, `unix:/run/…`. */
  readonly addresses: readonly string[]
  readonly counters: Counters
  readonly connections: number
  /** Another certificate, for who connects from now on. */
  show(certificate: ServerCertificate): void
  close(): Promise<void>
}

const TLS_RECORD = 0x16

export async function startManager(options: ManagerOptions): Promise<Manager> {
  const server = new ManagerServer(options)
  try {
    if (options.socket !== undefined) await server.listenUnix(options.socket)
    for (const { host, port } of options.tcp) await server.listenTcp(host, port)
    return server
  } catch (error) {
    await server.close()
    throw error
  }
}

class ManagerServer implements Manager {
  readonly addresses: string[] = []
  readonly counters = new Counters()
  readonly #options: ManagerOptions
  readonly #limits: ManagerLimits
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  /** In order of arrival. */
  readonly #strangers = new Set<Socket>()
  readonly #tls: TlsServer | undefined
  readonly #history = new History()
  readonly #sampling: NodeJS.Timeout
  readonly #plain: Omit<PlainContext, 'peer'>
  #socketPath: string | undefined

  constructor(options: ManagerOptions) {
    this.#options = options
    this.#limits = { ...managerLimits, ...options.limits }
    const { certificate, backend, audit } = options
    this.#plain = {
      backend,
      audit,
      history: this.#history,
      sniffers: new LiveSniffers(),
      completed: new CompletedMembers(),
      startedMs: performance.now(),
    }
    if (certificate !== undefined) {
      this.#tls = createTlsServer(
        {
          cert: certificate.certificate,
          key: certificate.key,
          minVersion: 'TLSv1.2',
          // A client certificate is welcome; whether it is known is asked of the tokens, not of an authority.
          requestCert: true,
          rejectUnauthorized: false,
          handshakeTimeout: this.#limits.requestMs,
        },
        (socket) => this.#secured(socket),
      )
      this.#tls.on('tlsClientError', (_, socket) => {
        this.counters.add('TLS handshake failed')
        ;(socket as TLSSocket).destroy()
      })
    }
    const sample = async (): Promise<void> => {
      try {
        this.#history.add(Math.floor(Date.now() / 1000), await backend.stats(), loadavg()[0] as number)
      } catch {
        // A gap in a chart.
      }
    }
    void sample()
    this.#sampling = setInterval(() => void sample(), sampleSeconds * 1000).unref()
  }

  get connections(): number {
    return this.#sockets.size
  }

  show({ certificate, key }: ServerCertificate): void {
    this.#tls?.setSecureContext({ cert: certificate, key, minVersion: 'TLSv1.2' })
  }

  async listenUnix(path: string): Promise<void> {
    makeDirectory(dirname(path))
    // What nobody listens at is left over from a process that was killed. EAGAIN: somebody does, and has too much to do.
    if ([undefined, 'EAGAIN'].includes(await attempt(path))) throw inUse(`unix:${path}`)
    await clearLeftSockets(dirname(path), this.#options.backend.about.service)
    // Born where nobody else can reach it, and moved to its name with its permissions; what a killed process left there gives way.
    const cradle = mkdtempSync(join(dirname(path), '.new-'))
    try {
      const born = join(cradle, 's')
      await this.#listen({ path: born }, `unix:${path}`, true)
      chmodSync(born, 0o600)
      renameSync(born, path)
      this.#socketPath = path
    } finally {
      rmSync(cradle, { recursive: true, force: true })
    }
  }

  async listenTcp(host: string, port: number): Promise<void> {
    if (!isLoopback(host) && this.#tls === undefined) {
      throw new OperatorError('NO_TLS', `Listening on "${host}" needs a certificate.`, {
        suggestions: ['Only loopback may be listened to without one.'],
      })
    }
    const server = await this.#listen({ host, port }, undefined, false)
    const address = server.address() as { address: string; port: number }
    this.addresses.push(address.address.includes(':') ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`)
  }

  /** Nobody new gets in by TCP; who is in stays. */
  async #giveWay(): Promise<void> {
    for (const server of this.#servers) {
      if (typeof server.address() === 'string') continue
      server.close()
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sampling)
    const closing = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(closing)
    if (this.#socketPath !== undefined) {
      try {
        unlinkSync(this.#socketPath)
      } catch {
        // Somebody has removed it.
      }
    }
  }

  #listen(where: { path: string } | { host: string; port: number }, name: string | undefined, unix: boolean): Promise<Server> {
    // Half-open: a client of the plain protocol may close its side when it has asked.
    const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 }, (socket) =>
      this.#connection(socket, unix),
    )
    return new Promise((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenFailure(name ?? nameOf(where), error)))
      server.listen({ ...where, backlog: 1024 }, () => {
        server.removeAllListeners('error')
        // Out of file handles: those that are here are served, others later.
        server.on('error', () => this.counters.add('connection not accepted'))
        this.#servers.push(server)
        if (name !== undefined) this.addresses.push(name)
        resolve(server)
      })
    })
  }

  #connection(socket: Socket, unix: boolean): void {
    if (this.#sockets.size >= this.#limits.connectionsMax) {
      this.counters.add('too many connections')
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    this.#strangers.add(socket)
    socket.on('error', () => this.counters.add('connection broken'))
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#strangers.delete(socket)
    })
    if (this.#strangers.size > this.#limits.strangersMax) {
      this.counters.add('too many connections that say nothing')
      this.#strangers.values().next().value?.destroy()
    }
    // Until it has said who it is, its time is counted.
    const patience = setTimeout(() => {
      if (!this.#strangers.has(socket)) return
      this.counters.add('connection that said nothing')
      socket.destroy()
    }, this.#limits.requestMs)
    socket.once('close', () => clearTimeout(patience))
    socket.once('end', () => {
      // Closed before a word; later each protocol has its own answer.
      if (socket.bytesRead === 0) socket.end()
    })
    socket.once('data', (first) => this.#first(socket, first, unix))
  }

  #first(socket: Socket, first: Buffer, unix: boolean): void {
    const peer = unix ? 'unix socket' : `${socket.remoteAddress}:${socket.remotePort}`
    const near = unix || isLoopback(socket.remoteAddress ?? '')
    if (first[0] === TLS_RECORD) {
      if (this.#tls === undefined) {
        this.counters.add('TLS where there is none')
        socket.destroy()
        return
      }
      socket.pause()
      socket.unshift(first)
      socket.allowHalfOpen = false
      this.#tls.emit('connection', socket)
    } else if (beginsOurs(first[0] as number)) {
      if (!near) {
        this.counters.add('unencrypted, from afar')
        socket.destroy()
        return
      }
      this.#own(socket, socket, first, peer, unix ? 'admin' : 'fetch', unix ? 'unix socket' : 'unnamed')
    } else if (near || this.#options.plainForEverybody) {
      plainConnection(socket, first, { ...this.#plain, peer }, this.#limits, () => this.#known(socket))
    } else {
      this.counters.add('unencrypted, from afar')
      socket.end('access denied: unencrypted commands are answered on loopback only\n')
    }
  }

  #secured(socket: TLSSocket): void {
    const raw = socket as TLSSocket & { _parent?: Socket }
    const under = raw._parent ?? socket
    const shown = socket.getPeerCertificate()
    let role: Role | undefined
    let client = 'unnamed'
    if (shown?.raw !== undefined) {
      try {
        const known = this.#options.tokens.byCertificate(fingerprintOf(shown.raw))
        role = known?.role
        client = known?.name ?? client
      } catch {
        this.counters.add('clients file not readable')
      }
    }
    if (role === undefined && isLoopback(under.remoteAddress ?? '')) role = 'fetch'
    socket.on('error', () => this.counters.add('connection broken'))
    this.#own(under, socket, new Uint8Array(0), `${under.remoteAddress}:${under.remotePort}`, role, client)
  }

  #own(socket: Socket, stream: Socket, first: Uint8Array, peer: string, role: Role | undefined, client: string): void {
    stream.once('end', () => stream.end())
    new OwnConnection(stream, first, {
      context: {
        backend: this.#options.backend,
        audit: this.#options.audit,
        peer,
        giveWay: this.#options.givesWay === true ? () => this.#giveWay() : undefined,
      },
      role,
      client,
      tokens: this.#options.tokens,
      limits: this.#limits,
      requestsMax: peer === 'unix socket' ? this.#limits.requestsPerLocalConnection : this.#limits.requestsPerConnection,
      onGreeted: () => this.#known(socket),
    })
  }

  #known(socket: Socket): void {
    this.#strangers.delete(socket)
  }
}

const inUse = (where: string): OperatorError =>
  new OperatorError('IN_USE', `Another service listens on ${where} already.`, {
    suggestions: ['End it, or give another address: --listen 127.0.0.1:5031'],
  })

const nameOf = (where: { path: string } | { host: string; port: number }): string =>
  'path' in where ? `unix:${where.path}` : `${where.host}:${where.port}`

function listenFailure(name: string, error: NodeJS.ErrnoException): OperatorError {
  if (error.code === 'EADDRINUSE') return inUse(name)
  return new OperatorError('LISTEN', `Cannot listen on ${name}: ${error.message}.`, {
    cause: error,
    suggestions: [
      error.code === 'EACCES' ? 'That needs another user, or another port.' : 'Is the address one of this host? ip addr shows them.',
    ],
  })
}
