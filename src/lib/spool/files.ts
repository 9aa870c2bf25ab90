import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Counters } from '../base/counters.js'
import { fileHeaderLength, recordHeaderLength, writeFileHeader } from '../pcap/write.js'
import { type Compression, concat, pack, unpack } from './compression.js'
import { Handles } from './handles.js'
import type { Keeper } from './keeper.js'
import { MaskDtmf } from './mask.js'
import { type Minute, onDisk } from './minutes.js'
import { mediaPath, siblingPath } from './names.js'
import { fileInOrder, recordsInOrder } from './order.js'
import { PAGE_BYTES, Pages } from './pages.js'
import { HEADERS_SHIFT, KIND_MASK, kindNumbers, NO_NANOS, type Shipment } from './shipment.js'

/**
 * The pcaps being written, in the writing thread: each packet is appended to its file's pages, which go to the disk when
 * they are many, old or the last. What changes with every packet lies in one row of 64 bytes a file (docs/decisions/004).
 */
const ROW = 16
const cell = {
  /** Last page, or -1; where in the block its free part begins and ends. */
  page: 0,
  at: 1,
  end: 2,
  firstPage: 3,
  pending: 4,
  /** Link type of its packets, with MEDIA where media have files of their own; -1 before the first. */
  shape: 5,
  nanos: 6,
  /** Of the newest record: seconds and fraction. */
  seconds: 7,
  fraction: 8,
  /** Of the oldest record in memory: seconds. */
  oldest: 9,
  /** Of the newest record on the disk. */
  writtenSeconds: 10,
  writtenFraction: 11,
  state: 12,
  /** Of `pending`, what is signalling. */
  sipPending: 13,
} as const
/** Beside a link type: a file of media only. */
const MEDIA = 1 << 16
const state = { open: 1, fresh: 2, pagesOutOfOrder: 4, fileOutOfOrder: 8, ended: 16 } as const

/** A file's memory never grows beyond this, however few files there are. */
const PENDING_MAX = 256 << 10
/** Pages older than this in capture time go out, so that a file can be opened while its call runs. */
const AGE_SECONDS = 2
/** After an error the disk is tried again. */
export const RETRY_MS = 10_000
/** Larger files are not put in order: that takes as much memory. */
const REORDER_MAX = 256 << 20

interface Open {
  path: string
  /** As it is on the disk. */
  size: number
  minute: Minute
  /** Files of the same call with packets of other shapes. */
  siblings: Map<number, number> | undefined
}

export interface PcapFilesOptions {
  readonly dir: string
  readonly memoryBytes: number
  readonly compression: Compression
  /** Media go to files of their own. */
  readonly split: boolean
  /** What is behind the headers of media becomes zeros. */
  readonly zeroPayload: boolean
  readonly maskDtmf: boolean
}

export class PcapFiles {
  readonly #options: PcapFilesOptions
  readonly #keeper: Keeper
  readonly #mask: MaskDtmf | undefined
  readonly #pages: Pages
  readonly #handles: Handles
  readonly #dropped = new Counters()
  #rows = new Int32Array(1024 * ROW)
  readonly #open: (Open | undefined)[] = []
  #active = 0
  /** Where to look next for pages when there are none left. */
  #hand = 0
  #siblingsMade = 0
  #brokenUntilMs = 0
  bytes = 0
  files = 0
  /** Times that a file was written to. */
  writes = 0
  /** The last thing the disk said, once. */
  trouble: { code: string; message: string } | undefined

  constructor(options: PcapFilesOptions, keeper: Keeper) {
    this.#options = options
    this.#keeper = keeper
    this.#mask = options.maskDtmf ? new MaskDtmf() : undefined
    this.#pages = new Pages(options.memoryBytes)
    this.#handles = new Handles(options.dir)
  }

  get dropped(): [reason: string, count: number][] {
    return this.#dropped.entries()
  }

  /** Even numbers are the hot thread's files; odd ones are made here. */
  open(number: number, path: string): void {
    this.#begin(number, path)
  }

  get waiting(): boolean {
    return this.#brokenUntilMs > 0
  }

