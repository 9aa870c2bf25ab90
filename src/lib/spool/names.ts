import { createHash } from 'node:crypto'
import type { Micros } from '../base/units.js'
import { civilTime } from '../call/json.js'

/**
 * Where a call's pcap lies below the spool: `YYYY-MM-DD/HH/MM/<Call-ID>.pcap`, UTC, by the time of the first INVITE.
 * The Call-ID is a stranger's text: whatever is not plainly harmless becomes `_`, as with VoIPmonitor, and then a hash of
 * the whole tells apart what the change made equal.
 */
const LENGTH_MAX = 100

export function spoolPath(callId: string, started: Micros): string {
  const { year, month, day, hour, minute } = civilTime(Math.floor(started / 1e6))
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}/${two(hour)}/${two(minute)}/${safeName(callId)}.pcap`
}

export function safeName(callId: string): string {
  // No leading dot (hidden, or a way up) and no leading dash (an option to careless scripts).
  const harmless = callId
    .replace(/[^A-Za-z0-9:\-.@_]/g, '_')
    .replace(/^[.-]+/, '_')
    .slice(0, LENGTH_MAX)
  if (harmless === callId && harmless !== '') return harmless
  return `${harmless}~${createHash('sha256').update(callId).digest('hex').slice(0, 12)}`
}
