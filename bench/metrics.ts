/**
 * What metrics and health cost: the thread of the packets for each ended call and each scrape, the manager's thread for the text.
 *
 *   npx tsx bench/metrics.ts
 *
 * CPU time of this process, on the seven calls of the bundled capture. Prints a row for RESULTS.md.
 */
import { join } from 'node:path'
import { CallTally } from '../src/lib/call/tally.js'
import { healthOf, LossWindow } from '../src/lib/health/index.js'
import { scrape } from '../src/lib/metrics/scrape.js'
import { analyse } from '../test/support/analyse.js'
import { statsOf } from '../test/support/service-stats.js'

const { records } = await analyse([join(import.meta.dirname, '..', 'test', 'fixtures', 'pbx.pcap')])
const tally = new CallTally()
const window = new LossWindow(0)
const stats = () => statsOf({ ended: tally.snapshot(), kernel: { received: 1, dropped: 0 }, odd: { 'not IP': 1, 'other UDP': 2 } })

/** Microseconds of CPU for one run of `work`, which is warm by then. */
async function cost(times: number, work: () => unknown): Promise<number> {
  for (let i = 0; i < times / 10; i++) await work()
  const before = process.cpuUsage()
  for (let i = 0; i < times; i++) await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / times
}

const perCall =
  (await cost(50_000, () => {
    for (const record of records) tally.add(record)
  })) / records.length
const counting = await cost(5000, () => window.lately(stats(), 1))
const text = await cost(500, () => scrape([stats()], { nowMs: 1, versions: {}, unanswered: [] }))
const health = await cost(5000, () => healthOf(stats(), 1))
console.log(`| ${perCall.toFixed(2)} µs | ${counting.toFixed(0)} µs | ${(text / 1000).toFixed(2)} ms | ${health.toFixed(0)} µs |`)
