import { expect, test } from 'vitest'
import { addressOf, endpointOf, parseIpv4, portOf } from '../../../src/lib/base/address.js'
import { hashOf } from '../../../src/lib/base/endpoint-rows.js'
import type { Endpoint } from '../../../src/lib/base/units.js'
import { RecentRows } from '../../../src/lib/call/recent-rows.js'
import { analyseBatches } from '../../support/analyse.js'
import { batchOf, type Packet, sip, talk } from '../../support/ladder.js'

const hash = (endpoint: Endpoint): number => hashOf(addressOf(endpoint), portOf(endpoint))
const endpoint = (i: number): Endpoint =>
  endpointOf(((parseIpv4('10.0.0.0') as number) + (Math.imul(i, 0x9e37) & 0xffffff)) as never, 10_000 + 2 * (i % 20_000))

/** Two endpoints with one hash: among 400,000 there are some (n² / 2³³). */
function alike(): [Endpoint, Endpoint] {
  const seen = new Map<number, Endpoint>()
  for (let i = 0; ; i++) {
    const one = endpoint(i)
    const other = seen.get(hash(one))
    if (other !== undefined && other !== one) return [other, one]
    seen.set(hash(one), one)
  }
}

test('as a Map does, through growth and removal', () => {
  const rows = new RecentRows(8)
  const map = new Map<Endpoint, number>()
  const taken = new Set<number>()
  for (let i = 0; i < 5000; i++) {
    const one = endpoint(Math.imul(i, 7) % 900)
    if (taken.has(hash(one)) && !map.has(one)) continue
    taken.add(hash(one))
    if (i % 3 === 2) {
      const row = map.get(one)
      // Another row than its own is not to be forgotten.
      rows.delete(one, 99_999)
      if (row !== undefined) rows.delete(one, row)
      map.delete(one)
    } else {
      rows.set(one, 16 * i)
      map.set(one, 16 * i)
    }
  }
  for (let i = 0; i < 900; i++)
    if (map.has(endpoint(i)) || !taken.has(hash(endpoint(i)))) expect(rows.get(endpoint(i))).toBe(map.get(endpoint(i)) ?? -1)
  expect(rows.size).toBe(map.size)
  expect(map.size).toBeGreaterThan(300)
})

test('of one port, no two addresses have one hash; of two endpoints with one, the later stays', () => {
  expect(new Set(Array.from({ length: 200_000 }, (_, i) => hashOf(0x0a000000 + i, 4000))).size).toBe(200_000)
  const [a, b] = alike()
  expect([hash(a), portOf(a) === portOf(b)]).toEqual([hash(b), false])
  const rows = new RecentRows()
  rows.set(a, 16)
  rows.set(b, 32)
  expect([rows.get(a), rows.get(b), rows.size]).toEqual([32, 32, 1])
  rows.delete(a, 16)
  expect(rows.get(b)).toBe(32)
})

test('streams to two such endpoints, of one SSRC and one source, are counted apart', () => {
  const [a, b] = alike().map((e) => {
    const address = addressOf(e) as number
    return `${[24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')}:${portOf(e)}`
  }) as [string, string]
  const SOURCE = '192.0.2.1:4000'
  const call = (callId: string, to: string): Packet[] => [
    sip(0, '192.0.2.1:5060', '192.0.2.2:5060', 'INVITE', { callId, sdp: SOURCE }),
    sip(1, '192.0.2.2:5060', '192.0.2.1:5060', '200 OK', { callId, toTag: 'b', sdp: to }),
  ]
  const packets = [...call('one', a), ...call('two', b), ...talk(2, SOURCE, a, 300), ...talk(2.001, SOURCE, b, 200, { seq: 100 })]
  const { records } = analyseBatches([batchOf(packets)])
  const counted = records.flatMap((r) => r.streams.filter((s) => s.dst.port === Number((r.callId === 'one' ? a : b).split(':')[1])))
  expect(counted.map((s) => [s.packets, s.lost, s.duplicates])).toEqual([
    [300, 0, 0],
    [200, 0, 0],
  ])
})
