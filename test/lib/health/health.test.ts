import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type CheckName, healthOf, type Level, LossWindow, lossesOf, worstOf } from '../../../src/lib/health/index.js'
import { parseReasons, senderStages } from '../../../src/lib/health/losses.js'
import type { LinkStats, SenderStats, ServiceStats } from '../../../src/lib/manager/index.js'
import { statsOf } from '../../support/service-stats.js'

// What a service counts → how it fares. Each story names the check it is about; the others have nothing to say or are well.
const nowMs = Date.UTC(2026, 10, 25, 12)
const ago = (seconds: number): number => nowMs - 1000 * seconds
const listening = { live: true, captureTime: nowMs * 1000, lastPacketMs: ago(1) }
const lately = { seconds: 60, packets: 10_000, dropped: {}, records: 0 }
const records = { stored: 5, dropped: 0, waiting: 0, waitingSeconds: 0, state: 'ok' as const }
const spool = { files: 1, packets: 1, bytes: 1, dropped: 0 }
const link: LinkStats = {
  to: '192.0.2.1:5030',
  connected: true,
  reconnects: 0,
  waitingPackets: 0,
  memoryBytes: 0,
  memoryMax: 100,
  diskBytes: 0,
  diskMax: 0,
  blocks: 1,
  plainBytes: 1,
  packedBytes: 1,
  sentBytes: 1,
  dropped: {},
  leftOut: {},
}
const sender = (sensorId: number, connected: boolean): SenderStats => ({
  sensorId,
  name: `s${sensorId}`,
  address: '',
  connected,
  protocol: 'earshot',
  packets: 0,
  dropped: {},
})
const day = 86_400_000

