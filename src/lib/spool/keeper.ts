import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { builtFile } from '../native/built-file.js'
import { countMinute } from './count.js'
import { bytesOf, diskOf, filesOfMinute, minutesOnDisk, removeEmptyDirectories } from './disk.js'
import { Ledger } from './ledger.js'
import {
  type Coming,
  type Disk,
  exceeded,
  type Going,
  isLimited,
  type LimitName,
  nextToGo,
  nothingComing,
  type SpoolLimits,
} from './limits.js'
import { type Minute, type Minutes, onDisk } from './minutes.js'
import { minuteOf } from './names.js'
import type { TrimOrder, TrimReply } from './trim-worker.js'

/**
 * Keeps account of what the spool holds, and keeps it within its limits. It lives in the writing thread: so nothing is written
 * that was not counted before, and what has to go goes in small steps while nobody writes, or at once when a write needs the
 * room. A file of a call in progress is never touched.
 */
export interface KeeperOptions {
  readonly dir: string
  readonly limits: SpoolLimits
  /** Only one process counts and deletes (it holds the lock); another one that writes here too just says which minutes it touched. */
  readonly owner: boolean
  /** For tests. */
  readonly nowMs?: () => number
  readonly disk?: () => Disk | undefined
}

export interface KeeperStats {
  readonly deletedFiles: number
  readonly deletedBytes: number
  readonly trimmedFiles: number
}

/** What a step takes at most of a thread that may have to write. */
const STEP_MS = 10
/** A warning that still holds is given again after this long. */
const AGAIN_MS = 3_600_000
/** The disk is asked for its free space this often, and after so much was written. */
const DISK_MS = 1000
const DISK_BYTES = 16 << 20
/** Cleaning in idle time begins before the limit is reached: this part of it, and no more than so much. */
const AHEAD_PART = 0.02
const AHEAD_BYTES = 64 << 20
/** Sums go to the ledger this often. */
const NOTE_MS = 10_000
/** After so long without trouble of a kind, the next is news. */
const QUIET_MS = 60_000

interface Removal extends Going {
  readonly paths: readonly string[]
  next: number
  removed: number
}

