import { accessSync, constants } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { Counters } from '../base/counters.js'
import { exitCodes, OperatorError } from '../base/errors.js'
import type { HeldPacket } from '../base/held.js'
import type { Notice } from '../base/notice.js'
import type { PacketBatch } from '../base/packets.js'
import { type Micros, SECOND } from '../base/units.js'
import type { CallHandle, MarkedPackets, PacketKind } from '../call/outputs.js'
import { builtFile } from '../native/built-file.js'
import { localMicros } from '../native/local-time.js'
import type { FileLock } from '../native/lock-file.js'
import { makeDirectory } from '../native/make-directory.js'
import type { Compression } from './compression.js'
import { RETRY_MS } from './files.js'
import type { KeeperStats } from './keeper.js'
import { Ledger } from './ledger.js'
import { isLimited, noLimits, type SpoolLimits } from './limits.js'
import { marked, type SpoolLayout, spoolPath } from './names.js'
import {
  ENTRIES_MAX,
  type FlushOrder,
  type FlushReply,
  HEADERS_SHIFT,
  kindNumbers,
  NO_NANOS,
  SHIPMENT_BYTES,
  Shipment,
  type ShipmentMessage,
  type ShipmentReply,
  type WriterData,
  type WriterOrder,
} from './shipment.js'

/** SIP only, SIP and media, media cut after their headers, media with zeros after their headers. */
export const spoolContents = ['sip', 'rtp', 'rtp-headers', 'rtp-zeroed'] as const
export type SpoolContent = (typeof spoolContents)[number]

/**
 * One pcap per call. The hot thread only notes which packet belongs to which file, and copies a whole batch at once into a
 * shipment; the writing thread does the rest. Memory is bounded: when the disk is too slow, a file source waits, a live one
 * loses packets, counted.
 */
export interface SpoolOptions {
  readonly dir: string
  readonly save: SpoolContent
  /** Dialled digits are made unreadable. */
  readonly maskDtmf?: boolean
  readonly layout?: SpoolLayout
  /** Directories are named after local time. */
  readonly localTime?: boolean
  readonly compression?: Compression
  readonly limits?: SpoolLimits
  /** The source can wait for the disk. */
  readonly canWait: boolean
  /** Shipments on their way to the writing thread, together. */
  readonly shipmentBytes?: number
  /** What waits in the writing thread for the disk. */
  readonly memoryBytes?: number
  /** What the end may take; without it the end waits for the disk. */
  readonly closeMs?: number
  /** Says once that the disk does not take any more, and once that it does again. */
  readonly onNotice: Notice
}

export interface SpoolStats {
  readonly files: number
  /** Times that a file was written to. */
  readonly writes: number
  readonly packets: number
  readonly bytes: number
  readonly dropped: [reason: string, count: number][]
  /** Fragments of media, where media are not to be kept whole: where their headers end is not known. */
  readonly leftOut: number
  readonly kept: KeeperStats
}

const SHIPMENTS_BYTES = 64 << 20
const MEMORY_BYTES = 256 << 20
const PATHS_MAX = 100_000
const NOTES = 4096
const NOTHING_KEPT: KeeperStats = { deletedFiles: 0, deletedBytes: 0, trimmedFiles: 0 }

export async function openSpool(options: SpoolOptions): Promise<Spool> {
  if (options.layout === 'voipmonitor' && options.compression === 'lz4') {
    throw new OperatorError('SPOOL_COMPRESSION', 'VoIPmonitor’s tools do not read lz4 frames.', {
      exit: exitCodes.usage,
      suggestions: ['--pcap-dump-zip gzip, which Wireshark reads too', 'Or the layout of our own: --spool-layout earshot'],
    })
  }
  try {
    makeDirectory(options.dir)
    accessSync(options.dir, constants.W_OK | constants.X_OK)
    const ledger = new Ledger(options.dir)
    if (!ledger.makeDirectory())
      options.onNotice(
        `The disk of the spool "${options.dir}" is full: its index cannot be written yet, and packets are lost until there is room.`,
      )
    const lock = ledger.lock()
    if (lock === undefined && isLimited(options.limits ?? noLimits))
      options.onNotice(
        `Another process writes to the spool "${options.dir}" and keeps it within its limits; those given here are not used.`,
        'notice',
      )
    return new Spool(options, lock)
  } catch (error) {
    throw new OperatorError('SPOOL_OPEN', `Cannot write pcaps to "${options.dir}": ${(error as Error).message}.`, {
      cause: error,
      suggestions: ['Give a directory that you may write to: --spool DIR', 'Or keep no pcaps: --save none'],
    })
  }
}

