import { statSync } from 'node:fs'
import { OperatorError } from '../base/errors.js'
import { countMinute } from './count.js'
import { diskOf, minutesOnDisk } from './disk.js'
import { Ledger } from './ledger.js'
import { type Disk, freeMin, type Going, type LimitName, limitNames, nextToGo, type SpoolLimits } from './limits.js'
import type { Minute, Minutes } from './minutes.js'

/** What a spool holds, day by day, and what its limits would take next: for people, beside the process that writes to it. */
export interface SpoolUsage {
  readonly days: readonly DayUsage[]
  readonly disk: Disk | undefined
}

export interface DayUsage {
  readonly day: string
  readonly files: number
  readonly sipBytes: number
  readonly mediaBytes: number
}

export interface PlannedStep {
  readonly what: Going['what']
  readonly why: LimitName
  /** First and last minute. */
  readonly from: string
  readonly to: string
  readonly files: number
  readonly bytes: number
}

/**
 * Reads the index; minutes that are being written to, or are not in it, are counted on the disk. Those being written to count
 * as calls in progress. Throws an OperatorError when there is no spool.
 */
export function readMinutes(dir: string): Minutes {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) {
    throw new OperatorError('NO_SPOOL', `There is no spool "${dir}".`, { suggestions: ['sniff makes it; --spool DIR names another.'] })
  }
  const minutes = new Ledger(dir).minutes()
  const there = new Set(minutesOnDisk(dir))
  for (const minute of [...minutes.all]) if (!there.has(minute.key)) minutes.delete(minute)
  for (const key of there) {
    const known = minutes.get(key)
    if (known !== undefined && !known.unsure) continue
    const minute = minutes.make(key)
    const { sipBytes, mediaBytes, files } = countMinute(dir, minute, minutes)
    minutes.set(minute, sipBytes, mediaBytes, files)
    if (known !== undefined) minute.running = files
    minute.untrimmed = files - minute.running
  }
  return minutes
}

export function usageOf(dir: string, minutes: Minutes): SpoolUsage {
  const days = new Map<string, { files: number; sipBytes: number; mediaBytes: number }>()
  for (const { key, files, sipBytes, mediaBytes } of minutes.all) {
    const day = days.get(key.slice(0, 10)) ?? { files: 0, sipBytes: 0, mediaBytes: 0 }
    days.set(key.slice(0, 10), { files: day.files + files, sipBytes: day.sipBytes + sipBytes, mediaBytes: day.mediaBytes + mediaBytes })
  }
  return { days: [...days].map(([day, sums]) => ({ day, ...sums })), disk: diskOf(dir) }
}

/** All that would go now, in order; minutes that follow each other and go for one reason on one day are one step. Changes `minutes`. */
export function planOf(minutes: Minutes, limits: SpoolLimits, nowSeconds: number, disk: Disk | undefined): PlannedStep[] {
  const steps: PlannedStep[] = []
  let free = disk?.free ?? 0
  for (;;) {
    const going = nextToGo(minutes, limits, nowSeconds, disk && { ...disk, free })
    if (going === undefined) return steps
    const { minute, what, why } = going
    const bytes = what === 'calls' ? minute.sipBytes + minute.mediaBytes : minute.mediaBytes
    free += bytes
    const last = steps.at(-1)
    if (last !== undefined && last.what === what && last.why === why && last.from.slice(0, 10) === minute.key.slice(0, 10))
      steps[steps.length - 1] = { ...last, to: minute.key, files: last.files + minute.files, bytes: last.bytes + bytes }
    else steps.push({ what, why, from: minute.key, to: minute.key, files: minute.files, bytes })
    if (what === 'calls') minutes.delete(minute)
    else {
      minutes.set(minute, minute.sipBytes, 0, minute.files)
      minute.untrimmed = 0
      minutes.trim(minute, true)
    }
  }
}

export interface Forecast {
  /** At which the spool grew lately, over at most the last day. */
  readonly bytesPerDay: number
  /** The limit that is reached first at this rate, and in how many days; undefined when none ever is. */
  readonly first: { readonly why: LimitName; readonly inDays: number } | undefined
  /** How many days of calls fit within the limits at this rate; undefined without a limit. */
  readonly keepsDays: number | undefined
}

const DAY_SECONDS = 86_400
/** Less says nothing about a day. */
const SPAN_SECONDS_MIN = 600

/** When limits begin to take, were calls to go on as in the last day. Undefined when the spool is too young or too quiet to tell. */
export function forecastOf(minutes: Minutes, limits: SpoolLimits, nowSeconds: number, disk: Disk | undefined): Forecast | undefined {
  const recent = minutes.all.filter((minute) => minute.seconds >= nowSeconds - DAY_SECONDS)
  const oldest = minutes.all[0]
  if (recent.length === 0 || oldest === undefined) return undefined
  const spanSeconds = Math.min(DAY_SECONDS, nowSeconds - oldest.seconds)
  if (spanSeconds < SPAN_SECONDS_MIN) return undefined
  const perDay = (bytes: (minute: Minute) => number): number =>
    (recent.reduce((sum, minute) => sum + bytes(minute), 0) / spanSeconds) * DAY_SECONDS
  const [sip, media] = [perDay((m) => m.sipBytes), perDay((m) => m.mediaBytes)]
  const ageDays = (nowSeconds - oldest.seconds) / DAY_SECONDS
  const free = disk === undefined ? undefined : disk.free - freeMin(limits, disk.bytes).bytes
  // Each limit: days until it bites, days of calls that it holds.
  const all: [why: LimitName, inDays: number, keepsDays: number][] = []
  const bySize = (why: LimitName, max: number, now: number, rate: number): void => {
    if (max > 0 && rate > 0) all.push([why, (max - now) / rate, max / rate])
  }
  const byAge = (why: LimitName, days: number): void => {
    if (days > 0) all.push([why, days - ageDays, days])
  }
  bySize(limitNames.bytes, limits.bytes, minutes.bytes, sip + media)
  bySize(limitNames.sipBytes, limits.sipBytes, minutes.sipBytes, sip)
  bySize(limitNames.mediaBytes, limits.mediaBytes, minutes.mediaBytes, media)
  if (disk !== undefined && free !== undefined && (limits.freeBytes > 0 || limits.freePercent > 0))
    bySize(freeMin(limits, disk.bytes).why, minutes.bytes + free, minutes.bytes, sip + media)
  byAge(limitNames.days, limits.days)
  byAge(limitNames.sipDays, limits.sipDays)
  byAge(limitNames.mediaDays, limits.mediaDays)
  const [first] = all.sort((a, b) => a[1] - b[1])
  return {
    bytesPerDay: sip + media,
    first: first && { why: first[0], inDays: Math.max(0, first[1]) },
    keepsDays: all.length === 0 ? undefined : Math.min(...all.map(([, , days]) => days)),
  }
}
