// From the values of a record to what the columns hold: units, limits and forms as VoIPmonitor writes them.
import { parseIpv4, parseIpv6 } from '../base/address.js'
import type { Micros } from '../base/units.js'
import { civilTime } from '../call/json.js'

export type SqlValue = number | bigint | string | Uint8Array | null

/** IPv4 as an unsigned integer (10.0.0.1 = 167772161), IPv6 as its 16 bytes, as VoIPmonitor's option ipv6 does. */
export function ip(text: string | undefined): SqlValue {
  if (text === undefined) return null
  const known = addresses.get(text)
  if (known !== undefined) return known
  const value = parseAddress(text)
  if (addresses.size >= ADDRESSES_MAX) addresses.clear()
  addresses.set(text, value)
  return value
}

/** The same phones and trunks call again and again, and a call names each of them in many columns. */
const ADDRESSES_MAX = 20_000
const addresses = new Map<string, SqlValue>()

function parseAddress(text: string): SqlValue {
  const v4 = parseIpv4(text)
  if (v4 !== undefined) return v4
  const words = parseIpv6(text)
  if (words === undefined) return null
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  words.forEach((word, i) => {
    view.setUint32(4 * i, word)
  })
  return bytes
}

/** `2026-11-24 09:00:00.123`, UTC. */
export function dateTime(micros: Micros): string {
  const millis = Math.floor(micros / 1000)
  const second = Math.floor(millis / 1000)
  if (second !== lastSecond) {
    const { year, month, day, hour, minute, second: s } = civilTime(second)
    lastSecond = second
    lastText = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(s)}.`
  }
  const ms = millis - second * 1000
  return lastText + (ms < 10 ? '00' : ms < 100 ? '0' : '') + ms
}

/** Records come by their end, so that most times are of the second of the one before. */
let lastSecond = Number.NaN
let lastText = ''
const two = (n: number): string => (n < 10 ? `0${n}` : String(n))

/** What decimal(9,3) holds: a strict server refuses the row of a call with a broken timestamp otherwise. */
const SECONDS_MAX = 999_999.999

/** From one time to a later one as seconds with three decimals; null when one is missing, 0 when the capture has them the wrong way round. */
export const secondsBetween = (from: Micros | undefined, to: Micros | undefined): number | null => {
  const seconds = secondsApart(from, to)
  return seconds === null ? null : Math.max(0, seconds)
}

/** The same of times of which either may be the earlier: below 0 when `to` is. */
export const secondsApart = (from: Micros | undefined, to: Micros | undefined): number | null =>
  from === undefined || to === undefined ? null : Math.max(-SECONDS_MAX, Math.min(SECONDS_MAX, Math.round((to - from) / 1000) / 1000))

const limited =
  (max: number) =>
  (value: number | undefined | null): number | null =>
    value === undefined || value === null || Number.isNaN(value) ? null : Math.max(0, Math.min(max, Math.round(value)))

export const tinyint = limited(255)
export const smallint = limited(65_535)
export const mediumint = limited(16_777_215)

/** A value times its factor, rounded up, as the jitter columns are. */
export const ceilTimes = (
  value: number | undefined,
  factor: number,
  limit: (n: number | undefined | null) => number | null,
): number | null => (value === undefined ? null : limit(Math.ceil(Math.round(value * factor * 1e6) / 1e6)))

export const times = (
  value: number | undefined | null,
  factor: number,
  limit: (n: number | undefined | null) => number | null,
): number | null => (value === undefined || value === null ? null : limit(value * factor))

export const text = (value: string | undefined, length = 255): string | null => (value === undefined ? null : value.slice(0, length))
export const reversed = (value: string | undefined): string | null => (value === undefined ? null : backwards(value.slice(0, 255)))

function backwards(text: string): string {
  // A character beyond 16 bits is two units, which stay in their order.
  if (/[\ud800-\udfff]/.test(text)) return [...text].reverse().join('')
  let out = ''
  for (let i = text.length - 1; i >= 0; i--) out += text[i]
  return out
}
