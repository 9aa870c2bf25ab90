import { randomBytes } from 'node:crypto'
import { Counters } from '../base/counters.js'
import type { PackedBlock } from './block.js'
import type { DiskBuffer, Segment } from './disk-buffer.js'

/**
 * Blocks between capture and network, in order: memory first, then disk.
 *
 *     acknowledged ◀─ in flight ─▶◀─ waiting in memory ─▶◀──── waiting on disk ────▶ ◀─ new
 *
 * New blocks go to memory while nothing waits on disk and there is room, else to the disk. What is sent stays until it is acknowledged.
 * Neither putting nor acknowledging ever waits.
 */
export interface QueueOptions {
  readonly memoryMax: number
  readonly disk: DiskBuffer | undefined
  /** What goes when nothing more fits. */
  readonly drop: 'oldest' | 'newest'
  /** Puts the number into a block's bytes, where the format has a place for it. */
  readonly seal?: (bytes: Uint8Array, number: number) => void
  /** Told of each block's bytes that nobody needs any more. */
  readonly spare?: (bytes: Uint8Array) => void
}

export interface QueuedBlock {
  readonly number: number
  readonly bytes: Uint8Array
  readonly packets: number
  readonly firstMicros: number
  readonly segment: Segment | undefined
}

/** What a block costs besides its bytes. */
const OVERHEAD = 256
/** Blocks read ahead from the disk. */
const READ_AHEAD_BYTES = 8 << 20

export class BlockQueue {
  /** Names the numbering. */
  readonly stream: string
  readonly #dropped = new Counters()
  readonly #options: QueueOptions
  readonly #blocks: QueuedBlock[] = []
  /** Index in `#blocks` of the first that was not sent on this connection. */
  #next = 0
  #memoryBytes = 0
  #acked: number
  #number = 0
  #reading = false
  #onReady: () => void = () => {}
  #roomWaiters: (() => void)[] = []
  packets = 0

  constructor(options: QueueOptions) {
    this.#options = options
    this.stream = options.disk?.stream ?? randomBytes(16).toString('hex')
    this.#acked = options.disk?.ackedBefore ?? -1
  }

  /** Called whenever `next` may have something again. */
  onReady(listener: () => void): void {
    this.#onReady = listener
  }

  /** Takes a block, or drops one: this, or older ones. */
  put(block: PackedBlock): void {
    const { disk } = this.#options
    this.packets += block.packets
    if (this.#takesMemory(block)) this.#toMemory({ ...this.#numbered(block), segment: undefined })
    else if (disk !== undefined && this.#makeDiskRoom(disk, block)) {
      disk.append(this.#numbered(block))
      // The disk has made a copy.
      this.#options.spare?.(block.bytes)
      this.#readAhead()
    } else
      this.#dropped.add(disk === undefined ? 'memory buffer full' : (disk.refuses(block.bytes.length) ?? 'disk buffer full'), block.packets)
  }

  #numbered(block: PackedBlock): PackedBlock & { number: number } {
    const number = this.#options.disk?.takeNumber() ?? this.#number++
    this.#options.seal?.(block.bytes, number)
    return { ...block, number }
  }

  /** Packets lost here, by reason. */
  losses(): [reason: string, packets: number][] {
    for (const [packets, reason] of this.#options.disk?.takeLost() ?? []) this.#dropped.add(reason, packets)
    return this.#dropped.entries()
  }

  #takesMemory(block: PackedBlock): boolean {
    const { disk, drop, memoryMax } = this.#options
    const need = block.bytes.length + OVERHEAD
    if (disk !== undefined) return disk.empty && this.#memoryBytes + need <= memoryMax
    // What is in flight stays: it may be on its way into the pipeline already.
    if (drop === 'oldest')
      while (this.#memoryBytes + need > memoryMax && this.#next < this.#blocks.length) {
        const [oldest] = this.#blocks.splice(this.#next, 1) as [QueuedBlock]
        this.#memoryBytes -= oldest.bytes.length + OVERHEAD
        this.#dropped.add('memory buffer full', oldest.packets)
      }
    return this.#memoryBytes + need <= memoryMax
  }

  #makeDiskRoom(disk: DiskBuffer, block: PackedBlock): boolean {
    for (;;) {
      const reason = disk.refuses(block.bytes.length)
      if (reason === undefined) return true
      if (reason !== 'disk buffer full' || this.#options.drop === 'newest') return false
      const packets = disk.dropOldest()
      if (packets === 0) return false
      this.#dropped.add('disk buffer full', packets)
    }
  }

  #toMemory(block: QueuedBlock): void {
    this.#blocks.push(block)
    this.#memoryBytes += block.bytes.length + OVERHEAD
    this.#onReady()
  }

