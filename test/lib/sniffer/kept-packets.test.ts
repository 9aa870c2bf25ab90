import { describe, expect, test } from 'vitest'
import { AddressBook } from '../../../src/lib/base/address.js'
import type { PacketBatch } from '../../../src/lib/base/packets.js'
import type { CallHandle, MarkedPackets, PacketKind } from '../../../src/lib/call/outputs.js'
import { CallTracker } from '../../../src/lib/call/tracker.js'
import { KeptPackets } from '../../../src/lib/sniffer/kept-packets.js'
import { trackerOptions } from '../../support/analyse.js'
import { batchOf, type Packet, sip, talk } from '../../support/ladder.js'

const a = '10.0.0.1:4000'
const b = '10.0.0.2:5000'
const call = (id: string, at: number, packets: number, port = 4000): Packet[] => [
  sip(at, '10.0.0.1:5060', '10.0.0.2:5060', 'INVITE', { callId: id, sdp: a.replace('4000', String(port)) }),
  sip(at + 0.5, '10.0.0.2:5060', '10.0.0.1:5060', '200 OK', { callId: id, toTag: 'b', sdp: b.replace('5000', String(port + 1000)) }),
  ...talk(at + 1, a.replace('4000', String(port)), b.replace('5000', String(port + 1000)), packets, { ssrc: port }),
]

function keep(packets: readonly Packet[], options: { sipBytes: number; mediaBytes: number }): KeptPackets {
  const kept = new KeptPackets(options)
  const tracker = new CallTracker(trackerOptions, new AddressBook(), {
    onRecord: (_, handle) => kept.ended(handle),
    onPacket: (handle: CallHandle, batch: PacketBatch, index: number, kind: PacketKind) => kept.packet(handle, batch, index, kind),
    onMarked: (batch: PacketBatch, marked: MarkedPackets) => kept.marked(batch, marked),
    onHeldPacket: (handle, packet, kind) => kept.held(handle, packet, kind),
  })
  // Several batches: streams go the short way after their first packets.
  for (let i = 0; i < packets.length; i += 40) tracker.accept(batchOf(packets.slice(i, i + 40)))
  return kept
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('packets kept in memory', () => {
  test('every packet of a call, byte for byte, in order of time', () => {
    const packets = call('one', 0, 300)
    const { packets: found, lost } = keep(packets, { sipBytes: 1 << 20, mediaBytes: 1 << 20 }).of(1, true)
    expect(lost).toBe(0)
    expect(found.map((p) => hex(p.bytes))).toEqual(packets.map((p) => hex(p.frame)))
  })

  test('a call whose packets have all gone keeps those that come after', () => {
    // Room for two pages each; between two packets of the first call so many of another come that nothing of it is left.
    const first = call('first', 0, 100)
    const flood = call('flood', 2, 200, 4010).map((p) => ({ ...p, at: 2.001 + (p.at - 2) / 1000 }))
    const options = Array.from({ length: 40 }, (_, i) =>
      sip(2.006 + i / 10_000, '10.0.0.1:5060', '10.0.0.2:5060', 'OPTIONS', { callId: 'flood', cseq: `${i + 2} OPTIONS` }),
    )
    const packets = [...first, ...flood, ...options].sort((x, y) => x.at - y.at)
    const kept = keep(packets, { sipBytes: 8192, mediaBytes: 16_384 })
    expect(hex(kept.of(1, true).packets.at(-1)?.bytes ?? new Uint8Array())).toBe(hex(first.at(-1)?.frame as Uint8Array))
  })

  test('SIP alone', () => {
    const found = keep(call('one', 0, 300), { sipBytes: 1 << 20, mediaBytes: 1 << 20 }).of(1, false)
    expect(found.packets.length).toBe(2)
  })

  test('when there is no more room the oldest media go, counted; SIP is not touched by them', () => {
    const kept = keep(call('one', 0, 1000), { sipBytes: 1 << 20, mediaBytes: 64 << 10 })
    const { packets, lost } = kept.of(1, true)
    expect(packets.length + lost).toBe(1002)
    expect(lost).toBeGreaterThan(0)
    expect(packets.slice(0, 2).map((p) => p.bytes.length > 214)).toEqual([true, true])
    // The youngest are there, without a hole.
    const times = packets.slice(2).map((p) => p.micros)
    expect(new Set(times.slice(1).map((t, i) => t - (times[i] as number)))).toEqual(new Set([20_000]))
    expect(kept.bytes).toBeLessThanOrEqual((1 << 20) + (64 << 10))
  })

  test('a flood of calls: the oldest go whole, the youngest are there', () => {
    const packets = Array.from({ length: 200 }, (_, i) => call(`c${i}`, i * 2, 20, 4000 + 2 * i)).flat()
    const kept = keep(packets, { sipBytes: 100 << 10, mediaBytes: 100 << 10 })
    expect(kept.of(1, true)).toEqual({ packets: [], lost: 0 })
    expect(kept.of(200, true).packets.length).toBe(22)
  })

  test('no room for media: none are kept, and nobody asks for them', () => {
    expect(keep(call('one', 0, 100), { sipBytes: 1 << 20, mediaBytes: 0 }).of(1, true).packets.length).toBe(2)
  })

  test('a message larger than a page', () => {
    const large = [
      sip(0, '10.0.0.1:5060', '10.0.0.2:5060', 'INVITE', { callId: 'big', body: 'x'.repeat(20_000) }),
      sip(1, '10.0.0.1:5060', '10.0.0.2:5060', 'CANCEL', { callId: 'big' }),
    ]
    expect(
      keep(large, { sipBytes: 64 << 10, mediaBytes: 0 })
        .of(1, false)
        .packets.map((p) => hex(p.bytes)),
    ).toEqual(large.map((p) => hex(p.frame)))
  })
})
