import { OperatorError } from '../lib/base/errors.js'
import { durationMs, timeMicros } from '../lib/query/time.js'

/** Points in time and lengths of time as people write them on a command line; what cannot be read is a usage error. */

/** `2026-11-24`, `2026-11-24T09:00`, with `Z` or an offset, else UTC; `-1h`, `7d` ago; `today`. Answers µs since the epoch. */
export function parseTime(text: string, nowMs = Date.now()): number {
  const micros = timeMicros(text, nowMs)
  if (micros !== undefined) return micros
  throw new OperatorError('TIME', `"${text}" is not a time.`, {
    exit: 2,
    suggestions: ['Write 2026-11-24, 2026-11-24T09:00 (UTC), -1h, 7d, today or yesterday.'],
  })
}

/** `30s`, `5m`, `1h`, plain seconds. Answers milliseconds. */
export function parseDuration(text: string): number {
  const ms = durationMs(text)
  if (ms !== undefined) return ms
  throw new OperatorError('DURATION', `"${text}" is not a length of time.`, {
    exit: 2,
    suggestions: ['Write 30s, 5m, 1h or a number of seconds.'],
  })
}
