import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { u32le } from '../base/bytes.js'
import { OperatorError } from '../base/errors.js'
import type { Notice } from '../base/notice.js'
import { crc32c } from '../codec/index.js'
import { makeDirectory } from '../native/make-directory.js'
import { blockBytesMax } from './protocol.js'

/**
 * Blocks that wait on disk, first in, first out, in files of a bounded size. They survive the program, however it ends: what was
 * written is in the kernel's hands, and every record carries its own sum, so a torn end is seen and left out.
 *
 *   record   0       4        8         12    16       24              32
 *            | magic | length | packets | sum | number | first packet µs | block …
 *
 * A file goes away when the last of its blocks is acknowledged or given up.
 */
export const diskRecordOverhead = 32
const MAGIC = 0x4b_4c_42_45
const SEGMENT_BYTES_MAX = 16 << 20
/** Blocks on their way to the disk, in memory. Beyond it the disk counts as too slow. */
const PENDING_BYTES_MAX = 32 << 20
/** After an error the disk is tried again. */
const RETRY_MS = 5000
/** Numbers are reserved on disk in steps, so that a new run never uses one twice. */
const RESERVE = 1 << 20
/** Files count up from the middle, because at the end of a run older blocks are put before the first. */
const FIRST_SERIAL = 5_000_000_000

export interface StoredBlock {
  readonly number: number
  readonly packets: number
  readonly firstMicros: number
  readonly bytes: Uint8Array
  readonly segment: Segment
}

/** One file. */
export interface Segment {
  readonly serial: number
  readonly path: string
  bytes: number
  /** Blocks and packets in it that were not read back yet, and blocks read back but not acknowledged. */
  unreadBlocks: number
  unreadPackets: number
  out: number
}

interface Pending {
  readonly segment: Segment
  readonly at: number
  readonly record: Uint8Array
}

export class DiskBuffer {
  readonly #dir: string
  readonly #maxBytes: number
  readonly #segmentBytes: number
  readonly #onNotice: Notice
  readonly stream: string
  nextNumber: number
  readonly #reservedFile: string
  #reserved: number
  readonly #segments: Segment[] = []
  /** The one that is written to. */
  #open: Segment | undefined
  #serial: number
  #bytes = 0
  #pending: Pending[] = []
  #pendingBytes = 0
  #writing: Promise<void> | undefined
  #handle: { segment: Segment; file: FileHandle } | undefined
  #reader: { segment: Segment; file: FileHandle; at: number } | undefined
  #brokenUntilMs = 0
  /** Blocks and packets lost on disk, by reason, since they were last asked for. */
  #lost: [packets: number, reason: string][] = []
  /** The highest number acknowledged before the last end. */
  readonly ackedBefore: number
  readonly #positionFd: number

