import type { CallRecord } from '../../src/lib/call/record.js'
import { analyseBatches } from '../support/analyse.js'
import { batchOf, type Packet, sip, talk } from '../support/ladder.js'

const A = '10.0.0.1:5060'
const B = '10.0.0.2:5060'

/** Calls of every fate, one minute apart. */
export function sampleRecords(): CallRecord[] {
  const from = (number: string): string => `"Name of ${number}" <sip:${number}@example.com>`
  const answered = (t: number, callId: string, caller: string, lose: number): Packet[] => [
    sip(t, A, B, 'INVITE', { callId, from: from(caller), sdp: '10.0.0.1:4000', headers: ['User-Agent: phone/1'] }),
    sip(t + 0.4, B, A, '180 Ringing', { callId, toTag: 'b' }),
    sip(t + 1, B, A, '200 OK', { callId, toTag: 'b', sdp: '10.0.0.2:6000', headers: ['Server: pbx/2'] }),
    ...talk(t + 1.1, '10.0.0.1:4000', '10.0.0.2:6000', 200, { ssrc: 0xdeadbeef }).filter((_, i) => lose === 0 || i % lose !== 3),
    ...talk(t + 1.1, '10.0.0.2:6000', '10.0.0.1:4000', 200, { ssrc: 7 }),
    sip(t + 6, A, B, 'BYE', { callId, cseq: '2 BYE', toTag: 'b' }),
    sip(t + 6.04, B, A, '200 OK', { callId, cseq: '2 BYE', toTag: 'b' }),
  ]
  const packets: Packet[] = [
    ...answered(0, 'good', '+15550100', 0),
    ...answered(60, 'bad', '+15550101', 10),
    sip(120, A, B, 'INVITE', { callId: 'busy', from: from('+15550102') }),
    sip(120.5, B, A, '486 Busy Here', { callId: 'busy', headers: ['Reason: Q.850;cause=17;text="User busy"'] }),
    sip(180, A, '10.0.0.9:5060', 'INVITE', { callId: 'lonely', from: from('2000') }),
    sip(240, B, A, 'INVITE', {
      callId: "odd' OR 1=1 -- \u0000\u2603/../x",
      from: `"${'"; DROP TABLE cdr; --'.replaceAll('"', '\\"')} 📞" <sip:*[?@h>`,
    }),
    sip(300, A, B, 'INVITE', { callId: 'dtmf', sdp: '10.0.0.1:4000' }),
    sip(301, A, B, 'INFO', { callId: 'dtmf', cseq: '2 INFO', headers: ['Content-Type: application/dtmf-relay'], body: 'Signal=5\r\n' }),
  ]
  const { records } = analyseBatches([batchOf(packets)], { sensorId: 42 })
  const v6 = {
    ...(records[0] as CallRecord),
    callId: 'v6',
    callerAddr: { ip: '2001:db8::1', port: 5060 },
    calleeAddr: { ip: '2001:db8::2', port: 5061 },
    lastHopAddr: { ip: '2001:db8::2', port: 5061 },
    sensorId: undefined,
    pcap: '2023-11-14/22/13/v6.pcap',
  }
  return [...records, v6]
}