interface Story {
  readonly name: string
  readonly stats: Partial<ServiceStats>
  readonly check: CheckName
  readonly level: Level
  readonly says: RegExp
  readonly next?: RegExp
}
const stories: Story[] = [
  { name: 'packets come', stats: listening, check: 'capture', level: 'ok', says: /last packet came 1 s ago/ },
  { name: 'it has just begun', stats: { live: true, uptimeSeconds: 2 }, check: 'capture', level: 'ok', says: /no packet has come yet/ },
  { name: 'a quiet night', stats: { ...listening, lastPacketMs: ago(300) }, check: 'capture', level: 'ok', says: /300 s ago|5 min ago/ },
  {
    name: 'nothing for long',
    stats: { ...listening, lastPacketMs: ago(3600) },
    check: 'capture',
    level: 'warning',
    says: /No packet has come for 60 min/,
    next: /tcpdump .*eth0/,
  },
  {
    name: 'nothing ever',
    stats: { live: true, captureTime: nowMs * 1000, uptimeSeconds: 4000 },
    check: 'capture',
    level: 'warning',
    says: /No packet/,
  },
  {
    name: 'the clock of the capture stands',
    stats: { ...listening, captureTime: ago(40) * 1000 },
    check: 'capture',
    level: 'failing',
    says: /Nothing has been read from eth0 for 40 s/,
  },
  { name: 'it is a little behind', stats: { ...listening, captureTime: ago(15) * 1000 }, check: 'capture', level: 'warning', says: /15 s/ },
  {
    name: 'a receiver whose senders replay an outage',
    stats: { ...listening, source: 'mirror', captureTime: ago(7200) * 1000 },
    check: 'capture',
    level: 'ok',
    says: /last packet/,
  },

  { name: 'nothing lost', stats: { lately }, check: 'packets', level: 'ok', says: /None of 10,000/ },
  {
    name: 'one lost',
    stats: { lately: { ...lately, dropped: { kernel: 1 } } },
    check: 'packets',
    level: 'warning',
    says: /1 of 10,001 packets/,
    next: /ring/,
  },
  {
    name: 'one in a hundred',
    stats: { lately: { ...lately, dropped: { kernel: 200 } } },
    check: 'packets',
    level: 'failing',
    says: /200 of 10,200/,
  },
  {
    name: 'the worst stage is what to do about',
    stats: { lately: { ...lately, dropped: { kernel: 1, spool: 50 } } },
    check: 'packets',
    level: 'warning',
    says: /51 of/,
    next: /pcap-dump-zip/,
  },
  {
    name: 'a sender’s ring',
    stats: { link, lately: { ...lately, dropped: { kernel: 1 } } },
    check: 'packets',
    level: 'warning',
    says: /1 of/,
    next: /--ringbuffer/,
  },

  { name: 'records are stored', stats: { records }, check: 'records', level: 'ok', says: /takes records/ },
  {
    name: 'the store is away',
    stats: {
      records: { ...records, state: 'retrying', waiting: 7, waitingSeconds: 20, failure: { message: 'connection refused', seconds: 20 } },
    },
    check: 'records',
    level: 'warning',
    says: /7 records wait/,
  },
  {
    name: 'and stays away',
    stats: { records: { ...records, state: 'retrying', waiting: 7, waitingSeconds: 901 } },
    check: 'records',
    level: 'failing',
    says: /15 min/,
  },
  {
    name: 'it is merely slow',
    stats: { records: { ...records, waiting: 9, waitingSeconds: 61 } },
    check: 'records',
    level: 'warning',
    says: /9 records wait/,
  },
  {
    name: 'it refuses',
    stats: { records: { ...records, state: 'refused', waiting: 1, failure: { message: 'no such table', seconds: 1 } } },
    check: 'records',
    level: 'failing',
    says: /1 records wait/,
  },
  {
    name: 'records are lost',
    stats: { records, lately: { ...lately, records: 3 } },
    check: 'records',
    level: 'failing',
    says: /3 records were lost/,
    next: /--queue-max/,
  },

  { name: 'pcaps are written', stats: { spool }, check: 'spool', level: 'ok', says: /are written/ },
  {
    name: 'they are not',
    stats: { spool: { ...spool, trouble: 'the disk is full', directory: '/s' } },
    check: 'spool',
    level: 'failing',
    says: /cannot be written to \/s/,
  },
  {
    name: 'room on the disk',
    stats: { spool: { ...spool, disk: { bytes: 1e12, free: 1e11 } } },
    check: 'disk',
    level: 'ok',
    says: /10.0 %/,
  },
  {
    name: 'little room',
    stats: { spool: { ...spool, disk: { bytes: 1e12, free: 1e10 } } },
    check: 'disk',
    level: 'warning',
    says: /1.0 %/,
    next: /spool plan/,
  },
  { name: 'hardly any', stats: { spool: { ...spool, disk: { bytes: 1e12, free: 1e9 } } }, check: 'disk', level: 'failing', says: /0.10 %/ },

  { name: 'the receiver is there', stats: { link }, check: 'link', level: 'ok', says: /Connected to 192.0.2.1:5030/ },
  {
    name: 'the receiver is away',
    stats: { link: { ...link, connected: false, trouble: 'Cannot reach it.', waitingPackets: 12, memoryBytes: 10 } },
    check: 'link',
    level: 'warning',
    says: /12 packets wait, the buffers are 10.0 % full/,
  },
  {
    name: 'until the buffers are full',
    stats: { link: { ...link, connected: false, memoryBytes: 95 } },
    check: 'link',
    level: 'failing',
    says: /95.0 %/,
  },
  {
    name: 'the link is too slow',
    stats: { link: { ...link, memoryBytes: 60 } },
    check: 'link',
    level: 'warning',
    says: /60.0 %/,
    next: /rtp-headers/,
  },
  { name: 'a disk buffer counts', stats: { link: { ...link, memoryBytes: 95, diskMax: 900 } }, check: 'link', level: 'ok', says: /9.5 %/ },

  {
    name: 'all senders are there',
    stats: { senders: [sender(1, true), sender(2, true)] },
    check: 'senders',
    level: 'ok',
    says: /All senders are connected \(2\)/,
  },
  {
    name: 'one is away',
    stats: { senders: [sender(1, true), sender(2, false)] },
    check: 'senders',
    level: 'warning',
    says: /1 of 2 senders are away: 2 s2/,
  },
  {
    name: 'all are there, and lose',
    stats: { senders: [sender(1, true)], lately: { ...lately, atSenders: 12 } },
    check: 'senders',
    level: 'warning',
    says: /lost 12 packets/,
  },

  {
    name: 'a certificate that lasts',
    stats: { certificates: [{ use: 'manager', notAfterMs: nowMs + 90 * day }] },
    check: 'certificates',
    level: 'ok',
    says: /90 days/,
  },
  {
    name: 'one that ends soon',
    stats: {
      certificates: [
        { use: 'manager', notAfterMs: nowMs + 90 * day },
        { use: 'mirror', notAfterMs: nowMs + 10 * day },
      ],
    },
    check: 'certificates',
    level: 'warning',
    says: /mirror expires in 10 days/,
  },
  {
    name: 'one that has ended',
    stats: { certificates: [{ use: 'mirror', notAfterMs: nowMs - day }] },
    check: 'certificates',
    level: 'failing',
    says: /has expired/,
  },

  { name: 'a thread that keeps up', stats: { loopDelay: { p99Ms: 1, maxMs: 120 } }, check: 'thread', level: 'ok', says: /120 ms/ },
  { name: 'one that does not', stats: { loopDelay: { p99Ms: 1, maxMs: 20_000 } }, check: 'thread', level: 'failing', says: /20,000 ms/ },
]

