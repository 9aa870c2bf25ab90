import { u16, u16le, u32le } from '../base/bytes.js'
import type { PacketBatch } from '../base/packets.js'
import type { Micros } from '../base/units.js'
import { type CodecName, codecs, snappyPlainLength } from '../codec/index.js'
import { BatchFill } from '../pcap/batch.js'
import type { BlockPacker, Compression, PackedBlock } from './block.js'
import type { SpareBuffers } from './spare-buffers.js'

/**
 * VoIPmonitor's classic mirror stream, pure, both directions (header version 7, verified against its version 2026.04).
 *
 *   sender   "sensor_id_name: ID:NAME\0" "sensor_time: YYYY-MM-DD HH:MM:SS\0" | block | block …
 *   receiver "ok" or "bad time", then after each block that wants it "block_ok", or any other text: send it again
 *
 *   block    0       16        20     24              28      32          34       36      46     48         52        56        60
 *            | title | version | size | packed size   | count | link type | sensor | iface | kind | checksum | counter | confirm | time |
 *            64: offset of each record u32 × count (never packed) | records, packed when "packed size" is not 0
 *   record   0     4    8        12       16       24        26       28    30          32     34      36 (58 in blocks of kind 1)
 *            | sec | µs | caplen | length | zero   | outer IP | IP at | std | link type | vlan | flags | frame …
 *
 * Everything is little-endian. Which compression it is stands nowhere.
 */
const title: Uint8Array = Uint8Array.from('pcap_block_store', (c) => c.charCodeAt(0))
export const classicVersion = 7
const HEADER = 64
const AT = {
  version: 16,
  size: 20,
  packedSize: 24,
  count: 28,
  linkType: 32,
  sensorId: 34,
  interfaceName: 36,
  kind: 46,
  checksum: 48,
  counter: 52,
  confirm: 56,
  time: 60,
} as const
const INTERFACE_LENGTH = 10
const RECORD = { captured: 8, length: 12, outerIp: 24, innerIp: 26, linkType: 30, vlan: 32 } as const
/** Bytes of a record's header by the block's kind. */
const recordHeaders = [36, 58] as const
const NO_IP = 0xffff
const NO_VLAN = 0xfffe
const CAPTURED_MAX = 65_535
/** Blocks hold 1 MiB of records, 4 MiB where the sender captures with DPDK. */
const SIZE_MAX = (4 << 20) + (1 << 18)
/** Where a clock may be set to another time zone, times are compared modulo half an hour. */
const ZONE_SECONDS = 1800

/** LINKTYPE_ numbers where libpcap's own DLT_ on Linux is another. */
const toDlt = (linkType: number): number => (linkType === 101 ? 12 : linkType)
const fromDlt = (dlt: number): number => (dlt === 12 || dlt === 14 ? 101 : dlt)

export const classicHandshake = (sensorId: number, name: string, date: Date): Uint8Array =>
  new TextEncoder().encode(
    `sensor_id_name: ${sensorId > 0 ? sensorId : -1}:${name}\0sensor_time: ${date.toISOString().slice(0, 19).replace('T', ' ')}\0`,
  )

/** How many seconds the first clock is ahead of the second, time zones aside; negative when it is behind. */
export function clockDifference(aSeconds: number, bSeconds: number): number {
  const ahead = aSeconds - bSeconds
  return ahead - Math.round(ahead / ZONE_SECONDS) * ZONE_SECONDS
}

/** The low 16 bits of the sum over all bytes as signed ones; 0 is written as 1, because 0 means none. */
export function classicChecksum(bytes: Uint8Array, from: number): number {
  let sum = 0
  for (let i = from; i < bytes.length; i++) sum += ((bytes[i] as number) << 24) >> 24
  return sum & 0xffff || 1
}

/** Where the outermost IP header is in a frame (0xffff when it is not IP), and its VLAN: the last tag's, as there. */
class LinkHeader {
  ipAt = NO_IP
  vlan = NO_VLAN

