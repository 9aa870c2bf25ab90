import { describe, expect, test } from 'vitest'
import { AddressBook } from '../../../src/lib/base/address.js'
import type { Micros } from '../../../src/lib/base/units.js'
import type { CallRecord } from '../../../src/lib/call/record.js'
import { CallTracker, type TrackerOptions } from '../../../src/lib/call/tracker.js'
import { analyseBatches, trackerOptions } from '../../support/analyse.js'
import { text } from '../../support/frames.js'
import { batchOf, datagram, type Packet, rtpBytes, seconds, segment, sip, sipText, talk } from '../../support/ladder.js'

const A = '10.0.0.1:5060'
const B = '10.0.0.2:5060'
const MEDIA_A = '10.0.0.1:4000'
const MEDIA_B = '10.0.0.2:6000'

const run = (packets: readonly Packet[], options: Partial<TrackerOptions> = {}): CallRecord[] =>
  analyseBatches([batchOf(packets)], options).records
const one = (packets: readonly Packet[], options: Partial<TrackerOptions> = {}): CallRecord => {
  const records = run(packets, options)
  expect(records).toHaveLength(1)
  return records[0] as CallRecord
}

/** INVITE … ACK: answered at t + 2. */
const setUp = (t = 0, o: { callId?: string; a?: string; b?: string } = {}): Packet[] => {
  const id = { callId: o.callId ?? 'call-1' }
  return [
    sip(t, A, B, 'INVITE', { ...id, sdp: o.a ?? MEDIA_A }),
    sip(t + 0.1, B, A, '100 Trying', id),
    sip(t + 0.5, B, A, '180 Ringing', { ...id, toTag: 'b' }),
    sip(t + 2, B, A, '200 OK', { ...id, toTag: 'b', sdp: o.b ?? MEDIA_B }),
    sip(t + 2.1, A, B, 'ACK', { ...id, toTag: 'b' }),
  ]
}
const hangUp = (t: number, o: { callId?: string; confirmed?: boolean } = {}): Packet[] => {
  const id = { callId: o.callId ?? 'call-1', cseq: '2 BYE', toTag: 'b' }
  return [sip(t, A, B, 'BYE', id), ...(o.confirmed === false ? [] : [sip(t + 0.1, B, A, '200 OK', id)])]
}

