import { describe, expect, test } from 'vitest'
import { AddressBook } from '../../../src/lib/base/address.js'
import type { Micros } from '../../../src/lib/base/units.js'
import { CallTracker } from '../../../src/lib/call/tracker.js'
import { type CallView, LiveCalls, type LiveChanges } from '../../../src/lib/live/index.js'
import { trackerOptions } from '../../support/analyse.js'
import { batchOf, datagram, type Packet, rtpBytes, seconds, sip, talk } from '../../support/ladder.js'

const A = '10.0.0.1:5060'
const B = '10.0.0.2:5060'
const MEDIA_A = '10.0.0.1:4000'
const MEDIA_B = '10.0.0.2:6000'
const EPOCH = 1_700_000_000

/** A tracker with its live view, fed step by step; time passes as a wire lets it pass. */
function watchTower(): { live: LiveCalls; feed(packets: readonly Packet[]): void; until(second: number): void } {
  const live = new LiveCalls({ sensorId: 7 })
  const tracker = new CallTracker(trackerOptions, new AddressBook(), {
    onRecord: () => {},
    onChange: (call, media) => live.changed(call, media),
    onEnd: (call) => live.ended(call),
  })
  const until = (second: number): void => {
    tracker.advance(((EPOCH + second) * 1e6) as Micros)
    live.tick(tracker.now)
  }
  return {
    live,
    until,
    /** Packets in order of time, a batch a second. */
    feed(packets) {
      const bySecond = new Map<number, Packet[]>()
      for (const packet of packets) bySecond.set(Math.floor(packet.at), [...(bySecond.get(Math.floor(packet.at)) ?? []), packet])
      for (const second of [...bySecond.keys()].sort((x, y) => x - y)) {
        tracker.accept(batchOf(bySecond.get(second) as Packet[]))
        until(second + 1)
      }
    },
  }
}

const setUp = (callId = 'call-1', t = 0, a = MEDIA_A, b = MEDIA_B): Packet[] => [
  sip(t, A, B, 'INVITE', { callId, sdp: a }),
  sip(t + 0.5, B, A, '180 Ringing', { callId, toTag: 'b' }),
  sip(t + 0.9, B, A, '200 OK', { callId, toTag: 'b', sdp: b }),
]
const bye = (t: number, callId = 'call-1'): Packet[] => [
  sip(t, A, B, 'BYE', { callId, cseq: '2 BYE', toTag: 'b' }),
  sip(t + 0.1, B, A, '200 OK', { callId, cseq: '2 BYE', toTag: 'b' }),
]
const one = (views: readonly CallView[]): CallView => {
  expect(views).toHaveLength(1)
  return views[0] as CallView
}

describe('a call while it runs', () => {
  const steps: { name: string; packets: Packet[]; want: Partial<CallView> }[] = [
    { name: 'invited', packets: setUp().slice(0, 1), want: { state: 'setup', sipMessages: 1 } },
    { name: 'ringing', packets: setUp().slice(0, 2), want: { state: 'ringing', pddMs: 500 } },
    { name: 'answered', packets: setUp(), want: { state: 'answered', status: 200, pddMs: 500 } },
    { name: 'hung up', packets: [...setUp(), ...bye(9)], want: { state: 'ended', durationMs: 9000, talkMs: 8100, hungUpBy: 'caller' } },
    {
      name: 'refused',
      packets: [setUp()[0] as Packet, sip(1, B, A, '486 Busy Here')],
      want: { state: 'failed', status: 486, statusText: 'Busy Here', durationMs: 1000 },
    },
    {
      name: 'cancelled',
      packets: [...setUp().slice(0, 2), sip(3, A, B, 'CANCEL', { cseq: '1 CANCEL' })],
      want: { state: 'cancelled', durationMs: 3000 },
    },
    {
      name: 'challenged, and tried again',
      packets: [setUp()[0] as Packet, sip(1, B, A, '401 Unauthorized'), sip(1.1, A, B, 'INVITE', { cseq: '2 INVITE', branch: 'z2' })],
      want: { state: 'setup' },
    },
  ]
  test.each(steps)('$name', ({ packets, want }) => {
    const { live, feed } = watchTower()
    feed(packets)
    expect(one(live.page(0))).toMatchObject({ number: 1, callId: 'call-1', caller: 'alice', callee: 'bob', sensorId: 7, ...want })
  })

  test('a call without news grows older all the same', () => {
    const { live, feed, until } = watchTower()
    feed(setUp())
    until(61)
    expect(one(live.page(0))).toMatchObject({ durationMs: 61_000, talkMs: 60_100 })
    expect(seconds(one(live.page(0)).lastPacket)).toBe(0.9)
  })

  test('its streams: direction, codec, loss', () => {
    const { live, feed } = watchTower()
    feed([...setUp(), ...talk(1, MEDIA_A, MEDIA_B, 200), ...talk(1, MEDIA_B, MEDIA_A, 100, { ssrc: 2 })])
    const view = one(live.page(0))
    expect(view).toMatchObject({ codec: 'PCMA', rtpPackets: 300, lossPercent: 0, streamCount: 2 })
    expect(view.streams.map((s) => [s.direction, s.ssrc, s.packets, s.lost, s.codecId])).toEqual([
      ['a', 0x1234, 200, 0, 8],
      ['b', 2, 100, 0, 8],
    ])
  })
})