export class Spool {
  readonly #options: SpoolOptions
  readonly #lock: FileLock | undefined
  readonly #worker: Worker
  readonly #dropped = new Counters()
  /** Paths given out, so that a Call-ID used twice in a minute gets two files; bounded, oldest go. */
  readonly #paths = new Map<string, number>()
  /** By tag / 2. */
  readonly #pathOfFile: (string | undefined)[] = []
  readonly #freeTags: number[] = []
  /** Of calls whose end the writing thread has not been told. */
  readonly #open = new Set<string>()
  readonly #flushes = new Map<number, () => void>()
  #flushesAsked = 0
  readonly #shipments: Shipment[] = []
  readonly #free: number[] = []
  readonly #shipmentsMax: number
  #current: Shipment | undefined
  #currentId = 0
  /** Packets of the batch at hand: file, index in the batch, bytes kept, kind and length of the headers. */
  #noted = 0
  #file = new Int32Array(NOTES)
  #index = new Uint32Array(NOTES)
  #kept = new Uint32Array(NOTES)
  #about = new Uint32Array(NOTES)
  #opened: ShipmentMessage['opened'][number][] = []
  #ended: number[] = []
  #now = 0
  #sent = 0
  #inFlight = 0
  #waiters: (() => void)[] = []
  #packets = 0
  #leftOut = 0
  #reply: ShipmentReply | undefined
  readonly #known = new Set<number>()
  /** Why nothing can be written at present; undefined while all is well. */
  #broken: string | undefined
  #gone = false