describe('how a call goes', () => {
  test('answered and hung up by the caller', () => {
    const call = one([...setUp(), ...hangUp(10)])
    expect(call).toMatchObject({
      state: 'answered',
      status: 200,
      statusText: 'OK',
      hungUpBy: 'caller',
      byeCode: 3,
      caller: 'alice',
      callee: 'bob',
      callerName: 'Alice',
    })
    expect([call.started, call.trying, call.ringing, call.answered, call.ended, call.byeConfirmed].map(seconds)).toEqual([
      0, 0.1, 0.5, 2, 10, 10.1,
    ])
  })

  test('hung up by the callee: its From tag is the callee’s', () => {
    const bye = sip(9, B, A, 'BYE', { fromTag: 'b', toTag: 'a', cseq: '1 BYE' })
    expect(one([...setUp(), bye]).hungUpBy).toBe('callee')
  })

  const cases: { name: string; packets: Packet[]; want: Partial<CallRecord> }[] = [
    { name: 'BYE without its 2xx', packets: [...setUp(), ...hangUp(5, { confirmed: false })], want: { byeCode: 2, state: 'answered' } },
    { name: 'answered, no BYE', packets: setUp(), want: { byeCode: 1, ended: undefined, hungUpBy: undefined } },
    {
      name: 'busy',
      packets: [sip(0, A, B, 'INVITE'), sip(1, B, A, '486 Busy Here', { headers: ['Reason: Q.850;cause=17;text="User busy"'] })],
      want: { state: 'failed', status: 486, byeCode: 0, reasons: [{ protocol: 'Q.850', cause: 17, text: 'User busy' }] },
    },
    {
      name: 'cancelled',
      packets: [
        sip(0, A, B, 'INVITE'),
        sip(1, B, A, '180 Ringing'),
        sip(3, A, B, 'CANCEL', { cseq: '1 CANCEL' }),
        sip(3.1, B, A, '487 Request Terminated'),
      ],
      want: { state: 'cancelled', status: 487, byeCode: 0, hungUpBy: undefined },
    },
    {
      name: 'cancelled, and no answer to that',
      packets: [sip(0, A, B, 'INVITE'), sip(3, A, B, 'CANCEL', { cseq: '1 CANCEL' })],
      want: { state: 'cancelled_no_final', status: undefined },
    },
    {
      name: 'redirected',
      packets: [sip(0, A, B, 'INVITE'), sip(1, B, A, '302 Moved Temporarily')],
      want: { state: 'redirected', status: 302 },
    },
    { name: 'a lonely INVITE', packets: [sip(0, A, B, 'INVITE')], want: { state: 'no_final_response', status: undefined, byeCode: 101 } },
    {
      name: '407, then again with credentials: one call, answered',
      packets: [
        sip(0, A, B, 'INVITE'),
        sip(0.1, B, A, '407 Proxy Authentication Required', { toTag: 'x' }),
        sip(0.2, A, B, 'ACK', { toTag: 'x' }),
        sip(0.3, A, B, 'INVITE', {
          cseq: '2 INVITE',
          branch: 'z9hG4bK2',
          headers: ['Proxy-Authorization: Digest username="alice", realm="r"'],
        }),
        sip(2, B, A, '200 OK', { cseq: '2 INVITE', toTag: 'b' }),
      ],
      want: { state: 'answered', status: 200, digestUser: 'alice', inviteRetransmissions: 0 },
    },
    {
      name: 'a challenge without a second try counts as 401',
      packets: [sip(0, A, B, 'INVITE'), sip(0.1, B, A, '401 Unauthorized')],
      want: { state: 'failed', status: 401 },
    },
    {
      name: 'forked: two branches ring, one answers',
      packets: [
        sip(0, A, B, 'INVITE'),
        sip(0.5, B, A, '180 Ringing', { toTag: 'b1' }),
        sip(0.6, B, A, '183 Session Progress', { toTag: 'b2' }),
        sip(3, B, A, '200 OK', { toTag: 'b2' }),
      ],
      want: { state: 'answered', branches: 2 },
    },
    {
      name: 'a failing branch does not undo the answer',
      packets: [sip(0, A, B, 'INVITE'), sip(1, B, A, '200 OK', { toTag: 'b1' }), sip(2, B, A, '486 Busy Here', { toTag: 'b2' })],
      want: { state: 'answered', status: 200 },
    },
  ]
  test.each(cases)('$name', ({ packets, want }) => expect(one(packets)).toMatchObject(want))

  // RFC 3261 17.1.1.2: an INVITE without an answer is sent at 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s.
  test('seven copies of an INVITE are one call with six retransmissions', () => {
    const call = one([0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5].map((t) => sip(t, A, B, 'INVITE')))
    expect([call.inviteRetransmissions, call.sipMessages]).toEqual([6, 7])
  })

  test('the same INVITE on its way over a proxy is no retransmission, and the proxy is remembered', () => {
    const call = one([
      sip(0, A, B, 'INVITE'),
      sip(0.01, B, '10.0.0.3:5060', 'INVITE', { branch: 'z9hG4bK2' }),
      sip(0.02, '10.0.0.3:5060', '10.0.0.4:5060', 'INVITE', { branch: 'z9hG4bK3' }),
    ])
    expect(call).toMatchObject({
      inviteRetransmissions: 0,
      proxies: ['10.0.0.2', '10.0.0.3'],
      lastHopAddr: { ip: '10.0.0.4' },
      calleeAddr: { ip: '10.0.0.2' },
    })
  })

  test.each(['REGISTER', 'OPTIONS', 'SUBSCRIBE', 'MESSAGE', 'PUBLISH', 'BYE'])('%s makes no call', (method) =>
    expect(run([sip(0, A, B, method)])).toEqual([]),
  )

  test('SIP is found on any port, unless told', () => {
    const packets = [sip(0, '10.0.0.1:3333', '10.0.0.2:4444', 'INVITE')]
    expect(run(packets)).toHaveLength(1)
    expect(run(packets, { sipPorts: [5060] })).toHaveLength(0)
    expect(run(packets, { sipPorts: [5060, 4444] })).toHaveLength(1)
  })

  test('a DNS answer whose id begins like RTP is no RTP without a call', () => {
    const rtp = rtpBytes()
    const { tracker } = analyseBatches([batchOf([datagram(0, '10.0.0.9:53', '10.0.0.1:40000', rtp), datagram(1, MEDIA_A, MEDIA_B, rtp)])])
    expect(tracker.oddities()).toEqual([
      ['RTP without a call', 1],
      ['other UDP', 1],
    ])
  })

  test('what follows the body in a datagram is no second message (RFC 3261 18.3)', () => {
    const both = sipText('REGISTER', { callId: 'r' }) + sipText('INVITE', { callId: 'i' })
    expect(run([datagram(0, A, B, text(both))])).toEqual([])
  })

  test('a datagram cut by the snaplen: half a Call-ID makes no call, half a port claims none', () => {
    const [invite] = setUp() as [Packet]
    const headers = 14 + 20 + 8
    const message = sipText('INVITE', { sdp: MEDIA_A })
    const cutAfter = (words: string): Packet => ({
      at: 0,
      frame: invite.frame.subarray(0, headers + message.indexOf(words) + words.length),
    })
    const { records, tracker } = analyseBatches([batchOf([cutAfter('Call-ID: cal')])])
    expect(records).toEqual([])
    expect(tracker.oddities()).toContainEqual(['SIP cut (snaplen) before its Call-ID', 1])
    const media = talk(1, MEDIA_B, '10.0.0.1:400', 3)
    expect(one([cutAfter('m=audio 400'), ...media])).toMatchObject({ callId: 'call-1', state: 'no_final_response', streams: [] })
  })
})

