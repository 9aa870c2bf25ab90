import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CallTally } from '../../../src/lib/call/tally.js'
import type { SenderStats, ServiceStats } from '../../../src/lib/manager/index.js'
import { alertRules, promqlExamples } from '../../../src/lib/metrics/markdown.js'
import { scrape } from '../../../src/lib/metrics/scrape.js'
import { type MetricContext, metrics, sendersMax } from '../../../src/lib/metrics/table.js'
import { analyse } from '../../support/analyse.js'
import { type Family, readExposition } from '../../support/exposition.js'
import { statsOf } from '../../support/service-stats.js'

// What a scrape says: read by a reader of our own, by Prometheus' own tool where there is one, and compared with tshark's counts.
const fixture = join(import.meta.dirname, '..', '..', 'fixtures', 'pbx.pcap')
const context: MetricContext = { nowMs: 1_700_000_000_000, versions: { sqlite: '3.1', libpcap: '1.2' }, unanswered: [] }
const families = async (...services: ServiceStats[]): Promise<Map<string, Family>> => readExposition(await scrape(services, context))
const values = (family: Family | undefined, by: string): Record<string, number> =>
  Object.fromEntries((family?.samples ?? []).filter((s) => s.value !== 0).map((s) => [s.labels[by], s.value]))

const tshark = (...args: string[]): string[] =>
  execFileSync('tshark', ['-r', fixture, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    .split('\n')
    .filter(Boolean)

async function ofFixture(): Promise<ServiceStats> {
  const { records, tracker } = await analyse([fixture])
  const tally = new CallTally()
  for (const record of records) tally.add(record)
  return statsOf({ ...tracker.totals, odd: Object.fromEntries(tracker.oddities()), ended: tally.snapshot() })
}

describe('the bundled capture, as tshark counts it', () => {
  test('packets and calls', async () => {
    const found = await families(await ofFixture())
    const one = (name: string): number | undefined => found.get(name)?.samples[0]?.value
    expect(one('earshot_packets_received_total')).toBe(tshark('-T', 'fields', '-e', 'frame.number').length)
    expect(values(found.get('earshot_packets_by_kind_total'), 'kind')).toEqual({
      sip: tshark('-Y', 'sip', '-T', 'fields', '-e', 'frame.number').length,
      // Without its heuristics tshark takes RTP only where an SDP said so; as we do.
      rtp: tshark('-Y', 'rtp', '-T', 'fields', '-e', 'frame.number').length,
    })
    const ids = new Set(tshark('-Y', 'sip.Method == "INVITE"', '-T', 'fields', '-e', 'sip.Call-ID'))
    expect(one('earshot_calls_started_total')).toBe(ids.size)
    expect(found.get('earshot_calls_ended_total')?.samples.reduce((sum, s) => sum + s.value, 0)).toBe(ids.size)
  })

  test('responses: each call counts a status once', async () => {
    const lines = tshark('-Y', 'sip.Status-Code', '-T', 'fields', '-e', 'sip.Call-ID', '-e', 'sip.Status-Code')
    const counts: Record<string, number> = {}
    for (const line of new Set(lines)) {
      const code = line.split('\t')[1] as string
      counts[code] = (counts[code] ?? 0) + 1
    }
    const found = await families(await ofFixture())
    const responses = found.get('earshot_call_responses_total')
    expect(values(responses, 'code')).toEqual(counts)
    for (const { labels } of responses?.samples ?? []) expect(labels['class']).toBe(`${labels['code']?.[0]}xx`)
  })

  test('post-dial delay and setup: their sums are those of the packets’ times', async () => {
    const first = new Map<string, { invite: number; ring?: number; ok?: number }>()
    for (const line of tshark(
      '-Y',
      'sip.CSeq.method == "INVITE"',
      '-T',
      'fields',
      '-e',
      'frame.time_epoch',
      '-e',
      'sip.Call-ID',
      '-e',
      'sip.Method',
      '-e',
      'sip.Status-Code',
    )) {
      const [time, id, method, status] = line.split('\t') as [string, string, string, string]
      const call = first.get(id) ?? { invite: Number(time) }
      first.set(id, call)
      if (method === '' && Number(status) >= 180 && Number(status) <= 183) call.ring ??= Number(time)
      if (method === '' && status[0] === '2') call.ok ??= Number(time)
    }
    const delays = [...first.values()].flatMap(({ invite, ring, ok }) =>
      ring === undefined && ok === undefined ? [] : [(ring ?? (ok as number)) - invite],
    )
    const setups = [...first.values()].flatMap(({ invite, ok }) => (ok === undefined ? [] : [ok - invite]))
    const found = await families(await ofFixture())
    for (const [name, truth] of [
      ['earshot_call_pdd_seconds', delays],
      ['earshot_call_setup_seconds', setups],
    ] as const) {
      const sample = (suffix: string): number | undefined => found.get(name)?.samples.find((s) => s.name === `${name}${suffix}`)?.value
      expect(sample('_count')).toBe(truth.length)
      expect(sample('_sum')).toBeCloseTo(
        truth.reduce((a, b) => a + b, 0),
        4,
      )
      for (const { labels, value } of found.get(name)?.samples.filter((s) => s.name.endsWith('_bucket')) ?? [])
        expect(value, labels['le']).toBe(
          truth.filter((d) => d <= (labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels['le']))).length,
        )
    }
  })
})

const sender = (n: number, more: Partial<SenderStats> = {}): SenderStats => ({
  sensorId: n,
  name: `s${n}`,
  address: '192.0.2.1:1',
  connected: true,
  protocol: 'earshot',
  packets: 1,
  dropped: {},
  ...more,
})

describe('labels', () => {
  test('have bounds: senders beyond the hundredth are one', async () => {
    const senders = Array.from({ length: sendersMax + 50 }, (_, i) =>
      sender(i + 1, { lagMs: i, dropped: { kernel: 1, 'whatever it says': 2 } }),
    )
    const found = await families(statsOf({ senders }))
    const packets = found.get('earshot_mirror_sender_packets_total')?.samples ?? []
    expect(packets).toHaveLength(sendersMax + 1)
    expect(packets.at(-1)).toMatchObject({ labels: { sensor: 'other' }, value: 50 })
    expect(found.get('earshot_mirror_sender_lag_seconds')?.samples.at(-1)?.value).toBe((sendersMax + 49) / 1000)
    const lost = found.get('earshot_mirror_sender_packets_dropped_total')?.samples ?? []
    expect(new Set(lost.map((s) => s.labels['stage']))).toEqual(new Set(['kernel', 'other']))
    expect(lost.reduce((sum, s) => sum + s.value, 0)).toBe(3 * senders.length)
  })

  test('what a sender calls itself breaks nothing', async () => {
    const names = ['a"b\\c\nd', '\u0000\u001b[31m', 'ü'.repeat(500), '']
    const found = await families(statsOf({ senders: names.map((name) => sender(0, { sensorId: undefined, name })) }))
    const labels = found.get('earshot_mirror_sender_connected')?.samples.map((s) => s.labels['sensor']) ?? []
    expect(labels).toEqual(['name:a"b\\c?d', 'name:??[31m', `name:${'?'.repeat(64)}`, 'name:'])
  })

  test('a status that no RFC names is "other" of its class', async () => {
    const tally = new CallTally()
    const { records } = await analyse([fixture])
    for (const status of [200, 299, 298, 486, 499, 777, 99]) tally.add({ ...records[0]!, status, responses: [{ status, text: '' }] })
    const found = await families(statsOf({ ended: tally.snapshot() }))
    const samples = found.get('earshot_call_final_responses_total')?.samples.map((s) => [s.labels['class'], s.labels['code'], s.value])
    expect(samples).toEqual([
      ['2xx', '200', 1],
      ['2xx', 'other', 2],
      ['4xx', '486', 1],
      ['4xx', 'other', 1],
    ])
  })

  test('services of a host: their name without the process, unless two look alike', async () => {
    const found = await families(
      statsOf({ service: 'sniff@eth1', pid: 7, source: 'eth1' }),
      statsOf({ service: 'sniff-8', pid: 8, source: 'eth0' }),
      statsOf({ service: 'sniff-9', pid: 9, source: 'eth0' }),
    )
    expect(found.get('earshot_packets_received_total')?.samples.map((s) => s.labels)).toEqual([
      { service: 'sniff@eth1', source: 'eth1' },
      { service: 'sniff', source: 'eth0' },
      { service: 'sniff-9', source: 'eth0' },
    ])
  })
})

test('names are as Prometheus wants them', () => {
  for (const [name, { type, help }] of Object.entries(metrics)) {
    expect(name).toMatch(/^earshot_[a-z0-9]+(_[a-z0-9]+)*$/)
    expect(name.endsWith('_total'), name).toBe(type === 'counter')
    expect(help, name).toMatch(/\.$/)
    // Base units only: https://prometheus.io/docs/practices/naming/
    expect(name).not.toMatch(/_(ms|milliseconds|micros|minutes|mb|kb|percent|pct)(_|$)/)
  }
})

/** Where Debian's package puts it, or EARSHOT_PROMTOOL. */
const promtool = [process.env['EARSHOT_PROMTOOL'], '/usr/bin/promtool'].find((path) => path !== undefined && existsSync(path))
describe.skipIf(promtool === undefined)('Prometheus’ own tool [needs promtool: Debian’s prometheus, or EARSHOT_PROMTOOL]', () => {
  const run = (args: string[], input?: string) => spawnSync(promtool as string, args, { encoding: 'utf8', input })

  test('has nothing to say about a scrape', async () => {
    const everything = statsOf({
      ...(await ofFixture()),
      senders: [sender(1, { lagMs: 1, skewMs: 1, bufferBytes: 1, bytes: 1, gaps: 0, duplicates: 0, waitingBytes: 0 })],
    })
    const { status, stdout, stderr } = run(['check', 'metrics'], await scrape([everything], context))
    expect([status, stdout, stderr]).toEqual([0, '', ''])
  })

  test('takes the rules of docs/metrics.md, and its questions', () => {
    const dir = mkdtempSync(join(tmpdir(), 'earshot-rules-'))
    try {
      const file = join(dir, 'rules.yml')
      writeFileSync(file, alertRules)
      expect(run(['check', 'rules', file])).toMatchObject({ status: 0, stdout: expect.stringContaining('3 rules found') })
      const rules = promqlExamples.map(([, query], i) => `    - record: q${i}:q\n      expr: ${JSON.stringify(query)}\n`)
      writeFileSync(file, `groups:\n- name: q\n  rules:\n${rules.join('')}`)
      expect(run(['check', 'rules', file])).toMatchObject({ status: 0, stdout: expect.stringContaining(`${rules.length} rules found`) })
    } finally {
      rmSync(dir, { recursive: true })
    }
  })
})

test('the queries of the page ask for metrics that there are', () => {
  const asked = `${alertRules} ${promqlExamples.map(([, query]) => query).join(' ')}`.match(/earshot_[a-z0-9_]+/g) ?? []
  expect(asked.length).toBeGreaterThan(10)
  for (const name of asked) expect(metrics, name).toHaveProperty(name.replace(/_(bucket|sum|count)$/, ''))
})