  read(linkType: number, bytes: Uint8Array, at: number, captured: number): void {
    this.ipAt = NO_IP
    this.vlan = NO_VLAN
    let offset: number
    let type = 0
    switch (linkType) {
      case 1: {
        offset = 14
        if (captured < offset) return
        type = u16(bytes, at + 12)
        while ((type === 0x8100 || type === 0x88a8 || type === 0x9100) && captured >= offset + 4) {
          this.vlan = u16(bytes, at + offset) & 0xfff
          type = u16(bytes, at + offset + 2)
          offset += 4
        }
        break
      }
      case 113:
        offset = 16
        if (captured >= offset) type = u16(bytes, at + 14)
        break
      case 276:
        offset = 20
        if (captured >= offset) type = u16(bytes, at)
        break
      case 101:
        if (captured > 0) this.ipAt = 0
        return
      default:
        return
    }
    if ((type === 0x0800 || type === 0x86dd) && captured > offset) this.ipAt = offset
  }
}

/**
 * Makes blocks as the classic sender does: records of kind 0, one link type a block. What is not IP is left out: its receiver has no use
 * for it, and refuses a block that is not packed and holds such a record, again and again.
 */
export class ClassicPacker implements BlockPacker {
  compression: Compression
  readonly #maxBytes: number
  readonly #sensorId: number
  readonly #plain: Uint8Array
  readonly #view: DataView
  readonly #offsets: number[] = []
  readonly #link = new LinkHeader()
  #notIp = 0
  #fill = 0
  #linkType = 0
  #name: string | undefined
  #first = 0
  #last = 0

  readonly #memory: SpareBuffers | undefined
  #packed = new Uint8Array(0)

  /** Blocks are made in `memory`, where there is one. */
  constructor(compression: Compression, maxBytes: number, sensorId: number, memory?: SpareBuffers) {
    this.compression = compression
    this.#memory = memory
    this.#maxBytes = maxBytes
    this.#sensorId = sensorId
    this.#plain = new Uint8Array(maxBytes + CAPTURED_MAX + recordHeaders[0])
    this.#view = new DataView(this.#plain.buffer)
  }

  get count(): number {
    return this.#offsets.length
  }

  leftOut(): [stage: string, packets: number][] {
    return this.#notIp > 0 ? [['not IP', this.#notIp]] : []
  }