describe('when a call is over', () => {
  const closes: { name: string; packets: Packet[]; at: number; want: Partial<CallRecord> }[] = [
    { name: 'BYE and its 2xx: five seconds', packets: [...setUp(), ...hangUp(10)], at: 15.2, want: { byeCode: 3, forced: false } },
    { name: 'BYE alone: a minute', packets: [...setUp(), ...hangUp(10, { confirmed: false })], at: 70.1, want: { byeCode: 2 } },
    { name: 'refused: five seconds', packets: [sip(0, A, B, 'INVITE'), sip(1, B, A, '503 Unavailable')], at: 6.1, want: { byeCode: 0 } },
    { name: 'no RTP ever: an hour', packets: setUp(), at: 3600.1, want: { byeCode: 108 } },
    { name: 'RTP went silent: five minutes', packets: [...setUp(), ...talk(3, MEDIA_A, MEDIA_B, 50)], at: 304.1, want: { byeCode: 104 } },
    {
      name: 'never an answer: five minutes',
      packets: [sip(0, A, B, 'INVITE'), sip(0.1, B, A, '100 Trying')],
      at: 300.1,
      want: { byeCode: 107 },
    },
    { name: 'one-way SIP: a minute after the INVITE', packets: [sip(0, A, B, 'INVITE')], at: 60.1, want: { byeCode: 101 } },
  ]
  const later = (t: number): Packet => sip(t, A, B, 'OPTIONS', { callId: 'other' })
  // The clock asks three packets to believe a jump of more than ten minutes.
  const tickTo = (t: number): Packet[] => [later(t - 0.002), later(t - 0.001), later(t)]
  test.each(closes)('$name', ({ packets, at, want }) => {
    const before = analyseBatches([batchOf([...packets, ...tickTo(at - 0.3)])])
    expect(before.records[0]?.forced).toBe(true)
    const after = analyseBatches([batchOf([...packets, ...tickTo(at)])])
    expect(after.records[0]).toMatchObject({ forced: false, ...want })
  })

  test.each([
    ['answered, and the file ends', setUp(), true],
    ['ringing, and the file ends', setUp().slice(0, 3), true],
    ['hung up, the BYE confirmed as the last packet', [...setUp(), ...hangUp(10)], false],
    ['hung up, and the file ends before the 2xx', [...setUp(), ...hangUp(10, { confirmed: false })], true],
    ['refused in the last packet', [sip(0, A, B, 'INVITE'), sip(1, B, A, '486 Busy Here')], false],
    [
      'challenged, tried again, ringing, and the file ends',
      [
        sip(0, A, B, 'INVITE'),
        sip(1, B, A, '407 Proxy Authentication Required'),
        sip(1.1, A, B, 'ACK'),
        sip(1.2, A, B, 'INVITE', { cseq: '2 INVITE' }),
        sip(1.4, B, A, '180 Ringing', { cseq: '2 INVITE', toTag: 'b' }),
      ],
      true,
    ],
  ])('%s', (_, packets, cut) => {
    const { calls, records } = analyseBatches([batchOf(packets)])
    expect([records[0]?.forced, calls[0]?.problems.includes('cut')]).toEqual([true, cut])
  })

  test('four hours are the end of any call', () => {
    const talking = Array.from({ length: 150 }, (_, i) => talk(3 + i * 100, MEDIA_A, MEDIA_B, 1, { seq: i, ticks: i * 800_000 })).flat()
    expect(run([...setUp(), ...talking])[0]).toMatchObject({ byeCode: 102, forced: false })
  })

  test('options move the limits', () => {
    const limits = { ...trackerOptions.limits, rtpTimeoutSeconds: 10 }
    const records = analyseBatches([batchOf([...setUp(), ...talk(3, MEDIA_A, MEDIA_B, 50), later(14.1)])], { limits }).records
    expect(records[0]).toMatchObject({ byeCode: 104, forced: false })
  })

  test('a second call with the same Call-ID after the end is a record of its own', () => {
    expect(run([...setUp(), ...hangUp(10), later(20), ...setUp(30)])).toHaveLength(2)
  })

  test('calls at one time are bounded, and counted', () => {
    const { tracker, records } = analyseBatches([batchOf([1, 2, 3].map((i) => sip(i, A, B, 'INVITE', { callId: `c${i}` })))], {
      limits: { ...trackerOptions.limits, callsMax: 2 },
    })
    expect(records).toHaveLength(2)
    expect(tracker.oddities()).toContainEqual(['too many calls at once', 1])
  })
})

