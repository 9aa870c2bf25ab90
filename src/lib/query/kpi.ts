import { Histogram } from './histogram.js'

/**
 * What telephony counts of calls: ASR, NER, SER, SEER, ISA, SCR (RFC 6076, ITU-T E.411 and E.425), ACD, PDD, and the quality of
 * their media. A call is one attempt, however often it was challenged or its INVITE repeated.
 */

/** What is counted of one call; null where it is unknown. */
export interface KpiCall {
  readonly status: number | null
  readonly answered: boolean
  /** Somebody sent a BYE: an answered call that ended as calls should. */
  readonly byeSeen: boolean
  /** 180–183 was seen. */
  readonly ringing: boolean
  readonly talkMs: number | null
  readonly pddMs: number | null
  readonly mos: number | null
  readonly lossPct: number | null
  readonly jitterMs: number | null
}

/** RFC 6076 4.7: the network did its part; the other party did not want, or was not there. */
export const seerStatuses: readonly number[] = [480, 486, 600, 603]
/** RFC 6076 4.8: the network's own failures. */
export const isaStatuses: readonly number[] = [408, 500, 503, 504]
/**
 * E.425: answered, user busy, ring no answer, terminal rejection. Which responses say so is disputed; ours: busy 486 and 600, no
 * answer 480, rejection 603, and 487 or 408 after ringing (the caller gave up, or the phone rang out).
 */
export const nerStatuses: readonly number[] = [480, 486, 600, 603]
export const nerStatusesAfterRinging: readonly number[] = [408, 487]

export class Kpis {
  calls = 0
  answered = 0
  #redirected = 0
  #effective = 0
  #seer = 0
  #ineffective = 0
  #completed = 0
  #talkMs = 0
  readonly #pddMs = new Histogram()
  readonly #mos = new Histogram()
  readonly #lossPct = new Histogram()
  readonly #jitterMs = new Histogram()

  add(call: KpiCall): void {
    const { status } = call
    this.calls++
    if (call.answered) {
      this.answered++
      this.#talkMs += call.talkMs ?? 0
      if (call.byeSeen) this.#completed++
    }
    if (status !== null && status >= 300 && status <= 399) this.#redirected++
    if (!call.answered && status !== null) {
      if (seerStatuses.includes(status)) this.#seer++
      if (isaStatuses.includes(status)) this.#ineffective++
      if (nerStatuses.includes(status) || (call.ringing && nerStatusesAfterRinging.includes(status))) this.#effective++
    }
    if (call.pddMs !== null) this.#pddMs.add(call.pddMs)
    if (call.mos !== null) this.#mos.add(call.mos)
    if (call.lossPct !== null) this.#lossPct.add(call.lossPct)
    if (call.jitterMs !== null) this.#jitterMs.add(call.jitterMs)
  }

  values(): KpiValues {
    const { calls, answered } = this
    const notRedirected = calls - this.#redirected
    return {
      calls,
      answered,
      asr_pct: percent(answered, calls),
      ner_pct: percent(answered + this.#effective, calls),
      ser_pct: percent(answered, notRedirected),
      seer_pct: percent(answered + this.#seer, notRedirected),
      isa_pct: percent(this.#ineffective, calls),
      scr_pct: percent(this.#completed, calls),
      acd_s: answered === 0 ? null : round(this.#talkMs / 1000 / answered),
      talk_minutes: round(this.#talkMs / 60_000),
      pdd_mean_ms: rounded(this.#pddMs.mean()),
      pdd_p95_ms: rounded(this.#pddMs.percentile(95)),
      mos_mean: rounded(this.#mos.mean()),
      mos_p5: rounded(this.#mos.percentile(5)),
      loss_mean_pct: rounded(this.#lossPct.mean()),
      loss_p50_pct: rounded(this.#lossPct.percentile(50)),
      loss_p95_pct: rounded(this.#lossPct.percentile(95)),
      loss_p99_pct: rounded(this.#lossPct.percentile(99)),
      jitter_mean_ms: rounded(this.#jitterMs.mean()),
      jitter_p95_ms: rounded(this.#jitterMs.percentile(95)),
    }
  }
}

/** Null: nothing there to count it of. */
export interface KpiValues {
  readonly calls: number
  readonly answered: number
  readonly asr_pct: number | null
  readonly ner_pct: number | null
  readonly ser_pct: number | null
  readonly seer_pct: number | null
  readonly isa_pct: number | null
  readonly scr_pct: number | null
  readonly acd_s: number | null
  readonly talk_minutes: number
  readonly pdd_mean_ms: number | null
  readonly pdd_p95_ms: number | null
  readonly mos_mean: number | null
  readonly mos_p5: number | null
  readonly loss_mean_pct: number | null
  readonly loss_p50_pct: number | null
  readonly loss_p95_pct: number | null
  readonly loss_p99_pct: number | null
  readonly jitter_mean_ms: number | null
  readonly jitter_p95_ms: number | null
}

export type KpiName = keyof KpiValues

/** What each means, in the order in which they are printed. */
export const kpiHelp: Readonly<Record<KpiName, string>> = {
  calls: 'attempts: one a call, with its challenge and its repeats',
  answered: 'with a 2xx',
  asr_pct: 'answer-seizure ratio (E.411): answered of calls',
  ner_pct: `network effectiveness (E.425): answered, ${nerStatuses.join(', ')}, and ${nerStatusesAfterRinging.join(', ')} after ringing, of calls`,
  ser_pct: 'session establishment ratio (RFC 6076 4.6): answered of calls that were not redirected (3xx)',
  seer_pct: `session establishment effectiveness (4.7): answered and ${seerStatuses.join(', ')} of calls that were not redirected`,
  isa_pct: `ineffective session attempts (4.8): ${isaStatuses.join(', ')} of calls`,
  scr_pct: 'session completion ratio (4.9): answered and ended by a BYE, of calls',
  acd_s: 'average call duration: talk time of answered calls',
  talk_minutes: 'all talk time',
  pdd_mean_ms: 'post-dial delay: INVITE to the first 180–183, else to the 2xx',
  pdd_p95_ms: '95 of 100 calls were quicker',
  mos_mean: 'MOS-LQ of the worse direction',
  mos_p5: '95 of 100 calls were better',
  loss_mean_pct: 'packet loss of the worse direction',
  loss_p50_pct: 'half of the calls lost less',
  loss_p95_pct: '95 of 100 calls lost less',
  loss_p99_pct: '99 of 100 calls lost less',
  jitter_mean_ms: 'mean jitter of the worse direction',
  jitter_p95_ms: '95 of 100 calls had less',
}
export const kpiNames = Object.keys(kpiHelp) as KpiName[]

const percent = (part: number, whole: number): number | null => (whole === 0 ? null : Math.round((1e8 * part) / whole) / 1e6)
const round = (value: number): number => Math.round(value * 1000) / 1000
const rounded = (value: number | undefined): number | null => (value === undefined ? null : round(value))
