import { describe, expect, test } from 'vitest'
import { type Disk, exceeded, nextToGo, noLimits, type SpoolLimits } from '../../../src/lib/spool/limits.js'
import { Minutes } from '../../../src/lib/spool/minutes.js'
import { minuteSeconds } from '../../../src/lib/spool/names.js'
import { forecastOf, planOf } from '../../../src/lib/spool/usage.js'

// What goes first, and why: stories of a spool of a few minutes. Each holds 10 bytes of SIP and 90 of media in 4 files.

const OLD = '2026-11-01/10/00'
const MIDDLE = '2026-11-10/10/00'
const NEW = '2026-11-20/10/00'
const NOW = minuteSeconds('2026-11-21/10/00')
const DAY = 86_400

interface Story {
  readonly name: string
  readonly limits: Partial<SpoolLimits>
  readonly running?: Readonly<Record<string, number>>
  readonly trimmed?: readonly string[]
  readonly busy?: readonly string[]
  readonly disk?: Disk
  readonly now?: number
  readonly want: string | undefined
}

const GIB = 2 ** 30
const stories: Story[] = [
  { name: 'no limit: nothing', limits: {}, want: undefined },
  { name: 'all are young enough', limits: { days: 30 }, want: undefined },
  { name: 'one is too old', limits: { days: 15 }, want: `${OLD} calls maxpooldays` },
  { name: 'to the minute: still there', limits: { days: 20 }, now: minuteSeconds(OLD) + 60 + 20 * DAY - 1, want: undefined },
  { name: 'to the minute: now', limits: { days: 20 }, now: minuteSeconds(OLD) + 60 + 20 * DAY, want: `${OLD} calls maxpooldays` },
  { name: 'media go sooner than signalling', limits: { mediaDays: 15, sipDays: 90 }, want: `${OLD} media maxpoolrtpdays` },
  { name: 'media once only', limits: { mediaDays: 15 }, trimmed: [OLD], want: undefined },
  { name: 'then those of the next', limits: { mediaDays: 5 }, trimmed: [OLD], want: `${MIDDLE} media maxpoolrtpdays` },
  { name: 'signalling takes the call with it', limits: { sipDays: 15 }, trimmed: [OLD], want: `${OLD} calls maxpoolsipdays` },
  { name: 'size: within', limits: { bytes: 300 }, want: undefined },
  { name: 'size: above, the oldest', limits: { bytes: 299 }, want: `${OLD} calls maxpoolsize` },
  { name: 'size of media', limits: { mediaBytes: 269 }, want: `${OLD} media maxpoolrtpsize` },
  { name: 'size of media, the oldest has none left', limits: { mediaBytes: 269 }, trimmed: [OLD], want: undefined },
  { name: 'size of signalling', limits: { sipBytes: 29 }, want: `${OLD} calls maxpoolsipsize` },
  { name: 'age before size', limits: { bytes: 1, days: 15 }, want: `${OLD} calls maxpooldays` },
  { name: 'only calls in progress: the next', limits: { bytes: 1 }, running: { [OLD]: 4 }, want: `${MIDDLE} calls maxpoolsize` },
  { name: 'some have ended: those', limits: { bytes: 1 }, running: { [OLD]: 3 }, want: `${OLD} calls maxpoolsize` },
  { name: 'everywhere in progress', limits: { bytes: 1, days: 1 }, running: { [OLD]: 4, [MIDDLE]: 4, [NEW]: 4 }, want: undefined },
  { name: 'media of calls in progress stay', limits: { mediaBytes: 1 }, running: { [OLD]: 4 }, want: `${MIDDLE} media maxpoolrtpsize` },
  { name: 'those of the others go', limits: { mediaBytes: 1 }, running: { [OLD]: 3 }, want: `${OLD} media maxpoolrtpsize` },
  { name: 'another thread is at it', limits: { bytes: 1 }, busy: [OLD], want: `${MIDDLE} calls maxpoolsize` },
  { name: 'free space: enough', limits: { freeBytes: 5 * GIB }, disk: { bytes: 1000, free: 101 }, want: undefined },
  {
    name: 'free space: too little, a tenth of a small disk',
    limits: { freeBytes: 5 * GIB },
    disk: { bytes: 1000, free: 99 },
    want: `${OLD} calls autocleanmingb`,
  },
  {
    name: 'free space: the percentage',
    limits: { freePercent: 5 },
    disk: { bytes: 1000, free: 49 },
    want: `${OLD} calls autocleanspoolminpercent`,
  },
  {
    name: 'free space: the larger of both',
    limits: { freePercent: 20, freeBytes: 1 },
    disk: { bytes: 1000, free: 150 },
    want: `${OLD} calls autocleanspoolminpercent`,
  },
  { name: 'free space: a spool so small is not the cause', limits: { freePercent: 5 }, disk: { bytes: 100_000, free: 0 }, want: undefined },
]

