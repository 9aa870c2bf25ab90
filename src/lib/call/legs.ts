import { type CallJson, isoMicros } from './json.js'

/**
 * Calls that are legs of one: a B2BUA or a proxy makes two of a call, with other Call-IDs and often other numbers. Each rule says
 * what two records have in common; the first rows are proof, the last only a likeness.
 */
export interface LegRule {
  readonly help: string
  readonly fits: (a: CallJson, b: CallJson) => boolean
}

/** Legs begin close to each other: the one calls the other. */
export const LEGS_APART_MICROS = 15e6
/** Digits at the end of a number that must agree: prefixes are what gateways change. */
const DIGITS_MIN = 6

export const legRules = {
  same_call_id: { help: 'the same Call-ID: seen by another sensor, or once more', fits: (a, b) => a.call_id === b.call_id },
  shared_stream: {
    help: 'the same RTP stream belongs to both',
    fits: (a, b) => a.streams.some((x) => b.streams.some((y) => x.ssrc === y.ssrc && x.src === y.src && x.dst === y.dst)),
  },
  relayed_stream: {
    help: 'an RTP stream of the same SSRC goes on in the other',
    fits: (a, b) =>
      a.streams.some((x) =>
        b.streams.some((y) => x.ssrc === y.ssrc && (hostOf(x.dst) === hostOf(y.src) || hostOf(x.src) === hostOf(y.dst))),
      ),
  },
  media_address: {
    help: 'an address and port of media is in both',
    fits: (a, b) => {
      const there = new Set(b.streams.flatMap((s) => [s.src, s.dst]))
      return a.streams.some((s) => there.has(s.src) || there.has(s.dst))
    },
  },
  call_id_part: {
    help: 'one Call-ID contains the other',
    fits: (a, b) => {
      const [short, long] = [idOf(a), idOf(b)].sort((x, y) => x.length - y.length) as [string, string]
      return short.length >= 8 && short !== long && (long.startsWith(short) || long.endsWith(short))
    },
  },
  numbers: {
    help: 'caller and callee end in the same digits, and one went where the other came from',
    fits: (a, b) => sameNumber(a.caller, b.caller) && sameNumber(a.callee, b.callee) && (passes(a, b) || passes(b, a)),
  },
} as const satisfies Readonly<Record<string, LegRule>>

export type LegRuleName = keyof typeof legRules

/** What makes `b` a leg of the same call as `a`, the surest first; empty when nothing does, or when they were not up at one time. */
export const relation = (a: CallJson, b: CallJson): LegRuleName[] =>
  a.call_id !== b.call_id && !(begins(a) <= ends(b) && begins(b) <= ends(a))
    ? []
    : (Object.keys(legRules) as LegRuleName[]).filter((name) => legRules[name].fits(a, b))

const begins = (call: CallJson): number => isoMicros(call.started)
const ends = (call: CallJson): number => begins(call) + 1000 * call.duration_ms

/** The host behind the @ says who made it, not which call it is. */
const idOf = ({ call_id }: CallJson): string => call_id.split('@')[0] ?? ''
const hostOf = (endpoint: string): string => endpoint.slice(0, endpoint.lastIndexOf(':'))
const passes = (first: CallJson, second: CallJson): boolean =>
  [hostOf(first.callee_addr), ...first.hops].includes(hostOf(second.caller_addr).replace(/^\[|\]$/g, ''))

function sameNumber(a: string | null, b: string | null): boolean {
  if (a === null || b === null) return false
  if (a === b) return true
  const [x, y] = [a.replace(/\D/g, ''), b.replace(/\D/g, '')].sort((p, q) => p.length - q.length) as [string, string]
  return x.length >= DIGITS_MIN && (y.endsWith(x) || y.slice(-9) === x.slice(-9))
}
