import { type Micros, SECOND } from '../base/units.js'
import type { CallView, LiveChanges, StreamView } from './call-view.js'
import { Trail } from './trail.js'

/**
 * What a screen knows: the calls of one or more sources as their batches of changes told of them, those that are over too,
 * with the last minutes of every stream. Bounded: calls over go first, oldest first.
 */
export interface SourceChanges extends LiveChanges {
  /** Which sniffer: "eth0", "call.pcap", a sensor's name. */
  readonly source: string
  /** What was known of this source's running calls is to be forgotten: `added` begins them anew. */
  readonly reset: boolean
}

export interface BoardCall {
  /** Source and number: unique on this board. */
  readonly key: string
  readonly source: string
  /** Counts up in order of arrival. */
  readonly order: number
  view: CallView
  /** No more news will come of it. */
  over: boolean
  /** MOS of the worse direction, once a second. */
  readonly mos: Trail
  readonly streams: Map<string, StreamTrail>
}

/** Per second: MOS, jitter in ms, packets lost. */
export const streamTrail = { mos: 0, jitterMs: 1, lost: 2 } as const
const streamScales = [1000, 10, 1]

export interface StreamTrail {
  view: StreamView
  readonly trail: Trail
}

/** Per second over all calls: how many run, how many began, their mean MOS. */
export const boardTrail = { running: 0, begun: 1, mos: 2 } as const
const boardScales = [1, 1, 1000]
const mosScales = [1000]

export interface BoardOptions {
  /** Calls at once, over or not. */
  readonly callsMax: number
  /** Calls kept after their end. */
  readonly overMax: number
  /** Seconds kept of each stream, and of the whole. */
  readonly streamSeconds: number
  readonly boardSeconds: number
}

export const boardOptions: BoardOptions = { callsMax: 50_000, overMax: 10_000, streamSeconds: 180, boardSeconds: 600 }
const MOS_SECONDS = 32
/** Streams remembered of one call; more is an attack or a fault. */
const STREAMS_MAX = 32
/** A call that is told of later than this after its INVITE ran before we looked. */
const BEGUN_WITHIN_MICROS = 3 * SECOND
/** Different final responses told apart. */
const STATUSES_MAX = 100

export interface BoardTotals {
  begun: number
  answered: number
  /** Final, and never answered. */
  refused: number
  /** Calls whose response was 1xx … 6xx at their end; index 0 counts those without one. */
  readonly classes: number[]
  readonly statuses: Map<number, { count: number; readonly text: string }>
  pddSumMs: number
  pddCount: number
  talkSumMs: number
  talkCount: number
  /** Calls that did not fit. */
  left: number
}

export class CallBoard {
  readonly calls = new Map<string, BoardCall>()
  readonly totals: BoardTotals = {
    begun: 0,
    answered: 0,
    refused: 0,
    classes: [0, 0, 0, 0, 0, 0, 0],
    statuses: new Map(),
    pddSumMs: 0,
    pddCount: 0,
    talkSumMs: 0,
    talkCount: 0,
    left: 0,
  }
  /** See `boardTrail`. */
  readonly history: Trail
  /** Capture time of the youngest news. */
  at = 0 as Micros
  /** Goes up with every batch. */
  version = 0
  /** Calls that ring, are set up, or talk. A call that has ended waits for stragglers before its source says that it is over. */
  running = 0
  readonly #options: BoardOptions
  readonly #over = new Set<BoardCall>()
  /** Calls that ran before their source began anew; most of them are told of again. */
  #before = new Map<string, BoardCall>()
  #orders = 0
  #begunInSecond = 0

