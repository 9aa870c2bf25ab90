/**
 * Makes the load that the benches run on: N simultaneous calls of G.711 both ways, interleaved in time order, with 1 % loss
 * and jitter, set up and ended by SIP. Seeded: the same arguments make the same bytes.
 *
 *   npx tsx bench/make-capture.ts --calls 500 --seconds 20 --out load.pcap
 *   npx tsx bench/make-capture.ts --calls 45000 --per-second 25 --out - | tcpreplay -i veth0 -     calls that begin and end, for half an hour
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ipv4Text } from '../src/lib/base/address.js'
import { writeFileHeader, writeRecordHeader } from '../src/lib/pcap/write.js'

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '500' },
    /** Number of the first call: two captures with different ones share no call and no port. */
    first: { type: 'string', default: '0' },
    seconds: { type: 'string', default: '20' },
    loss: { type: 'string', default: '0.01' },
    /** Calls begin one after the other, so many a second; 0: all at once. */
    'per-second': { type: 'string', default: '0' },
    out: { type: 'string' },
  },
})
if (values.out === undefined) throw new Error('Say where to: --out FILE')
const calls = Number(values.calls)
const first = Number(values.first)
const slots = Math.round(Number(values.seconds) * 50)
const loss = Number(values.loss)
const perSecond = Number(values['per-second'])

const START = 1_700_000_000 * 1e6
const SLOT = 20_000
/** SIP set-up takes this long before the first RTP packet. */
const RAMP = 2_000_000
const FRAME = 14 + 20 + 8 + 12 + 160

let seed = 20_261_124
function random(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}

const out = new Uint8Array(8 << 20)
const view = new DataView(out.buffer)
const file = values.out === '-' ? 1 : openSync(values.out, 'w')
let at = writeFileHeader(view, 0, 1, false)
let packets = 0

function room(bytes: number): void {
  if (at + bytes > out.length) flush()
}

function flush(): void {
  for (let written = 0; written < at; ) {
    try {
      written += writeSync(file, out, written, at - written)
    } catch (error) {
      // A pipe that is full, and was made not to block by whoever started us.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2)
    }
  }
  at = 0
}

/** Ethernet, IPv4 and UDP around a payload that the caller has put behind them. */
function headers(
  to: number,
  source: number,
  destination: number,
  sourcePort: number,
  destinationPort: number,
  payload: number,
  id: number,
): void {
  out.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0xb8], to)
  view.setUint16(to + 16, 28 + payload)
  view.setUint16(to + 18, id & 0xffff)
  view.setUint16(to + 20, 0x4000)
  out[to + 22] = 64
  out[to + 23] = 17
  view.setUint16(to + 24, 0)
  view.setUint32(to + 26, source)
  view.setUint32(to + 30, destination)
  let sum = 0
  for (let i = 14; i < 34; i += 2) sum += view.getUint16(to + i)
  sum = (sum & 0xffff) + (sum >>> 16)
  view.setUint16(to + 24, ~(sum + (sum >>> 16)) & 0xffff)
  view.setUint16(to + 34, sourcePort)
  view.setUint16(to + 36, destinationPort)
  view.setUint16(to + 38, 8 + payload)
  view.setUint16(to + 40, 0)
}

const PBX = 0x0a000001
const CARRIER = 0x0a010001
/** Each call has its own pair of media ports, on as many media addresses as that takes. */
const media = (call: number, side: 0 | 1): { address: number; port: number } => ({
  address: (side === 0 ? 0x0a000100 : 0x0a010100) + Math.floor(call / 20_000),
  port: 10_000 + (call % 20_000) * 2,
})

function sip(micros: number, fromCaller: boolean, text: string): void {
  const payload = Buffer.from(text, 'latin1')
  room(16 + 42 + payload.length)
  const length = 42 + payload.length
  const to = writeRecordHeader(view, at, Math.floor(micros), -1, length, length)
  out.set(payload, to + 42)
  headers(to, fromCaller ? PBX : CARRIER, fromCaller ? CARRIER : PBX, 5060, 5060, payload.length, packets)
  at = to + length
  packets++
}

