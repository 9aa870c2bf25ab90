import type { HeldPacket } from '../base/held.js'
import type { PacketBatch } from '../base/packets.js'
import type { Micros } from '../base/units.js'
import type { Call } from './call.js'
import type { MediaIndex } from './media.js'
import type { CallRecord } from './record.js'

/** What the tracker shows of a call while it runs: enough to name its pcap, no more. */
export interface CallHandle {
  /** Counts up from 1 within one tracker, or within those that share their numbers. */
  readonly number: number
  readonly callId: string
  /** Capture time of the first INVITE. */
  readonly started: Micros
  /** What the receiver of packets (the spool) calls this call's file, so that it needs no look-up per packet; -1 until it says. */
  tag: number
}

export type PacketKind = 'sip' | 'rtp' | 'rtcp' | 'media'

export interface MarkedPackets {
  readonly marks: number
  readonly index: Uint32Array
  readonly tag: Int32Array
  readonly headersEnd: Uint32Array
}

/** The tracker's outputs, plain callbacks given at construction. It knows none of the receivers. */
export interface TrackerOutputs {
  /**
   * Once per call, when it has ended or the input has; the last thing said about `call`. Returns nothing, must not throw.
   * `news` is false when an early record said the same already.
   */
  onRecord(record: CallRecord, call: CallHandle, news: boolean): void
  /** A second after the end of a call, if that still looks like one: what is known by then. May come again when the call went on and ended anew. */
  onEarlyRecord?(record: CallRecord, call: CallHandle): void
  /** A packet of a call. `headersEnd` is the offset in `batch.bytes` up to which headers reach (RTP header included). Copy now: the batch is reused. */
  onPacket?(call: CallHandle, batch: PacketBatch, index: number, kind: PacketKind, headersEnd: number): void
  /** SIP, a digit or a new RTP stream changed this call. The counters of its streams move without a word: sample them. */
  onChange?(call: Call, media: MediaIndex): void
  /** The call is about to be forgotten; its streams can be looked at for the last time. */
  onEnd?(call: Call): void
  /** Media packets of calls that have a tag, in order; `marks` of them. The arrays are used again for the next ones. Given together with `onPacket`. */
  onMarked?(batch: PacketBatch, marked: MarkedPackets): void
  /** An earlier packet of a call, kept by reassembly: fragments and TCP segments, in the order they came. */
  onHeldPacket?(call: CallHandle, packet: HeldPacket, kind: PacketKind): void
}
