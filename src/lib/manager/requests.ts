import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Right } from '../access/index.js'
import { OperatorError } from '../base/errors.js'
import type { Audit } from './audit.js'
import type { ManagerBackend, SpoolSource } from './backend.js'
import { type Checksum, checksumFor } from './checksum.js'
import { type ConfinedFile, openConfined } from './confined.js'
import { flushed } from './flushed.js'
import { type Reply, RequestError } from './reply.js'

/**
 * The requests of our own protocol, a row each: who may ask, what is answered. `hello` comes first and is answered by the
 * connection itself; it is here so that the table is whole.
 *
 * A client sends JSON: `{"do": "fetch", "path": "2026-11-25/12/00/x.pcap"}`.
 */
export interface RequestContext {
  readonly backend: ManagerBackend
  readonly audit: Audit
  readonly client: string
  readonly peer: string
  /** Lets go of the TCP ports, for a service with a better right to them; undefined where none has. */
  readonly giveWay?: (() => Promise<void>) | undefined
}

export type Parameters = Readonly<Record<string, unknown>>

export interface Request {
  /** Undefined: anybody who is connected. */
  readonly right: Right | undefined
  readonly help: string
  /** Also a refusal of it is in the audit log; `run` writes the rest. */
  readonly audited?: boolean
  /** What it answers becomes the trailer. */
  run(parameters: Parameters, reply: Reply, context: RequestContext): Promise<unknown>
}

/** A receiver has up to thousands of senders: so many fit into one item. */
const SENDERS_AN_ITEM = 100

export const requests: Readonly<Record<string, Request>> = {
  hello: {
    right: undefined,
    help: 'token: says who the client is; answers who the service is and what the client may',
    run: async () => ({}),
  },
  ping: { right: undefined, help: 'answers at once', run: async () => ({}) },
  stats: {
    right: 'view',
    help: 'what each service counts',
    run: async (_, reply, { backend }) => {
      for (const { senders = [], ...one } of await backend.stats()) {
        await reply.list({}, 'stats', [senders.length === 0 ? one : { ...one, senders: senders.slice(0, SENDERS_AN_ITEM) }])
        for (let at = SENDERS_AN_ITEM; at < senders.length; at += SENDERS_AN_ITEM)
          await reply.item({ service: one.service, senders: senders.slice(at, at + SENDERS_AN_ITEM) })
      }
      return {}
    },
  },
  calls: {
    right: 'view',
    help: 'the running calls',
    run: async (_, reply, { backend }) => {
      let count = 0
      for await (const page of backend.calls.pages()) {
        await reply.list({}, 'calls', page)
        count += page.length
      }
      return { count }
    },
  },
  watch: {
    right: 'view',
    help: 'the running calls and then every change of them, until cancelled',
    run: async (_, reply, { backend }) => {
      for await (const { service, at, reset, added, changed, removed } of backend.calls.watch(reply.signal)) {
        if (reset) await reply.item({ service, at, reset: true })
        for (const [key, views] of Object.entries({ added, changed, removed })) await reply.list({ service, at }, key, views)
      }
      return {}
    },
  },
  record: {
    right: 'view',
    help: 'id or callId: the record of a call',
    run: async ({ id, callId }, reply, { backend }) => {
      const { records } = backend
      if (records === undefined) throw new RequestError('unsupported', 'This service has no records.')
      const call = typeof id === 'number' ? await records.get(id) : typeof callId === 'string' ? await records.byCallId(callId) : undefined
      if (call === undefined) throw new RequestError('not-found', 'There is no such call in the records.')
      await reply.item(call)
      return {}
    },
  },
  query: {
    right: 'view',
    help: 'where, limit: records that fit an expression',
    run: async ({ where, limit }, reply, { backend }) => {
      const query = backend.records?.query
      if (query === undefined) throw new RequestError('unsupported', 'This service answers no queries.')
      let count = 0
      for await (const call of query.call(backend.records, text(where, 'where', 10_000), count_(limit, 100))) {
        reply.signal.throwIfAborted()
        await reply.item(call)
        count++
      }
      return { count }
    },
  },
  'give-way': {
    right: 'admin',
    help: 'a service that listens on TCP only because the port was free leaves it, and answers on its socket alone',
    run: async (_, _reply, { giveWay }) => {
      if (giveWay === undefined) throw new RequestError('unsupported', 'This service keeps its port.')
      await giveWay()
      return {}
    },
  },
  flush: {
    right: 'fetch',
    help: 'path of a record: what was seen of its call so far is written to its pcap; answers when that is done',
    run: async ({ path }, _, { backend }) => {
      await backend.flush?.(text(path, 'path', 1024))
      return {}
    },
  },
  fetch: {
    right: 'fetch',
    audited: true,
    help: 'path of a record; offset and identity to go on; sipOnly; follow; checksums: all packets of the call, their checksum at the end',
    run: fetchCall,
  },
}

