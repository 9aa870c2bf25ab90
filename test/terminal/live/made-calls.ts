import { type Packet, sip, talk } from '../../support/ladder.js'

/** Calls of a small office for the tests of the screen: good, bad, odd names, refused, still ringing. Times in seconds. */
const phone = '10.0.0.1:5060'
const pbx = '10.0.0.2:5060'

interface Made {
  readonly id: string
  readonly at: number
  readonly from: string
  readonly to: string
  readonly port: number
  readonly seconds: number
  readonly loseEvery?: number
  readonly bye?: number
}

function answered({ id, at, from, to, port, seconds, loseEvery, bye }: Made): Packet[] {
  const o = { callId: id, from, to, fromTag: `${id}a`, branch: `z9hG4bK${id}` }
  const [a, b] = [`10.0.0.1:${port}`, `10.0.0.2:${port + 1000}`]
  const count = seconds * 50
  const kept = (packets: Packet[]): Packet[] =>
    loseEvery === undefined ? packets : packets.filter((_, i) => i % loseEvery !== loseEvery - 1)
  return [
    sip(at, phone, pbx, 'INVITE', { ...o, sdp: a, headers: ['User-Agent: Phone 1'] }),
    sip(at + 0.01, pbx, phone, '100 Trying', o),
    sip(at + 0.4, pbx, phone, '180 Ringing', { ...o, toTag: `${id}b` }),
    sip(at + 1, pbx, phone, '200 OK', { ...o, toTag: `${id}b`, sdp: b }),
    sip(at + 1.05, phone, pbx, 'ACK', { ...o, toTag: `${id}b`, cseq: '1 ACK' }),
    ...kept(talk(at + 1.1, a, b, count, { ssrc: port * 16 + 1 })),
    ...talk(at + 1.11, b, a, count, { ssrc: port * 16 + 2 }),
    ...(bye === undefined
      ? []
      : [
          sip(at + bye, phone, pbx, 'BYE', { ...o, toTag: `${id}b`, cseq: '2 BYE' }),
          sip(at + bye + 0.02, pbx, phone, '200 OK', { ...o, toTag: `${id}b`, cseq: '2 BYE' }),
        ]),
  ]
}

export const office: readonly Packet[] = [
  ...answered({
    id: 'good',
    at: 0,
    from: '"Alice" <sip:1000@example.com>',
    to: '<sip:2000@example.net>',
    port: 4000,
    seconds: 8,
    bye: 9.2,
  }),
  ...answered({
    id: 'lossy',
    at: 1,
    from: '"Bob" <sip:1001@example.com>',
    to: '<sip:2001@example.net>',
    port: 4002,
    seconds: 10,
    loseEvery: 12,
  }),
  ...answered({ id: 'emoji', at: 2, from: '"👩‍👩‍👧 Mum ☎️" <sip:1002@example.com>', to: '<sip:2002@example.net>', port: 4004, seconds: 9 }),
  ...answered({ id: 'hebrew', at: 3, from: '"שלום" <sip:1003@example.com>', to: '<sip:2003@example.net>', port: 4006, seconds: 8 }),
  ...answered({
    id: 'hostile',
    at: 4,
    from: '"\u001b]0;owned\u0007\u001b[2J\u202eevil" <sip:1004@example.com>',
    to: '<sip:+15550199@example.net>',
    port: 4008,
    seconds: 7,
  }),
  sip(5, phone, '10.0.0.3:5060', 'INVITE', {
    callId: 'busy',
    from: '<sip:1005@example.com>',
    to: '<sip:2005@example.net>',
    sdp: '10.0.0.1:4010',
  }),
  sip(5.2, '10.0.0.3:5060', phone, '486 Busy Here', { callId: 'busy', toTag: 'x' }),
  sip(5.3, phone, '10.0.0.3:5060', 'ACK', { callId: 'busy', toTag: 'x', cseq: '1 ACK' }),
  sip(9, phone, pbx, 'INVITE', { callId: 'ringing', from: '<sip:1006@example.com>', to: '<sip:2006@example.net>', sdp: '10.0.0.1:4012' }),
  sip(9.5, phone, pbx, 'INVITE', { callId: 'ringing', from: '<sip:1006@example.com>', to: '<sip:2006@example.net>', sdp: '10.0.0.1:4012' }),
  sip(9.7, pbx, phone, '180 Ringing', { callId: 'ringing', toTag: 'y' }),
]
