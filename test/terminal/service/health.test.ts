import { describe, expect, test } from 'vitest'
import type { ServiceStats } from '../../../src/lib/manager/index.js'
import { type Disk, judge, parseUnits, type ServiceSample, type UnitState } from '../../../src/terminal/service/health.js'

const stats = (more: Partial<ServiceStats> = {}): ServiceStats => ({
  service: 'sniff',
  version: '1',
  pid: 42,
  sensorId: 1,
  uptimeSeconds: 100,
  packets: 2000,
  rtp: 0,
  rtcp: 0,
  sip: 0,
  filtered: 0,
  calls: 9,
  open: 3,
  kernel: { received: 1_000_000, dropped: 0 },
  records: { stored: 6, dropped: 0, waiting: 0 },
  odd: {},
  cpuSeconds: 1,
  rssBytes: 1,
  heapBytes: 1,
  ...more,
})
const unit = (more: Partial<UnitState> = {}): UnitState => ({
  name: 'sniff',
  timer: false,
  active: 'active',
  sub: 'running',
  result: 'success',
  enabled: true,
  restarts: 0,
  pid: 42,
  sinceSeconds: 100,
  ...more,
})
const sample = (now: ServiceStats | undefined, more: Partial<ServiceSample> = {}): ServiceSample => ({
  name: 'sniff',
  before: now && { ...now, packets: now.packets - 500 },
  now,
  seconds: 0.5,
  error: undefined,
  ...more,
})

describe('healthy or not', () => {
  const cases: { name: string; units?: UnitState[]; samples?: ServiceSample[]; disks?: Disk[]; want: (RegExp | null)[] }[] = [
    { name: 'a unit that answers', units: [unit()], samples: [sample(stats())], want: [null] },
    { name: 'a run without systemd', samples: [sample(stats())], want: [null] },
    { name: 'installed, no more', units: [unit({ active: 'inactive', sub: 'dead', enabled: false, pid: 0 })], want: [] },
    { name: 'enabled, not running', units: [unit({ active: 'inactive', sub: 'dead' })], want: [/enabled, but not running/] },
    { name: 'failed', units: [unit({ active: 'failed', result: 'watchdog' })], want: [/failed \(watchdog\): journalctl -u earshot-sniff/] },
    {
      name: 'again and again',
      units: [unit({ active: 'activating', sub: 'auto-restart', restarts: 7 })],
      want: [/started again \(7 times\)/],
    },
    { name: 'runs without a socket', units: [unit()], want: [/no socket/] },
    { name: 'does not answer', units: [unit()], samples: [sample(undefined, { error: 'no answer within 3 s' })], want: [/no answer/] },
    { name: 'a job at rest', units: [unit({ name: 'cdr-prune', active: 'inactive', sub: 'dead', enabled: false })], want: [] },
    { name: 'its timer', units: [unit({ name: 'cdr-prune', timer: true, sub: 'waiting' })], want: [null] },
    // What a service counts is judged by lib/health, whose stories are in test/lib/health; here one of each level.
    {
      name: 'drops now',
      samples: [sample(stats({ lately: { seconds: 60, packets: 99, dropped: { kernel: 1 }, records: 0 } }))],
      want: [/1 of 100 packets .* were lost.*larger ring/],
    },
    { name: 'has dropped long ago', samples: [sample(stats({ kernel: { received: 1000, dropped: 20 } }))], want: [null] },
    {
      name: 'a store that takes nothing',
      samples: [sample(stats({ records: { stored: 1, dropped: 0, waiting: 9, state: 'refused' } }))],
      want: [/9 records wait/],
    },
    {
      name: 'a store that is only busy',
      samples: [sample(stats({ records: { stored: 9, dropped: 0, waiting: 9, waitingSeconds: 1 } }))],
      want: [null],
    },
    {
      name: 'two with one number',
      samples: [sample(stats(), { name: 'sniff@a' }), sample(stats({ service: 'sniff@b' }), { name: 'sniff@b' })],
      want: [/id_sensor 1 is also that of sniff@b/, /also that of sniff@a/],
    },
    {
      name: 'a receiver may have the number of a sniffer beside it',
      samples: [sample(stats(), { name: 'sniff@a' }), sample(stats({ service: 'mirror-recv' }), { name: 'mirror-recv' })],
      want: [null, null],
    },
    { name: 'a full disk', disks: [{ path: '/v', freeBytes: 1, totalBytes: 100 }], want: [/nearly full/] },
  ]
  test.each(cases)('$name', ({ units = [], samples = [], disks = [], want }) => {
    const problems = judge(units, samples, disks).map(({ problem }) => problem)
    expect(problems).toHaveLength(want.length)
    want.forEach((one, i) => {
      if (one === null) expect(problems[i]).toBeNull()
      else expect(problems[i]).toMatch(one)
    })
  })

  test('the rate is that of the time between the looks', () => expect(judge([], [sample(stats())], [])[0]?.packets_s).toBe(1000))
})

test('what systemctl show prints', () => {
  // As systemd 252 prints it for a running service, a timer, and a unit that is not installed.
  const text = `Id=earshot-sniff@v0.service
LoadState=loaded
ActiveState=active
SubState=running
Result=success
UnitFileState=enabled
NRestarts=2
MainPID=89
StateChangeTimestampMonotonic=5000000

Id=earshot-cdr-prune.timer
LoadState=loaded
ActiveState=active
SubState=waiting
Result=success
UnitFileState=enabled
StateChangeTimestampMonotonic=1000000

Id=earshot-gone.service
LoadState=not-found
ActiveState=inactive
`
  expect(parseUnits(text, 65_000_000)).toEqual([
    {
      name: 'sniff@v0',
      timer: false,
      active: 'active',
      sub: 'running',
      result: 'success',
      enabled: true,
      restarts: 2,
      pid: 89,
      sinceSeconds: 60,
    },
    {
      name: 'cdr-prune',
      timer: true,
      active: 'active',
      sub: 'waiting',
      result: 'success',
      enabled: true,
      restarts: 0,
      pid: 0,
      sinceSeconds: 64,
    },
  ])
})
