import { type BucketCounts, Buckets } from '../base/buckets.js'
import type { Micros } from '../base/units.js'
import { type ProblemName, problemNames, problems } from './problems.js'
import type { CallRecord, CallState, StreamRecord } from './record.js'

/**
 * Calls that have ended, counted since the start: how they ended, which responses they got, what was odd, and histograms of
 * their times and quality. Fed with records, not with packets; what it holds does not grow.
 */
export interface CallTallyCounts {
  readonly states: Readonly<Record<CallState, number>>
  /** Calls by the status in their record: the first 2xx to an INVITE, else the last response of 300 or more. */
  readonly finals: Readonly<Record<string, number>>
  /** Calls with this response, to whichever of their requests, by status; each call counts a status once. */
  readonly responses: Readonly<Record<string, number>>
  readonly problems: Readonly<Record<ProblemName, number>>
  readonly calls: Readonly<Record<CallHistogramName, BucketCounts>>
  /** One value a direction: the stream that speaks for it. */
  readonly caller: Readonly<Record<StreamHistogramName, BucketCounts>>
  readonly callee: Readonly<Record<StreamHistogramName, BucketCounts>>
}

const seconds = (from: Micros, to: Micros | undefined): number | undefined =>
  to === undefined ? undefined : Math.max(0, (to - from) / 1e6)
const ended = ({ ended, lastPacket }: CallRecord): Micros => ended ?? lastPacket

/** Of a call as a whole. The bounds enclose what operators promise: E.721 has 3, 5 and 8 s of post-dial delay. */
export const callHistograms = {
  pdd_seconds: {
    bounds: [0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 8, 11, 16, 32],
    help: 'Post-dial delay: from the INVITE to the first 180–183, else to the 2xx.',
    of: (c) => seconds(c.started, c.ringing ?? c.answered),
  },
  setup_seconds: {
    bounds: [0.5, 1, 2, 3, 5, 8, 12, 20, 30, 60, 120, 180],
    help: 'From the INVITE to the 2xx, of answered calls.',
    of: (c) => seconds(c.started, c.answered),
  },
  duration_seconds: {
    bounds: [1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200],
    help: 'From the INVITE to the end, of all calls.',
    of: (c) => seconds(c.started, ended(c)),
  },
  talk_seconds: {
    bounds: [1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200],
    help: 'From the 2xx to the end, of answered calls.',
    of: (c) => (c.answered === undefined ? undefined : seconds(c.answered, ended(c))),
  },
} as const satisfies Readonly<Record<string, Histogram<CallRecord>>>

/** Of the stream of one direction. */
export const streamHistograms = {
  mos: {
    bounds: [1.5, 2, 2.5, 2.8, 3.1, 3.4, 3.6, 3.8, 4, 4.1, 4.2, 4.3, 4.4],
    help: 'MOS-LQ by the E-model; nothing is counted where nothing was measured.',
    of: (s) => s.mos,
  },
  jitter_seconds: {
    bounds: [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5],
    help: 'Mean interarrival jitter (RFC 3550 A.8).',
    of: (s) => (s.jitterMeanMs === undefined ? undefined : s.jitterMeanMs / 1000),
  },
  loss_ratio: {
    bounds: [0, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5],
    help: 'RTP packets lost of those expected, 0 to 1.',
    // More duplicates than losses is no loss (RFC 3550 A.3 lets it be negative).
    of: (s) => (s.expected > 0 ? Math.min(1, Math.max(0, s.lost / s.expected)) : undefined),
  },
} as const satisfies Readonly<Record<string, Histogram<StreamRecord>>>

interface Histogram<T> {
  readonly bounds: readonly number[]
  readonly help: string
  /** Undefined: not measured, not counted. */
  readonly of: (value: T) => number | undefined
}

export type CallHistogramName = keyof typeof callHistograms
export type StreamHistogramName = keyof typeof streamHistograms

/** SIP statuses are 100–699 (RFC 3261 7.2). */
const STATUSES = 700

export class CallTally {
  readonly #states: Record<CallState, number> = {
    answered: 0,
    failed: 0,
    cancelled: 0,
    redirected: 0,
    cancelled_no_final: 0,
    no_final_response: 0,
  }
  readonly #finals = new Float64Array(STATUSES)
  readonly #responses = new Float64Array(STATUSES)
  readonly #problems = new Float64Array(problemNames.length)
  readonly #calls = bucketsOf(callHistograms)
  readonly #caller = bucketsOf(streamHistograms)
  readonly #callee = bucketsOf(streamHistograms)

  /** Each call once: its last record. */
  add(record: CallRecord): void {
    const { status, responses, streams, aStream, bStream } = record
    this.#states[record.state]++
    if (status !== undefined) count(this.#finals, status)
    responses.forEach((response, i) => {
      // The same status with another text is one response.
      if (responses.findIndex((other) => other.status === response.status) === i) count(this.#responses, response.status)
    })
    for (let i = 0; i < problemNames.length; i++) if (problems[problemNames[i]!].of(record)) this.#problems[i]!++
    for (const name of callHistogramNames) addTo(this.#calls[name], callHistograms[name].of(record))
    if (aStream !== undefined) addStream(this.#caller, streams[aStream]!)
    if (bStream !== undefined) addStream(this.#callee, streams[bStream]!)
  }

  snapshot(): CallTallyCounts {
    return {
      states: { ...this.#states },
      finals: byStatus(this.#finals),
      responses: byStatus(this.#responses),
      problems: Object.fromEntries(problemNames.map((name, i) => [name, this.#problems[i]])) as Record<ProblemName, number>,
      calls: snapshots(this.#calls),
      caller: snapshots(this.#caller),
      callee: snapshots(this.#callee),
    }
  }
}

const callHistogramNames = Object.keys(callHistograms) as CallHistogramName[]
const streamHistogramNames = Object.keys(streamHistograms) as StreamHistogramName[]

const bucketsOf = <N extends string>(table: Readonly<Record<N, { readonly bounds: readonly number[] }>>): Record<N, Buckets> =>
  Object.fromEntries(
    Object.entries<{ readonly bounds: readonly number[] }>(table).map(([name, { bounds }]) => [name, new Buckets(bounds)]),
  ) as Record<N, Buckets>
const snapshots = <N extends string>(buckets: Readonly<Record<N, Buckets>>): Record<N, BucketCounts> =>
  Object.fromEntries(Object.entries<Buckets>(buckets).map(([name, b]) => [name, b.snapshot()])) as Record<N, BucketCounts>

function addStream(buckets: Readonly<Record<StreamHistogramName, Buckets>>, stream: StreamRecord): void {
  for (const name of streamHistogramNames) addTo(buckets[name], streamHistograms[name].of(stream))
}

function addTo(buckets: Buckets, value: number | undefined): void {
  if (value !== undefined) buckets.add(value)
}

function count(counts: Float64Array, status: number): void {
  if (status >= 100 && status < STATUSES) counts[status]!++
}

function byStatus(counts: Float64Array): Record<string, number> {
  const found: Record<string, number> = {}
  counts.forEach((n, status) => {
    if (n > 0) found[status] = n
  })
  return found
}