describe('media', () => {
  const streamsOf = (call: CallRecord | undefined): unknown[] =>
    (call?.streams ?? []).map((s) => [s.direction, `${s.src.ip}:${s.src.port}`, `${s.dst.ip}:${s.dst.port}`, s.packets, s.learned])

  test('both ways, each with its direction, codec and numbers', () => {
    const call = one([
      ...setUp(),
      ...talk(3, MEDIA_A, MEDIA_B, 100, { ssrc: 1 }),
      ...talk(3, MEDIA_B, MEDIA_A, 80, { ssrc: 2 }),
      ...hangUp(10),
    ])
    expect(streamsOf(call)).toEqual([
      ['a', '10.0.0.1:4000', '10.0.0.2:6000', 100, false],
      ['b', '10.0.0.2:6000', '10.0.0.1:4000', 80, false],
    ])
    expect(call.streams[0]).toMatchObject({ codec: 'PCMA', codecId: 8, clockRate: 8000, lost: 0, jitterMeanMs: 0, ptimeMs: 20 })
    expect(call.streams[0]?.mos).toBeCloseTo(4.409, 3)
    expect(seconds(call.firstRtp)).toBe(3)
  })

  test('early media before the answer', () => {
    const packets = setUp().filter((_, i) => i !== 3)
    expect(streamsOf(one([...packets, ...talk(1, MEDIA_B, MEDIA_A, 20)]))).toEqual([['b', '10.0.0.2:6000', '10.0.0.1:4000', 20, true]])
  })

  test('NAT: media from and to an address that no SDP names', () => {
    const nat = '203.0.113.9:62000'
    const call = one([...setUp(), ...talk(3, nat, MEDIA_B, 30, { ssrc: 1 }), ...talk(3, MEDIA_B, nat, 30, { ssrc: 2 })])
    expect(streamsOf(call)).toEqual([
      ['a', nat, MEDIA_B, 30, true],
      ['b', MEDIA_B, nat, 30, true],
    ])
  })

  test('NAT on both sides: what goes back to a learned address comes from the other side', () => {
    const nat = '203.0.113.9:62000'
    const other = '203.0.113.44:19412'
    const call = one([...setUp(), ...talk(3, nat, MEDIA_B, 30, { ssrc: 1 }), ...talk(3.5, other, nat, 20, { ssrc: 2 })])
    expect(streamsOf(call)).toEqual([
      ['a', nat, MEDIA_B, 30, true],
      ['b', other, nat, 20, true],
    ])
  })

  test('a re-INVITE moves the media', () => {
    const moved = '10.0.0.9:7000'
    const call = one([
      ...setUp(),
      ...talk(3, MEDIA_A, MEDIA_B, 10, { ssrc: 1 }),
      sip(5, A, B, 'INVITE', { cseq: '2 INVITE', toTag: 'b', sdp: moved }),
      sip(5.1, B, A, '200 OK', { cseq: '2 INVITE', toTag: 'b', sdp: MEDIA_B }),
      ...talk(6, MEDIA_B, moved, 10, { ssrc: 2 }),
    ])
    expect(streamsOf(call)).toEqual([
      ['a', MEDIA_A, MEDIA_B, 10, false],
      ['b', MEDIA_B, moved, 10, false],
    ])
  })

  test('hold by 0.0.0.0 claims nothing', () => {
    const call = one([
      ...setUp(),
      sip(5, A, B, 'INVITE', { cseq: '2 INVITE', toTag: 'b', sdp: '0.0.0.0:4000' }),
      ...talk(6, '9.9.9.9:1', '0.0.0.0:4000', 3),
    ])
    expect(call.streams).toEqual([])
  })

  test('a later call takes over the ports: its media is its own', () => {
    const second = { callId: 'call-2' }
    const [first, next] = run([
      ...setUp(0),
      ...talk(3, MEDIA_A, MEDIA_B, 50, { ssrc: 7 }),
      ...hangUp(5),
      ...setUp(6, second),
      // sipp plays the same file again: same SSRC, same numbers.
      ...talk(9, MEDIA_A, MEDIA_B, 30, { ssrc: 7 }),
      ...hangUp(11, second),
    ])
    expect([first?.streams[0]?.packets, next?.streams[0]?.packets]).toEqual([50, 30])
    expect(next?.streams[0]?.duplicates).toBe(0)
  })

  test('two senders behind one port, packet by packet: each SSRC is a stream of its own', () => {
    const call = one([
      ...setUp(),
      ...talk(3, MEDIA_A, MEDIA_B, 40, { ssrc: 1 }),
      ...talk(3.01, MEDIA_A, MEDIA_B, 40, { ssrc: 2, seq: 500 }),
      ...hangUp(5),
    ])
    expect(call.streams.map((s) => [s.ssrc, s.packets, s.lost, s.duplicates])).toEqual([
      [1, 40, 0, 0],
      [2, 40, 0, 0],
    ])
  })

  test('two legs that point their media at each other share the streams', () => {
    const legs = run([...setUp(0), ...setUp(0.01, { callId: 'leg-2' }), ...talk(3, MEDIA_A, MEDIA_B, 40)])
    expect(legs.map((c) => [c.streams[0]?.packets, c.streams[0]?.shared])).toEqual([
      [40, true],
      [40, true],
    ])
  })

  test('audio speaks for the call, though its video has more packets; alone, video does', () => {
    const lines = ['a=rtpmap:96 opus/48000', 'm=video 5000 RTP/AVP 96', 'a=rtpmap:96 VP8/90000']
    const offer = sip(0, A, B, 'INVITE', { sdp: MEDIA_A, sdpLines: lines })
    const audio = talk(1, MEDIA_B, MEDIA_A, 5, { type: 96, ssrc: 1 })
    const video = talk(1, '10.0.0.2:7000', '10.0.0.1:5000', 30, { type: 96, ssrc: 2 })
    const codecs = (packets: readonly Packet[]): unknown => {
      const { calls, records } = analyseBatches([batchOf([offer, ...packets])])
      const { streams, bStream } = records[0] as CallRecord
      return [calls[0]?.codec, streams.map((s) => s.codec).sort(), bStream === undefined ? undefined : streams[bStream]?.codec]
    }
    expect(codecs([...audio, ...video])).toEqual(['opus', ['VP8', 'opus'], 'opus'])
    expect(codecs(video)).toEqual(['VP8', ['VP8'], 'VP8'])
  })

  test('lines that share a port (BUNDLE): each payload type means what its line says', () => {
    const lines = ['a=rtpmap:111 opus/48000', 'm=video 4000 RTP/AVP 96', 'a=rtpmap:96 VP8/90000']
    const call = one([
      sip(0, A, B, 'INVITE', { sdp: MEDIA_A, sdpLines: lines }),
      ...talk(1, MEDIA_B, MEDIA_A, 5, { type: 111, ssrc: 1 }),
      ...talk(1, MEDIA_B, MEDIA_A, 9, { type: 96, ssrc: 2 }),
    ])
    expect(call.streams.map((s) => [s.codec, s.clockRate, s.packets])).toEqual([
      ['opus', 48_000, 5],
      ['VP8', 90_000, 9],
    ])
  })

  test('several media lines, RTCP beside and on the media port', () => {
    const video = ['m=video 5000 RTP/AVP 34', 'a=rtcp-mux']
    const rtcp = Uint8Array.of(0x80, 200, 0, 6, ...Array<number>(24).fill(1))
    const { records, tracker } = analyseBatches([
      batchOf([
        sip(0, A, B, 'INVITE', { sdp: MEDIA_A, sdpLines: video }),
        ...talk(1, '10.0.0.2:5555', '10.0.0.1:5000', 5, { type: 34 }),
        datagram(2, '10.0.0.2:6001', '10.0.0.1:4001', rtcp),
        datagram(2.1, '10.0.0.2:5555', '10.0.0.1:5000', rtcp),
      ]),
    ])
    expect(records[0]?.streams[0]).toMatchObject({ codec: 'H263', clockRate: 90_000, packets: 5 })
    expect(tracker.totals.rtcp).toBe(2)
  })

  test('digits: six packets of one timestamp are one', () => {
    const press = (at: number, seq: number, ticks: number, event: number): Packet[] =>
      Array.from({ length: 6 }, (_, i) =>
        datagram(
          at + i * 0.02,
          MEDIA_A,
          MEDIA_B,
          rtpBytes({ type: 101, seq: seq + i, ticks, payload: Uint8Array.of(event, i > 2 ? 0x80 : 0, 0, 160) }),
        ),
      )
    const call = one([
      ...setUp(),
      ...talk(3, MEDIA_A, MEDIA_B, 10),
      ...press(3.2, 10, 1600, 5),
      ...press(4, 16, 8000, 11),
      ...talk(4.2, MEDIA_A, MEDIA_B, 10, { seq: 22, ticks: 9600 }),
    ])
    expect(call.dtmf.map((d) => [d.digit, d.type, seconds(d.time)])).toEqual([
      ['5', 'rfc4733', 3.2],
      ['#', 'rfc4733', 4],
    ])
    expect(call.streams[0]).toMatchObject({ packets: 32, lost: 0, codec: 'PCMA' })
  })

  test('a digit by INFO', () => {
    const call = one([
      ...setUp(),
      sip(5, A, B, 'INFO', {
        toTag: 'b',
        cseq: '3 INFO',
        headers: ['Content-Type: application/dtmf-relay'],
        body: 'Signal=9\r\nDuration=160\r\n',
      }),
    ])
    expect(call.dtmf.map((d) => [d.digit, d.type])).toEqual([['9', 'info']])
  })

  test.each([
    { name: 'shorter than its header', bytes: Uint8Array.of(0x80, 8, 0, 1, 0, 0), reason: 'RTP shorter than its header' },
    {
      name: 'fifteen CSRCs that are not there',
      bytes: rtpBytes({ first: 0x8f, payload: new Uint8Array(4) }),
      reason: 'RTP header longer than the packet',
    },
    {
      name: 'an extension beyond the packet',
      bytes: rtpBytes({ first: 0x90, payload: Uint8Array.of(0, 0, 255, 255) }),
      reason: 'RTP header longer than the packet',
    },
  ])('impossible RTP: $name is counted', ({ bytes, reason }) => {
    const { tracker, records } = analyseBatches([batchOf([...setUp(), datagram(3, MEDIA_A, MEDIA_B, bytes)])])
    expect(records[0]?.streams).toEqual([])
    expect(tracker.oddities()).toContainEqual([reason, 1])
  })

  test('the short way and the whole way count alike', () => {
    // A header extension of no words sends every packet the whole way.
    const extended = { first: 0x90, payload: Uint8Array.of(0, 0, 0, 0, ...Array<number>(160).fill(0xd5)) }
    const wobble = (o: object): Packet[] =>
      talk(3, MEDIA_A, MEDIA_B, 400, o)
        .filter((_, i) => i % 17 !== 5)
        .map((p, i) => ({ ...p, at: p.at + ((i * 37) % 23) / 10_000 }))
    const [short, whole] = [{}, extended].map((o) => one([...setUp(), ...wobble(o)]).streams[0])
    expect(short).toEqual(whole)
    expect(short?.lost).toBeGreaterThan(10)
    expect(short?.jitterMeanMs).toBeGreaterThan(0)
  })
})

