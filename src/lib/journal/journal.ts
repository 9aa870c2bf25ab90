import { type FileHandle, open, readFile, rename, truncate, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Turns } from '../base/turns.js'
import { type Entry, entryBytes, readEntry, skipEntry } from './entry.js'
import { adoptOthers, type Place, segmentName, segmentNumber, segmentsIn } from './places.js'

/**
 * A queue on disk: appended at the end, taken from the front in the same order, there again after kill -9.
 *
 *     00000007.journal   00000008.journal   00000009.journal
 *     [done│done│next …] [… … … … … … …]   [… … ◀ appended]
 *
 * It holds what is not done: a segment goes when its last entry is done, and when nothing waits the last one is emptied.
 * Which entries of the first segment are done is not written down; after a crash they come again, and whoever takes them
 * must not mind.
 */
export interface JournalOptions {
  readonly bytesMax: number
  /** What gives way when it is full. The oldest go a segment at a time. */
  readonly drop: 'oldest' | 'newest'
}

export interface NumberedEntry extends Entry {
  /** Counts up from 0 within one opening. */
  readonly number: number
}

interface Segment {
  readonly path: string
  bytes: number
  /** Number of its first entry. */
  first: number
  entries: number
}

const SEGMENT_BYTES_MAX = 4 << 20
const READ_BYTES = 1 << 20
/** So that a disk with a little room takes a little. */
const WRITE_BYTES = 128 << 10
const CUT = 'SHORTER'

export class Journal {
  readonly #place: Place
  readonly #options: JournalOptions
  readonly #segments: Segment[] = []
  /** The last segment, open for appending. */
  #active: FileHandle | undefined
  #activeSegment: Segment | undefined
  #nextSegment = 1
  #nextEntry = 0
  /** The front: the first entry that is not done, and where it begins in the first segment. */
  #front = { number: 0, at: 0 }
  /** Where the entries handed out last end in the first segment, by number. */
  #ends = new Map<number, number>()
  #dirty = false
  /** Callers may overlap. */
  readonly #turns = new Turns()

  /** Entries found at opening. */
  found = 0
  /** Ends of segments that a crash had left incomplete, cut off. */
  torn = 0
  /** Lines that were not what had been written, and entries in segments that could not be read. */
  damaged = 0
  /** Entries that gave way because the journal was full. */
  dropped = 0

  private constructor(place: Place, options: JournalOptions) {
    this.#place = place
    this.#options = options
  }

  /** Opens the journal of a place, with what a process before left there. Fails with the file system's error. */
  static async open(place: Place, options: JournalOptions): Promise<Journal> {
    const journal = new Journal(place, options)
    adoptOthers(place)
    for (const name of segmentsIn(place.dir)) await journal.#scan(name)
    journal.found = journal.waiting
    return journal
  }

  get dir(): string {
    return this.#place.dir
  }

