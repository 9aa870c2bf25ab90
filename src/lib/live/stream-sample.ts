import type { Call } from '../call/call.js'
import { directionOf } from '../call/finish.js'
import type { CallStream, MediaIndex } from '../call/media.js'
import type { Host } from '../call/record.js'
import { type Codec, codecNamed } from '../rtp/codecs.js'
import { mosLq } from '../rtp/emodel.js'

/**
 * The quality of one stream over its last seconds. Nothing is done per packet: once a second the stream's counters are
 * read and compared with those of the last two marks, which are five seconds apart.
 *
 *        before        mark          now
 *   ───────┼─────────────┼────────────┼──▶      the window is before … now: 5 to 10 s
 */
const WINDOW_SAMPLES = 5

export class StreamSample {
  readonly stream: CallStream
  /** As text, made once. */
  readonly src: Host
  readonly dst: Host
  direction: 'a' | 'b' = 'a'
  srtp = false
  mos: number | undefined
  mosMin: number | undefined
  lossPercent: number | undefined
  lostRecently = 0
  /** Packets at the last sample: whether anything came since. */
  packets = 0
  #mosSum = 0
  #mosCount = 0
  #samples = 0
  #expectedBefore = 0
  #lostBefore = 0
  #expectedMark = 0
  #lostMark = 0
  #codecOf: string | undefined
  #codec: Codec | undefined

  #announcements = -1

  constructor(stream: CallStream, media: MediaIndex) {
    this.stream = stream
    this.src = media.endpointText(stream.source)
    this.dst = media.endpointText(stream.destination)
  }

  /** Whose stream it is follows from what SDP announced, so it is asked again only after new SIP. */
  place(call: Call, media: MediaIndex): void {
    if (this.#announcements === call.sipMessages) return
    this.#announcements = call.sipMessages
    this.direction = directionOf(this.stream, call)
    this.srtp = media.find(this.stream.destination)?.claims.some((c) => c.call === call && !c.rtcp && c.encrypted) === true
  }

  /** Takes the counters as they are. Answers whether packets came since the last time. */
  take(): boolean {
    const { sequence } = this.stream
    const packets = sequence.received
    if (packets === this.packets) return false
    this.packets = packets
    const { expected, lost } = sequence
    const expectedIn = expected - this.#expectedBefore
    if (expectedIn > 0) {
      // A late packet takes its loss back: a window can have less than none.
      this.lostRecently = Math.max(0, lost - this.#lostBefore)
      this.lossPercent = Math.min(100, (100 * this.lostRecently) / expectedIn)
      this.mos = this.#judge()
    }
    if (++this.#samples % WINDOW_SAMPLES === 0) {
      if (this.mos !== undefined) {
        this.mosMin = Math.min(this.mosMin ?? 5, this.mos)
        this.#mosSum += this.mos
        this.#mosCount++
      }
      this.#expectedBefore = this.#expectedMark
      this.#lostBefore = this.#lostMark
      this.#expectedMark = expected
      this.#lostMark = lost
    }
    return true
  }

  get mosMean(): number | undefined {
    return this.#mosCount === 0 ? undefined : this.#mosSum / this.#mosCount
  }

  #judge(): number | undefined {
    const { format, sequence } = this.stream
    if (format?.name !== this.#codecOf) {
      this.#codecOf = format?.name
      this.#codec = format && codecNamed(format.name)
    }
    const { ie, bpl } = this.#codec ?? {}
    if (ie === undefined || bpl === undefined) return undefined
    const lossPercent = this.lossPercent ?? 0
    return mosLq({ ie, bpl, lossPercent, burstRatio: lossPercent > 0 ? (sequence.burstRatio() ?? 1) : 1 })
  }
}
