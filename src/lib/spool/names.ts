import { createHash } from 'node:crypto'
import type { Micros } from '../base/units.js'
import { civilTime } from '../call/json.js'
import { type Compression, suffixOf } from './compression.js'

/**
 * Where a call's packets lie below the spool: in the directory of the minute of its first INVITE (UTC, or local time where
 * that was asked for), under its Call-ID.
 *
 *   earshot       YYYY-MM-DD/HH/MM/<Call-ID>.pcap[.gz|.lz4]        SIP and media in one file
 *   voipmonitor   YYYY-MM-DD/HH/MM/SIP/<Call-ID>.pcap and RTP/<Call-ID>.pcap
 *
 * Packets of a second link type go to a file beside, <Call-ID>~linktype<N>.pcap. No Call-ID leaves a `~` in its name.
 */
export const spoolLayouts = ['earshot', 'voipmonitor'] as const
export type SpoolLayout = (typeof spoolLayouts)[number]

const LENGTH_MAX = 100
/** A file name has 255 bytes at most: this leaves room for what comes behind it. */
const VOIPMONITOR_LENGTH_MAX = 200

export function spoolPath(callId: string, started: Micros, layout: SpoolLayout = 'earshot', compression: Compression = 'no'): string {
  const { year, month, day, hour, minute } = civilTime(Math.floor(started / 1e6))
  const two = (n: number): string => String(n).padStart(2, '0')
  const directory = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}/${two(hour)}/${two(minute)}`
  // VoIPmonitor's tools look for exactly this name, compressed or not.
  if (layout === 'voipmonitor') return `${directory}/SIP/${voipmonitorName(callId)}.pcap`
  return `${directory}/${safeName(callId)}.pcap${suffixOf(compression)}`
}

/**
 * A Call-ID as a file name. It is a stranger's text: whatever is not plainly harmless becomes `_`, as with VoIPmonitor, and
 * then a hash of the whole tells apart what the change made equal.
 */
export function safeName(callId: string): string {
  // No leading dot (hidden, or a way up) and no leading dash (an option to careless scripts).
  const harmless = callId
    .replace(/[^A-Za-z0-9:\-.@_]/g, '_')
    .replace(/^[.-]+/, '_')
    .slice(0, LENGTH_MAX)
  if (harmless === callId && harmless !== '') return harmless
  return `${harmless}~${createHash('sha256').update(callId).digest('hex').slice(0, 12)}`
}

/** The same without the hash. */
const voipmonitorName = (callId: string): string => callId.replace(/[^A-Za-z0-9:\-.@]/g, '_').slice(0, VOIPMONITOR_LENGTH_MAX)

const EXTENSION = /\.pcap(?:\.gz|\.lz4)?$/
/** `x.pcap.gz` → `x`. */
export const stemOf = (path: string): string => path.replace(EXTENSION, '')
/** `x.pcap` → `x<mark>.pcap`. */
export const marked = (path: string, mark: string): string => `${stemOf(path)}${mark}${EXTENSION.exec(path)?.[0] ?? ''}`

/** `x.pcap` → `x~linktype276.pcap`. */
export const siblingPath = (path: string, linkType: number): string => marked(path, `~linktype${linkType}`)
/** `…/SIP/x.pcap` → `…/RTP/x.pcap`. */
export const mediaPath = (path: string): string => path.replace(/\/SIP\/([^/]*)$/, '/RTP/$1')

/** What the spool itself writes in a minute's directory; other files there are somebody else's. */
export const isSpoolFile = (name: string): boolean => /\.pcap(?:\.gz|\.lz4)?(?:\.part)?$/.test(name)
/** Below a minute's directory. */
export const SIP_DIR = 'SIP'
export const RTP_DIR = 'RTP'

/** `YYYY-MM-DD/HH/MM`: names a minute everywhere in the spool. */
export const minuteOf = (path: string): string => path.slice(0, 16)
export const isMinute = (key: string): boolean => /^\d{4}-\d\d-\d\d\/\d\d\/\d\d$/.test(key)
/** Seconds since the epoch; NaN for what is no date. */
export const minuteSeconds = (key: string): number => Date.parse(`${key.slice(0, 10)}T${key.slice(11, 13)}:${key.slice(14, 16)}:00Z`) / 1000