  accept(shipment: Shipment, count: number): void {
    const { file, at, captured, length, micros, nanos, linkType, about, bytes } = shipment
    const { split, zeroPayload } = this.#options
    const media = split ? MEDIA : 0
    const mask = this.#mask
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const pages = this.#pages
    for (let i = 0; i < count; i++) {
      let number = file[i]!
      let row = number * ROW
      const isSip = (about[i]! & KIND_MASK) === kindNumbers.sip
      const shape = isSip ? linkType[i]! : linkType[i]! | media
      if (this.#rows[row + cell.shape] !== shape) {
        number = this.#fileFor(number, shape, nanos[i] !== NO_NANOS)
        row = number * ROW
      }
      const rows = this.#rows
      const size = captured[i]!
      if (zeroPayload && !isSip) bytes.fill(0, at[i]! + Math.min(size, about[i]! >> HEADERS_SHIFT), at[i]! + size)
      if (mask !== undefined) mask.packet(shipment, i)
      const needed = recordHeaderLength + size
      if (rows[row + cell.end]! - rows[row + cell.at]! < needed && !this.#room(number, needed)) {
        this.#dropped.add('disk not writable')
        continue
      }
      const time = micros[i]!
      const seconds = Math.floor(time / 1e6)
      const rest = time - seconds * 1e6
      const fraction = rows[row + cell.nanos] === 0 ? rest : rest * 1000 + (nanos[i] === NO_NANOS ? 0 : nanos[i]!)
      this.#note(row, seconds, fraction)
      const to = rows[row + cell.at]!
      if (rows[row + cell.end]! - to < needed) {
        this.#spread(row, seconds, fraction, bytes.subarray(at[i]!, at[i]! + size), length[i]!)
        if (isSip) rows[row + cell.sipPending]! += needed
        continue
      }
      const out = pages.view
      out.setUint32(to, seconds, true)
      out.setUint32(to + 4, fraction, true)
      out.setUint32(to + 8, size, true)
      out.setUint32(to + 12, length[i]!, true)
      copy(view, at[i]!, out, to + recordHeaderLength, size)
      rows[row + cell.at] = to + needed
      rows[row + cell.pending]! += needed
      if (isSip) rows[row + cell.sipPending]! += needed
    }
  }

