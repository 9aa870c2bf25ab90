import { OperatorError } from '../lib/base/errors.js'

/** Points in time and lengths of time as people write them on a command line. */

const UNITS_SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/**
 * `2026-11-24`, `2026-11-24T09:00`, with `Z` or an offset, else UTC; `-1h`, `7d` ago; `today`, `yesterday`, `now`.
 * Answers µs since the epoch.
 */
export function parseTime(text: string, nowMs = Date.now()): number {
  const word = text.trim().toLowerCase()
  const day = 86_400_000
  const midnight = Math.floor(nowMs / day) * day
  const words: Readonly<Record<string, number>> = { now: nowMs, today: midnight, yesterday: midnight - day }
  const known = words[word]
  if (known !== undefined) return known * 1000
  const ago = /^-?(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(word)
  if (ago) return Math.round((nowMs - Number(ago[1]) * 1000 * (UNITS_SECONDS[ago[2] as string] as number)) * 1000)
  const iso = /^\d{4}-\d{2}-\d{2}([t ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(z|[+-]\d{2}:?\d{2})?$/.exec(word)
  const ms = iso
    ? Date.parse(`${word.replace(' ', 't')}${iso[1] !== undefined && iso[4] === undefined ? 'z' : ''}`.toUpperCase())
    : Number.NaN
  if (Number.isNaN(ms)) {
    throw new OperatorError('TIME', `"${text}" is not a time.`, {
      exit: 2,
      suggestions: ['Write 2026-11-24, 2026-11-24T09:00 (UTC), -1h, 7d, today or yesterday.'],
    })
  }
  return ms * 1000
}

/** `30s`, `5m`, `1h`, plain seconds. Answers milliseconds. */
export function parseDuration(text: string): number {
  const m = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)?$/.exec(text.trim().toLowerCase())
  if (!m)
    throw new OperatorError('DURATION', `"${text}" is not a length of time.`, {
      exit: 2,
      suggestions: ['Write 30s, 5m, 1h or a number of seconds.'],
    })
  return Number(m[1]) * 1000 * (UNITS_SECONDS[m[2] ?? 's'] as number)
}