describe('quality now and at its worst', () => {
  /** 20 ms apart; in the seconds named, every tenth packet is missing. */
  const losing = (from: number, to: number, lossFrom: number, lossTo: number): Packet[] =>
    Array.from({ length: (to - from) * 50 }, (_, i) => ({ i, at: from + i * 0.02 }))
      .filter(({ i, at }) => !(at >= lossFrom && at < lossTo && i % 10 === 5))
      .map(({ i, at }) => datagram(at, MEDIA_A, MEDIA_B, rtpBytes({ seq: i, ticks: i * 160 })))

  test('a bad stretch pulls the MOS down while it lasts; the minimum remembers it', () => {
    const { live, feed } = watchTower()
    feed([...setUp(), ...losing(1, 41, 11, 21)])
    const view = one(live.page(0))
    // G.107 by hand: 10 % random loss of G.711: Ie,eff = 95 × 10 / (10 + 25.1) = 27.1, R = 66.1, MOS 3.41; without loss R = 93.2, MOS 4.41.
    expect(view.mosMin).toBeCloseTo(3.41, 1)
    expect(view.mos).toBeCloseTo(4.41, 2)
    expect(view.lossPercent).toBe(0)
    expect(view.streams[0]).toMatchObject({ lost: 50, packets: 1950, expected: 2000 })
  })

  test('in the middle of it', () => {
    const { live, feed } = watchTower()
    feed([...setUp(), ...losing(1, 31, 11, 31)])
    const view = one(live.page(0))
    expect(view.mos).toBeCloseTo(3.41, 1)
    expect(view.lossPercent).toBeCloseTo(10, 0)
  })

  test('no MOS where the codec has none', () => {
    const { live, feed } = watchTower()
    feed([...setUp(), ...talk(1, MEDIA_A, MEDIA_B, 200, { type: 77 })])
    expect(one(live.page(0)).mos).toBeUndefined()
  })
})

describe('changes', () => {
  const numbers = (c: LiveChanges): [number[], number[], number[]] => [
    c.added.map((v) => v.number),
    c.changed.map((v) => v.number),
    c.removed.map((v) => v.number),
  ]

  test('added, changed, removed, each told once', () => {
    const { live, feed, until } = watchTower()
    live.watch()
    feed(setUp())
    expect(numbers(live.take())).toEqual([[1], [], []])
    expect(numbers(live.take())).toEqual([[], [], []])
    feed(talk(2, MEDIA_A, MEDIA_B, 500))
    expect(numbers(live.take())).toEqual([[], [1], []])
    feed(bye(20))
    until(40)
    const { removed, left } = live.take()
    expect([removed.map((v) => [v.number, v.state, v.rtpPackets, v.byeConfirmed]), left]).toEqual([[[1, 'ended', 500, true]], 0])
    expect(live.size).toBe(0)
  })

  test('media alone changes a call once a second, silence does not', () => {
    const { live, feed, until } = watchTower()
    feed(setUp())
    live.watch()
    for (let second = 1; second <= 5; second++) {
      feed(talk(second, MEDIA_A, MEDIA_B, 50, { seq: second * 50, ticks: second * 8000 }))
      expect(live.take().changed).toHaveLength(1)
    }
    until(8)
    expect(numbers(live.take())).toEqual([[], [], []])
  })

  test('a call that came and went between two looks is not told at all', () => {
    const { live, feed, until } = watchTower()
    live.watch()
    feed([sip(0, A, B, 'INVITE'), sip(1, B, A, '486 Busy Here')])
    until(30)
    expect(numbers(live.take())).toEqual([[], [], []])
  })

  test('a batch is bounded, the rest comes with the next', () => {
    const { live, feed } = watchTower()
    live.watch()
    feed(Array.from({ length: 25 }, (_, i) => sip(i / 100, A, B, 'INVITE', { callId: `c${i}` })))
    const seen: number[] = []
    for (let c = live.take(10); c.added.length > 0; c = live.take(10)) {
      expect(c.added.length).toBeLessThanOrEqual(10)
      seen.push(...c.added.map((v) => v.number))
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => i + 1))
  })

  test('a snapshot in pages and the changes after it give what is there', () => {
    const { live, feed, until } = watchTower()
    feed(Array.from({ length: 30 }, (_, i) => sip(i / 100, A, B, 'INVITE', { callId: `c${i}` })))
    live.watch()
    const table = new Map<number, CallView>()
    const apply = (c: LiveChanges): void => {
      for (const v of [...c.added, ...c.changed]) table.set(v.number, v)
      for (const v of c.removed) table.delete(v.number)
    }
    for (let after = 0, page = live.page(0, 7); page.length > 0; page = live.page(after, 7)) {
      for (const view of page) table.set(view.number, view)
      after = (page.at(-1) as CallView).number
      // Meanwhile things go on.
      feed([sip(1 + after / 100, B, A, '486 Busy Here', { callId: `c${(after + 3) % 30}` })])
      apply(live.take())
    }
    until(20)
    apply(live.take())
    expect([...table.keys()].sort((x, y) => x - y)).toEqual(live.page(0).map((v) => v.number))
    expect(table.size).toBeGreaterThan(0)
    expect(table.size).toBeLessThan(30)
  })

  test('nobody watches: nothing is gathered', () => {
    const { live, feed, until } = watchTower()
    feed(setUp())
    feed(bye(5))
    until(30)
    live.watch()
    expect(live.take()).toMatchObject({ added: [], changed: [], removed: [], left: 0 })
  })
})