  /** No more will come for this file. */
  end(number: number): void {
    const open = this.#open[number]
    if (open === undefined) return
    for (const sibling of open.siblings?.values() ?? []) this.end(sibling)
    this.#flush(number)
    this.#handles.close(open.path)
    if ((this.#rows[number * ROW + cell.state]! & state.fileOutOfOrder) !== 0) this.#reorder(open)
    this.#keeper.closed(open.minute, open.path)
    this.#open[number] = undefined
    this.#rows[number * ROW + cell.state] = 0
    this.#active--
  }

  /** What waits of the call with this path goes out. */
  flush(path: string): void {
    const number = this.#open.findIndex((open) => open?.path === path)
    if (number < 0) return
    this.#flush(number)
    for (const sibling of this.#open[number]?.siblings?.values() ?? []) this.#flush(sibling)
  }

  /** Lets capture time pass: old pages go out. */
  tick(nowMicros: number): void {
    const before = Math.floor(nowMicros / 1e6) - AGE_SECONDS
    for (let number = 0; number < this.#open.length; number++) {
      const row = number * ROW
      if (this.#open[number] !== undefined && this.#rows[row + cell.pending]! > 0 && this.#rows[row + cell.oldest]! <= before)
        this.#flush(number)
    }
  }

  close(): void {
    for (let number = 0; number < this.#open.length; number++) this.end(number)
    this.#handles.closeAll()
  }

  #begin(number: number, path: string): void {
    const row = number * ROW
    if (row + ROW > this.#rows.length) {
      const larger = new Int32Array(2 * Math.max(this.#rows.length, row + ROW))
      larger.set(this.#rows)
      this.#rows = larger
    }
    this.#rows.fill(0, row, row + ROW)
    this.#rows[row + cell.page] = this.#rows[row + cell.firstPage] = -1
    this.#rows[row + cell.shape] = -1
    this.#rows[row + cell.state] = state.open | state.fresh
    this.#open[number] = { path, size: 0, minute: this.#keeper.opened(path), siblings: undefined }
    this.#active++
  }

  /** A pcap has one link type: packets of another kind of interface go to a file beside; so do media where they are kept apart. */
  #fileFor(number: number, shape: number, nanos: boolean): number {
    const row = number * ROW
    const open = this.#open[number] as Open
    const own = this.#rows[row + cell.shape]!
    if (own === shape) return number
    // The call's first file is that of its signalling, whatever comes first.
    if (own === -1 && ((shape & MEDIA) === 0 || (number & 1) === 1)) {
      this.#rows[row + cell.shape] = shape
      this.#rows[row + cell.nanos] = nanos ? 1 : 0
      return number
    }
    open.siblings ??= new Map()
    const known = open.siblings.get(shape)
    if (known !== undefined) return known
    const sibling = 2 * this.#siblingsMade++ + 1
    const ofKind = (shape & MEDIA) === 0 ? open.path : mediaPath(open.path)
    const linkType = shape & 0xffff
    const first = [own, ...open.siblings.keys()].find((other) => other !== -1 && (other & MEDIA) === (shape & MEDIA))
    this.#begin(sibling, first === undefined ? ofKind : siblingPath(ofKind, linkType))
    open.siblings.set(shape, sibling)
    return this.#fileFor(sibling, shape, nanos)
  }

  /** Keeps account of what is out of order, to mend it before or after it is written. */
  #note(row: number, seconds: number, fraction: number): void {
    const rows = this.#rows
    const ahead = seconds - rows[row + cell.seconds]! || fraction - rows[row + cell.fraction]!
    if (ahead >= 0) {
      rows[row + cell.seconds] = seconds
      rows[row + cell.fraction] = fraction
    } else {
      const afterWritten = seconds - rows[row + cell.writtenSeconds]! || fraction - rows[row + cell.writtenFraction]!
      rows[row + cell.state]! |= afterWritten < 0 ? state.pagesOutOfOrder | state.fileOutOfOrder : state.pagesOutOfOrder
    }
    if (rows[row + cell.pending] === 0 || seconds < rows[row + cell.oldest]!) rows[row + cell.oldest] = seconds
  }

  /** Makes the file's last page one with room, after writing what waits when that is enough. Answers false when the disk does not take it. */
  #room(number: number, needed: number): boolean {
    if (this.#brokenUntilMs > 0 && performance.now() < this.#brokenUntilMs) return false
    const row = number * ROW
    if (this.#rows[row + cell.pending]! > 0 && this.#rows[row + cell.pending]! + needed > this.#pendingMax() && !this.#flush(number))
      return false
    if (!this.#addPage(row)) return false
    const first = this.#rows[row + cell.firstPage]!
    if (this.#rows[row + cell.page] === first && (this.#rows[row + cell.state]! & state.fresh) !== 0) {
      const at = this.#rows[row + cell.at]!
      writeFileHeader(this.#pages.view, at, this.#rows[row + cell.shape]! & 0xffff, this.#rows[row + cell.nanos] !== 0)
      this.#rows[row + cell.at] = at + fileHeaderLength
      this.#rows[row + cell.pending] = fileHeaderLength
    }
    return true
  }

  /** With many files each gets less, so that all of them together stay within the memory. */
  #pendingMax(): number {
    return Math.min(PENDING_MAX, (this.#pages.count * PAGE_BYTES) / 2 / Math.max(1, this.#active))
  }

  #addPage(row: number): boolean {
    let page = this.#pages.take()
    // Somebody has them: the next in turn writes his.
    for (let looked = 0; page < 0 && looked < this.#open.length; looked++) {
      this.#hand = (this.#hand + 1) % this.#open.length
      if (this.#open[this.#hand] !== undefined && this.#hand * ROW !== row && this.#flush(this.#hand)) page = this.#pages.take()
    }
    if (page < 0) return false
    const rows = this.#rows
    const last = rows[row + cell.page]!
    if (last < 0) rows[row + cell.firstPage] = page
    else {
      this.#pages.used[last] = rows[row + cell.at]! - last * PAGE_BYTES
      this.#pages.next[last] = page
    }
    rows[row + cell.page] = page
    rows[row + cell.at] = page * PAGE_BYTES
    rows[row + cell.end] = (page + 1) * PAGE_BYTES
    return true
  }

  /** A record larger than a page. */
  #spread(row: number, seconds: number, fraction: number, frame: Uint8Array, length: number): void {
    const record = new Uint8Array(recordHeaderLength + frame.length)
    const head = new DataView(record.buffer)
    head.setUint32(0, seconds, true)
    head.setUint32(4, fraction, true)
    head.setUint32(8, frame.length, true)
    head.setUint32(12, length, true)
    record.set(frame, recordHeaderLength)
    const pagesNeeded = Math.ceil(record.length / PAGE_BYTES) + 1
    if (this.#pages.available < pagesNeeded) {
      this.#dropped.add('packet larger than the memory of the spool')
      return
    }
    for (let done = 0; done < record.length; ) {
      if (this.#rows[row + cell.at] === this.#rows[row + cell.end]) this.#addPage(row)
      const at = this.#rows[row + cell.at]!
      const part = Math.min(record.length - done, this.#rows[row + cell.end]! - at)
      this.#pages.bytes.set(record.subarray(done, done + part), at)
      this.#rows[row + cell.at] = at + part
      this.#rows[row + cell.pending]! += part
      done += part
    }
  }

  /** Writes what waits of this file. Answers false when the disk does not take it: then it is lost, and counted. */
  #flush(number: number): boolean {
    const row = number * ROW
    const rows = this.#rows
    const pending = rows[row + cell.pending]!
    if (pending === 0) return true
    const open = this.#open[number] as Open
    const fresh = (rows[row + cell.state]! & state.fresh) !== 0
    const sipPart = rows[row + cell.sipPending]! / pending
    const pieces = this.#takePieces(row, fresh)
    if (performance.now() < this.#brokenUntilMs) {
      this.#dropped.add('disk not writable', countRecords(pieces, fresh))
      return false
    }
    const packed = pack(this.#options.compression, pieces)
    const size = packed.reduce((sum, piece) => sum + piece.length, 0)
    const growth = onDisk(open.size + size) - onDisk(open.size)
    const coming = { sipBytes: growth * sipPart, mediaBytes: growth * (1 - sipPart) }
    if (!this.#keeper.mayGrow(coming)) {
      this.#dropped.add('spool at its limit', countRecords(pieces, fresh))
      return true
    }
    try {
      const replaced = this.#handles.append(open.path, packed, open.size, fresh)
      open.size += size
      this.bytes += size
      this.writes++
      if (fresh) this.files++
      if (replaced !== undefined) this.#keeper.replaced(open.minute, replaced)
      this.#keeper.grew(open.minute, coming, fresh && replaced === undefined ? 1 : 0)
      rows[row + cell.state]! &= ~state.fresh
      rows[row + cell.writtenSeconds] = rows[row + cell.seconds]!
      rows[row + cell.writtenFraction] = rows[row + cell.fraction]!
      this.#brokenUntilMs = 0
      return true
    } catch (error) {
      this.#dropped.add('disk not writable', countRecords(pieces, fresh))
      this.#failed(error as NodeJS.ErrnoException)
      return false
    }
  }

  #failed(error: NodeJS.ErrnoException): void {
    this.trouble = { code: error.code ?? '', message: error.message }
    this.#brokenUntilMs = performance.now() + RETRY_MS
    // The directory may have been deleted under us.
    if (error.code === 'ENOENT') this.#handles.closeAll()
  }

  /** The file's pages as what is to be written, in order of time; they are given back, but stay as they are until the next packet. */
  #takePieces(row: number, fresh: boolean): Uint8Array[] {
    const rows = this.#rows
    const last = rows[row + cell.page]!
    this.#pages.used[last] = rows[row + cell.at]! - last * PAGE_BYTES
    const pieces: Uint8Array[] = []
    for (let page = rows[row + cell.firstPage]!; page >= 0; page = this.#pages.next[page]!) {
      pieces.push(this.#pages.bytes.subarray(page * PAGE_BYTES, page * PAGE_BYTES + this.#pages.used[page]!))
      this.#pages.give(page)
    }
    const disordered = (rows[row + cell.state]! & state.pagesOutOfOrder) !== 0
    rows[row + cell.state]! &= ~state.pagesOutOfOrder
    rows[row + cell.page] = rows[row + cell.firstPage] = -1
    rows[row + cell.at] = rows[row + cell.end] = rows[row + cell.pending] = rows[row + cell.sipPending] = 0
    return disordered ? [recordsInOrder(concat(pieces), fresh ? fileHeaderLength : 0)] : pieces
  }

  /** A packet came after younger ones were written: the finished file is written again. */
  #reorder(open: Open): void {
    const { compression, dir } = this.#options
    const full = join(dir, open.path)
    try {
      const about = lstatSync(full)
      if (!about.isFile() || about.size > REORDER_MAX) {
        this.#dropped.add('file too large to be put in order', 0)
        return
      }
      const ordered = concat(pack(compression, [fileInOrder(unpack(compression, readFileSync(full)))]))
      try {
        writeFileSync(`${full}.part`, ordered, { mode: 0o640 })
        renameSync(`${full}.part`, full)
      } catch (error) {
        rmSync(`${full}.part`, { force: true })
        throw error
      }
      this.#keeper.replaced(open.minute, open.size)
      this.#keeper.grew(open.minute, { sipBytes: 0, mediaBytes: onDisk(ordered.length) }, 0)
    } catch (error) {
      this.#failed(error as NodeJS.ErrnoException)
    }
  }
}

/** Four bytes at a time: for a packet's worth quicker than to make a view of it. */
function copy(from: DataView, at: number, to: DataView, toAt: number, length: number): void {
  const whole = length & ~3
  let i = 0
  for (; i < whole; i += 4) to.setUint32(toAt + i, from.getUint32(at + i, true), true)
  for (; i < length; i++) to.setUint8(toAt + i, from.getUint8(at + i))
}

function countRecords(pieces: readonly Uint8Array[], withHeader: boolean): number {
  const bytes = concat(pieces)
  const view = new DataView(bytes.buffer)
  let count = 0
  for (
    let at = withHeader ? fileHeaderLength : 0;
    at + recordHeaderLength <= bytes.length;
    at += recordHeaderLength + view.getUint32(at + 8, true)
  )
    count++
  return count
}
