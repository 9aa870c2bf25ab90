import { type AddressBook, endpointOf } from '../base/address.js'
import type { Micros } from '../base/units.js'
import { codecNamed, type PayloadFormat, payloadFormat, staticPayloads } from '../rtp/codecs.js'
import { mosLq } from '../rtp/emodel.js'
import { double, StreamRows, word } from '../rtp/rows.js'
import { RtpStream } from '../rtp/stream.js'
import type { Frame } from '../wire/frame.js'
import type { StreamJson } from './json.js'

/**
 * Quality over time: the streams of one call counted again from its packets, step by step. Only what packets say: a step without
 * any has no value, and neither has a codec without an Ie or an unknown clock.
 */
export interface QualityStep {
  readonly packets: number
  readonly lossPct: number | null
  readonly jitterMs: number | null
  readonly mos: number | null
}

export interface StreamSeries {
  readonly stream: StreamJson
  readonly steps: readonly QualityStep[]
}

/** A step is this long at least, and a call has this many at most. */
const STEP_MICROS_MIN = 1_000_000
const STEPS_MAX = 60
const NICE_SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600]
/** Streams of a call that are counted again. */
const STREAMS_MAX = 64
const RTP_HEADER = 12

/** Clock rates of dynamic payload types whose rtpmap is not in the record (RFC 7587, 4867). */
const clocks: Readonly<Record<string, number>> = { OPUS: 48_000, 'AMR-WB': 16_000, AMR: 8000, ILBC: 8000, 'GSM-EFR': 8000 }

export class QualitySeries {
  /** Where the first step begins. */
  readonly from: number
  readonly stepMicros: number
  readonly #streams: Counted[]
  readonly #addresses: AddressBook
  readonly #byKey = new Map<string, Counted>()

  /** Addresses must be those of the frames that will be given. */
  constructor(streams: readonly StreamJson[], addresses: AddressBook, micros: (text: string) => number) {
    this.#addresses = addresses
    const counted = streams.slice(0, STREAMS_MAX)
    this.from = Math.min(...counted.map((s) => micros(s.first)))
    const length = Math.max(0, ...counted.map((s) => micros(s.last))) - this.from
    const seconds = NICE_SECONDS.find((s) => length / (s * 1e6) <= STEPS_MAX) ?? Math.ceil(length / STEPS_MAX / 3600e6) * 3600
    this.stepMicros = Math.max(STEP_MICROS_MIN, seconds * 1e6)
    const rows = new StreamRows()
    this.#streams = counted.map((stream) => new Counted(stream, rows, this.from, this.stepMicros))
    for (const one of this.#streams) this.#byKey.set(`${one.stream.ssrc} ${one.stream.src} ${one.stream.dst}`, one)
  }

  /** Takes a UDP datagram that is not SIP. Answers whether it belongs to one of the streams. */
  accept({ bytes, payloadAt: at, payloadEnd, source, sourcePort, destination, destinationPort, ttl }: Frame, time: Micros): boolean {
    if (payloadEnd - at < RTP_HEADER || (bytes[at] as number) >> 6 !== 2) return false
    const type = bytes[at + 1] as number
    // RTCP on the same ports: RFC 5761 section 4.
    if (type >= 192 && type <= 223) return false
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, RTP_HEADER)
    const ssrc = `0x${view.getUint32(8).toString(16).padStart(8, '0')}`
    const text = (address: typeof source, port: number): string => this.#addresses.endpointText(endpointOf(address, port))
    const counted = this.#byKey.get(`${ssrc} ${text(source, sourcePort)} ${text(destination, destinationPort)}`)
    counted?.accept(type, view, time, ttl)
    return counted !== undefined
  }

  /** Streams that had packets, each with all its steps. */
  series(): StreamSeries[] {
    return this.#streams.flatMap((one) => one.finish() ?? [])
  }
}

class Counted {
  readonly stream: StreamJson
  readonly #steps: QualityStep[] = []
  readonly #rows: StreamRows
  readonly #counts: RtpStream
  readonly #from: number
  readonly #stepMicros: number
  #dynamic: number | undefined
  /** Counts at the beginning of the step. */
  #before = { packets: 0, expected: 0, lost: 0, jitterSum: 0, jitterCount: 0 }

  constructor(stream: StreamJson, rows: StreamRows, from: number, stepMicros: number) {
    this.stream = stream
    this.#rows = rows
    this.#from = from
    this.#stepMicros = stepMicros
    const none = endpointOf(0 as never, 0)
    this.#counts = new RtpStream(rows, none, none, Number(stream.ssrc), (type) => this.#formatOf(type))
  }

  accept(typeAndMarker: number, view: DataView, time: Micros, ttl: number): void {
    while (this.#steps.length < STEPS_MAX * 2 && time >= this.#from + (this.#steps.length + 1) * this.#stepMicros) this.#close()
    this.#counts.accept(typeAndMarker, view.getUint16(2), view.getInt32(4), time, ttl, -1)
  }

  finish(): StreamSeries | undefined {
    this.#close()
    return this.#counts.packets === 0 ? undefined : { stream: this.stream, steps: this.#steps }
  }

  /** The record tells one codec: a static type is itself, and the first dynamic one is what the record says. */
  #formatOf(type: number): PayloadFormat | undefined {
    const known = staticPayloads.get(type)
    if (known !== undefined || type < 96) return known
    this.#dynamic ??= type
    const name = this.stream.codec
    const clock = name === null ? undefined : clocks[name.toUpperCase()]
    return type === this.#dynamic && name !== null && clock !== undefined ? payloadFormat(name, clock) : undefined
  }

  #close(): void {
    const { sequence, row, packets } = this.#counts
    const { doubles, words } = this.#rows
    const now = {
      packets,
      expected: sequence.expected,
      lost: sequence.lost,
      jitterSum: doubles[(row >>> 1) + double.jitterSumMs] as number,
      jitterCount: packets - (words[row + word.jitterLeftOut] as number),
    }
    const before = this.#before
    this.#before = now
    const expected = now.expected - before.expected
    // What came late was counted as lost a step ago: no step has less than no loss.
    const lossPct = expected <= 0 ? null : Math.min(100, (100 * Math.max(0, now.lost - before.lost)) / expected)
    const measured = now.jitterCount - before.jitterCount
    const { ie, bpl } = codecNamed(this.stream.codec ?? '') ?? {}
    this.#steps.push({
      packets: now.packets - before.packets,
      lossPct,
      jitterMs: measured <= 0 ? null : (now.jitterSum - before.jitterSum) / measured,
      mos: lossPct === null || ie === undefined || bpl === undefined ? null : mosLq({ ie, bpl, lossPercent: lossPct, burstRatio: 1 }),
    })
  }
}
