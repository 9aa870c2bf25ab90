import { printable } from '../lib/base/text-safe.js'
import type { CallJson } from '../lib/call/json.js'

/** One finished call as one line, for a terminal that watches a live run: `12:03:17  +15550100 → +15550123  200 OK  42.1 s  PCMA  loss 0.3 %  jitter 0.1 ms  MOS 4.4`. */
export function callLine(call: CallJson): string {
  const parts = [
    call.started.slice(11, 19),
    `${party(call.caller, call.caller_addr)} → ${party(call.callee, call.callee_addr)}`,
    call.status === null ? call.state.replaceAll('_', ' ') : `${call.status} ${printable(call.status_text ?? '')}`.trim(),
    call.pdd_ms === null ? undefined : `PDD ${(call.pdd_ms / 1000).toFixed(1)} s`,
    `${((call.talk_ms ?? call.duration_ms) / 1000).toFixed(1)} s`,
    call.codec ?? undefined,
    call.loss_pct === null ? undefined : `loss ${call.loss_pct.toFixed(1)} %`,
    call.jitter_ms === null ? undefined : `jitter ${call.jitter_ms.toFixed(1)} ms`,
    call.mos === null ? undefined : `MOS ${call.mos.toFixed(1)}`,
  ]
  return parts.filter((part) => part !== undefined).join('  ')
}

const party = (number: string | null, address: string): string => printable(number ?? address)
