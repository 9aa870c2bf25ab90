import type { Minute, Minutes } from './minutes.js'

/**
 * How much the spool may hold, and what goes first when it holds more. Pure: the cleaner, `spool plan` and the tests ask the
 * same function. 0 is no limit.
 *
 * Two kinds: signalling, which stays longer, and media. When media go, a call's file keeps its SIP. When signalling goes,
 * the whole call does: media without their SDP can hardly be decoded.
 */
export interface SpoolLimits {
  readonly bytes: number
  readonly days: number
  readonly sipBytes: number
  readonly sipDays: number
  readonly mediaBytes: number
  readonly mediaDays: number
  /** Of the disk: a part of it, and an amount. The larger counts, an amount no more than a tenth of the disk. */
  readonly freePercent: number
  readonly freeBytes: number
}

export const noLimits: SpoolLimits = {
  bytes: 0,
  days: 0,
  sipBytes: 0,
  sipDays: 0,
  mediaBytes: 0,
  mediaDays: 0,
  freePercent: 0,
  freeBytes: 0,
}

export const isLimited = (limits: SpoolLimits): boolean => Object.values(limits).some((value) => value > 0)

/** What a limit is called where it is set. */
export const limitNames = {
  bytes: 'maxpoolsize',
  days: 'maxpooldays',
  sipBytes: 'maxpoolsipsize',
  sipDays: 'maxpoolsipdays',
  mediaBytes: 'maxpoolrtpsize',
  mediaDays: 'maxpoolrtpdays',
  freePercent: 'autocleanspoolminpercent',
  freeBytes: 'autocleanmingb',
} as const satisfies Record<keyof SpoolLimits, string>

export type LimitName = (typeof limitNames)[keyof SpoolLimits]

export interface Disk {
  readonly bytes: number
  readonly free: number
}

export interface Going {
  readonly minute: Minute
  readonly what: 'calls' | 'media'
  readonly why: LimitName
}

/** Bytes more that are about to be written, or to be kept free in advance. */
export interface Coming {
  readonly sipBytes: number
  readonly mediaBytes: number
}

export const nothingComing: Coming = { sipBytes: 0, mediaBytes: 0 }

const DAY_SECONDS = 86_400
/** Low space is perhaps not the spool's doing: so much of it stays then, as with VoIPmonitor. */
const EMERGENCY_KEEPS = 1000 << 20
/** On a small disk it is less. */
const EMERGENCY_KEEPS_OF_DISK = 0.05
const FREE_OF_DISK_MAX = 0.1

/** Bytes that must stay free on the disk, and which setting says so. */
export function freeMin(limits: SpoolLimits, diskBytes: number): { readonly bytes: number; readonly why: LimitName } {
  const part = (diskBytes * limits.freePercent) / 100
  const amount = Math.min(limits.freeBytes, diskBytes * FREE_OF_DISK_MAX)
  return part > amount ? { bytes: part, why: limitNames.freePercent } : { bytes: amount, why: limitNames.freeBytes }
}

/** The limit that what comes would exceed; undefined when there is room. */
export function exceeded(minutes: Minutes, limits: SpoolLimits, coming: Coming, disk: Disk | undefined): LimitName | undefined {
  if (limits.mediaBytes > 0 && coming.mediaBytes > 0 && minutes.mediaBytes + coming.mediaBytes > limits.mediaBytes)
    return limitNames.mediaBytes
  if (limits.sipBytes > 0 && coming.sipBytes > 0 && minutes.sipBytes + coming.sipBytes > limits.sipBytes) return limitNames.sipBytes
  const growth = coming.sipBytes + coming.mediaBytes
  if (limits.bytes > 0 && minutes.bytes + growth > limits.bytes) return limitNames.bytes
  if (disk !== undefined && growth > 0) {
    const { bytes, why } = freeMin(limits, disk.bytes)
    if (bytes > 0 && disk.free - growth < bytes) return why
  }
  return undefined
}

/** What goes next; undefined when nothing has to, or nothing can. Calls in progress stay. */
export function nextToGo(
  minutes: Minutes,
  limits: SpoolLimits,
  nowSeconds: number,
  disk: Disk | undefined,
  coming: Coming = nothingComing,
): Going | undefined {
  const growth = coming.sipBytes + coming.mediaBytes
  const tooOld = (days: number) => (minute: Minute) => days > 0 && minute.seconds + 60 + days * DAY_SECONDS <= nowSeconds
  const calls = (why: LimitName, is: (minute: Minute) => boolean = () => true): Going | undefined => {
    const minute = minutes.all.find((m) => !is(m) || mayGo(m))
    return minute !== undefined && is(minute) ? { minute, what: 'calls', why } : undefined
  }
  const media = (why: LimitName, is: (minute: Minute) => boolean = () => true): Going | undefined => {
    const minute = minutes.withMedia.find((m) => !is(m) || mayBeTrimmed(m))
    return minute !== undefined && is(minute) ? { minute, what: 'media', why } : undefined
  }
  return (
    calls(limitNames.days, tooOld(limits.days)) ??
    calls(limitNames.sipDays, tooOld(limits.sipDays)) ??
    media(limitNames.mediaDays, tooOld(limits.mediaDays)) ??
    (limits.mediaBytes > 0 && minutes.mediaBytes + coming.mediaBytes > limits.mediaBytes ? media(limitNames.mediaBytes) : undefined) ??
    (limits.sipBytes > 0 && minutes.sipBytes + coming.sipBytes > limits.sipBytes ? calls(limitNames.sipBytes) : undefined) ??
    (limits.bytes > 0 && minutes.bytes + growth > limits.bytes ? calls(limitNames.bytes) : undefined) ??
    emergency()
  )

  function emergency(): Going | undefined {
    if (disk === undefined) return undefined
    const { bytes, why } = freeMin(limits, disk.bytes)
    if (bytes === 0 || disk.free - growth >= bytes) return undefined
    const keeps = Math.min(EMERGENCY_KEEPS, disk.bytes * EMERGENCY_KEEPS_OF_DISK)
    return minutes.bytes > keeps ? calls(why) : undefined
  }
}

const mayGo = (minute: Minute): boolean => !minute.busy && minute.files > minute.running
const mayBeTrimmed = (minute: Minute): boolean => !minute.busy && minute.untrimmed > 0