export const pathLengthMax = 1024
const BLOCK = 256 * 1024
const BLOCKS = 4

/**
 * The packets of a call by the path in its record. One plain pcap goes out as it lies; whatever else the spool holds of the call
 * (compressed, of several link types, SIP and media apart) is put together on the way, always to the same bytes, so that both
 * can be gone on with.
 */
async function fetchCall(parameters: Parameters, reply: Reply, context: RequestContext): Promise<unknown> {
  const { backend, audit, client, peer } = context
  const path = text(parameters['path'], 'path', pathLengthMax)
  const offset = count_(parameters['offset'], 0)
  const sipOnly = parameters['sipOnly'] === true
  const { spool } = backend
  if (spool === undefined && backend.others === undefined) throw new RequestError('unsupported', 'This service keeps no packets.')
  const tell = (outcome: string): void => audit({ client, peer, request: 'fetch', path, bytes: reply.sent, outcome })
  try {
    // Who goes on with a fetch has seen the file as it was.
    if (parameters['identity'] === undefined) await flushed(backend, path)
    const files = spool === undefined ? [] : filesOf(spool, path, sipOnly)
    if (files.length === 0 || spool === undefined) {
      const trailer = await relay(parameters, reply, backend)
      if (trailer === undefined) throw expired(spool, path, await oldestDay(spool?.directory))
      tell('complete, from another service')
      return trailer
    }
    const checksum = checksumFor(parameters['checksums'])
    const [only] = files
    const plain = !sipOnly && files.length === 1 && only !== undefined ? await openPlain(spool, only) : undefined
    if (plain !== undefined) await sendFile(plain, path, offset, parameters, reply, checksum, backend)
    else await sendPackets(spool, files, sipOnly, path, offset, parameters, reply, checksum)
    tell('complete')
    const media = sipOnly ? undefined : spool.expired(path, 'media')
    return { [checksum.name]: checksum.digest(), ...(media && { mediaGone: media }) }
  } catch (error) {
    tell(error instanceof RequestError ? error.code : 'broken off')
    throw error
  }
}

function filesOf(spool: SpoolSource, path: string, sipOnly: boolean): readonly string[] {
  if (path.includes('\0')) throw new RequestError('denied', 'That is no file of the spool.')
  try {
    return spool.files(path, !sipOnly)
  } catch (error) {
    if (error instanceof OperatorError) throw new RequestError('denied', 'That is no file of the spool.')
    throw error
  }
}

function expired(spool: SpoolSource | undefined, path: string, oldest: string | undefined): RequestError {
  const gone = spool?.expired(path, 'calls')
  return new RequestError('expired', 'The packets are not in the spool any more.', { ...(gone && { at: gone.at, why: gone.why }), oldest })
}

