import { describe, expect, test } from 'vitest'
import { analyseBatches } from '../support/analyse.js'
import type { Bytes } from '../support/frames.js'
import { ethernet, ipv4, ipv6, ipv6Fragment, text } from '../support/frames.js'
import { batchOf, type Packet, segment, sip, sipText, talk } from '../support/ladder.js'

// The law of hostile input: whatever comes in, nothing throws, nothing is read outside the batch, and good calls stay whole.
// Seeded, so a failure can be seen again; FUZZ_ROUNDS makes a long run of it.

const rounds = Number(process.env['FUZZ_ROUNDS'] ?? 1500)

const A = '10.0.0.1:5060'
const B = '10.0.0.2:5060'
const corpus: readonly Packet[] = [
  sip(0, A, B, 'INVITE', { sdp: '10.0.0.1:4000', headers: ['Reason: Q.850;cause=16', 'P-Asserted-Identity: <tel:+1555>'] }),
  sip(0.1, B, A, '180 Ringing', { toTag: 'b' }),
  sip(1, B, A, '200 OK', { toTag: 'b', sdp: '10.0.0.2:6000' }),
  sip(1.1, A, B, 'ACK', { toTag: 'b' }),
  ...talk(2, '10.0.0.1:4000', '10.0.0.2:6000', 3),
  ...talk(2, '10.0.0.2:6000', '10.0.0.1:4000', 3, { type: 101, payload: Uint8Array.of(5, 0x80, 0, 160) }),
  segment(3, '10.0.0.3:4444', B, 100, text(sipText('INVITE', { callId: 'tcp', sdp: '10.0.0.3:5000' }))),
  sip(4, A, B, 'BYE', { cseq: '2 BYE', toTag: 'b' }),
  sip(4.1, B, A, '200 OK', { cseq: '2 BYE', toTag: 'b' }),
]

function mutate(frame: Bytes, random: () => number): Bytes {
  const copy = frame.slice()
  const changes = 1 + Math.floor(random() * 6)
  for (let i = 0; i < changes; i++) {
    const at = Math.floor(random() * copy.length)
    const dice = random()
    if (dice < 0.5) copy[at] = Math.floor(random() * 256)
    else if (dice < 0.7) copy[at] = [0, 0xff, 0x80, 0x0a, 0x0d, 0x20, 0x3a][Math.floor(random() * 7)] as number
    else if (dice < 0.85) copy.copyWithin(at, Math.floor(random() * copy.length), Math.min(copy.length, at + 40))
    else return copy.slice(0, at)
  }
  return copy
}

describe('mutated packets', () => {
  test.each([1, 2, 3, 4])('seed %d', (seed) => {
    let state = seed * 7919
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state / 2 ** 32
    }
    for (let round = 0; round < rounds / 4; round++) {
      const packets = corpus.map((p) => (random() < 0.4 ? { at: p.at, frame: mutate(p.frame, random) } : p))
      const { records } = analyseBatches([batchOf(packets, random() < 0.1 ? [0, 101, 113, 276, 9][Math.floor(random() * 5)] : 1)])
      for (const record of records) {
        expect(record.streams.every((s) => s.lost <= s.expected && s.packets > 0)).toBe(true)
        expect(record.lastPacket).toBeGreaterThanOrEqual(record.started)
      }
    }
  })
})

// Pieces of one datagram at any place and of any length: overlapping, beyond each other's end, some of them in a tunnel or of IPv6.
test.each([1, 2, 3])('fragments that contradict each other, seed %d', (seed) => {
  let state = seed * 104_729
  const below = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  const whole = sip(0, A, B, 'INVITE').frame.subarray(34)
  for (let round = 0; round < rounds / 8; round++) {
    const wrap = below(3)
    let next = 0
    const pieces = Array.from({ length: 2 + below(8) }, (_, i): Packet => {
      const at = below(3) > 0 ? next : 8 * below(below(8) === 0 ? 8192 : 12)
      const part = whole.subarray(at, at + 8 * (1 + below(4)) + (below(6) === 0 ? below(8) : 0))
      next = at + 8 * Math.ceil(part.length / 8)
      const more = below(4) > 0
      const piece = ipv4(17, part, { fragmentAt: at, more })
      const packet = [
        () => ethernet(0x0800, piece),
        () => ethernet(0x86dd, ipv6(44, ipv6Fragment(17, at & 0xfff8, more, part))),
        () => ethernet(0x0800, ipv4(4, piece)),
      ][wrap] as () => Bytes
      return { at: i / 1000, frame: packet() }
    })
    const { records } = analyseBatches([batchOf([...pieces, ...corpus.map((p) => ({ ...p, at: p.at + 10 }))])])
    expect(records.some((r) => r.callId === 'call-1' && r.state === 'answered')).toBe(true)
  }
})

test('what was good before and after broken packets is kept', () => {
  const broken: Packet[] = Array.from({ length: 50 }, (_, i) => ({
    at: 0.05 + i / 1000,
    frame: Uint8Array.from({ length: i }, (_, k) => (k * 37 + i) & 255),
  }))
  const { records } = analyseBatches([batchOf([...corpus, ...broken])])
  expect(records.find((r) => r.callId === 'call-1')).toMatchObject({ state: 'answered', byeCode: 3 })
})

test.each([
  ['64 KiB of header', sipText('INVITE', { headers: [`X-Long: ${'y'.repeat(64_000)}`] })],
  ['NUL bytes everywhere', sipText('INVITE', { from: '"a\0b" <sip:\0@\0>', headers: ['X: \0\0'] })],
  [
    'SDP with nonsense',
    sipText('INVITE', {
      headers: ['Content-Type: application/sdp'],
      body: 'v=0\r\nm=audio -1 \r\nc=IN IP4 999.1.1.1\r\nm=audio 70000 RTP/AVP a b c\r\na=rtpmap:999 x/y\r\n',
    }),
  ],
  ['a thousand Vias', sipText('INVITE', { headers: Array<string>(1000).fill('Via: SIP/2.0/UDP h;branch=z9hG4bKx') })],
])('%s', (_, message) => {
  const frame = sip(0, A, B, 'INVITE').frame
  const payload = text(message).subarray(0, 65_000)
  const packet = new Uint8Array(42 + payload.length)
  packet.set(frame.subarray(0, 42))
  packet.set(payload, 42)
  const view = new DataView(packet.buffer)
  view.setUint16(16, packet.length - 14)
  view.setUint16(38, packet.length - 34)
  expect(analyseBatches([batchOf([{ at: 0, frame: packet }])]).records).toHaveLength(1)
})
