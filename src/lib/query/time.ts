/** Points in time and lengths of time as people write them; the present is told, not asked. */

const unitsMs: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
const DAY_MS = 86_400_000

/**
 * `2026-11-24`, `2026-11-24T09:00`, with `Z` or an offset, else UTC; `-1h`, `7d` ago; `today`, `yesterday`, `now`.
 * Answers µs since the epoch, or undefined.
 */
export function timeMicros(text: string, nowMs: number): number | undefined {
  const word = text.trim().toLowerCase()
  const midnight = Math.floor(nowMs / DAY_MS) * DAY_MS
  const words: Readonly<Record<string, number>> = { now: nowMs, today: midnight, yesterday: midnight - DAY_MS }
  if (Object.hasOwn(words, word)) return Math.round((words[word] as number) * 1000)
  const ago = durationMs(word.replace(/^-/, ''))
  if (ago !== undefined && /[a-z]$/.test(word)) return Math.round((nowMs - ago) * 1000)
  const iso = /^(\d{4}-\d{2}-\d{2})(?:[t ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?(z|[+-]\d{2}:?\d{2})?$/.exec(word)
  if (iso === null) return undefined
  const [, date, minute = '00:00', second = '00', fraction = '', zone = 'z'] = iso
  const ms = Date.parse(`${date}T${minute}:${second}${zone.toUpperCase().replace(/^([+-]\d{2})(\d{2})$/, '$1:$2')}`)
  return Number.isNaN(ms) ? undefined : ms * 1000 + Number(fraction.padEnd(6, '0'))
}

/** `1.5s`, `30s`, `5m`, `1h`, `1h30m`; a plain number is in `unit`. Answers milliseconds, or undefined. */
export function durationMs(text: string, unit: 'ms' | 's' = 's'): number | undefined {
  const word = text.trim().toLowerCase()
  if (/^\d+(\.\d+)?$/.test(word)) return Number(word) * (unitsMs[unit] as number)
  if (!/^(\d+(\.\d+)?(us|ms|s|m|h|d|w))+$/.test(word)) return undefined
  let sum = 0
  for (const [, value, name] of word.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h|d|w)/g))
    sum += Number(value) * (unitsMs[name as string] as number)
  return sum
}
