import { describe, expect, test } from 'vitest'
import type { PacketBatch } from '../../../src/lib/base/packets.js'
import { Lane } from '../../../src/lib/mirror/lane.js'
import { LaneGroup } from '../../../src/lib/mirror/merge.js'
import { BatchFill } from '../../../src/lib/pcap/batch.js'

// Lanes with packets at times in ms; what comes out is told as "lane:time".

const WINDOW_MS = 2000

function world(names: readonly string[]) {
  const group = new LaneGroup(WINDOW_MS)
  const handed: string[] = []
  const lanes = names.map((name) => {
    const lane = new Lane({ sensorId: undefined, name }, (block) => handed.push(`${name}${block.number}`))
    lane.connected = true
    group.lanes.push(lane)
    return lane
  })
  let number = 0
  const arrive = (index: number, times: readonly number[], arrivedMs = 0): void => {
    const fill = new BatchFill(new Uint8Array(10), times.length)
    fill.begin(fill.bytes, 1, false)
    for (const ms of times) fill.add(0, 1, 1, ms * 1000, 0)
    fill.until = (times.at(-1)! * 1000) as typeof fill.until
    lanes[index]!.push({
      number: number++,
      packets: times.length,
      bytes: 10,
      interfaceName: undefined,
      stream: undefined,
      arrivedMs,
      *batches() {
        yield fill
      },
    })
  }
  const told = (batch: PacketBatch): string[] =>
    batch.count === 0
      ? [`${batch.origin!.name}:(${batch.until / 1000})`]
      : Array.from(batch.micros.subarray(0, batch.count), (t) => `${batch.origin!.name}:${t / 1000}`)
  const all = (nowMs = 0): string[] => {
    const out: string[] = []
    for (let batch = group.next(nowMs); batch !== undefined; batch = group.next(nowMs)) {
      out.push(...told(batch))
      batch.release()
    }
    return out
  }
  return { lanes, arrive, all, handed }
}

test('one lane goes straight through, and is acknowledged block by block', () => {
  const { arrive, all, handed } = world(['a'])
  arrive(0, [1, 2, 3])
  arrive(0, [4])
  expect(all()).toEqual(['a:1', 'a:2', 'a:3', 'a:4'])
  expect(handed).toEqual(['a0', 'a1'])
})

test('two lanes are woven together', () => {
  const { arrive, all } = world(['a', 'b'])
  arrive(0, [1, 2, 5, 6])
  arrive(1, [3, 4, 7])
  // 7 waits: a may still bring something before it.
  expect(all()).toEqual(['a:1', 'a:2', 'b:3', 'b:4', 'a:5', 'a:6'])
  expect(all(WINDOW_MS)).toEqual(['b:7'])
})

test('a silent sender that says how far its time has come is not waited for', () => {
  const { lanes, arrive, all } = world(['a', 'b'])
  arrive(0, [1, 2, 3])
  lanes[1]!.until = 2500
  expect(all()).toEqual(['a:1', 'a:2'])
  lanes[1]!.until = 9000
  expect(all()).toEqual(['a:3'])
})

test('nor is one that is not connected', () => {
  const { lanes, arrive, all } = world(['a', 'b'])
  lanes[1]!.connected = false
  arrive(0, [1, 2])
  expect(all()).toEqual(['a:1', 'a:2'])
})

test('one that replays takes turns with the others, and holds up nobody', () => {
  const { arrive, all } = world(['a', 'b'])
  for (let i = 0; i < 4; i++) arrive(0, [i, i + 0.5])
  for (let i = 0; i < 4; i++) arrive(1, [600_000 + i])
  const out = all(WINDOW_MS)
  expect(out.filter((t) => t.startsWith('b'))).toEqual(['b:600000', 'b:600001', 'b:600002', 'b:600003'])
  expect(out.indexOf('b:600002')).toBeLessThan(out.indexOf('a:3'))
})

test('a clock that is wrong is put right for the order, not in the packets', () => {
  const { lanes, arrive, all } = world(['a', 'b'])
  lanes[1]!.orderShift = -3_600_000_000
  arrive(0, [1, 3, 5])
  arrive(1, [3_600_002, 3_600_004, 3_600_006])
  expect(all(WINDOW_MS)).toEqual(['a:1', 'b:3600002', 'a:3', 'b:3600004', 'a:5', 'b:3600006'])
})

describe('time alone', () => {
  test('moves once a second, when nothing waits', () => {
    const { lanes, all } = world(['a'])
    lanes[0]!.until = 5_000_000
    expect(all()).toEqual(['a:(5000)'])
    expect(all()).toEqual([])
    lanes[0]!.until = 5_900_000
    expect(all()).toEqual([])
    lanes[0]!.until = 6_100_000
    expect(all()).toEqual(['a:(6100)'])
  })
})

test('a block that an earlier run had in part goes on in the middle', () => {
  const { lanes, arrive, all, handed } = world(['a'])
  lanes[0]!.resumeAt({ sensorId: 1, stream: 's', number: 0, packets: 2, whole: false })
  expect([lanes[0]!.have, lanes[0]!.handed]).toEqual([-1, -1])
  arrive(0, [1, 2, 3])
  expect(all()).toEqual(['a:3'])
  expect(handed).toEqual(['a0'])
})

test('positions: where a stream stands behind each run', () => {
  const group = new LaneGroup(0)
  const lane = new Lane({ sensorId: 7, name: '' }, () => {})
  group.lanes.push(lane, new Lane({ sensorId: 8, name: '' }, () => {}))
  const fill = new BatchFill(new Uint8Array(10), 3)
  fill.begin(fill.bytes, 1, false)
  for (const ms of [1, 2, 3]) fill.add(0, 1, 1, ms * 1000, 0)
  lane.push({
    number: 4,
    packets: 3,
    bytes: 1,
    interfaceName: undefined,
    stream: { sensorId: 7, id: 'x' },
    arrivedMs: 0,
    *batches() {
      yield fill
    },
  })
  lane.peek()
  const first = lane.take(2000)
  first.release()
  expect(first.position).toEqual({ sensorId: 7, stream: 'x', number: 4, packets: 2, whole: false })
  const rest = lane.take(Number.POSITIVE_INFINITY)
  rest.release()
  expect(rest.position).toEqual({ sensorId: 7, stream: 'x', number: 4, packets: 3, whole: true })
  expect(lane.handed).toBe(4)
})