/** A file that can be sent as it lies: a pcap that is not compressed, by its first bytes. */
async function openPlain(spool: SpoolSource, file: string): Promise<ConfinedFile | undefined> {
  const found = await openConfined(spool.directory, file.slice(resolve(spool.directory).length + 1))
  if (typeof found === 'string') return undefined
  const head = Buffer.alloc(4)
  const { bytesRead } = await found.handle.read(head, 0, 4, 0)
  // Of a call that has just begun, nothing may be written yet.
  if (bytesRead < 4 || ['d4c3b2a1', '4d3cb2a1'].includes(head.toString('hex'))) return found
  await found.handle.close()
  return undefined
}

async function sendFile(
  file: ConfinedFile,
  path: string,
  offset: number,
  parameters: Parameters,
  reply: Reply,
  checksum: Checksum,
  backend: ManagerBackend,
): Promise<void> {
  try {
    if (offset > file.size || (parameters['identity'] !== undefined && parameters['identity'] !== file.identity))
      throw new RequestError('changed', 'The file is another than before.')
    await reply.item({
      size: file.size,
      identity: file.identity,
      modified: new Date(file.modifiedMs).toISOString(),
      path,
      checksum: checksum.name,
    })
    if (offset > 0) await sumHead(file, offset, checksum)
    await sendBlocks(file, offset, parameters['follow'] === true, reply, checksum, backend)
  } finally {
    await file.handle.close()
  }
}

async function sendPackets(
  spool: SpoolSource,
  files: readonly string[],
  sipOnly: boolean,
  path: string,
  offset: number,
  parameters: Parameters,
  reply: Reply,
  checksum: Checksum,
): Promise<void> {
  const identity = await identityOf(files, sipOnly)
  if (parameters['identity'] !== undefined && parameters['identity'] !== identity)
    throw new RequestError('changed', 'The files are others than before.')
  await reply.item({ identity, path, checksum: checksum.name })
  let at = 0
  for await (const bytes of spool.packets(files, sipOnly)) {
    checksum.update(bytes)
    const skip = Math.min(bytes.length, Math.max(0, offset - at))
    at += bytes.length
    if (skip < bytes.length) await reply.data(bytes.subarray(skip))
    else reply.signal.throwIfAborted()
  }
  if (offset > at) throw new RequestError('changed', 'The files are shorter than before.')
}

/** Tells whether the same bytes would come out again. */
async function identityOf(files: readonly string[], sipOnly: boolean): Promise<string> {
  const hash = createHash('sha256')
  for (const file of files) {
    const { dev, ino, size, mtimeNs } = await stat(file, { bigint: true })
    hash.update(`${file} ${dev} ${ino} ${size} ${mtimeNs}\n`)
  }
  return `${hash.digest('hex').slice(0, 32)}${sipOnly ? '-sip' : ''}`
}

/** Another service of this host may have it in a spool of its own. Undefined: none has. */
async function relay({ do: what, ...parameters }: Parameters, reply: Reply, { others }: ManagerBackend): Promise<unknown> {
  for (const service of (await others?.()) ?? []) {
    const answers = service.ask(String(what), parameters)
    try {
      for (;;) {
        reply.signal.throwIfAborted()
        const next = await answers.next()
        if (next.done === true) return next.value
        if (next.value.kind === 'item') await reply.item(next.value.value)
        else await reply.data(next.value.bytes)
      }
    } catch (error) {
      if (reply.sent > 0 || reply.signal.aborted) throw error
    } finally {
      await answers.return({})
    }
  }
  return undefined
}

/** How long a followed file may rest before it is asked whether its call still runs. */
const FOLLOW_POLL_MS = 250
const FOLLOW_REST_MS = 4000

/** Of a fetch that goes on where another broke off: the checksum is over the whole file all the same. */
async function sumHead({ handle }: ConfinedFile, end: number, checksum: Checksum): Promise<void> {
  const block = Buffer.allocUnsafe(BLOCK)
  for (let at = 0; at < end; ) {
    const { bytesRead } = await handle.read(block, 0, Math.min(BLOCK, end - at), at)
    if (bytesRead === 0) return
    checksum.update(block.subarray(0, bytesRead))
    at += bytesRead
  }
}

