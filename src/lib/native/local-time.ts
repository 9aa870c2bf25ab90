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