describe('a service that', () => {
  test.each(stories)('$check: $name', ({ stats, check, level, says, next }) => {
    const health = healthOf(statsOf({ ...stats }), nowMs)
    const found = health.checks.find((c) => c.name === check)
    expect(found).toMatchObject({ level, what: expect.stringMatching(says) })
    if (next !== undefined) expect(found?.next).toMatch(next)
    // Who is told of trouble is told why and what to do; sentences end.
    if (level !== 'ok') {
      expect(found?.why).toMatch(/\S/)
      expect(found?.next).toMatch(/\S/)
    }
    expect(found?.what).toMatch(/\.$/)
    expect(health.level).toBe(worstOf(health.checks.map((c) => c.level)))
  })

  test('each check has a story of each level that it can have', () => {
    const told = new Set(stories.map(({ check }) => check))
    expect([...told].sort()).toEqual(['capture', 'certificates', 'disk', 'link', 'packets', 'records', 'senders', 'spool', 'thread'])
  })

  test('counts nothing but itself is well', () => expect(healthOf(statsOf(), nowMs)).toMatchObject({ level: 'ok', checks: [] }))
})

test('reasons that count as losses are those that the program gives', () => {
  const src = join(import.meta.dirname, '..', '..', '..', 'src', 'lib')
  const text = (...folders: string[]): string =>
    folders.flatMap((folder) => readdirSync(join(src, folder)).map((file) => readFileSync(join(src, folder, file), 'utf8'))).join('\n')
  const given = text('wire', 'call')
  for (const reason of parseReasons) expect(given).toContain(`'${reason}'`)
  const sent = text('mirror')
  for (const reason of Object.keys(senderStages)) expect(sent).toContain(`'${reason}'`)
})

describe('losses', () => {
  test('stage by stage; what every wire carries besides is no loss', () => {
    const odd = { 'not IP': 1000, 'other UDP': 1000, 'broken IP header': 2, 'IP datagram never whole': 3 }
    expect(lossesOf(statsOf({ odd, kernel: { received: 10, dropped: 4 }, spool: { ...spool, dropped: 5 } }))).toEqual({
      kernel: 4,
      parse: 5,
      spool: 5,
    })
    expect(
      lossesOf(statsOf({ kernel: { received: 1, dropped: 7 }, link: { ...link, dropped: { kernel: 7, 'disk buffer full': 2 } } })),
    ).toEqual({ kernel: 7, parse: 0, link: 2 })
  })

  test('of senders: what they leave out is none; one that begins anew takes nothing back', () => {
    const window = new LossWindow(0)
    const at = (seconds: number, ...dropped: Record<string, number>[]): number | undefined =>
      window.lately(statsOf({ senders: dropped.map((d, i) => ({ ...sender(i, true), dropped: d })) }), 1000 * seconds).atSenders
    expect(at(10, { kernel: 5, filter: 100, 'rate cap': 7 }, { 'disk buffer full': 2 })).toBe(7)
    expect(at(20, { kernel: 0 }, { 'disk buffer full': 2 })).toBe(2)
    expect(at(65, { kernel: 0 })).toBe(0)
  })

  test('of the last minute: what was lost before is forgotten', () => {
    const window = new LossWindow(0)
    const at = (seconds: number, packets: number, dropped: number) =>
      window.lately(statsOf({ packets, kernel: { received: packets, dropped } }), 1000 * seconds)
    expect(at(10, 100, 5)).toEqual({ seconds: 10, packets: 100, dropped: { kernel: 5, parse: 0 }, records: 0, atSenders: 0 })
    for (let s = 20; s <= 60; s += 10) at(s, 10 * s, 5)
    expect(at(61, 610, 5)).toMatchObject({ seconds: 61, dropped: { kernel: 5 } })
    expect(at(71, 710, 5)).toMatchObject({ seconds: 61, packets: 610, dropped: { kernel: 0 } })
    expect(at(500, 5000, 6)).toMatchObject({ dropped: { kernel: 1 } })
  })

  test('however often it is asked, it keeps few samples and looks a minute back', () => {
    const window = new LossWindow(0)
    let found = window.lately(statsOf(), 0)
    for (let ms = 0; ms <= 600_000; ms += 100) found = window.lately(statsOf({ packets: ms }), ms)
    expect(found.seconds).toBeGreaterThanOrEqual(60)
    expect(found.seconds).toBeLessThanOrEqual(70)
    expect(found.packets).toBeCloseTo(found.seconds * 1000, -4)
  })
})
