import { type Micros, SECOND } from '../base/units.js'
import type { Call } from '../call/call.js'
import type { MediaIndex } from '../call/media.js'
import type { CallHandle } from '../call/outputs.js'
import type { CallView, LiveChanges } from './call-view.js'
import { type LiveCall, sampleOf } from './live-call.js'
import { viewOf } from './view-of.js'

/**
 * The calls that run, as others may look at them: told by the tracker which calls changed, it samples media once a second
 * of capture time and hands out what changed since the last time, coalesced: a call that changed a hundred times is in a
 * batch once. While nobody watches, only the samples are taken.
 */
const SAMPLE_MICROS = SECOND
/** Calls in one batch of changes; the rest comes with the next. */
const BATCH_MAX = 1000
/** Ends of calls kept for a watcher that does not come to fetch them. */
const REMOVED_MAX = 10_000

export interface LiveOptions {
  readonly sensorId: number | undefined
  /** Where the spool keeps this call's packets. */
  readonly pcapOf?: ((call: CallHandle) => string | undefined) | undefined
}

export class LiveCalls {
  readonly #sensorId: number | undefined
  readonly #pcapOf: LiveOptions['pcapOf']
  /** In order of their numbers. */
  readonly #calls = new Map<number, LiveCall>()
  readonly #added = new Set<LiveCall>()
  readonly #changed = new Set<LiveCall>()
  #removed: CallView[] = []
  #watching = false
  #now = 0 as Micros
  #sampledSecond = 0
  /** Ends that no batch told of, because nobody fetched them. */
  removalsLost = 0

  constructor(options: LiveOptions) {
    this.#sensorId = options.sensorId
    this.#pcapOf = options.pcapOf
  }

  get size(): number {
    return this.#calls.size
  }

  /** The tracker says: SIP, a digit or a new stream has changed this call. */
  changed(call: Call, media: MediaIndex): void {
    let live = this.#calls.get(call.number)
    if (live === undefined) {
      live = {
        call,
        media,
        samples: new Map(),
        callerAddr: media.endpointText(call.callerEndpoint),
        calleeAddr: media.endpointText(call.calleeEndpoint),
        told: false,
      }
      this.#calls.set(call.number, live)
    }
    if (this.#watching) this.#mark(live)
  }

  /** The tracker is about to let go of this call. */
  ended(call: { readonly number: number }): void {
    const live = this.#calls.get(call.number)
    if (live === undefined) return
    if (this.#watching && live.told) {
      if (this.#removed.length < REMOVED_MAX) this.#removed.push(this.#view(live))
      else this.removalsLost++
    }
    this.#calls.delete(call.number)
    this.#added.delete(live)
    this.#changed.delete(live)
  }

  /** Capture time has come this far. */
  tick(now: Micros): void {
    this.#now = now
    // Capture time may go back (a clock was set): then the next sample is due as well. Once in every second of the clock, so that no second goes without a sample while packets come.
    const second = Math.floor(now / SAMPLE_MICROS)
    if (second === this.#sampledSecond) return
    this.#sampledSecond = second
    for (const live of this.#calls.values()) if (this.#sample(live) && this.#watching) this.#mark(live)
  }

  /** From now on changes are gathered; a watcher begins with `page` and goes on with `take`. */
  watch(): void {
    if (this.#watching) return
    this.#watching = true
    for (const live of this.#calls.values()) live.told = true
  }

  unwatch(): void {
    this.#watching = false
    this.#added.clear()
    this.#changed.clear()
    this.#removed = []
  }

  /** What changed since the last time, at most `max` calls. */
  take(max = BATCH_MAX): LiveChanges {
    const added = this.#drain(this.#added, max)
    const changed = this.#drain(this.#changed, max - added.length)
    const removed = this.#removed.splice(0, Math.max(0, max - added.length - changed.length))
    const left = this.#added.size + this.#changed.size + this.#removed.length
    return { at: this.#now, added, changed, removed, left }
  }

  /** Calls with a number above `after`, in order, at most `max`: a snapshot in pages, so that nothing of its size is ever held. */
  page(after: number, max = BATCH_MAX): CallView[] {
    const views: CallView[] = []
    for (const [number, live] of this.#calls) {
      if (number <= after) continue
      views.push(this.#view(live))
      if (views.length >= max) break
    }
    return views
  }

  get(number: number): CallView | undefined {
    const live = this.#calls.get(number)
    return live && this.#view(live)
  }

  /** The running call with this Call-ID. */
  find(callId: string): CallView | undefined {
    for (const live of this.#calls.values()) if (live.call.callId === callId) return this.#view(live)
    return undefined
  }

  #mark(live: LiveCall): void {
    if (live.told) this.#changed.add(live)
    else this.#added.add(live)
  }

  #drain(set: Set<LiveCall>, max: number): CallView[] {
    const views: CallView[] = []
    for (const live of set) {
      if (views.length >= max) break
      set.delete(live)
      live.told = true
      views.push(this.#view(live))
    }
    return views
  }

  /** Answers whether any stream of the call had packets since the last sample. */
  #sample(live: LiveCall): boolean {
    const { call, samples } = live
    let came = false
    for (const stream of call.streams) {
      if (sampleOf(live, stream).take()) came = true
    }
    // A stream may have gone over to another call.
    if (samples.size > call.streams.length) for (const stream of samples.keys()) if (!call.streams.includes(stream)) samples.delete(stream)
    return came
  }

  #view(live: LiveCall): CallView {
    return viewOf(live, this.#now, live.call.sensorId ?? this.#sensorId, this.#pcapOf?.(live.call))
  }
}