  constructor(options: Partial<BoardOptions> = {}) {
    this.#options = { ...boardOptions, ...options }
    this.history = new Trail(boardScales, this.#options.boardSeconds)
  }

  /** Answers the calls it touched, so that whoever keeps a list need not look at all of them. */
  apply({ source, reset, at, added, changed, removed }: SourceChanges): BoardCall[] {
    this.version++
    const touched: BoardCall[] = []
    if (reset) touched.push(...this.#reset(source))
    if (Math.floor(at / SECOND) !== Math.floor(this.at / SECOND)) this.#begunInSecond = 0
    if (at > this.at) this.at = at
    for (const views of [added, changed]) {
      for (const view of views) {
        const call = this.#put(source, view)
        if (call !== undefined) touched.push(call)
      }
    }
    for (const view of removed) {
      const call = this.#put(source, view)
      if (call === undefined) continue
      this.#end(call)
      touched.push(call)
    }
    this.#sample()
    return touched
  }

  /** Forgets the calls that are over, or the given ones of them. */
  clear(keys?: ReadonlySet<string>): void {
    this.version++
    for (const call of [...this.#over]) if (keys === undefined || keys.has(call.key)) this.#forget(call)
  }

  #put(source: string, view: CallView): BoardCall | undefined {
    const key = `${source}#${view.number}`
    let call = this.calls.get(key)
    if (call === undefined) {
      if (this.calls.size - this.#over.size >= this.#options.callsMax) {
        this.totals.left++
        return undefined
      }
      call = this.#before.get(key)
      this.#before.delete(key)
      if (call === undefined) {
        call = { key, source, order: ++this.#orders, view, over: false, mos: new Trail(mosScales, MOS_SECONDS), streams: new Map() }
        this.#begin(view)
      }
      this.calls.set(key, call)
    }
    if (view.answered !== undefined && (call.view.answered === undefined || call.view === view)) this.#answer(view)
    // MOS is news only when media came: after a call has ended, its last windows stay as they were.
    if (view.mos !== undefined && (call.view === view || call.view.rtpPackets !== view.rtpPackets)) call.mos.put(view.asOf, view.mos)
    call.view = view
    this.#follow(call, view)
    return call
  }

  /** What the streams did since the last time. */
  #follow(call: BoardCall, view: CallView): void {
    for (const stream of view.streams) {
      const key = `${stream.ssrc}>${stream.dst.ip}:${stream.dst.port}`
      let known = call.streams.get(key)
      if (known === undefined) {
        if (call.streams.size >= STREAMS_MAX) continue
        known = { view: stream, trail: new Trail(streamScales, this.#options.streamSeconds) }
        call.streams.set(key, known)
      } else if (known.view.packets === stream.packets) continue
      const before = known.trail.length === 0 ? 0 : known.view.lost
      // Several views within one second: what was lost in it adds up.
      const same = known.trail.second === Math.floor(stream.last / SECOND)
      const lost = Math.max(0, stream.lost - before) + (same ? (known.trail.at(0, streamTrail.lost) ?? 0) : 0)
      known.trail.put(stream.last, stream.mos, stream.jitterMs, lost)
      known.view = stream
    }
  }

  #begin(view: CallView): void {
    this.totals.begun++
    // Calls that ran before we came did not begin now.
    if (this.at - view.started < BEGUN_WITHIN_MICROS) this.#begunInSecond++
  }

  #answer(view: CallView): void {
    this.totals.answered++
    if (view.pddMs === undefined) return
    this.totals.pddSumMs += view.pddMs
    this.totals.pddCount++
  }

  #end(call: BoardCall): void {
    if (call.over) return
    call.over = true
    this.#over.add(call)
    this.#count(call.view)
    while (this.#over.size > this.#options.overMax) this.#forget(this.#over.values().next().value as BoardCall)
  }

  #count({ status, statusText = '', answered, talkMs }: CallView): void {
    const { totals } = this
    if (answered === undefined) totals.refused++
    else if (talkMs !== undefined) {
      totals.talkSumMs += talkMs
      totals.talkCount++
    }
    totals.classes[status === undefined ? 0 : Math.min(6, Math.floor(status / 100))]!++
    if (status === undefined || status < 300) return
    const known = totals.statuses.get(status)
    if (known !== undefined) known.count++
    else if (totals.statuses.size < STATUSES_MAX) totals.statuses.set(status, { count: 1, text: statusText })
  }

  #forget(call: BoardCall): void {
    this.#over.delete(call)
    this.calls.delete(call.key)
  }

  /** A source begins anew: its running calls are told of again, or have ended unseen. */
  #reset(source: string): BoardCall[] {
    const gone: BoardCall[] = []
    this.#before = new Map()
    for (const call of this.calls.values()) {
      if (call.source !== source || call.over) continue
      this.calls.delete(call.key)
      this.#before.set(call.key, call)
      gone.push(call)
    }
    return gone
  }

  #sample(): void {
    let sum = 0
    let count = 0
    this.running = 0
    for (const { view, over } of this.calls.values()) {
      if (over) continue
      if (view.state === 'answered' || view.state === 'ringing' || view.state === 'setup') this.running++
      if (view.mos === undefined) continue
      sum += view.mos
      count++
    }
    this.history.put(this.at, this.running, this.#begunInSecond, count === 0 ? undefined : sum / count)
  }
}
