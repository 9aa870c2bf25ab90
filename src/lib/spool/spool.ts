import { accessSync, constants } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { Counters } from '../base/counters.js'
import { OperatorError } from '../base/errors.js'
import type { HeldPacket } from '../base/held.js'
import type { PacketBatch } from '../base/packets.js'
import { type Micros, SECOND } from '../base/units.js'
import type { CallHandle, PacketKind } from '../call/outputs.js'
import { builtFile } from '../native/built-file.js'
import { makeDirectory } from '../native/make-directory.js'
import { recordHeaderLength } from '../pcap/write.js'
import type { AppendJob } from './append.js'
import { Chunk } from './chunk.js'
import { spoolPath } from './names.js'
import { BufferPool, sizes } from './pool.js'
import type { SpoolReply } from './worker.js'

/**
 * One pcap per call. The hot thread copies each packet once, into the call's chunk; full or old chunks go to a thread
 * that appends them. Memory is bounded: when the disk is too slow, a file source waits, a live one loses packets, counted.
 */
export interface SpoolOptions {
  readonly dir: string
  /** SIP only, SIP and media, or media cut after the RTP header. */
  readonly save: 'sip' | 'rtp' | 'rtp-headers'
  /** The source can wait for the disk. */
  readonly canWait: boolean
  /** All buffers together. */
  readonly poolBytes?: number
  /** Says once that the disk does not take any more, and once that it does again. */
  onNotice(text: string): void
}

export interface SpoolStats {
  readonly files: number
  readonly packets: number
  readonly bytes: number
  readonly dropped: [reason: string, count: number][]
}

const POOL_BYTES = 128 << 20
/** Chunks older than this in capture time go out, so that a file can be opened while its call runs. */
const AGE_MICROS = 2 * SECOND
/** Kept back at a cut for packets that come late. */
const KEEP_MICROS = SECOND
/** Chunks handed to the writing thread at once. */
const JOBS_MAX = 32
/** After an error the disk is tried again. */
const RETRY_MS = 10_000

/** One file of a call; a call whose packets come with two link types has two. */
interface SpoolFile {
  readonly path: string
  readonly linkType: number
  readonly nanos: boolean
  chunk: Chunk | undefined
  fresh: boolean
}

interface CallFiles {
  readonly files: SpoolFile[]
  filedAt: number
}