function message(call: number, start: string, cseq: string, toTag: boolean, sdpSide?: 0 | 1): string {
  const id = String(call).padStart(7, '0')
  const body =
    sdpSide === undefined
      ? ''
      : `v=0\r\no=- 1 1 IN IP4 ${ipv4Text(media(call, sdpSide).address)}\r\ns=-\r\nc=IN IP4 ${ipv4Text(media(call, sdpSide).address)}\r\nt=0 0\r\nm=audio ${media(call, sdpSide).port} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n`
  return [
    start,
    `Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK${id}${cseq.replace(' ', '')}`,
    'Max-Forwards: 70',
    `From: "Load ${id}" <sip:+1555${id}@example.com>;tag=a${id}`,
    `To: <sip:+1556${id}@example.net>${toTag ? `;tag=b${id}` : ''}`,
    `Call-ID: ${id}-load@10.0.0.1`,
    `CSeq: ${cseq}`,
    'Contact: <sip:10.0.0.1:5060>',
    'User-Agent: earshot bench',
    ...(body === '' ? [] : ['Content-Type: application/sdp']),
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n')
}

const callee = (call: number): string => `sip:+1556${String(call).padStart(7, '0')}@example.net`

function rtp(micros: number, call: number, side: 0 | 1, sequence: number, stream: number): void {
  const from = media(call, side)
  const to = media(call, side === 0 ? 1 : 0)
  room(16 + FRAME)
  const frame = writeRecordHeader(view, at, micros, -1, FRAME, FRAME)
  headers(frame, from.address, to.address, from.port, to.port, 172, sequence)
  const rtp = frame + 42
  out[rtp] = 0x80
  out[rtp + 1] = 8
  view.setUint16(rtp + 2, (sequence + stream * 7) & 0xffff)
  view.setUint32(rtp + 4, (sequence * 160 + stream * 1000) >>> 0)
  view.setUint32(rtp + 8, (0x10000 + stream) >>> 0)
  out.fill(0xd5, rtp + 12, rtp + 172)
  at = frame + FRAME
  packets++
}

if (perSecond > 0) oneAfterTheOther()
else allAtOnce()
flush()
if (file !== 1) closeSync(file)
process.stderr.write(`${values.out}: ${packets} packets, ${calls} calls of ${slots / 50} s\n`)

/** Set up together, ended together: the most calls at one time for a capture's length. */
function allAtOnce(): void {
  for (let call = first; call < first + calls; call++)
    sip(START + ((call - first) / calls) * 4e5, true, message(call, `INVITE ${callee(call)} SIP/2.0`, '1 INVITE', false, 0))
  for (let call = first; call < first + calls; call++)
    sip(START + 4e5 + ((call - first) / calls) * 4e5, false, message(call, 'SIP/2.0 100 Trying', '1 INVITE', false))
  for (let call = first; call < first + calls; call++)
    sip(START + 8e5 + ((call - first) / calls) * 4e5, false, message(call, 'SIP/2.0 180 Ringing', '1 INVITE', true))
  for (let call = first; call < first + calls; call++)
    sip(START + 12e5 + ((call - first) / calls) * 4e5, false, message(call, 'SIP/2.0 200 OK', '1 INVITE', true, 1))
  for (let call = first; call < first + calls; call++)
    sip(START + 16e5 + ((call - first) / calls) * 4e5, true, message(call, `ACK ${callee(call)} SIP/2.0`, '1 ACK', true))

  /** Offsets of all streams within a slot, in order of time: phase of the stream plus jitter of up to 4 ms. */
  const streams = calls * 2
  const phase = Float64Array.from({ length: streams }, () => random() * (SLOT - 4500))
  const due = new Float64Array(streams)
  for (let slot = 0; slot < slots; slot++) {
    for (let s = 0; s < streams; s++) {
      // A double carries both: whole microseconds in front, the stream behind.
      due[s] = Math.floor((phase[s] as number) + random() * 4000) * 2 ** 20 + s
    }
    due.sort()
    for (let i = 0; i < streams; i++) {
      if (random() < loss) continue
      const key = due[i] as number
      const offset = Math.floor(key / 2 ** 20)
      const s = key - offset * 2 ** 20
      const call = first + (s >> 1)
      const side = (s & 1) as 0 | 1
      rtp(START + RAMP + slot * SLOT + offset, call, side, slot, s)
    }
  }
  const after = START + RAMP + slots * SLOT
  for (let call = first; call < first + calls; call++)
    sip(after + ((call - first) / calls) * 4e5, true, message(call, `BYE ${callee(call)} SIP/2.0`, '2 BYE', true))
  for (let call = first; call < first + calls; call++)
    sip(after + 4e5 + ((call - first) / calls) * 4e5, false, message(call, 'SIP/2.0 200 OK', '2 BYE', true))
}

/** Slot by slot; a call's messages fall into slots of their own. The capture is as long as it takes, the memory is that of the calls that run. */
function oneAfterTheOther(): void {
  const slotsPerCall = RAMP / SLOT + slots
  const steps: readonly [slot: number, fromCaller: boolean, text: (call: number) => string][] = [
    [0, true, (call) => message(call, `INVITE ${callee(call)} SIP/2.0`, '1 INVITE', false, 0)],
    [1, false, (call) => message(call, 'SIP/2.0 100 Trying', '1 INVITE', false)],
    [5, false, (call) => message(call, 'SIP/2.0 180 Ringing', '1 INVITE', true)],
    [80, false, (call) => message(call, 'SIP/2.0 200 OK', '1 INVITE', true, 1)],
    [81, true, (call) => message(call, `ACK ${callee(call)} SIP/2.0`, '1 ACK', true)],
    [slotsPerCall, true, (call) => message(call, `BYE ${callee(call)} SIP/2.0`, '2 BYE', true)],
    [slotsPerCall + 1, false, (call) => message(call, 'SIP/2.0 200 OK', '2 BYE', true)],
  ]
  const slotsBetween = 50 / perSecond
  const beganAt = (call: number): number => Math.floor((call - first) * slotsBetween)
  let oldest = first
  let next = first
  const due: { offset: number; emit: (micros: number) => void }[] = []
  for (let slot = 0; oldest < first + calls; slot++) {
    while (next < first + calls && beganAt(next) <= slot) next++
    while (oldest < next && beganAt(oldest) + slotsPerCall + 1 < slot) oldest++
    due.length = 0
    for (let call = oldest; call < next; call++) {
      const age = slot - beganAt(call)
      const step = steps.find(([at]) => at === age)
      if (step !== undefined) due.push({ offset: random() * 1000, emit: (micros) => sip(micros, step[1], step[2](call)) })
      const sequence = age - RAMP / SLOT
      if (sequence < 0 || sequence >= slots) continue
      for (const side of [0, 1] as const) {
        const stream = (call - first) * 2 + side
        // The phase of a stream stays; the jitter does not.
        const phase = (Math.imul(stream, 0x9e3779b1) >>> 0) % (SLOT - 5500)
        if (random() >= loss)
          due.push({ offset: 1000 + phase + random() * 4000, emit: (micros) => rtp(micros, call, side, sequence, stream) })
      }
    }
    due.sort((a, b) => a.offset - b.offset)
    for (const { offset, emit } of due) emit(Math.floor(START + slot * SLOT + offset))
  }
}