  /** The next block to send; it stays until it is acknowledged. */
  next(): QueuedBlock | undefined {
    const block = this.#blocks[this.#next]
    if (block !== undefined) this.#next++
    this.#readAhead()
    return block
  }

  /** Keeps some blocks of the disk ready in memory. */
  #readAhead(): void {
    const { disk, memoryMax } = this.#options
    if (disk === undefined || this.#reading || disk.empty) return
    let ahead = 0
    for (let i = this.#next; i < this.#blocks.length && ahead < READ_AHEAD_BYTES; i++)
      ahead += (this.#blocks[i] as QueuedBlock).bytes.length
    // Memory may be over its bound by what is read ahead: else a full memory would never let the disk drain.
    if (ahead >= READ_AHEAD_BYTES || this.#memoryBytes > memoryMax + READ_AHEAD_BYTES) return
    this.#reading = true
    void disk.read().then((block) => {
      this.#reading = false
      if (block === undefined) return
      if (block.number <= this.#acked) disk.done(block.segment)
      else this.#toMemory(block)
      this.#readAhead()
    })
  }

  /** Everything up to this number is with the receiver. Answers how many blocks that let go. */
  ack(number: number): number {
    let count = 0
    while (count < this.#blocks.length && (this.#blocks[count] as QueuedBlock).number <= number) count++
    for (const block of this.#blocks.splice(0, count)) {
      this.#memoryBytes -= block.bytes.length + OVERHEAD
      this.#options.spare?.(block.bytes)
      if (block.segment !== undefined) this.#options.disk?.done(block.segment)
    }
    this.#next = Math.max(0, this.#next - count)
    if (number > this.#acked) {
      this.#acked = number
      this.#options.disk?.remember(number)
    }
    if (count > 0) {
      this.#readAhead()
      for (const wake of this.#roomWaiters.splice(0)) wake()
    }
    return count
  }

  /** A new connection: all above `have` is to be sent again. */
  rewind(have: number): void {
    this.#next = 0
    while (this.#next < this.#blocks.length && (this.#blocks[this.#next] as QueuedBlock).number <= have) this.#next++
    this.#readAhead()
    this.#onReady()
  }

  /** Something waits that was not sent on this connection. */
  get unsent(): boolean {
    return this.#next < this.#blocks.length || this.#reading || !(this.#options.disk?.empty ?? true)
  }
  get inFlight(): number {
    return this.#next
  }
  get memoryBytes(): number {
    return this.#memoryBytes
  }
  get diskBytes(): number {
    return this.#options.disk?.bytes ?? 0
  }
  get oldestMicros(): number {
    return this.#blocks[0]?.firstMicros ?? 0
  }
  /** Nothing waits, neither to be sent nor to be acknowledged. */
  get empty(): boolean {
    return this.#blocks.length === 0 && !this.#reading && (this.#options.disk?.empty ?? true)
  }
  get waitingPackets(): number {
    return this.#blocks.reduce((sum, b) => sum + b.packets, 0) + (this.#options.disk?.packets ?? 0)
  }

  /** For a source that can wait: resolves when a half of the memory is free. */
  async room(): Promise<void> {
    while (this.#memoryBytes > this.#options.memoryMax / 2) await new Promise<void>((resolve) => this.#roomWaiters.push(resolve))
  }

  /** The end: what waits in memory goes to the disk, where the next run finds it. Answers the packets that found no place. */
  async close(): Promise<number> {
    const { disk } = this.#options
    // A block that came from the disk is still there.
    const onlyHere = this.#blocks.filter((block) => block.segment === undefined)
    const before = this.losses().reduce((sum, [, n]) => sum + n, 0)
    const kept = (await disk?.prepend(onlyHere)) ?? 0
    await disk?.close()
    const lostOnDisk = this.losses().reduce((sum, [, n]) => sum + n, 0) - before
    return onlyHere.slice(kept).reduce((sum, b) => sum + b.packets, lostOnDisk)
  }
}