export async function openSpool(options: SpoolOptions): Promise<Spool> {
  try {
    makeDirectory(options.dir)
    accessSync(options.dir, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new OperatorError('SPOOL_OPEN', `Cannot write pcaps to "${options.dir}": ${(error as Error).message}.`, {
      cause: error,
      suggestions: ['Give a directory that you may write to: --spool DIR', 'Or keep no pcaps: --save none'],
    })
  }
  return new Spool(options)
}

export class Spool {
  readonly #options: SpoolOptions
  readonly #pool: BufferPool
  readonly #worker: Worker
  readonly #dropped = new Counters()
  /** Calls with something in memory. */
  readonly #active = new Set<CallFiles>()
  /** Paths given out, so that a Call-ID used twice in a minute gets two files; bounded, oldest go. */
  readonly #paths = new Map<string, number>()
  #jobs: AppendJob[] = []
  #inFlight = 0
  #waiters: (() => void)[] = []
  #lastTick = 0
  #files = 0
  #packets = 0
  #bytes = 0
  #brokenUntilMs = 0
  #ended = false

  constructor(options: SpoolOptions) {
    this.#options = options
    this.#pool = new BufferPool(options.poolBytes ?? POOL_BYTES)
    this.#worker = new Worker(builtFile(import.meta.url, './worker.js'), { workerData: { dir: options.dir } })
    this.#worker.on('message', (reply: SpoolReply) => this.#done(reply))
    this.#worker.on('error', (error) => this.#trouble('', error.message))
    this.#worker.on('exit', () => {
      this.#ended = true
      this.#wake()
    })
  }

  /** A packet of a call. Copies what is kept of it. */
  packet(call: CallHandle, batch: PacketBatch, index: number, kind: PacketKind, headersEnd: number): void {
    const { save } = this.#options
    if (save === 'sip' && kind !== 'sip') return
    const at = batch.at[index] as number
    const captured = batch.captured[index] as number
    const kept = save === 'rtp-headers' && kind === 'rtp' ? Math.max(0, Math.min(captured, headersEnd - at)) : captured
    const file = this.#fileOf(call, batch.linkType, batch.nanos !== undefined)
    this.#add(call, file, batch.micros[index] as number, batch.nanos?.[index] ?? 0, batch.bytes, at, kept, batch.length[index] as number)
  }

  /** An earlier packet of a call, that waited to be put together. */
  held(call: CallHandle, packet: HeldPacket, kind: PacketKind): void {
    if (this.#options.save === 'sip' && kind !== 'sip') return
    const known = (call.attachment as CallFiles | undefined)?.files[0]
    const file = this.#fileOf(call, packet.linkType, known?.nanos ?? packet.nanos !== 0)
    this.#add(call, file, packet.micros, packet.nanos, packet.bytes, 0, packet.bytes.length, packet.length)
  }

  /** Path below the spool; undefined when nothing of the call was kept. */
  pathOf(call: CallHandle): string | undefined {
    return (call.attachment as CallFiles | undefined)?.files[0]?.path
  }

  /** The call is over: the rest goes out. */
  ended(call: CallHandle): void {
    const state = call.attachment as CallFiles | undefined
    if (state === undefined) return
    for (const file of state.files) this.#flush(file, true)
    this.#active.delete(state)
  }

  /** Lets capture time pass: old chunks go out. */
  tick(now: Micros): void {
    if (now - this.#lastTick >= SECOND || now < this.#lastTick) {
      this.#lastTick = now
      for (const state of this.#active) {
        for (const file of state.files) {
          if (file.chunk !== undefined && now - file.chunk.oldest >= AGE_MICROS) this.#cut(file)
        }
      }
    }
    this.#send()
  }

  /** For a source that can wait: resolves when there is room for the next batch. */
  async drained(): Promise<void> {
    this.#send()
    while (this.#pool.taken > this.#pool.max / 2 && this.#inFlight > 0 && !this.#ended) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
  }

  async close(): Promise<SpoolStats> {
    for (const state of this.#active) for (const file of state.files) this.#flush(file, true)
    this.#active.clear()
    this.#send()
    while (this.#inFlight > 0 && !this.#ended) await new Promise<void>((resolve) => this.#waiters.push(resolve))
    if (!this.#ended) {
      const exit = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()))
      this.#worker.postMessage('close')
      await exit
    }
    return this.stats()
  }

  stats(): SpoolStats {
    return { files: this.#files, packets: this.#packets, bytes: this.#bytes, dropped: this.#dropped.entries() }
  }

  #fileOf(call: CallHandle, linkType: number, nanos: boolean): SpoolFile {
    let state = call.attachment as CallFiles | undefined
    if (state === undefined) {
      state = { files: [], filedAt: 0 }
      call.attachment = state
      this.#active.add(state)
    }
    const first = state.files[0]
    if (first !== undefined && first.linkType === linkType) return first
    const known = state.files.find((file) => file.linkType === linkType)
    if (known !== undefined) return known
    // A pcap has one link type: packets of another interface kind go to a file beside.
    const path = first === undefined ? this.#newPath(call) : first.path.replace(/\.pcap$/, `.linktype${linkType}.pcap`)
    const file: SpoolFile = { path, linkType, nanos, chunk: undefined, fresh: true }
    state.files.push(file)
    this.#files++
    return file
  }

  #newPath(call: CallHandle): string {
    const path = spoolPath(call.callId, call.started)
    const taken = this.#paths.get(path)
    const free = taken === undefined || taken === call.started ? path : path.replace(/\.pcap$/, `~${call.started}.pcap`)
    this.#paths.set(free, call.started)
    if (this.#paths.size > 100_000) this.#paths.delete(this.#paths.keys().next().value as string)
    return free
  }

  #add(
    call: CallHandle,
    file: SpoolFile,
    micros: number,
    nanos: number,
    from: Uint8Array,
    at: number,
    captured: number,
    length: number,
  ): void {
    const chunk = this.#room(call, file, captured)
    if (chunk === undefined) {
      this.#dropped.add(this.#brokenUntilMs > 0 ? 'disk not writable' : 'disk too slow')
      return
    }
    chunk.add(micros, nanos, from, at, captured, length)
    this.#packets++
  }

  /** A chunk of the file with room for this packet: as it is, grown, or cut and new. */
  #room(call: CallHandle, file: SpoolFile, captured: number): Chunk | undefined {
    const { chunk } = file
    if (chunk?.fits(captured)) return chunk
    if (this.#brokenUntilMs > 0 && performance.now() < this.#brokenUntilMs) return undefined
    const needed = recordHeaderLength + captured
    if (chunk === undefined) {
      const buffer = this.#take(needed)
      if (buffer === undefined) return undefined
      file.chunk = new Chunk(buffer, file.nanos)
      this.#active.add(call.attachment as CallFiles)
      return file.chunk
    }
    const next = sizes.find((size) => size > chunk.bytes.length)
    if (next !== undefined && next <= this.#sizeMax() && chunk.used + needed <= next) {
      const buffer = this.#pool.take(next)
      if (buffer !== undefined) {
        this.#pool.give(chunk.grow(buffer))
        return chunk
      }
    }
    this.#cut(file, needed)
    if (file.chunk?.fits(captured)) return file.chunk
    this.#flush(file, false)
    const buffer = this.#take(needed)
    if (buffer === undefined) return undefined
    file.chunk = new Chunk(buffer, file.nanos)
    return file.chunk
  }

  /** With many calls each gets less, so that all of them together stay within the pool. */
  #sizeMax(): number {
    return this.#pool.max / 2 / Math.max(1, this.#active.size)
  }

  #take(bytes: number): ArrayBuffer | undefined {
    return this.#pool.take(bytes)
  }

  /** Sends what is settled, keeps back the newest for packets that come late. */
  #cut(file: SpoolFile, extra = 0): void {
    const { chunk } = file
    if (chunk === undefined) return
    const buffer = this.#take(Math.max(chunk.bytes.length, extra))
    if (buffer === undefined) {
      this.#flush(file, false)
      return
    }
    const rest = new Chunk(buffer, file.nanos)
    chunk.cut(KEEP_MICROS, rest)
    this.#enqueue(file, chunk, false)
    if (rest.used > 0 || extra > 0) file.chunk = rest
    else {
      this.#pool.give(buffer)
      file.chunk = undefined
    }
  }

  #flush(file: SpoolFile, last: boolean): void {
    const { chunk } = file
    file.chunk = undefined
    if (chunk === undefined) return
    chunk.order()
    this.#enqueue(file, chunk, last)
  }

  #enqueue(file: SpoolFile, chunk: Chunk, last: boolean): void {
    const buffer = chunk.bytes.buffer as ArrayBuffer
    if (chunk.used === 0) {
      this.#pool.give(buffer)
      return
    }
    this.#jobs.push({ path: file.path, linkType: file.linkType, nanos: file.nanos, fresh: file.fresh, last, buffer, used: chunk.used })
    file.fresh = false
    if (this.#jobs.length >= JOBS_MAX) this.#send()
  }

  #send(): void {
    if (this.#jobs.length === 0 || this.#ended) return
    const jobs = this.#jobs
    this.#jobs = []
    this.#inFlight += jobs.length
    this.#worker.postMessage(
      jobs,
      jobs.map((job) => job.buffer),
    )
  }

  #done({ buffers, jobs, written, failed, error }: SpoolReply): void {
    for (const buffer of buffers) this.#pool.give(buffer)
    this.#inFlight -= jobs
    this.#bytes += written
    if (error !== undefined) {
      this.#dropped.add('chunk not written', failed)
      this.#trouble(error.code, error.message)
    } else if (this.#brokenUntilMs > 0 && performance.now() >= this.#brokenUntilMs) {
      this.#brokenUntilMs = 0
      this.#options.onNotice(`The spool "${this.#options.dir}" can be written again.`)
    }
    this.#wake()
  }

  #trouble(code: string, message: string): void {
    if (this.#brokenUntilMs === 0) {
      const why =
        { ENOSPC: 'the disk is full', EDQUOT: 'the quota is used up', EROFS: 'it is mounted read-only', EACCES: 'permission denied' }[
          code
        ] ?? message
      this.#options.onNotice(
        `Cannot write pcaps to "${this.#options.dir}": ${why}. Calls are still recorded; packets are not kept until it can be written again (tried every ${RETRY_MS / 1000} s).`,
      )
    }
    this.#brokenUntilMs = performance.now() + RETRY_MS
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }
}
