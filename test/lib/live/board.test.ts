import { describe, expect, test } from 'vitest'
import type { Micros } from '../../../src/lib/base/units.js'
import {
  boardTrail,
  CallBoard,
  type CallView,
  type SourceChanges,
  type StreamView,
  streamTrail,
  Trail,
} from '../../../src/lib/live/index.js'

const second = (s: number): Micros => (1_700_000_000e6 + s * 1e6) as Micros
const stream = (packets: number, lost: number, last: number, mos = 4.4): StreamView => ({
  ssrc: 1,
  src: { ip: '10.0.0.1', port: 4000 },
  dst: { ip: '10.0.0.2', port: 5000 },
  direction: 'a',
  codec: 'PCMA',
  payloadType: 8,
  packets,
  expected: packets + lost,
  lost,
  lostRecently: 0,
  mos,
  jitterMs: 1,
  first: second(0),
  last: second(last),
  srtp: false,
})
const view = (number: number, more: Partial<CallView> = {}): CallView => ({
  number,
  callId: `c${number}`,
  state: 'setup',
  callerAddr: { ip: '10.0.0.1', port: 5060 },
  calleeAddr: { ip: '10.0.0.2', port: 5060 },
  lastHopAddr: { ip: '10.0.0.2', port: 5060 },
  proxies: [],
  started: second(number),
  byeConfirmed: false,
  lastPacket: second(number),
  asOf: second(number),
  durationMs: 0,
  sipMessages: 1,
  rtpPackets: 0,
  digits: 0,
  streams: [],
  streamCount: 0,
  ...more,
})
const changes = (at: number, more: Partial<SourceChanges>): SourceChanges => ({
  source: 's',
  reset: false,
  at: second(at),
  added: [],
  changed: [],
  removed: [],
  left: 0,
  ...more,
})

describe('the board', () => {
  test('counts each call once, however often it is told of', () => {
    const board = new CallBoard()
    board.apply(changes(1, { added: [view(1), view(2)] }))
    const answered = view(1, { state: 'answered', answered: second(2), pddMs: 500, status: 200 })
    board.apply(changes(2, { changed: [answered] }))
    board.apply(
      changes(3, {
        changed: [{ ...answered, talkMs: 1000 }],
        removed: [view(2, { state: 'failed', status: 486, statusText: 'Busy Here' })],
      }),
    )
    board.apply(changes(4, { removed: [{ ...answered, talkMs: 2000 }] }))
    expect(board.totals).toMatchObject({ begun: 2, answered: 1, refused: 1, pddSumMs: 500, pddCount: 1, talkSumMs: 2000, talkCount: 1 })
    expect(board.totals.classes).toEqual([0, 0, 1, 0, 1, 0, 0])
    expect([...board.totals.statuses]).toEqual([[486, { count: 1, text: 'Busy Here' }]])
    expect([board.running, board.calls.size]).toEqual([0, 2])
  })

  test('what has ended runs no more, though its source still waits for stragglers', () => {
    const board = new CallBoard()
    const ended = ['ended', 'failed', 'cancelled', 'redirected'] as const
    board.apply(changes(1, { added: [view(1), view(2, { state: 'ringing' }), view(3, { state: 'answered' })] }))
    board.apply(changes(2, { added: ended.map((state, i) => view(4 + i, { state })) }))
    expect([board.running, board.calls.size]).toEqual([3, 7])
    board.apply(changes(3, { removed: [view(1), view(4)] }))
    expect(board.running).toBe(2)
  })

  test('a source that begins anew: calls told of again go on, the others are gone, nothing is counted twice', () => {
    const board = new CallBoard()
    board.apply(changes(1, { added: [view(1), view(2)] }))
    board.apply({ ...changes(1, { added: [view(7)] }), source: 'other' })
    const before = board.calls.get('s#1')
    board.apply(changes(9, { reset: true, added: [view(1)] }))
    expect([...board.calls.keys()].sort()).toEqual(['other#7', 's#1'])
    expect(board.calls.get('s#1')).toBe(before)
    expect(board.totals.begun).toBe(3)
  })

  test('bounded: calls over go first, oldest first; running ones beyond the bound are counted', () => {
    const board = new CallBoard({ callsMax: 3, overMax: 2 })
    board.apply(changes(1, { added: [1, 2, 3, 4].map((n) => view(n)) }))
    expect([board.running, board.totals.left]).toEqual([3, 1])
    board.apply(changes(2, { removed: [1, 2, 3].map((n) => view(n)) }))
    expect([...board.calls.keys()]).toEqual(['s#2', 's#3'])
  })

  test('what a stream lost is told for the second it was lost in', () => {
    const board = new CallBoard()
    board.apply(changes(1, { added: [view(1, { streams: [stream(50, 0, 1)] })] }))
    board.apply(changes(2, { changed: [view(1, { streams: [stream(70, 3, 2)] })] }))
    board.apply(changes(2, { changed: [view(1, { streams: [stream(95, 5, 2.5)] })] }))
    board.apply(changes(5, { changed: [view(1, { streams: [stream(120, 5, 5, 3)] })] }))
    const trail = [...(board.calls.get('s#1')?.streams.values() ?? [])][0]?.trail
    expect(trail?.last(5, streamTrail.lost)).toEqual([0, 5, undefined, undefined, 0])
    expect(trail?.at(0, streamTrail.mos)).toBe(3)
  })

  test('calls that ran before we looked did not begin now', () => {
    const board = new CallBoard()
    board.apply(changes(100, { reset: true, added: [view(1), view(99), view(100)] }))
    expect(board.history.at(0, boardTrail.begun)).toBe(2)
    expect(board.history.at(0, boardTrail.running)).toBe(3)
    board.apply(changes(101, { added: [view(101)] }))
    expect(board.history.last(2, boardTrail.begun)).toEqual([2, 1])
  })
})

describe('a trail', () => {
  test('one sample a second, gaps where nothing was known, the oldest go', () => {
    const trail = new Trail([1], 10)
    for (let s = 0; s < 25; s++) if (s % 5 !== 4) trail.put(second(s), s)
    expect(trail.length).toBe(10)
    expect(trail.last(10)).toEqual([undefined, 15, 16, 17, 18, undefined, 20, 21, 22, 23])
  })

  test('values to the part they are kept in; what is beyond stays at the end', () => {
    const trail = new Trail([1000, 10], 10)
    trail.put(second(0), 4.4056, 12.34)
    trail.put(second(1), undefined, 1e9)
    expect([trail.at(1), trail.at(1, 1), trail.at(0), trail.at(0, 1)]).toEqual([4.406, 12.3, undefined, 6553.4])
  })

  test('a clock that was set back begins anew', () => {
    const trail = new Trail([1], 10)
    trail.put(second(50), 1)
    trail.put(second(20), 2)
    expect(trail.last(3)).toEqual([undefined, undefined, 2])
  })

  test('a gap longer than the trail costs no more than the trail', () => {
    const trail = new Trail([1], 10)
    trail.put(second(0), 1)
    trail.put(second(1e9), 2)
    expect(trail.last(10)).toEqual([...Array(9).fill(undefined), 2])
  })
})
