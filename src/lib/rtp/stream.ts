import { portOf } from '../base/address.js'
import type { Endpoint, Micros } from '../base/units.js'
import { type PayloadFormat, staticPayloads } from './codecs.js'
import { TelephoneEvents } from './events.js'
import { Jitter } from './jitter.js'
import { double, float, kindOf, noKindOf, type StreamRows, word } from './rows.js'
import { SequenceCount } from './sequence.js'

/**
 * One RTP stream: source, destination and SSRC, and everything counted about it. Time arrives with the packet:
 * a replayed capture gives the same numbers. Who it belongs to is the tracker's business.
 * What changes with every packet lies in a row of StreamRows, which also knows the short way for the usual packet;
 * this class is the whole way.
 *
 * RTP header, RFC 3550 5.1.   0             1      2    4          8     12
 *                             | V2 P X CC 4 | M PT | seq| timestamp| SSRC| CSRC … extension … payload
 */
export class RtpStream {
  readonly source: Endpoint
  readonly destination: Endpoint
  readonly ssrc: number
  readonly row: number
  readonly sequence: SequenceCount
  jitter: Jitter | undefined
  first = 0 as Micros
  dscp = -1
  /** The media format in use. */
  format: PayloadFormat | undefined
  payloadType = -1
  codecChanged = false
  /** Ticks between packets that follow each other: the packetization time, once seen. */
  packetTicks = 0

  readonly #rows: StreamRows
  readonly #formatOf: (payloadType: number) => PayloadFormat | undefined
  #type = -1
  #typeFormat: PayloadFormat | undefined
  #lastTicks = 0
  #lastSlow = 0
  #events: TelephoneEvents | undefined
  #ttlMin = 255
  #ttlMax = 0
  #ttl = 0
  #ttlSum = 0
  #ttlSummed = 0

  constructor(
    rows: StreamRows,
    source: Endpoint,
    destination: Endpoint,
    ssrc: number,
    formatOf: (payloadType: number) => PayloadFormat | undefined,
  ) {
    this.source = source
    this.destination = destination
    this.ssrc = ssrc
    this.#rows = rows
    this.#formatOf = formatOf
    this.row = rows.take()
    rows.doubles[(this.row >>> 1) + double.source] = source
    rows.words[this.row + word.ssrc] = ssrc
    rows.words[this.row + word.kind] = noKindOf(portOf(destination))
    this.sequence = new SequenceCount(rows, this.row)
  }

  get packets(): number {
    return this.sequence.received
  }

  get last(): Micros {
    return Math.max(this.#lastSlow, this.#rows.doubles[(this.row >>> 1) + double.arrival]!) as Micros
  }

  get ttl(): { min: number; max: number; mean: number } {
    this.#sumTtl()
    return { min: this.#ttlMin, max: this.#ttlMax, mean: this.#ttlSum / Math.max(1, this.packets) }
  }

  /**
   * Takes one packet. `event` is the first payload byte (the RFC 4733 event), or -1 when the packet ends before it.
   * Answers a digit when this packet begins one.
   */
  accept(typeAndMarker: number, seq: number, ticks: number, arrival: Micros, ttl: number, event: number): string | undefined {
    if (this.packets === 0) this.first = arrival
    this.#lastSlow = arrival
    const type = typeAndMarker & 0x7f
    if (type !== this.#type) this.#changeType(type)
    this.#noteTtl(ttl)
    this.#rows.words[this.row + word.kind] = kindOf(portOf(this.destination), type, ttl)
    const step = this.sequence.accept(seq)
    const format = this.#typeFormat
    if (format?.kind !== 'media') this.#rows.words[this.row + word.jitterLeftOut]!++
    if (format === undefined) return undefined
    if (format.kind === 'media') {
      this.jitter?.accept(ticks, arrival, typeAndMarker > 0x7f)
      if (this.packetTicks === 0) this.#learnPacketTime(step, ticks, typeAndMarker > 0x7f, format)
      return undefined
    }
    if (format.kind === 'event' && event >= 0) {
      this.#events ??= new TelephoneEvents()
      return this.#events.accept(event, ticks)
    }
    return undefined
  }

  /** The SDP came after the media: look the payload type up again with the next packet. */
  refreshFormats(): void {
    this.#type = -1
    this.#openShortWay(false)
  }

  #changeType(type: number): void {
    this.#type = type
    const format = this.#formatOf(type) ?? staticPayloads.get(type)
    this.#typeFormat = format
    if (format?.kind === 'media') {
      if (this.format !== undefined && this.format.name !== format.name) this.codecChanged = true
      if (this.jitter === undefined) this.jitter = new Jitter(format.clockRate, this.#rows, this.row)
      else if (this.format !== undefined && this.format.clockRate !== format.clockRate) this.jitter.restart(format.clockRate)
      this.format = format
      this.payloadType = type
    } else if (this.payloadType < 0) this.payloadType = type
    this.#openShortWay(format?.kind === 'media' && this.packetTicks > 0)
  }

  #openShortWay(open: boolean): void {
    this.#rows.floats[this.row + float.ticksPerMs] = open ? (this.jitter?.ticksPerMs ?? 0) : 0
  }

  /** 2.5 to 200 ms of media clock between neighbours: what a pause or a jump leaves is no packetization time. */
  #learnPacketTime(step: number, ticks: number, marker: boolean, format: PayloadFormat): void {
    const difference = (ticks - this.#lastTicks) | 0
    this.#lastTicks = ticks
    const ms = (difference * 1000) / format.clockRate
    if (step !== 1 || marker || this.packets < 2 || ms < 2.5 || ms > 200) return
    this.packetTicks = difference
    this.#openShortWay(true)
  }

  #noteTtl(ttl: number): void {
    if (ttl < this.#ttlMin) this.#ttlMin = ttl
    if (ttl > this.#ttlMax) this.#ttlMax = ttl
    if (ttl === this.#ttl) return
    this.#sumTtl()
    this.#ttl = ttl
  }

  /** Adds the packets since the last change, all of one TTL, to the sum. */
  #sumTtl(): void {
    this.#ttlSum += (this.packets - this.#ttlSummed) * this.#ttl
    this.#ttlSummed = this.packets
  }
}
