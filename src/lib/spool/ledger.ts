import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type FileLock, lockDirectory, lockFile } from '../native/lock-file.js'
import { isLimited, type LimitName, noLimits, type SpoolLimits } from './limits.js'
import { type Minute, Minutes } from './minutes.js'
import { isMinute } from './names.js'

/**
 * The spool's own index, in files of lines below `.index/`, so that it moves with the spool and needs no database:
 *
 *   2026-11-25     a file a day: `10/05 ⇥ state ⇥ files ⇥ bytes of SIP ⇥ bytes of media`, the last line of a minute holds.
 *                  `open` is written before the first file of a minute is: what is still open after a crash is counted anew.
 *   expired        what went, when and why: `from ⇥ to ⇥ calls|media ⇥ when (ISO) ⇥ setting`, minutes from and to included
 *   limits.json    what the writer enforces, for `spool plan`
 *   lock           held by the one process that counts and deletes
 *
 * Lines are appended whole, so a reader at any time sees a good file.
 */
export const INDEX_DIR = '.index'
const EXPIRED = 'expired'
const LIMITS = 'limits.json'
const LOCK = 'lock'

/** `gone` is not written but for minutes that are no more. */
const states = ['open', 'done', 'trimmed', 'gone'] as const
type State = (typeof states)[number]

export interface Expiry {
  /** First and last minute. */
  readonly from: string
  to: string
  readonly what: 'calls' | 'media'
  /** ISO 8601, UTC. */
  readonly at: string
  readonly why: string
}

/** Beyond it, the oldest lines of `expired` go at the next start: four years of a spool that loses a minute a minute. */
const EXPIRIES_MAX = 50_000
/** A day has 1440 minutes of a few lines each; a file longer than this is written anew at the next start. */
const DAY_LINES_MAX = 20_000
/** Lines beyond it are lost: then minutes stay `open`, and are counted anew at the next start. */
const OWED_MAX = 10_000

export class Ledger {
  readonly #dir: string
  readonly #spool: string
  /** Lines that the disk did not take yet. */
  #owed: { file: string; text: string }[] = []

  constructor(spool: string) {
    this.#spool = spool
    this.#dir = join(spool, INDEX_DIR)
  }

