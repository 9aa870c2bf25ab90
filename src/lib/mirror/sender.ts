import { setTimeout as pause } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import type { Notice } from '../base/notice.js'
import type { PacketBatch, PacketSource } from '../base/packets.js'
import type { Micros } from '../base/units.js'
import type { BlockPacker, Compression } from './block.js'
import type { BlockQueue } from './block-queue.js'
import { runClassicLink } from './classic-link.js'
import { type Destination, destinationText, dial } from './dial.js'
import type { LinkParts, SenderCounts, SenderIdentity } from './link.js'
import { runOwnLink } from './own-link.js'
import type { PreFilter } from './pre-filter.js'

/** The sender: packets into blocks, blocks into the queue, the queue to one receiver at a time. Capture never waits for the network. */
export interface SenderParts {
  readonly source: PacketSource
  readonly packer: BlockPacker
  readonly queue: BlockQueue
  readonly preFilter: PreFilter | undefined
  /** Tried in this order, again from the first after each break. */
  readonly destinations: readonly Destination[]
  readonly protocol: 'earshot' | 'voipmonitor'
  /** Undefined means plain. */
  readonly tls: ConnectionOptions | undefined
  readonly identity: SenderIdentity
  readonly compression: Compression
  readonly memoryMax: number
  readonly diskMax: number
  /** VoIPmonitor's stream: wait for `block_ok` after each block; fill in the checksum. */
  readonly confirm: boolean
  readonly checksum: boolean
  /** An open block is closed after this time. */
  readonly blockMs: number
  /** How long the end of a live run waits for the receiver. */
  readonly lingerMs: number
  readonly signal: AbortSignal
  readonly onNotice: Notice
  /** After each batch: for who watches that the loop goes on. */
  onBatch?(): void
  /** The run begins; the function tells at any time how it goes. */
  onStart?(status: () => SenderStatus, change: (to: SenderChange) => void): void
}

/** What may change while it runs: how the next connection says who it is, and whom it trusts. */
export interface SenderChange {
  readonly tls: ConnectionOptions | undefined
  readonly token: string | undefined
}

/** How a run goes, while it goes. */
export interface SenderStatus extends SenderCounts {
  /** How far capture time has come. */
  readonly captureTime: Micros
  readonly waitingPackets: number
  readonly connected: boolean
  /** The receiver at hand, or the last one that was tried. */
  readonly to: string
  /** Connections made again after one was lost. */
  readonly reconnects: number
  /** Why there is no connection. */
  readonly trouble: string | undefined
  /** Bytes of blocks: before they were compressed, after, and sent (also again). */
  readonly plainBytes: number
  readonly packedBytes: number
  readonly sentBytes: number
}

export interface SenderResult {
  readonly packets: number
  readonly blocks: number
  readonly bytesSent: number
  readonly dropped: [stage: string, packets: number][]
  /** Packets that wait on disk for the next run. */
  readonly kept: number
  readonly oddities: [reason: string, count: number][]
}

const CONNECT_MS = 5000
/** Between two rounds over all destinations. */
const RETRY_MS = [200, 500, 1000, 2000]
/** A trouble is told again when it lasts. */
const REMIND_MS = 60_000

export async function runSender(parts: SenderParts): Promise<SenderResult> {
  return new Sender(parts).run()
}

class Sender {
  #parts: SenderParts
  readonly #stopLinks = new AbortController()
  readonly #counted = { blocks: 0, bytesSent: 0 }
  #plainBytes = 0
  #packedBytes = 0
  #opened = 0
  #to: string
  #trouble: string | undefined
  #until = 0 as Micros
  #openBlock: NodeJS.Timeout | undefined
  #onProgress: () => void = () => {}
  #connected = false
  #told = { text: '', atMs: 0 }

  constructor(parts: SenderParts) {
    this.#parts = parts
    this.#to = destinationText(parts.destinations[0] as Destination)
  }