  add(batch: PacketBatch, from: number, keep: Int32Array | undefined): number {
    const { bytes, count, at, captured, length, micros, linkType } = batch
    if (this.count === 0) {
      this.#linkType = linkType
      this.#name = batch.interfaceName
    } else if (linkType !== this.#linkType || batch.interfaceName !== this.#name) return from
    const view = this.#view
    for (let i = from; i < count; i++) {
      const kept = Math.min(keep === undefined ? (captured[i] as number) : (keep[i] as number), CAPTURED_MAX)
      if (kept < 0) continue
      const to = this.#fill
      if (to + recordHeaders[0] + kept > this.#maxBytes && this.count > 0) return i
      const start = at[i] as number
      this.#link.read(linkType, bytes, start, kept)
      const { ipAt, vlan } = this.#link
      if (ipAt === NO_IP) {
        this.#notIp++
        continue
      }
      const time = micros[i] as number
      const seconds = Math.floor(time / 1e6)
      view.setUint32(to, seconds, true)
      view.setUint32(to + 4, time - seconds * 1e6, true)
      view.setUint32(to + RECORD.captured, kept, true)
      view.setUint32(to + RECORD.length, length[i] as number, true)
      this.#plain.fill(0, to + 16, to + recordHeaders[0])
      view.setUint16(to + RECORD.outerIp, ipAt, true)
      view.setUint16(to + RECORD.innerIp, ipAt, true)
      view.setUint16(to + RECORD.linkType, toDlt(linkType), true)
      view.setUint16(to + RECORD.vlan, vlan, true)
      this.#plain.set(bytes.subarray(start, start + kept), to + recordHeaders[0])
      this.#offsets.push(to)
      this.#fill = to + recordHeaders[0] + kept
      if (this.count === 1) this.#first = time
      this.#last = time
    }
    return count
  }

  take(): PackedBlock | undefined {
    const count = this.count
    if (count === 0) return undefined
    const plain = this.#plain.subarray(0, this.#fill)
    let body = plain
    if (this.compression !== 'none') {
      const codec = codecs[this.compression]
      if (this.#packed.length < codec.bound(plain.length)) this.#packed = new Uint8Array(codec.bound(this.#plain.length))
      const length = codec.compress(plain, this.#packed)
      if (length > 0) body = this.#packed.subarray(0, length)
    }
    const length = HEADER + 4 * count + body.length
    const bytes = this.#memory?.take(length).fill(0, 0, HEADER) ?? new Uint8Array(length)
    const view = new DataView(bytes.buffer)
    bytes.set(title)
    bytes[AT.version] = classicVersion
    view.setUint32(AT.size, plain.length, true)
    view.setUint32(AT.packedSize, body === plain ? 0 : body.length, true)
    view.setUint32(AT.count, count, true)
    view.setUint16(AT.linkType, toDlt(this.#linkType), true)
    view.setInt16(AT.sensorId, this.#sensorId > 0 ? this.#sensorId : -1, true)
    const name = this.#name ?? ''
    for (let i = 0; i < name.length && i < INTERFACE_LENGTH - 1; i++) bytes[AT.interfaceName + i] = name.charCodeAt(i)
    for (let i = 0; i < count; i++) view.setUint32(HEADER + 4 * i, this.#offsets[i] as number, true)
    bytes.set(body, HEADER + 4 * count)
    const block = { bytes, plainBytes: plain.length, packets: count, firstMicros: this.#first, lastMicros: this.#last }
    this.#offsets.length = this.#fill = 0
    return block
  }
}

/** Fills in what is known only when a block is sent. */
export function stampClassicBlock(
  bytes: Uint8Array,
  stamp: { counter: number; confirm: boolean; checksum: boolean; seconds: number },
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  view.setUint32(AT.counter, stamp.counter >>> 0, true)
  bytes[AT.confirm] = stamp.confirm ? 1 : 0
  view.setUint32(AT.time, stamp.seconds, true)
  view.setUint32(AT.checksum, stamp.checksum ? classicChecksum(bytes, HEADER) : 0, true)
}

export interface ClassicHandshake {
  /** -1 when the sender has none. */
  readonly sensorId: number
  readonly name: string
  /** The sender's clock in seconds, read as UTC; undefined when it did not say. */
  readonly seconds: number | undefined
}

export interface ClassicBlock {
  readonly counter: number
  readonly sensorId: number
  readonly confirm: boolean
  readonly interfaceName: string | undefined
  readonly linkType: number
  readonly packets: number
  /** Unpacked records. */
  readonly plain: Uint8Array
  readonly offsets: Uint32Array
  readonly recordHeader: number
  /** Time of the last record. */
  readonly lastMicros: number
}

/** What the reader found; `refused` wants the block again, in words for the other side's log. */
export type ClassicEvent =
  | { readonly kind: 'handshake'; readonly handshake: ClassicHandshake }
  | { readonly kind: 'block'; readonly block: ClassicBlock }
  | { readonly kind: 'refused'; readonly reason: string }

export interface ClassicLimits {
  /** The link type of blocks that name none (VoIPmonitor's mirror_bind_dlt). */
  readonly linkType: number
  /** How far a block's clock may be away, time zones aside; 0 does not look. */
  readonly differenceSecondsMax: number
}

const HANDSHAKE_BYTES_MAX = 2048

/** The receiving side of the stream, in any pieces. Memory is bounded by one block. */
export class ClassicReader {
  readonly #limits: ClassicLimits
  #bytes = new Uint8Array(64 << 10)
  #from = 0
  #end = 0
  #shaken = false
  /** What is needed before the next look is worth it. */
  #want = 0

  constructor(limits: ClassicLimits) {
    this.#limits = limits
  }

  /** Takes the next bytes; `nowSeconds` is our own clock. Answers why the stream makes no sense at all, or undefined. */
  push(chunk: Uint8Array, nowSeconds: number, onEvent: (event: ClassicEvent) => void): string | undefined {
    this.#append(chunk)
    if (!this.#shaken) {
      const handshake = this.#readHandshake()
      if (handshake === undefined)
        return this.#end - this.#from > HANDSHAKE_BYTES_MAX ? 'no sensor and no block in what it sent' : undefined
      this.#shaken = true
      onEvent({ kind: 'handshake', handshake })
    }
    while (this.#end - this.#from >= this.#want) {
      const event = this.#next(nowSeconds)
      if (event === undefined) return undefined
      onEvent(event)
    }
    return undefined
  }

  #append(chunk: Uint8Array): void {
    const held = this.#end - this.#from
    if (this.#end + chunk.length > this.#bytes.length) {
      const size = Math.max(held + chunk.length, this.#want)
      const into = size <= this.#bytes.length ? this.#bytes : new Uint8Array(size)
      into.set(this.#bytes.subarray(this.#from, this.#end))
      this.#bytes = into
      this.#from = 0
      this.#end = held
    }
    this.#bytes.set(chunk, this.#end)
    this.#end += chunk.length
  }

  /** Both texts, wherever they are in what has come so far; a block without them counts as an answer, too. */
  #readHandshake(): ClassicHandshake | undefined {
    const bytes = this.#bytes.subarray(this.#from, Math.min(this.#end, this.#from + HANDSHAKE_BYTES_MAX))
    const text = String.fromCharCode(...bytes)
    const block = indexOf(bytes, title, 0)
    const sensor = /sensor_id_name: (-?\d{1,6}):([^\0]{0,1000})\0/.exec(text)
    const time = /sensor_time: (\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)\0/.exec(text)
    if (block < 0 && (sensor === null || time === null)) return undefined
    const [, y, mo, d, h, mi, s] = (time ?? []).map(Number)
    this.#from += block >= 0 ? block : Math.max(endOf(sensor), endOf(time))
    return {
      sensorId: sensor === null ? -1 : Number(sensor[1]),
      name: sensor?.[2] ?? '',
      seconds: time === null ? undefined : Date.UTC(y as number, (mo as number) - 1, d, h, mi, s) / 1000,
    }
  }

  #next(nowSeconds: number): ClassicEvent | undefined {
    this.#want = 0
    const bytes = this.#bytes
    const at = indexOf(bytes.subarray(0, this.#end), title, this.#from)
    if (at < 0) {
      // The beginning of a title may stand at the end.
      this.#from = Math.max(this.#from, this.#end - title.length + 1)
      this.#want = title.length
      return undefined
    }
    this.#from = at
    if (this.#end - at < HEADER) {
      this.#want = HEADER
      return undefined
    }
    const view = new DataView(bytes.buffer, at)
    const size = view.getUint32(AT.size, true)
    const packedSize = view.getUint32(AT.packedSize, true)
    const count = view.getUint32(AT.count, true)
    const recordHeader = recordHeaders[bytes[at + AT.kind] as number]
    const wrong = this.#wrongHeader(
      bytes[at + AT.version] as number,
      size,
      packedSize,
      count,
      recordHeader,
      view.getUint32(AT.time, true),
      nowSeconds,
    )
    if (wrong !== undefined || recordHeader === undefined) {
      this.#from = at + title.length
      return { kind: 'refused', reason: wrong ?? 'bad headers' }
    }
    const total = HEADER + 4 * count + (packedSize || size)
    if (this.#end - at < total) {
      this.#want = total
      return undefined
    }
    this.#from = at + total
    const checksum = view.getUint32(AT.checksum, true)
    const whole = bytes.subarray(at, at + total)
    if (checksum !== 0 && checksum !== classicChecksum(whole, HEADER)) return { kind: 'refused', reason: 'bad checksum' }
    const plain = unpack(whole.subarray(HEADER + 4 * count), packedSize, size)
    if (plain === undefined) return { kind: 'refused', reason: 'cannot decompress: neither snappy nor lz4' }
    const offsets = new Uint32Array(count)
    for (let i = 0; i < count; i++) offsets[i] = view.getUint32(HEADER + 4 * i, true)
    if (!offsetsFit(plain, offsets, recordHeader)) return { kind: 'refused', reason: 'bad offsets' }
    const last = offsets[count - 1] as number
    const dlt = view.getUint16(AT.linkType, true)
    return {
      kind: 'block',
      block: {
        counter: view.getUint32(AT.counter, true),
        sensorId: view.getInt16(AT.sensorId, true),
        confirm: bytes[at + AT.confirm] !== 0,
        interfaceName: nameOf(whole.subarray(AT.interfaceName, AT.interfaceName + INTERFACE_LENGTH)),
        linkType: dlt === 0 ? this.#limits.linkType : fromDlt(dlt),
        packets: count,
        plain,
        offsets,
        recordHeader,
        lastMicros: u32le(plain, last) * 1e6 + u32le(plain, last + 4),
      },
    }
  }

  #wrongHeader(
    version: number,
    size: number,
    packedSize: number,
    count: number,
    recordHeader: number | undefined,
    seconds: number,
    nowSeconds: number,
  ): string | undefined {
    if (version !== classicVersion) return `bad version: this receiver knows version ${classicVersion}`
    if (size > SIZE_MAX || packedSize > SIZE_MAX + (SIZE_MAX >> 2)) return 'block too big'
    if (recordHeader === undefined || count === 0 || count * recordHeader > size) return 'bad size of the block'
    const { differenceSecondsMax } = this.#limits
    if (differenceSecondsMax > 0 && seconds !== 0 && Math.abs(clockDifference(seconds, nowSeconds)) > differenceSecondsMax)
      return `the clocks of sender and receiver differ by more than ${differenceSecondsMax} s`
    return undefined
  }
}

/** Snappy says its plain length first; what does not say the right one is lz4. */
function unpack(body: Uint8Array, packedSize: number, size: number): Uint8Array | undefined {
  if (packedSize === 0) return body.slice()
  const plain = new Uint8Array(size)
  const order: CodecName[] = snappyPlainLength(body) === size ? ['snappy', 'lz4'] : ['lz4']
  return order.some((name) => codecs[name].decompress(body, plain)) ? plain : undefined
}

/** From 0 on, growing, each with room for its record. */
function offsetsFit(plain: Uint8Array, offsets: Uint32Array, recordHeader: number): boolean {
  let end = 0
  for (let i = 0; i < offsets.length; i++) {
    const at = offsets[i] as number
    if (at < end || (i === 0 && at !== 0) || at + recordHeader > plain.length) return false
    end = at + recordHeader + u32le(plain, at + RECORD.captured)
    if (end > plain.length) return false
  }
  return true
}

/** The records as batches: a new one where the link type changes. Each is used up before the next is asked for. */
export function* classicBatches(block: ClassicBlock, shiftMicros: number, onOdd: (reason: string) => void): Generator<BatchFill> {
  const { plain, offsets, recordHeader } = block
  const fill = new BatchFill(plain, block.packets)
  let linkType = -1
  for (const at of offsets) {
    const captured = u32le(plain, at + RECORD.captured)
    const length = u32le(plain, at + RECORD.length)
    const micros = u32le(plain, at + 4)
    if (captured > length || micros >= 1e6) {
      onOdd('record of a mirror with impossible values')
      continue
    }
    const dlt = u16le(plain, at + RECORD.linkType)
    const own = dlt === 0 ? block.linkType : fromDlt(dlt)
    if (own !== linkType) {
      if (linkType >= 0 && fill.count > 0) yield fill
      fill.begin(plain, own, false)
      linkType = own
    }
    fill.add(at + recordHeader, captured, length, u32le(plain, at) * 1e6 + micros + shiftMicros, 0)
    fill.until = fill.micros[fill.count - 1] as Micros
  }
  if (fill.count > 0) yield fill
}

const endOf = (match: RegExpExecArray | null): number => (match === null ? 0 : match.index + match[0].length)

function nameOf(bytes: Uint8Array): string | undefined {
  const end = bytes.indexOf(0)
  const name = String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end))
  return name === '' ? undefined : name
}

function indexOf(bytes: Uint8Array, what: Uint8Array, from: number): number {
  const first = what[0] as number
  for (let at = bytes.indexOf(first, from); at >= 0 && at + what.length <= bytes.length; at = bytes.indexOf(first, at + 1)) {
    let i = 1
    while (i < what.length && bytes[at + i] === what[i]) i++
    if (i === what.length) return at
  }
  return -1
}
