import type { Micros } from './units.js'

/**
 * Packets as a struct of arrays over one block of bytes: a TPACKET_V3 block, a megabyte of a file, a mirror block.
 * A packet is (batch, index). Valid until `release`; whoever keeps bytes longer copies them.
 * All packets of a batch come from one interface and so share one link type: a source closes a batch where that changes.
 */
export interface PacketBatch {
  readonly bytes: Uint8Array
  readonly count: number
  /** Offset of the frame in `bytes`. */
  readonly at: Uint32Array
  /** Bytes of the frame that are here. */
  readonly captured: Uint32Array
  /** Bytes it had on the wire. */
  readonly length: Uint32Array
  /** Capture time, whole microseconds since the epoch. */
  readonly micros: Float64Array
  /** What is left below a microsecond, 0–999 ns; undefined when the source counts in microseconds. */
  readonly nanos: Uint16Array | undefined
  /** LINKTYPE_ number of the frames (1 Ethernet, 101 RAW, 113 SLL, 276 SLL2, 0 NULL …). */
  readonly linkType: number
  /** Capture time reached when the batch closed; moves every timer, also when `count` is 0. */
  readonly until: Micros
  /** Name of the interface; undefined for files and where several are one. */
  readonly interfaceName?: string | undefined
  /** Who sent it, when it came through a mirror; undefined for what was captured here. */
  readonly origin?: BatchOrigin | undefined
  release(): void
}

/** A remote sensor, or several that see parts of the same calls. One object per origin: compare by identity. */
export interface BatchOrigin {
  /** Number for the records; undefined means none. */
  readonly sensorId: number | undefined
  readonly name: string
}

/** The part of AbortSignal that a source needs; the core has no platform types. */
export interface StopSignal {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** How far a source has come; `total` is undefined for a live interface or a pipe. */
export interface SourceProgress {
  readonly bytes: number
  readonly total: number | undefined
}

/** Where packets come from: an interface, capture files, a mirror. */
export interface PacketSource {
  /** A live source never waits for its consumer: what does not fit in its ring is lost and counted. */
  readonly live: boolean
  /** A live source whose senders keep what the consumer cannot take yet: it waits after all. */
  readonly canWait?: boolean
  /** Ends when the input ends, or soon after `signal` aborts. The consumer calls `release` on every batch before it asks for the next one. */
  batches(signal: StopSignal): AsyncIterable<PacketBatch>
  progress(): SourceProgress
  /** Odd input by reason ("cut in the middle of a record" …). */
  readonly oddities: { entries(): [reason: string, count: number][] }
  /**
   * Another expression from now on, without a gap; test what arrives with it as well. Throws, and changes nothing, when it cannot
   * be used. For an interface.
   */
  refilter?(expression: string): void
  /** Kernel counters of a live source, since the start. */
  kernel?(): { readonly received: number; readonly dropped: number }
}
