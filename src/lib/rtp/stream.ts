import type { Endpoint, Micros } from '../base/units.js'
import { type PayloadFormat, staticPayloads } from './codecs.js'
import { TelephoneEvents } from './events.js'
import { Jitter } from './jitter.js'
import { SequenceCount } from './sequence.js'

/**
 * One RTP stream: source, destination and SSRC, and everything counted about it. Time arrives with the packet:
 * a replayed capture gives the same numbers. Who it belongs to is the tracker's business.
 *
 * RTP header, RFC 3550 5.1.   0             1      2    4          8     12
 *                             | V2 P X CC 4 | M PT | seq| timestamp| SSRC| CSRC … extension … payload
 */
export class RtpStream {
  readonly source: Endpoint
  readonly destination: Endpoint
  readonly ssrc: number
  readonly sequence = new SequenceCount()
  jitter: Jitter | undefined
  first = 0 as Micros
  last = 0 as Micros
  ttlMin = 255
  ttlMax = 0
  ttlSum = 0
  dscp = -1
  /** The media format in use, and all payload types met with their counts. */
  format: PayloadFormat | undefined
  payloadType = -1
  codecChanged = false
  /** Ticks between packets that follow each other: the packetization time, once seen. */
  packetTicks = 0
  readonly typeCounts = new Map<number, number>()

  #type = -1
  #typeFormat: PayloadFormat | undefined
  #typeCount = 0
  #lastTicks = 0
  #events: TelephoneEvents | undefined
  readonly #formatOf: (payloadType: number) => PayloadFormat | undefined

  constructor(source: Endpoint, destination: Endpoint, ssrc: number, formatOf: (payloadType: number) => PayloadFormat | undefined) {
    this.source = source
    this.destination = destination
    this.ssrc = ssrc
    this.#formatOf = formatOf
  }

  get packets(): number {
    return this.sequence.received
  }

  /**
   * Takes one packet. `event` is the first payload byte (the RFC 4733 event), or -1 when the packet ends before it.
   * Answers a digit when this packet begins one.
   */
  accept(typeAndMarker: number, seq: number, ticks: number, arrival: Micros, ttl: number, event: number): string | undefined {
    if (this.sequence.received === 0) this.first = arrival
    this.last = arrival
    if (ttl < this.ttlMin) this.ttlMin = ttl
    if (ttl > this.ttlMax) this.ttlMax = ttl
    this.ttlSum += ttl
    const type = typeAndMarker & 0x7f
    if (type !== this.#type) this.#changeType(type)
    this.#typeCount++
    const step = this.sequence.accept(seq)
    const format = this.#typeFormat
    if (format === undefined) return undefined
    if (format.kind === 'media') {
      this.jitter?.accept(ticks, arrival, typeAndMarker > 0x7f)
      if (step === 1 && this.packetTicks === 0 && typeAndMarker <= 0x7f) this.packetTicks = this.#plausibleTicks(ticks, format)
      this.#lastTicks = ticks
      return undefined
    }
    if (format.kind === 'event' && event >= 0) {
      this.#events ??= new TelephoneEvents()
      return this.#events.accept(event, ticks)
    }
    return undefined
  }

  /** The SDP came after the media: look the payload types up again. */
  refreshFormats(): void {
    this.#settleType()
    this.#type = -1
  }

  /** Brings `typeCounts` up to date before it is read. */
  settle(): void {
    this.#settleType()
  }

  #settleType(): void {
    if (this.#type >= 0) this.typeCounts.set(this.#type, (this.typeCounts.get(this.#type) ?? 0) + this.#typeCount)
    this.#typeCount = 0
  }

  #changeType(type: number): void {
    this.#settleType()
    this.#type = type
    const format = this.#formatOf(type) ?? staticPayloads.get(type)
    this.#typeFormat = format
    if (format?.kind === 'media') {
      if (this.format !== undefined && this.format.name !== format.name) this.codecChanged = true
      if (this.jitter === undefined) this.jitter = new Jitter(format.clockRate)
      else if (this.format !== undefined && this.format.clockRate !== format.clockRate) this.jitter.restart(format.clockRate)
      this.format = format
      this.payloadType = type
    } else if (this.payloadType < 0) this.payloadType = type
  }

  /** 2.5 to 200 ms of media clock, else 0: what a pause or a jump leaves is no packetization time. */
  #plausibleTicks(ticks: number, format: PayloadFormat): number {
    const step = (ticks - this.#lastTicks) | 0
    const ms = (step * 1000) / format.clockRate
    return this.sequence.received > 1 && ms >= 2.5 && ms <= 200 ? step : 0
  }
}