describe('SIP over TCP', () => {
  const messages = [sipText('INVITE', { sdp: MEDIA_A }), sipText('ACK', { toTag: 'b' }), sipText('BYE', { toTag: 'b', cseq: '2 BYE' })]
  const stream = text(messages.join(''))

  /** The stream cut into segments at random places; a fixed seed each. */
  const cuts = (seed: number): Packet[] => {
    let state = seed
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state / 2 ** 32
    }
    const syn = segment(-1, '10.0.0.1:40000', B, 0xfffffeff, new Uint8Array(0), 0x02)
    const packets: Packet[] = []
    for (let at = 0, i = 0; at < stream.length; i++) {
      const length = 1 + Math.floor(random() * 400)
      packets.push(segment(i * 0.01, '10.0.0.1:40000', B, 0xffffff00 + at, stream.subarray(at, at + length)))
      at += length
    }
    // Some neighbours change places, some come twice.
    for (let i = 0; i + 1 < packets.length; i++) {
      const [a, b] = [packets[i] as Packet, packets[i + 1] as Packet]
      const dice = random()
      if (dice < 0.2) {
        packets[i] = { at: a.at, frame: b.frame }
        packets[i + 1] = { at: b.at, frame: a.frame }
      } else if (dice < 0.4) packets.push({ at: b.at + 0.001, frame: a.frame })
    }
    return [syn, ...packets]
  }

  test.each(Array.from({ length: 60 }, (_, i) => i + 1))('cut anywhere, across the wrap of the sequence number (seed %d)', (seed) => {
    const call = one(cuts(seed))
    expect([call.sipMessages, seconds(call.bye) !== undefined, call.flags & (1n << 31n)]).toEqual([3, true, 1n << 31n])
  })

  test('joined in the middle of a message: the next one is found', () => {
    const call = one(
      [segment(0, '10.0.0.1:40000', B, 1, stream.subarray(100))].concat(
        segment(1, '10.0.0.1:40000', B, 1 + stream.length - 100, text(sipText('INVITE', { callId: 'late' }))),
      ),
    )
    expect(call.callId).toBe('late')
  })

  test('a lost segment costs its message, not the connection', () => {
    const third = messages[0]!.length + messages[1]!.length
    const call = one([
      segment(0, '10.0.0.1:40000', B, 1, text(messages[0]!)),
      // The ACK never comes.
      segment(1, '10.0.0.1:40000', B, 1 + third, text(messages[2]!)),
      segment(5, '10.0.0.1:40000', B, 1 + stream.length, text(sipText('OPTIONS', { callId: 'o' }))),
    ])
    expect(call.sipMessages).toBe(2)
  })

  test('bytes that never were SIP open no connection', () => {
    const { tracker } = analyseBatches([batchOf([segment(0, '10.0.0.1:40000', '10.0.0.2:443', 1, new Uint8Array(1000))])])
    expect(tracker.totals.sip).toBe(0)
  })
})