function spoolOf({ running = {}, trimmed = [], busy = [] }: Story): Minutes {
  const minutes = new Minutes()
  // The order in which they come is no matter.
  for (const key of [MIDDLE, NEW, OLD]) {
    const minute = minutes.make(key)
    minute.running = running[key] ?? 0
    minute.busy = busy.includes(key)
    minutes.set(minute, 10, trimmed.includes(key) ? 0 : 90, 4)
    minutes.trim(minute, trimmed.includes(key))
    minute.untrimmed = trimmed.includes(key) ? 0 : 4 - minute.running
  }
  return minutes
}

test.each(stories)('$name', (story) => {
  const going = nextToGo(spoolOf(story), { ...noLimits, ...story.limits }, story.now ?? NOW, story.disk)
  expect(going && `${going.minute.key} ${going.what} ${going.why}`).toBe(story.want)
})

describe('what comes is counted before it is written', () => {
  const minutes = spoolOf(stories[0] as Story)
  test.each<[Partial<SpoolLimits>, number, number, string | undefined]>([
    [{ bytes: 310 }, 5, 5, undefined],
    [{ bytes: 310 }, 5, 6, 'maxpoolsize'],
    [{ mediaBytes: 275 }, 100, 5, undefined],
    [{ mediaBytes: 275 }, 0, 6, 'maxpoolrtpsize'],
    [{ mediaBytes: 10 }, 100, 0, undefined],
    [{ sipBytes: 35 }, 6, 0, 'maxpoolsipsize'],
    [{ freePercent: 50 }, 10, 1, 'autocleanspoolminpercent'],
    [{ freePercent: 50 }, 10, 0, undefined],
  ])('%j, %i of SIP and %i of media', (limits, sipBytes, mediaBytes, want) => {
    expect(exceeded(minutes, { ...noLimits, ...limits }, { sipBytes, mediaBytes }, { bytes: 1000, free: 510 })).toBe(want)
  })
})

test('a plan goes on until the limits hold, and joins what goes for one reason on one day', () => {
  const minutes = new Minutes()
  for (let i = 0; i < 10; i++) {
    const minute = minutes.make(`2026-11-01/10/0${i}`)
    minutes.set(minute, 10, 90, 4)
    minute.untrimmed = 4
  }
  const plan = planOf(minutes, { ...noLimits, bytes: 650, mediaBytes: 500 }, NOW, undefined)
  expect(plan).toEqual([{ what: 'media', why: 'maxpoolrtpsize', from: '2026-11-01/10/00', to: '2026-11-01/10/04', files: 20, bytes: 450 }])
  expect([minutes.bytes, minutes.mediaBytes]).toEqual([550, 450])
})

describe('when a limit is reached, if all goes on as in the last day', () => {
  // 24 minutes of 10 bytes of SIP and 90 of media within the last day, as much in each of four days before.
  const filled = (days: number): Minutes => {
    const minutes = new Minutes()
    for (let hour = 24 * days; hour > 0; hour--) {
      const key = new Date((NOW - hour * 3600) * 1000).toISOString().slice(0, 16).replace('T', '/').replace(':', '/')
      minutes.set(minutes.make(key), 10, 90, 4)
    }
    return minutes
  }
  test.each<[name: string, limits: Partial<SpoolLimits>, first: object | undefined, keepsDays: number | undefined]>([
    ['no limit', {}, undefined, undefined],
    ['size', { bytes: 24_000 }, { why: 'maxpoolsize', inDays: 5 }, 10],
    ['size of signalling, sooner than all', { bytes: 24_000, sipBytes: 1440 }, { why: 'maxpoolsipsize', inDays: 1 }, 6],
    ['age', { days: 7 }, { why: 'maxpooldays', inDays: 2 }, 7],
    ['over it already', { mediaBytes: 2160 }, { why: 'maxpoolrtpsize', inDays: 0 }, 1],
  ])('%s', (_, limits, first, keepsDays) => {
    const forecast = forecastOf(filled(5), { ...noLimits, ...limits }, NOW, undefined)
    expect(forecast).toEqual({ bytesPerDay: 2400, first, keepsDays })
  })
  test('the space of the disk', () => {
    const disk: Disk = { bytes: 100_000, free: 14_800 }
    expect(forecastOf(filled(5), { ...noLimits, freeBytes: 1e12 }, NOW, disk)).toMatchObject({
      first: { why: 'autocleanmingb', inDays: 2 },
    })
  })
  test('a spool of half a day grows at twice what it holds', () => {
    expect(forecastOf(filled(0.5), noLimits, NOW, undefined)?.bytesPerDay).toBe(2400)
  })
  test('too young, or nothing within the last day: nobody can tell', () => {
    expect(forecastOf(new Minutes(), noLimits, NOW, undefined)).toBeUndefined()
    expect(forecastOf(filled(5), noLimits, NOW + 2 * DAY, undefined)).toBeUndefined()
  })
})
