import type { BatchOrigin, PacketBatch } from '../base/packets.js'
import type { Micros } from '../base/units.js'
import type { BatchFill } from '../pcap/batch.js'

/** Blocks of one stream that have arrived and wait for their turn in the pipeline, and the run of packets that is next. */

/** A batch that came through a mirror. */
export interface MirrorBatch extends PacketBatch {
  readonly origin: BatchOrigin
  /** Where the stream stands behind this batch; undefined where streams have no numbers to go on from. */
  readonly position: Position | undefined
}

/** How far a stream has come: all blocks before `number`, and `packets` of that one (all of them, too, when `whole`). */
export interface Position {
  readonly sensorId: number
  readonly stream: string
  readonly number: number
  readonly packets: number
  readonly whole: boolean
}

export interface ArrivedBlock {
  readonly number: number
  readonly packets: number
  /** Memory that it takes while it waits. */
  readonly bytes: number
  readonly interfaceName: string | undefined
  /** Undefined where streams have no numbers to go on from. */
  readonly stream: { readonly sensorId: number; readonly id: string } | undefined
  readonly arrivedMs: number
  /** Each batch is used up before the next is asked for. */
  batches(): Generator<BatchFill, void, void>
}

const NONE = new Uint32Array(0)
const NO_TIMES = new Float64Array(0)
/** A silent sender still moves time this often. */
const TICK = 1_000_000

export class Lane {
  readonly origin: BatchOrigin
  /** Added to packet times where they are compared with those of other lanes. */
  orderShift = 0
  /** Was added to the packets' times when they were unpacked; also to be added to what the sender says of its time. */
  timeShift = 0
  connected = false
  /** Bytes of the blocks that wait. */
  bytes = 0
  packets = 0
  /** How far the sender's time has come: nothing older is still to arrive. */
  until = 0
  /** The highest number that has arrived, and the highest handed on; -1 before the first. */
  have = -1
  handed = -1
  /** Packets of a block that an earlier run has handed on already. */
  #resume: { readonly number: number; readonly packets: number } | undefined
  #ticked = 0
  readonly #blocks: ArrivedBlock[] = []
  #batches: Generator<BatchFill, void, void> | undefined
  #batch: BatchFill | undefined
  #next = 0
  readonly #onHanded: (block: ArrivedBlock) => void

  constructor(origin: BatchOrigin, onHanded: (block: ArrivedBlock) => void) {
    this.origin = origin
    this.#onHanded = onHanded
  }

  /** Goes on where an earlier run of the program ended. */
  resumeAt({ number, packets, whole }: Position): void {
    const before = whole ? number : number - 1
    if (before < this.handed) return
    this.have = this.handed = before
    this.#resume = whole ? undefined : { number, packets }
  }

  push(block: ArrivedBlock): void {
    this.#blocks.push(block)
    this.bytes += block.bytes
    this.packets += block.packets
    this.have = block.number
  }

  get empty(): boolean {
    return this.#blocks.length === 0
  }
  /** When the block at the front arrived. */
  get arrivedMs(): number {
    return this.#blocks[0]?.arrivedMs ?? 0
  }

  /** Time of the next packet on the common clock; undefined when nothing is here. */
  peek(): number | undefined {
    while (this.#batch === undefined) {
      const block = this.#blocks[0]
      if (block === undefined) return undefined
      this.#batches ??= block.batches()
      this.#advance(block)
    }
    return (this.#batch.micros[this.#next] as number) + this.orderShift
  }

  #advance(block: ArrivedBlock): void {
    const { value, done } = (this.#batches as Generator<BatchFill, void, void>).next()
    this.#next = 0
    this.#batch = done === true || value.count === 0 ? undefined : value
    if (done !== true) {
      if (this.#resume?.number !== block.number) return
      this.#next = Math.min(this.#resume.packets, value.count)
      this.#resume = undefined
      if (this.#next === value.count) this.#batch = undefined
      return
    }
    this.#batches = undefined
    this.#blocks.shift()
    this.bytes -= block.bytes
    this.packets -= block.packets
    this.handed = block.number
    this.#onHanded(block)
  }

  /** The next packets, up to a time on the common clock; at least one. `peek` was asked before. Release it before asking again. */
  take(limit: number): MirrorBatch {
    const batch = this.#batch as BatchFill
    const block = this.#blocks[0] as ArrivedBlock
    const from = this.#next
    let to = from + 1
    if (limit === Number.POSITIVE_INFINITY) to = batch.count
    else while (to < batch.count && (batch.micros[to] as number) + this.orderShift <= limit) to++
    const whole = to === batch.count
    this.#next = to
    const until = whole ? batch.until : (batch.micros[to - 1] as Micros)
    if (until > this.until) this.until = until
    this.#ticked = Math.max(this.#ticked, until)
    const all = from === 0 && whole
    return {
      bytes: batch.bytes,
      count: to - from,
      at: all ? batch.at : batch.at.subarray(from, to),
      captured: all ? batch.captured : batch.captured.subarray(from, to),
      length: all ? batch.length : batch.length.subarray(from, to),
      micros: all ? batch.micros : batch.micros.subarray(from, to),
      nanos: all ? batch.nanos : batch.nanos?.subarray(from, to),
      linkType: batch.linkType,
      interfaceName: block.interfaceName,
      until,
      origin: this.origin,
      position: block.stream && {
        sensorId: block.stream.sensorId,
        stream: block.stream.id,
        number: block.number,
        packets: to,
        whole,
      },
      release: () => {
        if (whole && this.#batch === batch) this.#advance(block)
      },
    }
  }

  /** Time alone, when nothing waits and it has gone on; undefined when there is no need. */
  tick(): MirrorBatch | undefined {
    if (!this.empty || this.until < this.#ticked + TICK) return undefined
    this.#ticked = this.until
    return {
      bytes: new Uint8Array(0),
      count: 0,
      at: NONE,
      captured: NONE,
      length: NONE,
      micros: NO_TIMES,
      nanos: undefined,
      linkType: 1,
      until: this.until as Micros,
      origin: this.origin,
      position: undefined,
      release: () => {},
    }
  }
}