  /** Opens the directory and finds what the last run left. Throws an OperatorError. */
  constructor(options: { dir: string; maxBytes: number; onNotice: Notice }) {
    this.#dir = options.dir
    this.#maxBytes = options.maxBytes
    this.#segmentBytes = Math.max(64 << 10, Math.min(SEGMENT_BYTES_MAX, Math.floor(options.maxBytes / 8)))
    this.#onNotice = options.onNotice
    try {
      makeDirectory(options.dir)
      this.#reservedFile = join(options.dir, 'stream.json')
      const before = readState(this.#reservedFile)
      if (before !== undefined && isRunning(before.pid, before.started)) throw inUse(options.dir, before.pid)
      const { serial, lastNumber } = this.#scan()
      this.#serial = serial
      this.stream = before?.stream ?? randomBytes(16).toString('hex')
      this.nextNumber = Math.max(before?.reserved ?? 0, lastNumber + 1)
      this.#reserved = this.nextNumber + RESERVE
      this.#writeState()
      this.#positionFd = openSync(join(options.dir, 'acknowledged'), READ_WRITE)
      const position = new Uint8Array(8)
      const got = before === undefined ? 0 : readSync(this.#positionFd, position, 0, 8, 0)
      this.ackedBefore = got === 8 ? new DataView(position.buffer).getFloat64(0, true) : -1
    } catch (error) {
      if (error instanceof OperatorError) throw error
      throw new OperatorError('MIRROR_DISK', `Cannot keep blocks in "${options.dir}": ${(error as Error).message}.`, {
        cause: error,
        suggestions: ['Give a directory that you may write to: --packetbuffer-file-path DIR', 'Or leave the disk buffer out.'],
      })
    }
  }

  get bytes(): number {
    return this.#bytes
  }
  get maxBytes(): number {
    return this.#maxBytes
  }
  get blocks(): number {
    return this.#segments.reduce((sum, s) => sum + s.unreadBlocks, 0)
  }
  get packets(): number {
    return this.#segments.reduce((sum, s) => sum + s.unreadPackets, 0)
  }
  /** Nothing waits here. */
  get empty(): boolean {
    return this.#segments.every((s) => s.unreadBlocks === 0)
  }

  /** A number that no run before has used. */
  takeNumber(): number {
    if (this.nextNumber >= this.#reserved) {
      this.#reserved += RESERVE
      this.#writeState()
    }
    return this.nextNumber++
  }

  /** Why a block of this size cannot be taken now; undefined when it can. */
  refuses(bytes: number): string | undefined {
    if (Date.now() < this.#brokenUntilMs) return 'disk buffer: write failed'
    if (this.#pendingBytes > PENDING_BYTES_MAX) return 'disk buffer: too slow'
    return this.#bytes + bytes + diskRecordOverhead > this.#maxBytes ? 'disk buffer full' : undefined
  }

  /** Takes a block; `refuses` was asked before. Returns at once, the writing is done behind it. */
  append(block: Storable): void {
    const length = block.bytes.length + diskRecordOverhead
    let segment = this.#open
    if (segment === undefined || segment.bytes + length > this.#segmentBytes) {
      segment = this.#newSegment(this.#serial++)
      this.#segments.push(segment)
      this.#open = segment
    }
    const record = recordOf(block)
    this.#pending.push({ segment, at: segment.bytes, record })
    this.#pendingBytes += length
    segment.bytes += length
    segment.unreadBlocks++
    segment.unreadPackets += block.packets
    this.#bytes += length
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  /** The oldest block that was not read back yet; undefined when none is on the disk (some may be on their way to it). */
  async read(): Promise<StoredBlock | undefined> {
    for (;;) {
      const segment = this.#segments.find((s) => s.unreadBlocks > 0)
      if (segment === undefined) return undefined
      // What is still in memory is written first: a reader and a writer of one file then never meet.
      if (this.#pending.some((p) => p.segment === segment)) await this.flush()
      if (segment.unreadBlocks === 0) continue
      try {
        if (this.#reader?.segment !== segment) {
          await this.#reader?.file.close()
          this.#reader = undefined
          this.#reader = { segment, file: await open(segment.path, 'r'), at: 0 }
        }
        const block = await readRecord(this.#reader.file, this.#reader.at)
        if (block === undefined) {
          this.#giveUpRest(segment, 'disk buffer: unreadable')
          continue
        }
        // Meanwhile the file may have been given up for newer packets.
        if (!this.#segments.includes(segment)) continue
        this.#reader.at += block.bytes.length + diskRecordOverhead
        segment.unreadBlocks--
        segment.unreadPackets = Math.max(0, segment.unreadPackets - block.packets)
        segment.out++
        return { ...block, segment }
      } catch (error) {
        this.#onNotice(`Cannot read "${segment.path}": ${(error as Error).message}.`, 'error')
        this.#giveUpRest(segment, 'disk buffer: unreadable')
      }
    }
  }

  /** A block that came out of here was acknowledged, or given up. */
  done(segment: Segment): void {
    segment.out--
    this.#sweep()
  }

  /** Remembers the acknowledged number beyond the end of the program. */
  remember(acked: number): void {
    if (this.#segments.length === 0) return
    const position = new Uint8Array(8)
    new DataView(position.buffer).setFloat64(0, acked, true)
    try {
      writeSync(this.#positionFd, position, 0, 8, 0)
    } catch {
      // A full disk: the receiver knows the number, too.
    }
  }

  /** Gives up the oldest file for newer packets. Answers how many packets that cost; 0 when there is none to give up. */
  dropOldest(): number {
    const segment = this.#segments.find((s) => s.unreadBlocks > 0 && s !== this.#open)
    if (segment === undefined || this.#pending.some((p) => p.segment === segment)) return 0
    const packets = segment.unreadPackets
    segment.unreadBlocks = segment.unreadPackets = 0
    // Blocks of it that are on their way are in memory: the file itself can go.
    this.#remove(segment)
    return packets
  }

  /** Packets lost here since the last call. */
  takeLost(): [packets: number, reason: string][] {
    const lost = this.#lost
    this.#lost = []
    return lost
  }

  /** Puts blocks before all others, at the end of a run. Answers how many found room. */
  async prepend(blocks: readonly Storable[]): Promise<number> {
    if (blocks.length === 0) return 0
    const serial = (this.#segments[0]?.serial ?? this.#serial) - 1
    const records: Uint8Array[] = []
    let bytes = this.#bytes
    for (const block of blocks) {
      bytes += block.bytes.length + diskRecordOverhead
      if (bytes > this.#maxBytes) break
      records.push(recordOf(block))
    }
    let kept = 0
    try {
      const file = await open(join(this.#dir, segmentName(serial)), READ_WRITE)
      try {
        let at = 0
        for (const record of records) {
          await writeAll(file, record, at)
          at += record.length
          kept++
        }
      } finally {
        await file.close()
      }
    } catch (error) {
      this.#onNotice(`The disk buffer in "${this.#dir}" takes no more: ${(error as Error).message}.`, 'error')
    }
    return kept
  }

  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  async close(): Promise<void> {
    await this.flush()
    await this.#handle?.file.close()
    await this.#reader?.file.close()
    closeSync(this.#positionFd)
    this.#reserved = this.nextNumber
    try {
      this.#writeState(true)
    } catch {
      // The next run reserves again from the number on disk.
    }
  }

  async #write(): Promise<void> {
    while (this.#pending.length > 0) {
      const { segment, at, record } = this.#pending[0] as Pending
      try {
        if (Date.now() < this.#brokenUntilMs) throw undefined
        if (this.#handle?.segment !== segment) {
          await this.#handle?.file.close()
          this.#handle = undefined
          this.#handle = { segment, file: await open(segment.path, READ_WRITE) }
        }
        await writeAll(this.#handle.file, record, at)
      } catch (error) {
        if (error !== undefined) {
          this.#brokenUntilMs = Date.now() + RETRY_MS
          this.#onNotice(`The disk buffer in "${this.#dir}" takes no more: ${(error as Error).message}.`, 'error')
        }
        this.#giveUpPending()
        return
      }
      this.#pending.shift()
      this.#pendingBytes -= record.length
    }
  }

  /** What could not be written is lost; the file it was meant for is closed with what is in it. */
  #giveUpPending(): void {
    for (const { segment, at, record } of this.#pending) {
      const packets = u32le(record, 8)
      this.#lost.push([packets, 'disk buffer: write failed'])
      this.#bytes -= record.length
      segment.bytes = Math.min(segment.bytes, at)
      segment.unreadBlocks--
      segment.unreadPackets -= packets
    }
    this.#pending = []
    this.#pendingBytes = 0
    // A torn record may stand at the end of the last file, so the next block begins a new one.
    this.#open = undefined
    this.#sweep()
  }

  #giveUpRest(segment: Segment, reason: string): void {
    if (segment.unreadPackets > 0) this.#lost.push([segment.unreadPackets, reason])
    segment.unreadBlocks = segment.unreadPackets = 0
    this.#sweep()
  }

  /** Takes away files that nobody needs. */
  #sweep(): void {
    for (const segment of [...this.#segments]) {
      if (segment.unreadBlocks > 0 || segment.out > 0 || this.#pending.some((p) => p.segment === segment)) continue
      this.#remove(segment)
    }
  }

  #remove(segment: Segment): void {
    const index = this.#segments.indexOf(segment)
    if (index < 0) return
    if (this.#open === segment) this.#open = undefined
    this.#segments.splice(index, 1)
    this.#bytes -= segment.bytes
    rmSync(segment.path, { force: true })
    if (this.#handle?.segment === segment) {
      void this.#handle.file.close().catch(() => {})
      this.#handle = undefined
    }
  }

  /** Finds the files of the last run by their record headers; the sums are looked at when the blocks are read. */
  #scan(): { serial: number; lastNumber: number } {
    let serial = FIRST_SERIAL
    let lastNumber = -1
    const head = new Uint8Array(diskRecordOverhead)
    for (const name of readdirSync(this.#dir).sort()) {
      const match = /^(\d{10})\.blocks$/.exec(name)
      if (match === null) continue
      serial = Math.max(serial, Number(match[1]) + 1)
      const path = join(this.#dir, name)
      const segment = this.#newSegment(Number(match[1]))
      const size = statSync(path).size
      const fd = openSync(path, 'r')
      try {
        for (let at = 0; at + diskRecordOverhead <= size; ) {
          readSync(fd, head, 0, diskRecordOverhead, at)
          const length = u32le(head, 4) + diskRecordOverhead
          if (u32le(head, 0) !== MAGIC || length > blockBytesMax + diskRecordOverhead || at + length > size) break
          segment.unreadBlocks++
          segment.unreadPackets += u32le(head, 8)
          lastNumber = Math.max(lastNumber, new DataView(head.buffer).getFloat64(16, true))
          at += length
          segment.bytes = at
        }
      } finally {
        closeSync(fd)
      }
      if (segment.unreadBlocks === 0) rmSync(path, { force: true })
      else {
        this.#segments.push(segment)
        this.#bytes += segment.bytes
      }
    }
    return { serial, lastNumber }
  }

  #writeState(ended = false): void {
    const state: State = { stream: this.stream, reserved: this.#reserved, pid: ended ? 0 : process.pid, started: startedOf(process.pid) }
    writeFileSync(`${this.#reservedFile}.new`, JSON.stringify(state))
    renameSync(`${this.#reservedFile}.new`, this.#reservedFile)
  }

  #newSegment(serial: number): Segment {
    return { serial, path: join(this.#dir, segmentName(serial)), bytes: 0, unreadBlocks: 0, unreadPackets: 0, out: 0 }
  }
}

type Storable = Pick<StoredBlock, 'number' | 'packets' | 'firstMicros' | 'bytes'>

function recordOf(block: Storable): Uint8Array {
  const record = new Uint8Array(block.bytes.length + diskRecordOverhead)
  const view = new DataView(record.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint32(4, block.bytes.length, true)
  view.setUint32(8, block.packets, true)
  view.setFloat64(16, block.number, true)
  view.setFloat64(24, block.firstMicros, true)
  record.set(block.bytes, diskRecordOverhead)
  view.setUint32(12, crc32c(record, 16), true)
  return record
}

const segmentName = (serial: number): string => `${String(serial).padStart(10, '0')}.blocks`
/** For reading and writing at any place; made when missing. */
const READ_WRITE = constants.O_RDWR | constants.O_CREAT

async function writeAll(file: FileHandle, record: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < record.length; ) {
    const { bytesWritten } = await file.write(record, done, record.length - done, at + done)
    done += bytesWritten
  }
}

async function readRecord(file: FileHandle, at: number): Promise<Omit<StoredBlock, 'segment'> | undefined> {
  const head = new Uint8Array(diskRecordOverhead)
  if (!(await readAll(file, head, at))) return undefined
  const length = u32le(head, 4)
  if (u32le(head, 0) !== MAGIC || length > blockBytesMax) return undefined
  const bytes = new Uint8Array(length)
  if (!(await readAll(file, bytes, at + diskRecordOverhead))) return undefined
  if (crc32c(bytes, 0, length, crc32c(head, 16)) !== u32le(head, 12)) return undefined
  const view = new DataView(head.buffer)
  return { number: view.getFloat64(16, true), packets: u32le(head, 8), firstMicros: view.getFloat64(24, true), bytes }
}

async function readAll(file: FileHandle, into: Uint8Array, at: number): Promise<boolean> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await file.read(into, done, into.length - done, at + done)
    if (bytesRead === 0) return false
    done += bytesRead
  }
  return true
}

/** Who uses the directory, and which numbers are taken. */
interface State {
  readonly stream: string
  readonly reserved: number
  readonly pid: number
  /** The process's start time, for a number that another process has got since. */
  readonly started: string
}

function readState(path: string): State | undefined {
  try {
    const state = JSON.parse(readFileSync(path, 'utf8')) as State
    return /^[0-9a-f]{32}$/.test(state.stream) && Number.isSafeInteger(state.reserved) ? state : undefined
  } catch {
    return undefined
  }
}

/** Field 22 of /proc/PID/stat; empty when there is no such process. */
function startedOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

const isRunning = (pid: number, started: string): boolean => pid > 0 && pid !== process.pid && started !== '' && startedOf(pid) === started

const inUse = (dir: string, pid: number): OperatorError =>
  new OperatorError('MIRROR_DISK_IN_USE', `Process ${pid} keeps its blocks in "${dir}" already.`, {
    suggestions: ['Give each sender a directory of its own: --packetbuffer-file-path DIR'],
  })