  /** Answers whether it is there: on a full disk it is not, and is tried again with every `settle`. */
  makeDirectory(): boolean {
    return hasRoom(() => void mkdirSync(this.#dir, { recursive: true, mode: 0o750 }))
  }

  /**
   * For the one process that counts and deletes; undefined while another has it. The spool's directory is locked as well as the file:
   * that needs no room on a full disk.
   */
  lock(): FileLock | undefined {
    let file: FileLock | undefined
    const made = hasRoom(() => {
      file = lockFile(join(this.#dir, LOCK))
    })
    if (made && file === undefined) return undefined
    let directory: FileLock | undefined
    try {
      directory = lockDirectory(this.#spool)
    } catch (error) {
      if (file === undefined) throw error
      return file
    }
    if (directory === undefined) file?.release()
    return (
      directory && {
        release() {
          file?.release()
          directory?.release()
        },
      }
    )
  }

  note(minute: Minute): void {
    const state: State = minute.running > 0 || minute.unsure ? 'open' : minute.trimmed ? 'trimmed' : 'done'
    this.#append(minute.key.slice(0, 10), line(minute, state))
    minute.changed = false
  }

  /** The minute's directory is empty or no more. */
  gone(minute: Minute): void {
    const day = minute.key.slice(0, 10)
    if (existsSync(join(this.#spool, day))) this.#append(day, line(minute, 'gone'))
    else this.#try(() => rmSync(join(this.#dir, day), { force: true }))
  }

  expired(key: string, what: Expiry['what'], why: LimitName, nowMs: number): void {
    this.#append(EXPIRED, `${[key, key, what, new Date(nowMs).toISOString(), why].join('\t')}\n`)
  }

  /** Tries again what a full disk did not take. */
  settle(): void {
    if (this.#owed.length > 0) this.makeDirectory()
    const owed = this.#owed
    this.#owed = []
    for (const { file, text } of owed) this.#append(file, text)
  }

  keepLimits(limits: SpoolLimits): void {
    // A file that was read once into a spool does not say how the service keeps it.
    if (isLimited(limits)) this.#replace(LIMITS, `${JSON.stringify(limits, null, 2)}\n`)
  }

  /** Of the last writer that had some; undefined when there was none. What is not a number is no limit. */
  limits(): SpoolLimits | undefined {
    try {
      const said = JSON.parse(read(join(this.#dir, LIMITS)) ?? '') as Record<string, unknown>
      const keys = Object.keys(noLimits) as (keyof SpoolLimits)[]
      return Object.fromEntries(keys.map((key) => [key, typeof said[key] === 'number' ? said[key] : 0])) as unknown as SpoolLimits
    } catch {
      return undefined
    }
  }

  /** What the index says. Minutes that are open are `unsure`. */
  minutes(): Minutes {
    const minutes = new Minutes()
    for (const day of this.#days()) {
      for (const { key, state, files, sipBytes, mediaBytes } of this.#rows(day).values()) {
        if (state === 'gone') continue
        const minute = minutes.make(key)
        minutes.set(minute, sipBytes, mediaBytes, files)
        minutes.trim(minute, state === 'trimmed')
        minute.unsure = state === 'open'
        minute.untrimmed = state === 'trimmed' ? 0 : files
        minute.changed = false
      }
    }
    return minutes
  }

  /** Makes the files short again; only for the holder of the lock. */
  tidy(minutes: Minutes): void {
    for (const day of this.#days()) {
      const lines = read(join(this.#dir, day))?.split('\n').length ?? 0
      const left = minutes.all.filter((minute) => minute.key.startsWith(day))
      if (left.length === 0) this.#try(() => rmSync(join(this.#dir, day), { force: true }))
      else if (lines > DAY_LINES_MAX)
        this.#replace(day, left.map((m) => line(m, m.unsure ? 'open' : m.trimmed ? 'trimmed' : 'done')).join(''))
    }
    const expiries = this.expiries()
    const joined = joinedByHour(expiries)
    if (joined.length < expiries.length || joined.length > EXPIRIES_MAX)
      this.#replace(EXPIRED, joined.slice(-EXPIRIES_MAX).map(expiryLine).join(''))
  }

  /** Puts these minutes in place of everything the index said. */
  rewrite(minutes: Minutes): void {
    this.makeDirectory()
    const byDay = new Map<string, string[]>()
    for (const minute of minutes.all) {
      const day = minute.key.slice(0, 10)
      const lines = byDay.get(day) ?? []
      lines.push(line(minute, minute.unsure ? 'open' : minute.trimmed ? 'trimmed' : 'done'))
      byDay.set(day, lines)
    }
    for (const day of this.#days()) if (!byDay.has(day)) rmSync(join(this.#dir, day), { force: true })
    for (const [day, lines] of byDay) this.#replace(day, lines.join(''))
  }

  expiries(): Expiry[] {
    return (read(join(this.#dir, EXPIRED)) ?? '').split('\n').flatMap((text) => {
      const [from, to, what, at, why] = text.split('\t')
      if (why === undefined || (what !== 'calls' && what !== 'media') || !isMinute(from as string) || !isMinute(to as string)) return []
      return [{ from: from as string, to: to as string, what, at: at as string, why }]
    })
  }

  #days(): string[] {
    try {
      return readdirSync(this.#dir)
        .filter((name) => /^\d{4}-\d\d-\d\d$/.test(name))
        .sort()
    } catch {
      return []
    }
  }

  #rows(day: string): Map<string, { key: string; state: State; files: number; sipBytes: number; mediaBytes: number }> {
    const rows = new Map<string, { key: string; state: State; files: number; sipBytes: number; mediaBytes: number }>()
    for (const text of (read(join(this.#dir, day)) ?? '').split('\n')) {
      const [time, state, ...numbers] = text.split('\t')
      const key = `${day}/${time}`
      const [files, sipBytes, mediaBytes] = numbers.map(Number)
      // The last line may be cut by a crash; a broken one says nothing.
      if (!isMinute(key) || !states.includes(state as State) || numbers.length !== 3 || numbers.some((n) => !/^\d+$/.test(n))) continue
      rows.set(key, { key, state: state as State, files: files as number, sipBytes: sipBytes as number, mediaBytes: mediaBytes as number })
    }
    return rows
  }

  #append(file: string, text: string): void {
    try {
      appendFileSync(join(this.#dir, file), text, { mode: 0o640 })
    } catch {
      if (this.#owed.length < OWED_MAX) this.#owed.push({ file, text })
    }
  }

  #replace(file: string, text: string): void {
    this.#try(() => {
      writeFileSync(join(this.#dir, `${file}.part`), text, { mode: 0o640 })
      renameSync(join(this.#dir, `${file}.part`), join(this.#dir, file))
    })
  }

  /** What is not written today, is the next time: nothing of the index is worth the run. */
  #try(write: () => void): void {
    try {
      write()
    } catch {
      // The next start counts what this one could not note.
    }
  }
}

/** Does it, unless the disk is full; answers whether it did. */
function hasRoom(work: () => void): boolean {
  try {
    work()
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Without room the directory was not made, and what should go into it finds none.
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'ENOENT') return false
    throw error
  }
}

const line = (minute: Minute, state: State): string =>
  `${[minute.key.slice(11), state, minute.files, Math.round(minute.sipBytes), Math.round(minute.mediaBytes)].join('\t')}\n`

const expiryLine = (e: Expiry): string => `${[e.from, e.to, e.what, e.at, e.why].join('\t')}\n`

/** Minutes that went within one hour for one reason, as one line. */
function joinedByHour(expiries: readonly Expiry[]): Expiry[] {
  const joined: Expiry[] = []
  for (const expiry of expiries) {
    const last = joined.at(-1)
    if (
      last !== undefined &&
      last.what === expiry.what &&
      last.why === expiry.why &&
      last.at.slice(0, 13) === expiry.at.slice(0, 13) &&
      expiry.from >= last.to
    )
      last.to = expiry.to
    else joined.push({ ...expiry })
  }
  return joined
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
