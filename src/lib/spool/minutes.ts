import { minuteSeconds } from './names.js'

/**
 * What lies in the spool, by the minute in which calls began: bytes as the disk counts them, of signalling and of media.
 * Ten million calls a day are 1440 rows of this, whatever they hold; a file by itself is only looked at when it goes.
 */
export interface Minute {
  /** `YYYY-MM-DD/HH/MM` */
  readonly key: string
  /** When it began, seconds since the epoch. */
  readonly seconds: number
  sipBytes: number
  mediaBytes: number
  files: number
  /** Files of calls in progress. */
  running: number
  /** Files of finished calls that may have media in them. */
  untrimmed: number
  /** Its media are gone, its signalling stays. */
  trimmed: boolean
  /** Not counted since some writer last opened it: the disk knows better. */
  unsure: boolean
  /** Another thread is at its files. */
  busy: boolean
  /** Not told to the ledger yet. */
  changed: boolean
}

/** The disk gives space in blocks of this. */
const BLOCK = 4096
/** Bytes that a file of this size takes. */
export const onDisk = (size: number): number => Math.ceil(size / BLOCK) * BLOCK

export class Minutes {
  readonly #byKey = new Map<string, Minute>()
  /** All, and those with media to lose; oldest first. */
  readonly #all: Minute[] = []
  readonly #withMedia: Minute[] = []
  sipBytes = 0
  mediaBytes = 0
  files = 0

  get bytes(): number {
    return this.sipBytes + this.mediaBytes
  }

  get size(): number {
    return this.#all.length
  }

  /** Oldest first. */
  get all(): readonly Minute[] {
    return this.#all
  }

  /** Those not trimmed, oldest first. */
  get withMedia(): readonly Minute[] {
    return this.#withMedia
  }

  get(key: string): Minute | undefined {
    return this.#byKey.get(key)
  }

  make(key: string): Minute {
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const made: Minute = {
      key,
      seconds: minuteSeconds(key),
      sipBytes: 0,
      mediaBytes: 0,
      files: 0,
      running: 0,
      untrimmed: 0,
      trimmed: false,
      unsure: false,
      busy: false,
      changed: false,
    }
    this.#byKey.set(key, made)
    insert(this.#all, made)
    insert(this.#withMedia, made)
    return made
  }

  /** More (or, negative, less) of a minute. What is left is never less than nothing: a file may have been changed by others. */
  add(minute: Minute, sipBytes: number, mediaBytes: number, files: number): void {
    this.set(minute, minute.sipBytes + sipBytes, minute.mediaBytes + mediaBytes, minute.files + files)
  }

  set(minute: Minute, sipBytes: number, mediaBytes: number, files: number): void {
    const sip = Math.max(0, sipBytes)
    const media = Math.max(0, mediaBytes)
    const count = Math.max(0, files)
    this.sipBytes += sip - minute.sipBytes
    this.mediaBytes += media - minute.mediaBytes
    this.files += count - minute.files
    minute.sipBytes = sip
    minute.mediaBytes = media
    minute.files = count
    minute.changed = true
  }

  /** Says whether a minute's media are gone. */
  trim(minute: Minute, trimmed: boolean): void {
    if (minute.trimmed === trimmed) return
    minute.trimmed = trimmed
    minute.changed = true
    if (trimmed) remove(this.#withMedia, minute)
    else insert(this.#withMedia, minute)
  }

  delete(minute: Minute): void {
    this.set(minute, 0, 0, 0)
    this.#byKey.delete(minute.key)
    remove(this.#all, minute)
    remove(this.#withMedia, minute)
  }
}

/** Where a minute is, or belongs: nearly always at one of the ends. */
function indexOf(list: readonly Minute[], minute: Minute): number {
  if (list.length === 0 || (list[0] as Minute).key >= minute.key) return 0
  let from = 0
  let to = list.length
  if ((list[to - 1] as Minute).key < minute.key) return to
  while (from < to) {
    const middle = (from + to) >> 1
    if ((list[middle] as Minute).key < minute.key) from = middle + 1
    else to = middle
  }
  return from
}

function insert(list: Minute[], minute: Minute): void {
  list.splice(indexOf(list, minute), 0, minute)
}

function remove(list: Minute[], minute: Minute): void {
  const at = indexOf(list, minute)
  if (list[at] !== minute) return
  if (at === 0) list.shift()
  else list.splice(at, 1)
}