  get waiting(): number {
    return this.#segments.reduce((sum, segment) => sum + this.#undone(segment), 0)
  }

  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0)
  }

  /**
   * Appends at the end; when it returns, kill -9 costs none of them, and after `sync` a power cut neither. Answers how many
   * it is done with: appended, or dropped because the journal is full. They are fewer than given when the disk then failed;
   * when it failed at once, so does this, with the file system's error.
   */
  append(entries: readonly Entry[]): Promise<number> {
    return this.#turns.take(async () => {
      const lines = entries.map(entryBytes)
      let from = 0
      while (from < lines.length) {
        const room = Math.min(WRITE_BYTES, await this.#segmentWithRoom(lines[from]!.length))
        if (room === 0) break
        let to = from
        let bytes = 0
        while (to < lines.length && (to === from || bytes + lines[to]!.length <= room)) bytes += lines[to++]!.length
        try {
          await this.#write(Buffer.concat(lines.slice(from, to)), to - from)
        } catch (error) {
          if (from === 0) throw error
          return from
        }
        from = to
      }
      this.dropped += lines.length - from
      return lines.length
    })
  }

  /** Up to `max` entries from the front, in order; none when nothing waits. They stay until `done`. */
  peek(max: number): Promise<NumberedEntry[]> {
    return this.#turns.take(async () => {
      for (let segment = this.#segments[0]; segment !== undefined; segment = this.#segments[0]) {
        const entries = await this.#read(segment, max).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'EIO' && error.code !== CUT) throw error
          return undefined
        })
        if (entries !== undefined && entries.length > 0) return entries
        if (segment === this.#activeSegment && entries !== undefined) return []
        // What was counted at opening and could not be read.
        this.damaged += this.#undone(segment)
        await this.#remove(segment, entries === undefined ? 'set aside' : 'deleted')
      }
      return []
    })
  }

  /** The entries from the front up to and including this number need not be kept. `settled` is called in the moment in which they no longer wait. */
  done(number: number, settled?: () => void): Promise<void> {
    return this.#turns.take(async () => {
      const at = this.#ends.get(number)
      // The segment may have given way meanwhile.
      if (at === undefined || number < this.#front.number) return
      this.#front = { number: number + 1, at }
      settled?.()
      const segment = this.#segments[0]!
      if (this.#undone(segment) > 0) return
      if (segment !== this.#activeSegment) await this.#remove(segment)
      else await this.#empty(segment)
    })
  }

  /** Brings to the disk itself what was appended since. */
  sync(): Promise<void> {
    return this.#turns.take(() => this.#sync())
  }

  /** Whether a power cut would cost something. */
  get dirty(): boolean {
    return this.#dirty
  }

  async close(): Promise<void> {
    await this.#turns
      .take(async () => {
        try {
          await this.#sync()
        } finally {
          await this.#active?.close()
          this.#active = undefined
        }
        const last = this.#activeSegment
        if (last !== undefined && last.bytes === 0) await unlink(last.path)
      })
      .finally(() => this.#place.lock.release())
  }

  #undone({ first, entries }: Segment): number {
    return Math.max(0, Math.min(entries, first + entries - this.#front.number))
  }

  /** Counts what a segment holds, and cuts off what a crash left unfinished at its end. */
  async #scan(name: string): Promise<void> {
    const path = join(this.#place.dir, name)
    this.#nextSegment = Math.max(this.#nextSegment, segmentNumber(name)! + 1)
    const bytes = await readFile(path)
    let at = 0
    let entries = 0
    while (at < bytes.length) {
      const read = skipEntry(bytes, at)
      if (read.state === 'partial') {
        this.torn++
        await truncate(path, at)
        break
      }
      if (read.state === 'damaged') this.damaged++
      else entries++
      at = read.next
    }
    if (entries === 0) await unlink(path)
    else this.#segments.push({ path, bytes: at, first: this.#nextEntry, entries })
    this.#nextEntry += entries
  }

  async #read(segment: Segment, max: number): Promise<NumberedEntry[]> {
    const entries: NumberedEntry[] = []
    this.#ends = new Map()
    const left = segment.bytes - this.#front.at
    for (let size = READ_BYTES; entries.length === 0 && left > 0; size *= 2) {
      const bytes = Buffer.allocUnsafe(Math.min(size, left))
      await readFully(segment.path, bytes, this.#front.at)
      let at = 0
      while (at < bytes.length && entries.length < max) {
        const read = readEntry(bytes, at)
        if (read.state === 'partial') break
        at = read.next
        if (read.state === 'damaged') continue
        const number = this.#front.number + entries.length
        entries.push({ ...read.entry, number })
        this.#ends.set(number, this.#front.at + at)
      }
      if (bytes.length === left) break
    }
    return entries
  }

  /** Makes room for at least one line; answers the bytes that fit into the active segment, 0 when there is none to be had. */
  async #segmentWithRoom(length: number): Promise<number> {
    while (this.bytes + length > this.#options.bytesMax) {
      const oldest = this.#segments[0]
      if (this.#options.drop === 'newest' || oldest === undefined) return 0
      this.dropped += this.#undone(oldest)
      await this.#remove(oldest)
    }
    const most = Math.min(SEGMENT_BYTES_MAX, this.#options.bytesMax / 8)
    if (this.#activeSegment !== undefined && this.#activeSegment.bytes + length > most && this.#activeSegment.bytes > 0)
      await this.#rotate()
    if (this.#activeSegment === undefined) await this.#begin()
    return Math.min(Math.max(length, most - this.#activeSegment!.bytes), this.#options.bytesMax - this.bytes)
  }

  async #begin(): Promise<void> {
    const path = join(this.#place.dir, segmentName(this.#nextSegment))
    const file = await open(path, 'a', 0o640)
    this.#nextSegment++
    this.#active = file
    this.#activeSegment = { path, bytes: 0, first: this.#nextEntry, entries: 0 }
    if (this.#segments.length === 0) this.#front = { number: this.#nextEntry, at: 0 }
    this.#segments.push(this.#activeSegment)
    // So that the name itself survives a power cut.
    const dir = await open(this.#place.dir, 'r')
    await dir.sync().finally(() => dir.close())
  }

  async #rotate(): Promise<void> {
    await this.#sync()
    await this.#active?.close()
    this.#active = undefined
    this.#activeSegment = undefined
  }

  async #write(bytes: Buffer, entries: number): Promise<void> {
    const segment = this.#activeSegment!
    try {
      await this.#active!.appendFile(bytes)
    } catch (error) {
      // A full disk may have taken a part of it: what is not whole must not stay, or a later line would end it.
      await this.#active!.truncate(segment.bytes).catch(() => this.#abandon())
      throw error
    }
    segment.bytes += bytes.length
    segment.entries += entries
    this.#nextEntry += entries
    this.#dirty = true
  }

  /** Appends no more to a segment whose end is not what it should be; what it holds is still read. */
  async #abandon(): Promise<void> {
    const file = this.#active
    this.#active = undefined
    this.#activeSegment = undefined
    await file?.close().catch(() => {})
  }

  async #sync(): Promise<void> {
    if (!this.#dirty) return
    this.#dirty = false
    await this.#active?.datasync()
  }

  /** A segment that holds nothing undone, gives way, or cannot be read. */
  async #remove(segment: Segment, how: 'deleted' | 'set aside' = 'deleted'): Promise<void> {
    if (segment === this.#activeSegment) {
      await this.#abandon()
      this.#dirty = false
    }
    this.#segments.splice(this.#segments.indexOf(segment), 1)
    this.#front = { number: Math.max(this.#front.number, segment.first + segment.entries), at: 0 }
    this.#ends = new Map()
    await (how === 'deleted' ? unlink(segment.path) : rename(segment.path, `${segment.path}.unreadable`))
  }

  async #empty(segment: Segment): Promise<void> {
    await this.#active?.truncate(0)
    segment.bytes = 0
    segment.first = this.#nextEntry
    segment.entries = 0
    this.#front = { number: this.#nextEntry, at: 0 }
    this.#ends = new Map()
    this.#dirty = false
  }
}

async function readFully(path: string, bytes: Buffer, at: number): Promise<void> {
  const file = await open(path, 'r')
  try {
    for (let have = 0; have < bytes.length; ) {
      const { bytesRead } = await file.read(bytes, have, bytes.length - have, at + have)
      if (bytesRead === 0) throw Object.assign(new Error('the file is shorter than it was'), { code: CUT })
      have += bytesRead
    }
  } finally {
    await file.close()
  }
}
