import type { Duplex } from 'node:stream'
import { mayDo, type Role, roles, type Tokens } from '../access/index.js'
import type { ManagerLimits } from './limits.js'
import { creditOf, type Frame, FrameReader, kinds, preface, prefaceLength, protocolVersion, readPreface, requestMax } from './protocol.js'
import { Reply, RequestError } from './reply.js'
import { asRequestError, type Parameters, pathLengthMax, type Request, type RequestContext, requests } from './requests.js'

/** One client of our own protocol: preface, `hello`, then any number of requests at a time. */
export interface OwnOptions {
  readonly context: Omit<RequestContext, 'client'>
  /** What the way in gives by itself: a unix socket, loopback, a client certificate. */
  readonly role: Role | undefined
  readonly client: string
  readonly tokens: Tokens
  readonly limits: ManagerLimits
  /** Requests at a time. */
  readonly requestsMax: number
  /** The client has said who it is. */
  onGreeted(): void
}

export class OwnConnection {
  readonly #stream: Duplex
  readonly #options: OwnOptions
  readonly #reader = new FrameReader(requestMax)
  readonly #running = new Map<number, Reply>()
  #prefaceLeft: Uint8Array = new Uint8Array(0)
  #ready = false
  #greeted = false
  #role: Role | undefined
  #client: string
  /** The token that let it in, looked up again with every request: who is removed is out at once. */
  #token: string | undefined
  #partial: NodeJS.Timeout | undefined

  constructor(stream: Duplex, first: Uint8Array, options: OwnOptions) {
    this.#stream = stream
    this.#options = options
    this.#role = options.role
    this.#client = options.client
    stream.write(preface())
    stream.on('data', (chunk: Uint8Array) => this.#data(chunk))
    stream.once('close', () => {
      clearTimeout(this.#partial)
      for (const reply of this.#running.values()) reply.abort('the client is gone')
    })
    if (first.length > 0) this.#data(first)
  }

  #data(chunk: Uint8Array): void {
    let bytes = chunk
    if (!this.#ready) {
      bytes = Buffer.concat([this.#prefaceLeft, chunk])
      const found = readPreface(bytes, 0)
      if (found.state === 'partial') {
        this.#prefaceLeft = bytes
        return
      }
      if (found.state === 'broken' || found.value !== protocolVersion) {
        this.#break(found.state === 'broken' ? found.reason : `version ${found.value}, where ${protocolVersion} is spoken`)
        return
      }
      this.#ready = true
      bytes = bytes.subarray(prefaceLength)
    }
    const broken = this.#reader.push(bytes, (frame) => this.#frame(frame))
    if (broken !== undefined) this.#break(broken)
    // A frame that does not get whole for long is somebody who holds a place (slow loris).
    if (this.#reader.pending === 0) {
      clearTimeout(this.#partial)
      this.#partial = undefined
    } else this.#partial ??= setTimeout(() => this.#stream.destroy(), this.#options.limits.requestMs)
  }

  #frame(frame: Frame): void {
    const reply = this.#running.get(frame.request)
    if (frame.kind === kinds.credit) reply?.give(creditOf(frame) ?? 0)
    else if (frame.kind === kinds.cancel) {
      reply?.abort('the client has cancelled')
      // Its place is free at once.
      this.#running.delete(frame.request)
    } else if (frame.kind !== kinds.request) this.#break(`a frame of kind ${frame.kind}`)
    else if (reply !== undefined) this.#break('the number of a request that runs')
    else this.#request(frame)
  }

  #request({ request, payload }: Frame): void {
    const reply = new Reply(this.#stream, request, this.#options.limits.stallMs)
    const parameters = parametersOf(payload)
    const name = String(parameters?.['do'])
    if (parameters !== undefined && !this.#greeted) {
      if (name === 'hello') this.#hello(parameters, reply)
      else this.#break('something before hello')
      return
    }
    const row = parameters !== undefined && Object.hasOwn(requests, name) ? requests[name] : undefined
    const refused = this.#refusal(parameters, name, row)
    if (refused !== undefined || row === undefined || parameters === undefined) {
      if (row?.audited === true) this.#tellRefusal(name, parameters, refused as RequestError)
      reply.fail(refused as RequestError)
      return
    }
    this.#running.set(request, reply)
    row
      .run(parameters, reply, { ...this.#options.context, client: this.#client })
      .then(
        (trailer) => reply.end(trailer),
        (error: unknown) => reply.fail(asRequestError(reply.signal.aborted ? reply.signal.reason : error)),
      )
      .finally(() => {
        if (this.#running.get(request) === reply) this.#running.delete(request)
      })
  }

  /** Why a request is not even begun. */
  #refusal(parameters: Parameters | undefined, name: string, row: Request | undefined): RequestError | undefined {
    const { requestsMax } = this.#options
    if (parameters === undefined) return new RequestError('bad-request', 'A request is a JSON object with a "do".')
    if (row === undefined) return new RequestError('unsupported', `There is no request "${name.slice(0, 64)}" here.`)
    if (this.#running.size >= requestsMax) return new RequestError('too-many', `At most ${requestsMax} requests at a time.`)
    if (this.#token !== undefined && !this.#stillKnown(this.#token))
      return new RequestError('denied', 'The token is not known here any more.')
    if (row.right === undefined || mayDo(this.#role, row.right)) return undefined
    return new RequestError('denied', `"${name}" needs the right to ${row.right}, which this client does not have.`)
  }

  #tellRefusal(request: string, parameters: Parameters | undefined, { code }: RequestError): void {
    const { audit, peer } = this.#options.context
    const path = String(parameters?.['path'] ?? '').slice(0, pathLengthMax)
    audit({ client: this.#client, peer, request, path, bytes: 0, outcome: code })
  }

  #stillKnown(token: string): boolean {
    try {
      return this.#options.tokens.byToken(token) !== undefined
    } catch {
      return false
    }
  }

  #hello({ token }: Parameters, reply: Reply): void {
    if (typeof token === 'string') {
      try {
        const client = this.#options.tokens.byToken(token)
        if (client === undefined) {
          reply.fail(new RequestError('denied', 'The token is not known here.'))
          this.#stream.end()
          return
        }
        this.#client = client.name
        this.#role = client.role
        this.#token = token
      } catch (error) {
        reply.fail(asRequestError(error))
        this.#stream.end()
        return
      }
    }
    if (this.#role === undefined) {
      reply.fail(new RequestError('denied', 'A token is needed (or a client certificate that is known here).'))
      this.#stream.end()
      return
    }
    this.#greeted = true
    this.#options.onGreeted()
    reply.end({ about: this.#options.context.backend.about, client: this.#client, rights: roles[this.#role].rights })
  }

  #break(reason: string): void {
    const reply = new Reply(this.#stream, 0, 0)
    reply.fail(new RequestError('protocol', `The connection is closed: ${reason}.`))
    this.#stream.end()
    this.#stream.removeAllListeners('data')
    this.#stream.resume()
    setTimeout(() => this.#stream.destroy(), 1000).unref()
  }
}

function parametersOf(payload: Uint8Array): Parameters | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('utf8'))
    return typeof value === 'object' && value !== null && typeof (value as Parameters)['do'] === 'string'
      ? (value as Parameters)
      : undefined
  } catch {
    return undefined
  }
}