export class Keeper {
  readonly #options: KeeperOptions
  #limits: SpoolLimits
  readonly #ledger: Ledger
  readonly #minutes: Minutes
  readonly #running = new Set<string>()
  readonly #unsure: Minute[] = []
  readonly #nowMs: () => number
  #limited: boolean
  #removal: Removal | undefined
  #expired = { text: '', atMs: 0 }
  #trimmer: Worker | undefined
  /** What the thread beside is at. */
  #trimming: { readonly minute: Minute; readonly why: LimitName } | undefined
  #disk: Disk | undefined
  #diskAskedMs = Number.NEGATIVE_INFINITY
  #writtenSince = 0
  #notedMs = 0
  #refusedMs = Number.NEGATIVE_INFINITY
  /** When the low disk was last told of, on the machine's own clock. */
  #lowDiskSaidMs = Number.NEGATIVE_INFINITY
  #deletedFiles = 0
  #deletedBytes = 0
  #trimmedFiles = 0
  /** What the operator should know, once. */
  notice: string | undefined

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#limits = options.limits
    this.#limited = options.owner && isLimited(options.limits)
    this.#nowMs = options.nowMs ?? Date.now
    this.#ledger = new Ledger(options.dir)
    this.#ledger.makeDirectory()
    this.#minutes = this.#ledger.minutes()
    if (options.owner) {
      this.#compareWithDisk()
      this.#ledger.tidy(this.#minutes)
      this.#ledger.keepLimits(options.limits)
    }
  }

  /** Other limits from now on; what exceeds them goes in the usual steps. */
  limitTo(limits: SpoolLimits): void {
    this.#limits = limits
    this.#limited = this.#options.owner && isLimited(limits)
    if (this.#options.owner) this.#ledger.keepLimits(limits)
  }

  get minutes(): Minutes {
    return this.#minutes
  }

  get stats(): KeeperStats {
    return { deletedFiles: this.#deletedFiles, deletedBytes: this.#deletedBytes, trimmedFiles: this.#trimmedFiles }
  }

  /** A file is going to be written; until `closed` it stays. */
  opened(path: string): Minute {
    const minute = this.#minutes.make(minuteOf(path))
    minute.running++
    if (this.#options.owner) this.#count(minute)
    this.#running.add(path)
    // A late call of a minute whose media went: it will have some again.
    this.#minutes.trim(minute, false)
    if (minute.running === 1) this.#ledger.note(minute)
    return minute
  }

  closed(minute: Minute, path: string): void {
    if (!this.#running.delete(path)) return
    minute.running--
    minute.untrimmed++
    minute.changed = true
  }

  /** Whether so much more may be written; makes room for it when it can. */
  mayGrow(coming: Coming): boolean {
    if (!this.#limited) return true
    this.#writtenSince += coming.sipBytes + coming.mediaBytes
    for (;;) {
      const why = exceeded(this.#minutes, this.#limits, coming, this.#freeSpace())
      if (why === undefined) return true
      if (this.#removal === undefined && !this.#begin(coming)) {
        this.#refused(why)
        return false
      }
      this.#removeOne()
    }
  }

  /** Told once, and again when it had been well for a while. */
  #refused(why: LimitName): void {
    const now = performance.now()
    if (now - this.#refusedMs > QUIET_MS)
      this.notice = `The spool "${this.#options.dir}" has reached ${why}, and nothing can go from it fast enough (calls in progress stay): packets are lost until there is room. Calls are still recorded.`
    this.#refusedMs = now
  }

  /** So much more was written. */
  grew(minute: Minute, coming: Coming, files: number): void {
    this.#minutes.add(minute, coming.sipBytes, coming.mediaBytes, files)
    if (this.#disk !== undefined) this.#disk = { ...this.#disk, free: this.#disk.free - coming.sipBytes - coming.mediaBytes }
  }

  /** A file of this size, from an earlier run, was replaced. */
  replaced(minute: Minute, size: number): void {
    this.#shrink(minute, onDisk(size))
  }

  /** Does a little of what is to be done; to be called often, in idle time. */
  step(): void {
    if (!this.#options.owner) return
    const untilMs = performance.now() + STEP_MS
    do {
      const unsure = this.#unsure.pop()
      if (unsure !== undefined) this.#count(unsure)
      else if (this.#goesOn() || (this.#limited && this.#begin(this.#ahead()))) this.#removeOne()
      else break
    } while (performance.now() < untilMs)
    if (this.#nowMs() - this.#notedMs >= NOTE_MS) this.#note()
  }

  async close(): Promise<void> {
    await this.#trimmer?.terminate()
    this.#note()
  }

  #note(): void {
    this.#notedMs = this.#nowMs()
    this.#ledger.settle()
    if (this.#options.owner) for (const minute of this.#minutes.all) if (minute.changed && minute.running === 0) this.#ledger.note(minute)
  }

  /** Whether what is being removed still has to go: a minute holds many calls, and perhaps enough of them are gone. */
  #goesOn(): boolean {
    if (this.#removal === undefined) return false
    const going = nextToGo(this.#minutes, this.#limits, this.#nowMs() / 1000, this.#freeSpace(), this.#ahead())
    if (going?.minute !== this.#removal.minute || going.what !== this.#removal.what) this.#removal = undefined
    return this.#removal !== undefined
  }

  /** What is on the disk and not in the ledger, or changed since, is counted in steps; what is only in the ledger is no more. */
  #compareWithDisk(): void {
    const there = new Set(minutesOnDisk(this.#options.dir))
    for (const minute of [...this.#minutes.all]) {
      if (!there.has(minute.key)) {
        this.#minutes.delete(minute)
        this.#ledger.gone(minute)
      }
    }
    for (const key of there) {
      if (this.#minutes.get(key) === undefined) this.#minutes.make(key).unsure = true
    }
    // Taken from the end: the oldest first.
    this.#unsure.push(...this.#minutes.all.filter((minute) => minute.unsure).reverse())
  }

  /** Counts a minute by the disk, unless that was done or it has gone meanwhile. */
  #count(minute: Minute): void {
    if (!minute.unsure || this.#minutes.get(minute.key) !== minute) return
    const { sipBytes, mediaBytes, files } = countMinute(this.#options.dir, minute, this.#minutes)
    minute.unsure = false
    this.#minutes.set(minute, sipBytes, mediaBytes, files)
    minute.untrimmed = minute.trimmed ? 0 : files
    if (files === 0 && minute.running === 0) this.#finished(minute)
  }

  #ahead(): Coming {
    const ahead = (limit: number): number => Math.min(AHEAD_BYTES, limit * AHEAD_PART)
    const { bytes, mediaBytes } = this.#limits
    if (bytes === 0 && mediaBytes === 0) return nothingComing
    return { sipBytes: 0, mediaBytes: Math.min(...[bytes, mediaBytes].filter((limit) => limit > 0).map(ahead)) }
  }

  #freeSpace(): Disk | undefined {
    const { freeBytes, freePercent } = this.#limits
    if (freeBytes === 0 && freePercent === 0) return undefined
    const now = performance.now()
    if (now - this.#diskAskedMs >= DISK_MS || this.#writtenSince >= DISK_BYTES) {
      this.#diskAskedMs = now
      this.#writtenSince = 0
      this.#disk = this.#options.disk === undefined ? diskOf(this.#options.dir) : this.#options.disk()
    }
    return this.#disk
  }

  /** Looks for what goes next and begins with it. Answers false when there is nothing. */
  #begin(coming: Coming): boolean {
    const disk = this.#freeSpace()
    for (;;) {
      // One minute at a time has its files written anew; what that will free is not known before.
      const limits = this.#trimming !== undefined ? { ...this.#limits, mediaDays: 0, mediaBytes: 0 } : this.#limits
      const going = nextToGo(this.#minutes, limits, this.#nowMs() / 1000, disk, coming)
      if (going === undefined) return false
      this.#warn(going)
      const files = filesOfMinute(this.#options.dir, going.minute.key)
      const paths = files
        .filter(({ path, kind }) => (going.what === 'calls' || kind === 'media') && !this.#running.has(path))
        .map(({ path }) => path)
      if (going.what === 'calls') this.#noteExpired(going)
      if (paths.length > 0) {
        this.#removal = { ...going, paths, next: 0, removed: 0 }
        return true
      }
      if (going.what === 'media') this.#trim(going.minute, going.why)
      // Only calls in progress, or nothing at all.
      else if (going.minute.running === 0) this.#finished(going.minute)
      else this.#minutes.set(going.minute, going.minute.sipBytes, going.minute.mediaBytes, going.minute.running)
    }
  }

  /** A minute whose calls go one by one, as they end, is noted once in a while. */
  #noteExpired({ minute, why }: Going): void {
    const now = this.#nowMs()
    const text = `${minute.key} ${why}`
    if (text === this.#expired.text && now - this.#expired.atMs < NOTE_MS) return
    this.#expired = { text, atMs: now }
    this.#ledger.expired(minute.key, 'calls', why, now)
  }

  #removeOne(): void {
    const removal = this.#removal as Removal
    const path = removal.paths[removal.next++] as string
    const full = join(this.#options.dir, path)
    // It may have been opened again since it was listed.
    const bytes = this.#running.has(path) ? undefined : bytesOf(full)
    if (bytes !== undefined) {
      try {
        unlinkSync(full)
        this.#deletedFiles++
        this.#deletedBytes += bytes
        removal.removed++
        if (removal.what === 'media') this.#minutes.add(removal.minute, 0, -bytes, -1)
        else {
          this.#shrink(removal.minute, bytes)
          this.#minutes.add(removal.minute, 0, 0, -1)
        }
        if (this.#disk !== undefined) this.#disk = { ...this.#disk, free: this.#disk.free + bytes }
      } catch {
        // Not ours to delete: the minute counts as what it is.
      }
    }
    if (removal.next < removal.paths.length) return
    this.#removal = undefined
    const { minute, what, why } = removal
    if (what === 'media') {
      this.#trim(minute, why)
      return
    }
    // Calls may have come and gone since the files were listed. And what cannot be deleted must not be tried for ever.
    if (minute.running === 0 && (minute.files === 0 || removal.removed === 0)) this.#finished(minute)
    else if (removal.removed === 0) this.#minutes.set(minute, minute.sipBytes, minute.mediaBytes, minute.running)
  }

  /** Less of a minute, of both kinds as it holds them. */
  #shrink(minute: Minute, bytes: number): void {
    const all = minute.sipBytes + minute.mediaBytes
    const part = all === 0 ? 0 : minute.sipBytes / all
    this.#minutes.add(minute, -bytes * part, -bytes * (1 - part), 0)
  }

  /** Nothing of the minute is left, or nothing that can be deleted. */
  #finished(minute: Minute): void {
    removeEmptyDirectories(this.#options.dir, minute.key)
    this.#minutes.delete(minute)
    this.#ledger.gone(minute)
  }

  /** Has the media taken out of the files that hold both, those of finished calls. */
  #trim(minute: Minute, why: LimitName): void {
    const paths = filesOfMinute(this.#options.dir, minute.key)
      .filter(({ path, kind }) => kind === 'both' && !this.#running.has(path))
      .map(({ path }) => path)
    minute.untrimmed = 0
    if (paths.length === 0) {
      this.#trimmedAll(minute, why)
      return
    }
    minute.busy = true
    this.#trimming = { minute, why }
    if (this.#trimmer === undefined) {
      this.#trimmer = new Worker(builtFile(import.meta.url, './trim-worker.cjs'), { workerData: { dir: this.#options.dir } })
      this.#trimmer.on('message', (reply: TrimReply) => this.#trimmed(reply))
      // What it did not do stays undone: the files are as they were. The next minute gets a new thread.
      this.#trimmer.on('error', (error) => {
        this.notice = `The thread that takes media out of old pcaps has failed (${error.message}): those of ${this.#trimming?.minute.key} stay as they are.`
        this.#trimmer = undefined
        if (this.#trimming !== undefined) this.#trimming.minute.busy = false
        this.#trimming = undefined
      })
      this.#trimmer.unref()
    }
    this.#trimmer.postMessage({ key: minute.key, paths } satisfies TrimOrder)
  }

  #trimmed({ key, freedBytes, trimmed, failed, done }: TrimReply): void {
    const why = this.#trimming?.why
    if (done) this.#trimming = undefined
    const minute = this.#minutes.get(key)
    if (minute === undefined) return
    if (done) minute.busy = false
    this.#trimmedFiles += trimmed
    if (failed > 0) this.notice = `${failed} pcaps of ${key} could not be read or written to take the media out; they stay as they are.`
    this.#minutes.add(minute, 0, -freedBytes, 0)
    if (done && why !== undefined) this.#trimmedAll(minute, why)
  }

  /** Once the last call of a minute has ended and lost its media, what is left is signalling. */
  #trimmedAll(minute: Minute, why: LimitName): void {
    if (minute.running > 0 || minute.untrimmed > 0) return
    this.#ledger.expired(minute.key, 'media', why, this.#nowMs())
    this.#minutes.set(minute, minute.sipBytes + minute.mediaBytes, 0, minute.files)
    this.#minutes.trim(minute, true)
  }

  #warn({ why }: Going): void {
    if (why !== 'autocleanmingb' && why !== 'autocleanspoolminpercent') return
    // A disk at its brim is low and not low by turns.
    if (performance.now() - this.#lowDiskSaidMs < AGAIN_MS) return
    this.#lowDiskSaidMs = performance.now()
    this.notice = `The disk of the spool "${this.#options.dir}" is nearly full (${why}): the oldest calls' packets are deleted. A limit keeps it from happening: --maxpoolsize MiB`
  }
}
