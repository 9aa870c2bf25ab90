import { type EndpointRows, hashOf } from '../base/endpoint-rows.js'
import type { PacketBatch } from '../base/packets.js'
import type { Endpoint } from '../base/units.js'
import { column, NO_TAG, type StreamRows } from '../rtp/rows.js'

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
const HEADERS_LENGTH = RTP_AT + 12

export class UsualMedia {
  readonly #rows: StreamRows
  readonly #recent: EndpointRows
  #batch: PacketBatch | undefined
  #view: DataView = new DataView(new ArrayBuffer(0))
  #typeAt = -1
  #ipAt = -1
  /** Time of the last packet that `run` took. */
  now = 0
  /** What the last `run` took, for the spool: index in the batch, tag of the row, offset of the RTP payload. */
  marks = 0
  index: Uint32Array = new Uint32Array(0)
  tag: Int32Array = new Int32Array(0)
  headersEnd: Uint32Array = new Uint32Array(0)

  constructor(rows: StreamRows, recent: EndpointRows) {
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
  }

  /**
   * Takes packets from `from` on for as long as they are usual, in order of time, and before `before`. Answers the index of
   * the first that is not. With `mark` it takes only those whose row has a tag, and notes them.
   */
  run(from: number, now: number, before: number, mark: boolean): number {
    const { count, at: starts, captured, micros } = this.#batch as PacketBatch
    if (mark && this.index.length < count) this.#makeRoom(count)
    const view = this.#view
    const ipAt = this.#ipAt
    const typeAt = this.#typeAt
    const rows = this.#rows
    const { cells } = rows
    const { pairs, mask } = this.#recent
    const { index: markIndex, tag: markTag, headersEnd: markEnd } = this
    let marks = 0
    let last = now
    let index = from
    for (; index < count && ipAt >= 0; index++) {
      const time = micros[index]!
      if (!(time >= last && time < before)) break
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
      const endpoint = address * 65_536 + port
      let slot = hashOf(address, port) & mask
      let key = pairs[2 * slot]!
      while (key !== endpoint && key !== 0) {
        slot = (slot + 1) & mask
        key = pairs[2 * slot]!
      }
      if (key === 0) break
      const row = pairs[2 * slot + 1]!
      if (cells[row + column.source] !== view.getUint32(ip + 12) * 65_536 + view.getUint16(ip + 20)) break
      if (mark) {
        const tag = cells[row + column.tag]!
        if (tag === NO_TAG) break
        markIndex[marks] = index
        markTag[marks] = tag
        markEnd[marks] = ip + HEADERS_LENGTH
      }
      if (!rows.acceptNext(row, view, ip + RTP_AT, view.getUint8(ip + 8), micros, index)) break
      marks++
      last = time
    }
    this.now = last
    this.marks = mark ? marks : 0
    return index
  }

  /** One packet that the dissector peeled (a copy, IPv6, a tunnel), its bytes those of the batch. Answers its row, or -1. */
  accept(source: Endpoint, destination: Endpoint, at: number, end: number, ttl: number, micros: Float64Array, index: number): number {
    const row = end - at < 12 ? -1 : this.#recent.get(destination)
    if (row < 0 || this.#rows.cells[row + column.source] !== source) return -1
    return this.#rows.acceptNext(row, this.#view, at, ttl, micros, index) ? row : -1
  }

  #makeRoom(count: number): void {
    this.index = new Uint32Array(count)
    this.tag = new Int32Array(count)
    this.headersEnd = new Uint32Array(count)
  }
}
