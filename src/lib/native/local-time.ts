import type { Micros } from '../base/units.js'

/**
 * Local time as numbers: for those who keep VoIPmonitor's habit (its `utc = no`). The answer is made as if the local clock's reading were
 * UTC, so that whatever writes times in UTC writes local ones; the hour that a change of summer time repeats comes twice.
 */
export function localMicros(micros: Micros): Micros {
  const hour = Math.floor(micros / HOUR)
  if (hour !== lastHour) {
    lastHour = hour
    // Zones change at quarters of an hour at the finest; the offset of one is asked for the others of its hour only where they agree.
    const [first, last] = [offsetMicros(hour * HOUR), offsetMicros((hour + 1) * HOUR - 1)]
    lastOffset = first === last ? first : undefined
  }
  return (micros + (lastOffset ?? offsetMicros(micros))) as Micros
}

const HOUR = 3600e6
/** Records and calls come in order: the hour is mostly that of the one before. */
let lastHour = Number.NaN
let lastOffset: number | undefined

const offsetMicros = (micros: number): number => -new Date(micros / 1000).getTimezoneOffset() * 60e6

/** From this reading of the local clock on it is so many µs ahead of UTC. */
export interface ZoneStep {
  /** As if it were UTC, like the answer of `localMicros`. */
  readonly from: Micros
  readonly aheadMicros: number
}

/** All changes of the local clock between two years, the first step being that before the first of them. Of an hour that comes twice, the first is meant. */
export function zoneSteps(fromYear: number, untilYear: number): ZoneStep[] {
  const end = Date.UTC(untilYear, 0) * 1000
  let at = Date.UTC(fromYear, 0) * 1000
  const steps: ZoneStep[] = [{ from: localMicros(at as Micros), aheadMicros: offsetMicros(at) }]
  for (; at < end; at += DAY) {
    const [before, after] = [offsetMicros(at), offsetMicros(at + DAY)]
    if (before === after) continue
    let [low, high] = [at, at + DAY]
    while (high - low > MINUTE) {
      const middle = low + Math.floor((high - low) / 2 / MINUTE) * MINUTE
      if (offsetMicros(middle) === before) low = middle
      else high = middle
    }
    steps.push({ from: (high + Math.max(before, after)) as Micros, aheadMicros: after })
  }
  return steps
}

const MINUTE = 60e6
const DAY = 24 * HOUR