describe('early records', () => {
  /** What is given out, and when: the tracker is told the time every tenth of a second, as a live source does. */
  const live = (packets: readonly Packet[], until: number): [at: number, what: string, record: CallRecord][] => {
    const given: [number, string, CallRecord][] = []
    const now = (): number => seconds(tracker.now) as number
    const tracker = new CallTracker(trackerOptions, new AddressBook(), {
      onRecord: (record, _, news) => given.push([now(), news ? 'last word' : 'nothing new', record]),
      onEarlyRecord: (record) => given.push([now(), `early ${record.revision}`, record]),
    })
    const ordered = [...packets].sort((a, b) => a.at - b.at)
    for (let tick = 0; tick <= until * 10; tick++) {
      const batch = batchOf(ordered.filter((p) => p.at >= tick / 10 && p.at < (tick + 1) / 10))
      tracker.accept(batch)
      tracker.advance(((1_700_000_000 + (tick + 1) / 10) * 1e6) as Micros)
    }
    tracker.finish('forced')
    return given
  }
  const story = (packets: readonly Packet[], until = 120): string[] => live(packets, until).map(([at, what]) => `${at.toFixed(1)} ${what}`)
  const refused = (at: number, answer: string, o = {}): Packet[] => [sip(at, A, B, 'INVITE', o), sip(at + 0.1, B, A, answer, o)]
  const again = { cseq: '2 INVITE', branch: 'z9hG4bK2', toTag: 'b' }

  test.each<[string, Packet[], string[]]>([
    ['a second after the 2xx to the BYE', [...setUp(), ...hangUp(10)], ['11.1 early 1', '15.1 nothing new']],
    ['a second after the final error', refused(0, '486 Busy Here'), ['1.1 early 1', '5.1 nothing new']],
    ['a repeated BYE is news, not another end', [...setUp(), ...hangUp(10), ...hangUp(12)], ['11.1 early 1', '17.1 last word']],
    ['a repeated final error neither', [...refused(0, '486 Busy Here'), sip(1.6, B, A, '486 Busy Here')], ['1.1 early 1', '6.6 last word']],
    [
      'challenged and tried again at once: one end',
      [...refused(0, '407 Proxy Authentication Required'), sip(0.3, A, B, 'INVITE', again), sip(2, B, A, '486 Busy Here', again)],
      ['3.0 early 1', '7.0 nothing new'],
    ],
    [
      'challenged, and tried again when the user has typed the password: two ends',
      [
        ...refused(0, '401 Unauthorized'),
        sip(20, A, B, 'INVITE', again),
        sip(21, B, A, '200 OK', again),
        sip(30, A, B, 'BYE', { cseq: '3 BYE', toTag: 'b' }),
        sip(30.1, B, A, '200 OK', { cseq: '3 BYE', toTag: 'b' }),
      ],
      ['1.1 early 1', '31.1 early 2', '35.1 nothing new'],
    ],
    ['a BYE that nobody confirms waits', [...setUp(), ...hangUp(10, { confirmed: false })], ['70.0 last word']],
    ['a call that goes on has none', setUp(), ['120.1 last word']],
  ])('%s', (_, packets, want) => expect(story(packets)).toEqual(want))

  test('says what the last word says, when nothing follows', () => {
    const [early, last] = live([...setUp(), ...talk(3, MEDIA_A, MEDIA_B, 100), ...hangUp(10)], 30).map(([, , record]) => record)
    expect(early).toEqual({ ...last, revision: 1 })
    expect(early).toMatchObject({ byeCode: 3, forced: false, state: 'answered' })
  })

  test('RTP that comes after it is in the last word', () => {
    const [early, last] = live([...setUp(), ...talk(9, MEDIA_A, MEDIA_B, 200), ...hangUp(10)], 30)
    expect(early?.[2].streams[0]?.packets).toBeLessThan(200)
    expect([last?.[1], last?.[2].streams[0]?.packets]).toEqual(['last word', 200])
  })

  test('a call that is over is not cut short by the end of the program', () => {
    expect(live([...setUp(), ...hangUp(10)], 12).map(([, what, r]) => [what, r.byeCode, r.forced])).toEqual([
      ['early 1', 3, false],
      ['nothing new', 3, false],
    ])
    expect(live(setUp(), 12).map(([, what, r]) => [what, r.byeCode, r.forced])).toEqual([['last word', 110, true]])
  })
})
