import { portOf } from '../base/address.js'
import { hashOf } from '../base/endpoint-rows.js'
import type { PacketBatch } from '../base/packets.js'
import type { Endpoint } from '../base/units.js'
import { double, NO_TAG, type StreamRows, word } from '../rtp/rows.js'
import type { RecentRows } from './recent-rows.js'

/**
 * The usual media packet in one step: an IPv4 datagram in one piece, to where a stream's last packet went, and the next of
 * that stream, not before its time. Nearly every packet of a wire is one; to peel it layer by layer, call by call, costs
 * twice as much (docs/decisions/005). Whatever is not so stays untouched: the dissector and the tracker know the rest.
 */

/** Where the EtherType and the IP header are in a frame without tags; a raw frame has no type. */
const shapes: ReadonlyMap<number, { readonly type: number; readonly ip: number }> = new Map([
  [1, { type: 12, ip: 14 }],
  [12, { type: -1, ip: 0 }],
  [101, { type: -1, ip: 0 }],
  [113, { type: 14, ip: 16 }],
  [228, { type: -1, ip: 0 }],
  [276, { type: 0, ip: 20 }],
])
const TAG_LENGTH = 4
const RTP_AT = 20 + 8
/** Packets whose rows are looked up at once. */
const AHEAD = 16
const HEADERS_LENGTH = RTP_AT + 12

export class UsualMedia {
  readonly #rows: StreamRows
  readonly #recent: RecentRows
  #batch: PacketBatch | undefined
  #view: DataView = new DataView(new ArrayBuffer(0))
  #typeAt = -1
  #ipAt = -1
  /** Time of the last packet that `run` took. */
  now = 0
  /** The packet that ended the last `run` is RTP of the endpoints of this row, though not its usual next; -1 when it is not known to be. */
  stoppedRow = -1
  /** Where its RTP header is. */
  stoppedAt = 0
  /** What the last `run` took, for the spool: index in the batch, tag of the row, offset of the RTP payload. */
  marks = 0
  index: Uint32Array = new Uint32Array(0)
  tag: Int32Array = new Int32Array(0)
  headersEnd: Uint32Array = new Uint32Array(0)
  /** What was looked up ahead: the packets from `#aheadFrom` up to `#aheadTo`, as `#recent` was after `#aheadChanges`. */
  readonly #aheadRow = new Int32Array(AHEAD)
  readonly #aheadRtpAt = new Int32Array(AHEAD)
  readonly #aheadHash = new Int32Array(AHEAD)
  #aheadFrom = 0
  #aheadTo = 0
  #aheadChanges = 0
  /** Keeps the reads that only bring a line into the cache from being optimised away. */
  touched = 0

  constructor(rows: StreamRows, recent: RecentRows) {
    this.#rows = rows
    this.#recent = recent
  }

  begin(batch: PacketBatch): void {
    const { bytes, linkType } = batch
    const shape = shapes.get(linkType)
    this.#typeAt = shape?.type ?? -1
    this.#ipAt = shape?.ip ?? -1
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#batch = batch
    this.#aheadTo = 0
  }