  constructor(options: SpoolOptions, lock: FileLock | undefined) {
    this.#options = options
    this.#lock = lock
    this.#shipmentsMax = Math.max(2, Math.floor((options.shipmentBytes ?? SHIPMENTS_BYTES) / SHIPMENT_BYTES))
    const workerData: WriterData = {
      dir: options.dir,
      memoryBytes: options.memoryBytes ?? MEMORY_BYTES,
      compression: options.compression ?? 'no',
      split: options.layout === 'voipmonitor',
      zeroPayload: options.save === 'rtp-zeroed',
      maskDtmf: options.maskDtmf ?? false,
      limits: options.limits ?? noLimits,
      owner: lock !== undefined,
    }
    this.#worker = new Worker(builtFile(import.meta.url, './worker.cjs'), { workerData })
    this.#worker.on('message', (reply: ShipmentReply | FlushReply) => {
      if ('flushed' in reply) this.#flushed(reply.flushed)
      else this.#done(reply)
    })
    this.#worker.on('error', (error) => this.#trouble('', error.message))
    this.#worker.on('exit', () => {
      this.#gone = true
      this.#wake()
      for (const number of this.#flushes.keys()) this.#flushed(number)
    })
  }

  /** A packet of a call. The batch must stay as it is until `settle`. */
  packet(call: CallHandle, batch: PacketBatch, index: number, kind: PacketKind, headersEnd: number): void {
    const { save } = this.#options
    if (save === 'sip' && kind !== 'sip') return
    // The last fragment of media: it has no headers of its own.
    if (kind !== 'sip' && save !== 'rtp' && headersEnd <= batch.at[index]!) {
      this.#leftOut++
      return
    }
    const file = call.tag < 0 ? this.#begin(call) : call.tag
    this.#note(file, batch, index, headersEnd, kindNumbers[kind], save === 'rtp-headers' && kind !== 'sip')
  }

  /** Media packets that took the short way. */
  marked(batch: PacketBatch, { marks, index, tag, headersEnd }: MarkedPackets): void {
    const { save } = this.#options
    if (save === 'sip') return
    const cut = save === 'rtp-headers'
    for (let i = 0; i < marks; i++) this.#note(tag[i]!, batch, index[i]!, headersEnd[i]!, kindNumbers.rtp, cut)
  }

  /**
   * An earlier packet of a call, that waited to be put together. A fragment of media is left out where media are not kept
   * whole: where its headers end is not known.
   */
  held(call: CallHandle, packet: HeldPacket, kind: PacketKind): void {
    const { save } = this.#options
    if (kind !== 'sip' && save !== 'rtp') {
      if (save !== 'sip') this.#leftOut++
      return
    }
    const { bytes, length, micros, nanos, linkType } = packet
    const file = call.tag < 0 ? this.#begin(call) : call.tag
    const shipment = this.#room(1, bytes.length)
    if (shipment === undefined) return
    shipment.bytes.set(bytes, shipment.used)
    const about = (bytes.length << HEADERS_SHIFT) | kindNumbers[kind]
    shipment.add(file, shipment.used, bytes.length, length, about, micros, nanos === 0 ? NO_NANOS : nanos, linkType)
    shipment.used += bytes.length
    this.#packets++
  }

  /** The batch is about to be released: what was noted of it is copied, at once when most of it is kept. */
  settle(batch: PacketBatch, now: Micros): void {
    const count = this.#noted
    if (count > 0) {
      this.#noted = 0
      let from = 0xffff_ffff
      let to = 0
      let kept = 0
      for (let i = 0; i < count; i++) {
        const at = batch.at[this.#index[i]!]!
        if (at < from) from = at
        if (at + this.#kept[i]! > to) to = at + this.#kept[i]!
        kept += this.#kept[i]!
      }
      if (2 * kept >= to - from && to - from <= SHIPMENT_BYTES && count <= ENTRIES_MAX) this.#copyRange(batch, count, from, to)
      else this.#copyEach(batch, count)
    }
    if (now > this.#now || now < this.#now - SECOND) this.#now = now
    if (Math.abs(this.#now - this.#sent) >= SECOND) this.#ship()
  }

  /** Other limits from now on. Answers false when another process keeps this spool within its own. */
  limitTo(limits: SpoolLimits): boolean {
    if (this.#lock === undefined) return false
    this.#worker.postMessage({ limits } satisfies WriterOrder)
    return true
  }

  /**
   * Resolves when all that was seen of the call with this path is on the disk, or lost and counted: who fetches the packets of
   * a call that runs, or has just ended, gets them all.
   */
  async flush(path: string): Promise<void> {
    if (this.#gone) return
    if (this.#open.has(path)) this.#ship()
    else if (this.#inFlight === 0) return
    // The writing thread reads messages in order: what is on its way comes before this.
    const number = ++this.#flushesAsked
    const written = new Promise<void>((resolve) => this.#flushes.set(number, resolve))
    this.#worker.postMessage({ flush: path, number } satisfies FlushOrder)
    await written
  }

  #flushed(number: number): void {
    this.#flushes.get(number)?.()
    this.#flushes.delete(number)
  }

  /** Path below the spool; undefined when nothing of the call was kept. */
  pathOf(call: CallHandle): string | undefined {
    return call.tag < 0 ? undefined : this.#pathOfFile[call.tag / 2]
  }

  /** The call is over: the rest goes out. */
  ended(call: CallHandle): void {
    if (call.tag < 0) return
    this.#ended.push(call.tag)
    call.tag = -1
  }

  /** For a source that can wait: resolves when there is room for the next batch. */
  async drained(): Promise<void> {
    while (this.#inFlight > this.#shipmentsMax / 2 && !this.#gone) await new Promise<void>((resolve) => this.#waiters.push(resolve))
  }

  /** Writes what is on its way, within `closeMs` when given; what is left then is counted as dropped. */
  async close(): Promise<SpoolStats> {
    this.#ship()
    const { closeMs } = this.#options
    const patience = closeMs === undefined ? undefined : setTimeout(() => this.#giveUp(closeMs), closeMs)
    while (this.#inFlight > 0 && !this.#gone) await new Promise<void>((resolve) => this.#waiters.push(resolve))
    if (!this.#gone) {
      this.#worker.postMessage('close')
      while (!this.#gone) await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
    clearTimeout(patience)
    this.#lock?.release()
    return this.stats()
  }

  /** Why nothing can be written at present; undefined while all is well. */
  get trouble(): string | undefined {
    return this.#broken
  }

  /** Memory with packets that the writing thread has not taken yet. */
  get waitingBytes(): number {
    return (this.#shipments.length - this.#free.length) * SHIPMENT_BYTES
  }

  stats(): SpoolStats {
    const { files = 0, writes = 0, bytes = 0, dropped = [], kept = NOTHING_KEPT } = this.#reply ?? {}
    const lost = dropped.reduce((sum, [, count]) => sum + count, 0)
    return {
      files,
      writes,
      packets: this.#packets - lost,
      bytes,
      dropped: [...this.#dropped.entries(), ...dropped],
      leftOut: this.#leftOut,
      kept,
    }
  }

  /** The disk hangs, and the thread with it. */
  #giveUp(closeMs: number): void {
    if (this.#gone) return
    const left = this.#shipments.reduce((sum, { count }, id) => (this.#free.includes(id) ? sum : sum + count), 0)
    this.#dropped.add('disk too slow at the end', left)
    this.#packets -= left
    this.#options.onNotice(
      `The spool "${this.#options.dir}" did not take the last ${left} packets within ${Math.round(closeMs / 1000)} s: they are lost.`,
      'error',
    )
    this.#gone = true
    void this.#worker.terminate()
    this.#wake()
  }

  /** Gives the call a file. The tag is even: odd numbers are the writing thread's own. */
  #begin(call: CallHandle): number {
    const started = this.#options.localTime ? localMicros(call.started) : call.started
    const path = spoolPath(call.callId, started, this.#options.layout, this.#options.compression)
    const taken = this.#paths.get(path)
    const free = taken === undefined || taken === call.started ? path : marked(path, `~${call.started}`)
    this.#paths.set(free, call.started)
    if (this.#paths.size > PATHS_MAX) this.#paths.delete(this.#paths.keys().next().value as string)
    call.tag = this.#freeTags.pop() ?? 2 * this.#pathOfFile.length
    this.#pathOfFile[call.tag / 2] = free
    this.#opened.push({ file: call.tag, path: free })
    this.#open.add(free)
    return call.tag
  }

  /** Notes a packet of the batch; with `cut` it is kept up to the end of its headers. */
  #note(file: number, batch: PacketBatch, index: number, headersEnd: number, kind: number, cut: boolean): void {
    if (this.#noted === this.#file.length) this.#moreNotes()
    const captured = batch.captured[index]!
    const headers = Math.max(0, headersEnd - batch.at[index]!)
    this.#file[this.#noted] = file
    this.#index[this.#noted] = index
    this.#about[this.#noted] = (headers << HEADERS_SHIFT) | kind
    this.#kept[this.#noted++] = !cut || headers >= captured ? captured : headers
  }

  /** A batch has few packets that belong to more than one call; their number is bounded by limits of the tracker. */
  #moreNotes(): void {
    const larger = <T extends Int32Array | Uint32Array>(from: T, to: T): T => {
      to.set(from)
      return to
    }
    const size = 2 * this.#file.length
    this.#file = larger(this.#file, new Int32Array(size))
    this.#index = larger(this.#index, new Uint32Array(size))
    this.#kept = larger(this.#kept, new Uint32Array(size))
    this.#about = larger(this.#about, new Uint32Array(size))
  }

  #copyRange(batch: PacketBatch, count: number, from: number, to: number): void {
    const shipment = this.#room(count, to - from)
    if (shipment === undefined) return
    const move = shipment.used - from
    shipment.bytes.set(batch.bytes.subarray(from, to), shipment.used)
    shipment.used += to - from
    for (let i = 0; i < count; i++) this.#add(shipment, batch, i, batch.at[this.#index[i]!]! + move)
  }

  #copyEach(batch: PacketBatch, count: number): void {
    for (let i = 0; i < count; i++) {
      const kept = this.#kept[i]!
      const shipment = this.#room(1, kept)
      if (shipment === undefined) continue
      const at = batch.at[this.#index[i]!]!
      shipment.bytes.set(batch.bytes.subarray(at, at + kept), shipment.used)
      this.#add(shipment, batch, i, shipment.used)
      shipment.used += kept
    }
  }

  #add(shipment: Shipment, batch: PacketBatch, note: number, at: number): void {
    const index = this.#index[note]!
    const nanos = batch.nanos === undefined ? NO_NANOS : batch.nanos[index]!
    shipment.add(
      this.#file[note]!,
      at,
      this.#kept[note]!,
      batch.length[index]!,
      this.#about[note]!,
      batch.micros[index]!,
      nanos,
      batch.linkType,
    )
    this.#packets++
  }

  /** A shipment with room for so much more; undefined, the packets counted, when the writing thread is too far behind. */
  #room(entries: number, bytes: number): Shipment | undefined {
    const current = this.#current
    if (current?.fits(entries, bytes)) return current
    if (bytes > SHIPMENT_BYTES) {
      this.#dropped.add('packet larger than the memory of the spool', entries)
      return undefined
    }
    if (current !== undefined) this.#ship()
    const id = this.#free.pop() ?? (this.#shipments.length < this.#shipmentsMax ? this.#shipments.push(new Shipment()) - 1 : undefined)
    if (id === undefined) {
      this.#dropped.add('disk too slow', entries)
      return undefined
    }
    this.#currentId = id
    this.#current = this.#shipments[id] as Shipment
    this.#current.count = this.#current.used = 0
    return this.#current
  }

  /** Sends what there is. */
  #ship(): void {
    const idle = this.#current === undefined && this.#opened.length === 0 && this.#ended.length === 0
    if (this.#gone || (idle && this.#now === this.#sent)) return
    // Files can be opened and ended, and time passes, also without packets.
    const shipment = this.#current
    const id = shipment === undefined ? -1 : this.#currentId
    const first = shipment !== undefined && !this.#known.has(id)
    if (first) this.#known.add(id)
    this.#worker.postMessage({
      id,
      buffer: first ? shipment.buffer : undefined,
      count: shipment?.count ?? 0,
      opened: this.#opened,
      ended: this.#ended,
      now: this.#now,
    } satisfies ShipmentMessage)
    // The writing thread reads messages in order: a number that it will have ended can be given again from now on.
    this.#freeTags.push(...this.#ended)
    for (const tag of this.#ended) this.#open.delete(this.#pathOfFile[tag / 2] as string)
    this.#opened = []
    this.#ended = []
    this.#current = undefined
    this.#sent = this.#now
    this.#inFlight++
  }

  #done(reply: ShipmentReply): void {
    if (reply.id >= 0) this.#free.push(reply.id)
    this.#inFlight--
    this.#reply = reply
    if (reply.notice !== undefined) this.#options.onNotice(reply.notice, 'warning')
    if (reply.trouble !== undefined) this.#trouble(reply.trouble.code, reply.trouble.message)
    else if (this.#broken !== undefined && !reply.waiting) {
      this.#broken = undefined
      this.#options.onNotice(`The spool "${this.#options.dir}" can be written again.`, 'notice')
    }
    this.#wake()
  }

  #trouble(code: string, message: string): void {
    if (this.#broken !== undefined) return
    const known: Record<string, string> = {
      ENOSPC: 'the disk is full',
      EDQUOT: 'the quota is used up',
      EROFS: 'it is mounted read-only',
      EACCES: 'permission denied',
    }
    this.#broken = known[code] ?? message
    this.#options.onNotice(
      `Cannot write pcaps to "${this.#options.dir}": ${this.#broken}. Calls are still recorded; packets are not kept until it can be written again (tried every ${RETRY_MS / 1000} s).`,
      'error',
    )
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }
}