/** Few blocks, used in turn: the next is read while the others are on their way. */
async function sendBlocks(
  file: ConfinedFile,
  offset: number,
  follow: boolean,
  reply: Reply,
  checksum: Checksum,
  backend: ManagerBackend,
): Promise<void> {
  const free: Uint8Array[] = []
  let made = 0
  let freed: (() => void) | undefined
  const take = async (): Promise<Uint8Array> => {
    for (;;) {
      reply.signal.throwIfAborted()
      const block = free.pop()
      if (block !== undefined) return block
      if (made < BLOCKS) {
        made++
        return Buffer.allocUnsafeSlow(BLOCK)
      }
      await new Promise<void>((resolve) => {
        freed = resolve
      })
    }
  }
  const give = (block: Uint8Array): void => {
    free.push(block)
    freed?.()
    freed = undefined
  }
  const read = async (at: number): Promise<{ block: Uint8Array; length: number }> => {
    const block = await take()
    return { block, length: (await file.handle.read(block, 0, BLOCK, at)).bytesRead }
  }
  const onAbort = (): void => freed?.()
  reply.signal.addEventListener('abort', onAbort, { once: true })
  let at = offset
  let restedMs = 0
  let ahead: ReturnType<typeof read> | undefined
  try {
    for (;;) {
      const { block, length } = await (ahead ?? read(at))
      ahead = undefined
      if (length > 0) {
        restedMs = 0
        at += length
        if (length === BLOCK) {
          ahead = read(at)
          // Its failure is told when its turn comes.
          ahead.catch(() => {})
        }
        const bytes = block.subarray(0, length)
        checksum.update(bytes)
        await reply.data(bytes, () => give(block))
        continue
      }
      give(block)
      if (!follow) return
      if (restedMs >= FOLLOW_REST_MS) {
        if (!(await runs(backend, file))) return
        restedMs = 0
      }
      await sleep(FOLLOW_POLL_MS, undefined, { signal: reply.signal })
      restedMs += FOLLOW_POLL_MS
    }
  } finally {
    reply.signal.removeEventListener('abort', onAbort)
    // The file is closed behind this.
    freed?.()
    await ahead?.catch(() => {})
  }
}

/** Whether a call that still runs writes to this file. */
async function runs({ calls, spool }: ManagerBackend, { identity }: ConfinedFile): Promise<boolean> {
  for await (const page of calls.pages()) {
    for (const { pcap } of page) {
      if (pcap === undefined || spool === undefined) continue
      const file = await openConfined(spool.directory, pcap)
      if (typeof file === 'string') continue
      await file.handle.close()
      if (file.identity === identity) return true
    }
  }
  return false
}

async function oldestDay(spool: string | undefined): Promise<string | undefined> {
  const names = spool === undefined ? [] : await readdir(spool).catch(() => [])
  return names.filter((name) => /^\d{4}-\d\d-\d\d$/.test(name)).sort()[0]
}

function text(value: unknown, name: string, max: number): string {
  if (typeof value === 'string' && value.length <= max) return value
  throw new RequestError('bad-request', `${name} is a text of at most ${max} characters.`)
}

function count_(value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new RequestError('bad-request', 'That is no count.')
}

/** Any failure as the client is told it: of what went wrong inside, only what an operator could act on. */
export function asRequestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error
  if (error instanceof OperatorError) return new RequestError('failed', error.message, { suggestions: error.suggestions })
  if (error instanceof Error && error.name === 'AbortError') return new RequestError('cancelled', 'The request was cancelled.')
  return new RequestError('failed', `The service could not answer: ${error instanceof Error ? error.message : String(error)}`)
}