  /**
   * Takes packets from `from` on for as long as they are usual, in order of time, and before `before`. Answers the index of
   * the first that is not. With `mark` it takes only those whose row has a tag, and notes them.
   */
  run(from: number, now: number, before: number, mark: boolean): number {
    const { count, micros } = this.#batch as PacketBatch
    if (mark && this.index.length < count) this.#makeRoom(count)
    const view = this.#view
    const rows = this.#rows
    const { doubles, words } = rows
    const rowAhead = this.#aheadRow
    const rtpAhead = this.#aheadRtpAt
    const { index: markIndex, tag: markTag, headersEnd: markEnd } = this
    let marks = 0
    let last = now
    let index = from
    this.stoppedRow = -1
    take: while (index < count) {
      if (index >= this.#aheadTo || this.#aheadChanges !== this.#recent.changes) {
        this.#lookAhead(index, Math.min(count, index + AHEAD))
        if (index === this.#aheadTo) break
      }
      const aheadFrom = this.#aheadFrom
      const aheadTo = this.#aheadTo
      for (; index < aheadTo; index++) {
        const time = micros[index]!
        if (!(time >= last && time < before)) break take
        const row = rowAhead[index - aheadFrom]!
        const rtpAt = rtpAhead[index - aheadFrom]!
        if (doubles[(row >>> 1) + double.source] !== view.getUint32(rtpAt - 16) * 65_536 + view.getUint16(rtpAt - 8)) break take
        if (words[row + word.kind]! >>> 16 !== view.getUint16(rtpAt - 6)) break take
        const tag = words[row + word.tag]!
        if ((mark && tag === NO_TAG) || !rows.acceptNext(row, view, rtpAt, view.getUint8(rtpAt - 20), micros, index)) {
          this.stoppedRow = row
          this.stoppedAt = rtpAt
          break take
        }
        if (mark) {
          markIndex[marks] = index
          markTag[marks] = tag
          markEnd[marks++] = rtpAt + 12
        }
        last = time
      }
    }
    this.now = last
    this.marks = marks
    return index
  }

  /**
   * Where the rows of the next packets are, up to the first that is not usual by its headers. Nothing here waits for what it
   * has read, so the misses of many packets are under way at once; one after the other they cost most of the time. Two loops,
   * headers then rows: the shorter a step, the more of them a processor has under way.
   */
  #lookAhead(from: number, to: number): void {
    const { at: starts, captured } = this.#batch as PacketBatch
    const { doubles } = this.#rows
    const view = this.#view
    const ipAt = this.#ipAt
    const typeAt = this.#typeAt
    const { pairs, mask } = this.#recent
    const rowAhead = this.#aheadRow
    const rtpAhead = this.#aheadRtpAt
    const hashAhead = this.#aheadHash
    let touched = 0
    let index = from
    for (; index < to && ipAt >= 0; index++) {
      const at = starts[index]!
      const end = at + captured[index]!
      let ip = at + ipAt
      if (ip + HEADERS_LENGTH > end) break
      if (typeAt >= 0) {
        let type = view.getUint16(at + typeAt)
        if (type === 0x8100) {
          type = view.getUint16(ip + 2)
          ip += TAG_LENGTH
          if (ip + HEADERS_LENGTH > end) break
        }
        if (type !== 0x0800) break
      }
      // Version 4 and no options; UDP; neither a fragment nor followed by one; a datagram that fills its packet.
      const word = view.getUint32(ip)
      const length = word & 0xffff
      if (word >>> 24 !== 0x45 || view.getUint8(ip + 9) !== 17 || (view.getUint32(ip + 4) & 0x3fff) !== 0) break
      if (length < HEADERS_LENGTH || view.getUint16(ip + 24) !== length - 20) break
      const address = view.getUint32(ip + 16)
      const port = view.getUint16(ip + 22)
      const hash = hashOf(address, port)
      touched += pairs[2 * (hash & mask)]!
      hashAhead[index - from] = hash
      rtpAhead[index - from] = ip + RTP_AT
    }
    const usual = index - from
    let found = 0
    for (; found < usual; found++) {
      const hash = hashAhead[found]!
      let slot = hash & mask
      let entry = pairs[2 * slot + 1]!
      while (entry !== 0 && pairs[2 * slot] !== hash) {
        slot = (slot + 1) & mask
        entry = pairs[2 * slot + 1]!
      }
      if (entry === 0) break
      const row = entry - 1
      touched += doubles[row >>> 1]!
      rowAhead[found] = row
    }
    this.touched = touched
    this.#aheadFrom = from
    this.#aheadTo = from + found
    this.#aheadChanges = this.#recent.changes
  }

  /** One packet that the dissector peeled (a copy, IPv6, a tunnel), its bytes those of the batch. Answers its row, or -1. */
  accept(source: Endpoint, destination: Endpoint, at: number, end: number, ttl: number, micros: Float64Array, index: number): number {
    const row = end - at < 12 ? -1 : this.#recent.get(destination)
    if (row < 0 || this.#rows.doubles[(row >>> 1) + double.source] !== source) return -1
    if (this.#rows.words[row + word.kind]! >>> 16 !== portOf(destination)) return -1
    return this.#rows.acceptNext(row, this.#view, at, ttl, micros, index) ? row : -1
  }

  #makeRoom(count: number): void {
    this.index = new Uint32Array(count)
    this.tag = new Int32Array(count)
    this.headersEnd = new Uint32Array(count)
  }
}
