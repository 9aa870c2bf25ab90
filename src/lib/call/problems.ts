import type { CallRecord } from './record.js'

/** What can be odd about a call: one row a flag. The bit is its place in earshot_cdr.problems and never changes. */
export interface Problem {
  readonly bit: number
  readonly help: string
  readonly of: (call: CallRecord) => boolean
}

/** VoIPmonitor's codes of calls that a timeout closed (database.md 3.1). */
const TIMEOUTS = new Set([102, 103, 104, 105, 107, 108])
/** The status of a call until the INVITE with the credentials has an answer of its own. */
const CHALLENGES = new Set([401, 407])

export const problems = {
  no_media: { bit: 0, help: 'answered, but no RTP was seen', of: (c) => c.answered !== undefined && c.streams.length === 0 },
  one_way_media: {
    bit: 1,
    help: 'answered, with RTP in one direction only',
    of: (c) => c.answered !== undefined && (c.aStream === undefined) !== (c.bStream === undefined),
  },
  one_way_sip: { bit: 2, help: 'SIP was seen in one direction only', of: (c) => c.byeCode === 101 },
  no_bye: { bit: 3, help: 'answered, and no BYE was seen', of: (c) => c.answered !== undefined && c.bye === undefined },
  bye_unconfirmed: { bit: 4, help: 'the BYE got no 2xx', of: (c) => c.bye !== undefined && c.byeConfirmed === undefined },
  timeout: { bit: 5, help: 'closed by a timeout', of: (c) => TIMEOUTS.has(c.byeCode) },
  cut: {
    bit: 6,
    help: 'the input or the program ended before the call did',
    // A call that was refused, or hung up and confirmed, had ended, though the timer of stragglers still ran. A challenge ends nothing.
    of: (c) => c.forced && (c.answered === undefined ? c.status === undefined || CHALLENGES.has(c.status) : c.byeConfirmed === undefined),
  },
  loss_burst: { bit: 7, help: 'ten or more RTP packets in a row were missing', of: (c) => c.streams.some((s) => (s.lossRuns[9] ?? 0) > 0) },
  duplicates: { bit: 8, help: 'RTP packets came twice', of: (c) => c.streams.some((s) => s.duplicates > 0) },
  codec_changed: { bit: 9, help: 'the codec changed within a stream', of: (c) => c.streams.some((s) => s.codecChanged) },
  nat: { bit: 10, help: 'RTP from an address that no SDP named', of: (c) => c.streams.some((s) => s.learned) },
  shared_media: { bit: 11, help: 'a stream was also counted in another call', of: (c) => c.streams.some((s) => s.shared) },
  retransmitted: { bit: 12, help: 'an INVITE was sent again', of: (c) => c.inviteRetransmissions > 0 },
  fragmented: { bit: 13, help: 'SIP or RTP came in IP fragments', of: (c) => (c.flags & 0xc00n) !== 0n },
} as const satisfies Readonly<Record<string, Problem>>

export type ProblemName = keyof typeof problems
export const problemNames = Object.keys(problems) as ProblemName[]

export const problemsOf = (call: CallRecord): ProblemName[] => problemNames.filter((name) => problems[name].of(call))
export const problemBits = (names: readonly ProblemName[]): number => names.reduce((bits, name) => bits | (1 << problems[name].bit), 0)
export const problemsOfBits = (bits: number): ProblemName[] => problemNames.filter((name) => (bits & (1 << problems[name].bit)) !== 0)
