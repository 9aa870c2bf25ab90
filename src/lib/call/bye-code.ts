import type { Call, CloseCause } from './call.js'

/** VoIPmonitor's termination code (column `bye`), by the order in which it looks (database.md 3.1, call-semantics 3). */
export function byeCode(call: Call, cause: CloseCause): number {
  const byCause: Partial<Record<CloseCause, number>> = {
    forced: 110,
    absolute: 102,
    'bye timeout': 103,
    'rtp timeout': 104,
    'one way': 105,
    zombie: 107,
    'no rtp': 108,
    'too many messages': 109,
  }
  const code = byCause[cause]
  // A lonely INVITE that runs out of patience is "one way SIP" to VoIPmonitor, not its one-way timeout.
  if (code !== undefined && cause !== 'one way') return code
  if (call.oneWay) return cause === 'one way' && call.answered !== undefined ? 105 : 101
  if (call.bye !== undefined && call.answered === undefined && call.ringing === undefined) return 106
  if (call.answered === undefined) return 0
  if (call.bye === undefined) return 1
  return call.byeConfirmed === undefined ? 2 : 3
}
