import type { PacketKind } from '../call/outputs.js'
import type { PcapFilesOptions } from './files.js'
import type { KeeperOptions, KeeperStats } from './keeper.js'
import type { SpoolLimits } from './limits.js'

/**
 * Packets of calls on their way from the hot thread to the writing thread: a table of entries over one block of bytes, in
 * memory that both threads see. The hot thread fills it, sends it, and has it back when the writer is done with it.
 */
export const ENTRIES_MAX = 16_384
export const SHIPMENT_BYTES: number = 2 << 20
/** In place of nanoseconds: the packet's source counts in microseconds. */
export const NO_NANOS = 0xffff

/** What a packet is, in the low bits of `about`; above them the length of its headers, so that payload can be told from them. */
export const kindNumbers = { sip: 0, rtp: 1, rtcp: 2, media: 3 } as const satisfies Record<PacketKind, number>
export const KIND_MASK = 3
export const HEADERS_SHIFT = 2

const ENTRY_BYTES = 8 + 5 * 4 + 2 * 2

export class Shipment {
  readonly buffer: SharedArrayBuffer
  count = 0
  used = 0
  /** Whole microseconds since the epoch. */
  readonly micros: Float64Array
  /** Which file, by the hot thread's number. */
  readonly file: Int32Array
  /** Where in `bytes` the frame is. */
  readonly at: Uint32Array
  readonly captured: Uint32Array
  readonly length: Uint32Array
  /** Kind and length of the headers. */
  readonly about: Uint32Array
  readonly nanos: Uint16Array
  readonly linkType: Uint16Array
  readonly bytes: Uint8Array

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(ENTRIES_MAX * ENTRY_BYTES + SHIPMENT_BYTES)) {
    this.buffer = buffer
    let at = 0
    const next = (bytesPerEntry: number): [SharedArrayBuffer, number, number] => {
      const from = at
      at += ENTRIES_MAX * bytesPerEntry
      return [buffer, from, ENTRIES_MAX]
    }
    this.micros = new Float64Array(...next(8))
    this.file = new Int32Array(...next(4))
    this.at = new Uint32Array(...next(4))
    this.captured = new Uint32Array(...next(4))
    this.length = new Uint32Array(...next(4))
    this.about = new Uint32Array(...next(4))
    this.nanos = new Uint16Array(...next(2))
    this.linkType = new Uint16Array(...next(2))
    this.bytes = new Uint8Array(buffer, at)
  }

  fits(entries: number, bytes: number): boolean {
    return this.count + entries <= ENTRIES_MAX && this.used + bytes <= SHIPMENT_BYTES
  }

  add(file: number, at: number, captured: number, length: number, about: number, micros: number, nanos: number, linkType: number): void {
    const i = this.count++
    this.micros[i] = micros
    this.file[i] = file
    this.at[i] = at
    this.captured[i] = captured
    this.length[i] = length
    this.about[i] = about
    this.nanos[i] = nanos
    this.linkType[i] = linkType
  }
}

/** What goes with a shipment. Files are opened before its entries are read, ended after them. */
export interface ShipmentMessage {
  /** Of the shipment, its buffer comes with the first message that names it; -1 is a message without packets. */
  readonly id: number
  readonly buffer: SharedArrayBuffer | undefined
  readonly count: number
  readonly opened: readonly { readonly file: number; readonly path: string }[]
  readonly ended: readonly number[]
  /** Capture time, in microseconds: moves the age of what waits in memory. */
  readonly now: number
}

export interface ShipmentReply {
  readonly id: number
  /** Since the start. */
  readonly bytes: number
  readonly files: number
  readonly writes: number
  /** Packets lost in the writing thread, by reason, since the start. */
  readonly dropped: [reason: string, count: number][]
  /** An error has been met, and the disk not been tried again since. */
  readonly waiting: boolean
  /** What the disk said, when it did not take what it was given. */
  readonly trouble: { readonly code: string; readonly message: string } | undefined
  /** What the operator should know of the spool's limits, once. */
  readonly notice: string | undefined
  readonly kept: KeeperStats
}

/** What waits of one call is to be written; answered with its number. */
export interface FlushOrder {
  readonly flush: string
  readonly number: number
}

export interface FlushReply {
  readonly flushed: number
}

/** What else the writing thread is told. */
export type WriterOrder = ShipmentMessage | FlushOrder | { readonly limits: SpoolLimits } | 'close'

/** What the writing thread begins with. */
export type WriterData = PcapFilesOptions & Pick<KeeperOptions, 'limits' | 'owner'>
