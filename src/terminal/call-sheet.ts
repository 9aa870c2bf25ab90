import { printable } from '../lib/base/text-safe.js'
import type { CallJson } from '../lib/call/json.js'
import type { CallDetails } from '../lib/store/cdr-store.js'

/** Everything about one call as a block of text. */
export function callSheet(call: CallJson, details: CallDetails | undefined): string[] {
  const party = (
    number: string | null,
    domain: string | null,
    name: string | null,
    address: string,
    agent: string | null | undefined,
  ): string =>
    [`${name === null ? '' : `"${name}" `}${number ?? '(no number)'}${domain === null ? '' : `@${domain}`}`, address, agent ?? '']
      .filter((part) => part !== '')
      .join('   ')
  const rows: [string, string | null | undefined][] = [
    ['Call', call.id === null ? call.call_id : `${call.id}   ${call.call_id}`],
    ['State', `${call.state.replaceAll('_', ' ')}${call.status === null ? '' : `   ${call.status} ${call.status_text ?? ''}`}`],
    ['Caller', party(call.caller, call.caller_domain, call.caller_name, call.caller_addr, call.caller_agent)],
    ['Callee', party(call.callee, call.callee_domain, null, call.callee_addr, call.callee_agent)],
    ['Started', call.started],
    ['Ringing', call.ringing],
    ['Answered', call.answered],
    ['Ended', call.ended === null ? null : `${call.ended}${call.hung_up_by === null ? '' : `   by ${call.hung_up_by}`}`],
    ['PDD', milliseconds(call.pdd_ms)],
    ['Talk', milliseconds(call.talk_ms)],
    ['Duration', milliseconds(call.duration_ms)],
    ['Responses', details?.responses.join(', ')],
    ['Reason', details?.reasons.join(', ')],
    ['Hops', call.hops.length < 2 ? null : call.hops.join(' → ')],
    ['Digest', details?.digestUser],
    ['Ending', call.bye_code === null ? null : `${call.bye_code} ${endings[call.bye_code] ?? ''}`],
    ['Problems', call.problems.map((name) => name.replaceAll('_', ' ')).join(', ')],
    ['VLAN', call.vlan === null ? null : String(call.vlan)],
    ['Sensor', call.sensor_id === null ? null : String(call.sensor_id)],
    [
      'DTMF',
      call.dtmf.length === 0
        ? null
        : `${call.dtmf.map((d) => d.digit).join('')}   (${call.dtmf[0]?.type}, from ${call.dtmf[0]?.time.slice(11, 23)})`,
    ],
  ]
  const lines = rows
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => `${name.padEnd(10)} ${printable(value as string)}`)
  if (call.streams.length > 0) lines.push('', 'RTP')
  for (const s of call.streams) {
    const loss = s.expected > 0 ? ((100 * s.lost) / s.expected).toFixed(2) : '-'
    lines.push(
      `  ${s.direction === 'a' ? 'caller →' : 'callee →'}  ${s.src} → ${s.dst}  ${s.ssrc}  ${printable(s.codec ?? '?')}  ${s.packets} packets, ${s.lost} lost (${loss} %), ${s.reordered ?? '?'} reordered, ${s.duplicates ?? '?'} twice; jitter ${fixed(s.jitter_mean_ms)} mean, ${fixed(s.jitter_max_ms)} max ms; MOS ${fixed(s.mos, 2)}`,
    )
  }
  return lines
}

const milliseconds = (ms: number | null): string | null => (ms === null ? null : `${(ms / 1000).toFixed(3)} s`)
const fixed = (value: number | null, digits = 1): string => (value === null ? '-' : value.toFixed(digits))

/** VoIPmonitor's codes of column `bye`, in words. */
const endings: Readonly<Record<number, string>> = {
  0: 'not answered',
  1: 'answered, no BYE seen',
  2: 'BYE not confirmed',
  3: 'regular',
  101: 'only one direction of SIP seen',
  102: 'closed by absolute_timeout',
  103: 'closed by bye_timeout',
  104: 'closed by rtptimeout',
  105: 'closed by onewaytimeout',
  106: 'BYE without an answer',
  107: 'no answer ever',
  108: 'closed by sipwithoutrtptimeout',
  109: 'too many SIP messages',
  110: 'the sniffer was stopped',
}