  async run(): Promise<SenderResult> {
    const { source, queue } = this.#parts
    const links = this.#keepConnected()
    this.#parts.onStart?.(
      () => this.#status(),
      ({ tls, token }) => {
        this.#parts = { ...this.#parts, tls, identity: { ...this.#parts.identity, token } }
      },
    )
    const stopped = aborted(this.#parts.signal)
    try {
      for await (const batch of source.batches(this.#parts.signal)) {
        this.#pack(batch)
        batch.release()
        this.#parts.onBatch?.()
        if (!source.live) await Promise.race([queue.room(), stopped])
      }
      this.#closeBlock()
      await this.#drained()
    } finally {
      clearTimeout(this.#openBlock)
      this.#stopLinks.abort()
      await links
    }
    const lost = await queue.close()
    const kept = Math.max(0, queue.waitingPackets - lost)
    return {
      packets: queue.packets,
      ...this.#counted,
      dropped: [...this.#dropped(), ...(lost > 0 ? [['never sent', lost] as [string, number]] : [])],
      kept: this.#parts.diskMax > 0 ? kept : 0,
      oddities: source.oddities.entries(),
    }
  }

  #pack(batch: PacketBatch): void {
    const { packer, preFilter } = this.#parts
    if (batch.until > this.#until) this.#until = batch.until
    const keep = preFilter?.keep(batch)
    for (let from = 0; from < batch.count; ) {
      from = packer.add(batch, from, keep)
      if (from < batch.count) this.#closeBlock()
    }
    if (packer.count > 0 && this.#openBlock === undefined) this.#openBlock = setTimeout(() => this.#closeBlock(), this.#parts.blockMs)
  }

  #closeBlock(): void {
    clearTimeout(this.#openBlock)
    this.#openBlock = undefined
    const block = this.#parts.packer.take(this.#until)
    if (block === undefined) return
    this.#counted.blocks++
    this.#plainBytes += block.plainBytes
    this.#packedBytes += block.bytes.length
    this.#parts.queue.put(block)
  }

  /** The end of the input: a file waits until all is acknowledged, a live run a while. A stop ends the waiting for a file, too. */
  async #drained(): Promise<void> {
    const { queue, source, signal, lingerMs } = this.#parts
    const endMs = Date.now() + lingerMs
    while (!queue.empty) {
      const stopped = source.live || signal.aborted
      if (stopped && (!this.#connected || Date.now() > endMs)) return
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#onProgress = resolve
        }),
        pause(50),
      ])
    }
  }

  async #keepConnected(): Promise<void> {
    const { destinations, protocol } = this.#parts
    const { signal } = this.#stopLinks
    const link = protocol === 'earshot' ? runOwnLink : runClassicLink(this.#parts)
    for (let round = 0; !signal.aborted; ) {
      let opened = false
      for (const to of destinations) {
        if (signal.aborted) return
        this.#to = destinationText(to)
        try {
          const socket = await dial(to, this.#parts.tls, CONNECT_MS, signal)
          const end = await link(socket, this.#linkParts(to))
          this.#connected = false
          opened = end.opened
          if (signal.aborted) return
          this.#tell(`${opened ? 'Lost' : 'Refused by'} ${destinationText(to)}: ${end.reason}.`)
          if (opened) break
        } catch (error) {
          if (signal.aborted) return
          this.#tell(`Cannot reach ${destinationText(to)}: ${(error as Error).message || (error as NodeJS.ErrnoException).code}.`)
        }
      }
      round = opened ? 0 : round + 1
      await pause(RETRY_MS[Math.min(round, RETRY_MS.length - 1)], undefined, { signal }).catch(() => {})
    }
  }

  #linkParts(to: Destination): LinkParts {
    return {
      queue: this.#parts.queue,
      identity: this.#parts.identity,
      compression: this.#parts.compression,
      signal: this.#stopLinks.signal,
      counts: () => this.#counts(),
      onOpen: (compression) => {
        this.#connected = true
        this.#opened++
        this.#trouble = undefined
        this.#parts.packer.compression = compression
        this.#told = { text: '', atMs: 0 }
        this.#parts.onNotice(`Connected to ${destinationText(to)}.`, 'notice')
      },
      onSent: (_packets, bytes) => {
        this.#counted.bytesSent += bytes
      },
      onProgress: () => this.#onProgress(),
    }
  }

  #status(): SenderStatus {
    return {
      ...this.#counts(),
      captureTime: this.#until,
      waitingPackets: this.#parts.queue.waitingPackets,
      connected: this.#connected,
      to: this.#to,
      reconnects: Math.max(0, this.#opened - 1),
      trouble: this.#trouble,
      plainBytes: this.#plainBytes,
      packedBytes: this.#packedBytes,
      sentBytes: this.#counted.bytesSent,
    }
  }

  #counts(): SenderCounts {
    const { queue, packer, memoryMax, diskMax } = this.#parts
    return {
      packets: queue.packets,
      blocks: this.#counted.blocks,
      memoryBytes: queue.memoryBytes,
      memoryMax,
      diskBytes: queue.diskBytes,
      diskMax,
      oldestMicros: queue.oldestMicros,
      untilMicros: packer.count > 0 ? 0 : this.#until,
      dropped: Object.fromEntries(this.#dropped()),
    }
  }

  #dropped(): [string, number][] {
    const kernel = this.#parts.source.kernel?.().dropped ?? 0
    return [
      ...(kernel > 0 ? [['kernel', kernel] as [string, number]] : []),
      ...(this.#parts.preFilter?.dropped() ?? []),
      ...(this.#parts.packer.leftOut?.() ?? []),
      ...this.#parts.queue.losses(),
    ]
  }

  #tell(text: string): void {
    this.#trouble = text
    const nowMs = Date.now()
    if (text === this.#told.text && nowMs - this.#told.atMs < REMIND_MS) return
    this.#told = { text, atMs: nowMs }
    const { queue } = this.#parts
    const waiting = queue.waitingPackets
    this.#parts.onNotice(`${text} Trying again; ${waiting.toLocaleString('en-US')} packets wait.`, 'warning')
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })))
