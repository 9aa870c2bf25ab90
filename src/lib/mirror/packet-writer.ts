import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { OperatorError } from '../base/errors.js'
import type { BatchOrigin, PacketBatch } from '../base/packets.js'
import { makeDirectory } from '../native/make-directory.js'
import {
  interfaceRoom,
  packetRoom,
  statisticsRoom,
  writeInterface,
  writePacket,
  writeSection,
  writeStatistics,
} from '../pcap/pcapng-write.js'
import { recordHeaderLength, writeFileHeader, writeRecordHeader } from '../pcap/write.js'
import type { Position } from './lane.js'
import { Reopening } from './reopening.js'

/**
 * Packets written as they come: to standard output or a file as one stream, or to a directory as files that follow one another.
 * Each kind of interface of each sensor is an interface of the pcapng file. Bytes are collected and written in large pieces;
 * `onWritten` says when all that was given before is out.
 *
 * In a directory every piece ends with a remark for each stream that went on in it: how far it had come. A new run cuts off what stands
 * behind the last remark, which nobody acknowledged, and goes on from there: each packet is in the files once.
 */
export interface WriterOptions {
  readonly format: 'pcapng' | 'pcap'
  /** Begin another file after so many bytes, or so long; 0 means never. For a directory. */
  readonly fileBytesMax: number
  readonly fileSecondsMax: number
  /** The oldest files go; 0 keeps all. */
  readonly filesMax: number
}

export interface PacketSinkEvents {
  /** Asked when a piece is closed; what it answers is called when the piece is written. */
  onPiece?(): () => void
}

const PIECE_BYTES = 1 << 20
/** Something that waits longer is written, however little it is. */
const FLUSH_MS = 100
/** A remark, so that our own are known from others'. */
const REMARK = 'earshot-mirror'

type Write = (bytes: Uint8Array) => Promise<void>

export class PacketWriter {
  readonly #options: WriterOptions
  readonly #events: PacketSinkEvents
  readonly #target: Target
  #piece = new Piece()
  #spare = new Piece()
  #writing: Promise<void> | undefined
  readonly #timer: NodeJS.Timeout
  readonly #interfaces = new Map<BatchOrigin | undefined, Map<string, number>>()
  #interfaceCount = 0
  #begun = false
  #linkType = -1
  readonly #positions = new Map<string, Position>()
  readonly #changed = new Map<string, Position>()
  readonly #reopening = new Reopening()
  /** A batch is being written: a file must not end in the middle of it. */
  #inBatch = false
  #failed: unknown
  packets = 0
  /** Packets that a pcap cannot hold, because its first had another link type. */
  otherLinkType = 0

  constructor(target: Target, options: WriterOptions, events: PacketSinkEvents = {}) {
    this.#target = target
    this.#options = options
    this.#events = events
    for (const position of target.positions) this.#positions.set(keyOf(position), position)
    this.#timer = setInterval(() => {
      if (!this.#inBatch) void this.flush().catch(() => {})
    }, FLUSH_MS)
  }

  /** Copies the packets of a batch; waits while a piece is being written and the next is full. Throws what writing threw. */
  async write(batch: PacketBatch & { readonly position?: Position | undefined }): Promise<void> {
    // Another file may follow the piece that is on its way, and it begins with a header.
    while (this.#writing !== undefined && (this.#target.rotates || this.#reopening.wanted)) await this.#writing
    this.#inBatch = true
    try {
      if (batch.count > 0) {
        if (this.#options.format === 'pcap') await this.#writePcap(batch)
        else await this.#writePcapng(batch)
      }
    } finally {
      this.#inBatch = false
    }
    if (batch.position !== undefined && this.#target.remarks) {
      this.#positions.set(keyOf(batch.position), batch.position)
      this.#changed.set(keyOf(batch.position), batch.position)
    }
    if (this.#piece.at >= PIECE_BYTES || this.#reopening.wanted) await this.flush()
    if (this.#failed !== undefined) throw this.#failed
  }

  async #writePcapng(batch: PacketBatch): Promise<void> {
    if (!this.#begun) this.#begin()
    const id = this.#interfaceOf(batch)
    let piece = this.#piece
    for (let i = 0; i < batch.count; i++) {
      if (!piece.fits(packetRoom(batch.captured[i] as number))) {
        // The rest of the batch belongs to this file, whatever its size.
        await this.#flushPiece(false)
        piece = this.#piece
      }
      piece.at = writePacket(piece.bytes, piece.view, piece.at, id, batch, i)
    }
    this.packets += batch.count
  }

  async #writePcap(batch: PacketBatch): Promise<void> {
    if (!this.#begun) {
      this.#begun = true
      this.#linkType = batch.linkType
      this.#piece.at = writeFileHeader(this.#piece.view, this.#piece.at, batch.linkType, true)
    }
    if (batch.linkType !== this.#linkType) {
      this.otherLinkType += batch.count
      return
    }
    for (let i = 0; i < batch.count; i++) {
      const captured = batch.captured[i] as number
      if (!this.#piece.fits(recordHeaderLength + captured)) await this.#flushPiece(false)
      const piece = this.#piece
      const at = batch.at[i] as number
      const to = writeRecordHeader(
        piece.view,
        piece.at,
        batch.micros[i] as number,
        batch.nanos?.[i] ?? 0,
        captured,
        batch.length[i] as number,
      )
      piece.bytes.set(batch.bytes.subarray(at, at + captured), to)
      piece.at = to + captured
    }
    this.packets += batch.count
  }

  #begin(): void {
    this.#begun = true
    this.#interfaces.clear()
    this.#interfaceCount = 0
    this.#piece.at = writeSection(this.#piece.view, this.#piece.at)
    // Each file knows where all streams stand, so the last one is enough for a new run.
    for (const [key, position] of this.#positions) this.#changed.set(key, position)
  }

  #interfaceOf({ origin, linkType, interfaceName }: PacketBatch): number {
    let known = this.#interfaces.get(origin)
    if (known === undefined) {
      known = new Map()
      this.#interfaces.set(origin, known)
    }
    const key = `${linkType} ${interfaceName ?? ''}`
    const id = known.get(key)
    if (id !== undefined) return id
    const description = origin === undefined ? '' : `sensor ${origin.sensorId ?? '-'} ${origin.name}`.trim()
    this.#declare(linkType, interfaceName ?? '', description)
    known.set(key, this.#interfaceCount - 1)
    return this.#interfaceCount - 1
  }

  #declare(linkType: number, name: string, description: string): void {
    const piece = this.#piece
    piece.grow(interfaceRoom(name, description))
    piece.at = writeInterface(piece.view, piece.at, linkType, name, description)
    this.#interfaceCount++
  }

  /** Opens the file anew, when it was moved away; in a directory another file begins. Resolves with its name. */
  reopen(): Promise<string | undefined> {
    const asked = this.#reopening.ask()
    if (!this.#inBatch) void this.flush().catch(() => {})
    return asked
  }

  /** Writes what was collected; also begins a new file when it is time. */
  flush(): Promise<void> {
    return this.#flushPiece(true)
  }

  async #flushPiece(atBoundary: boolean): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    const piece = this.#piece
    if (atBoundary) this.#remark()
    if (piece.at === 0) {
      // Nothing to write, but what was read before (time alone, blocks without packets) may be acknowledged.
      if (atBoundary && this.#failed === undefined) this.#events.onPiece?.()()
      if (atBoundary && this.#reopening.wanted) {
        this.#writing = this.#reopenFile().finally(() => {
          this.#writing = undefined
        })
        await this.#writing
      }
      return
    }
    const written = atBoundary ? this.#events.onPiece?.() : undefined
    this.#piece = this.#spare
    this.#spare = piece
    this.#writing = this.#target
      .write(piece.bytes.subarray(0, piece.at))
      .then(async () => {
        written?.()
        if (!atBoundary) return
        if (this.#reopening.wanted) await this.#reopenFile()
        else if (await this.#target.rotate(this.#options)) this.#begun = false
      })
      .catch((error: unknown) => {
        this.#failed ??= error
      })
      .finally(() => {
        piece.at = 0
        this.#writing = undefined
      })
    // One piece is filled while the other is written, but a new file begins with a new piece.
    if (this.#target.rotates || this.#reopening.wanted) await this.#writing
  }

  async #reopenFile(): Promise<void> {
    if (await this.#reopening.grant(this.#target)) this.#begun = false
  }

  #remark(): void {
    if (!this.#target.remarks || this.#failed !== undefined || (this.#changed.size === 0 && this.#piece.at === 0)) return
    if (!this.#begun) this.#begin()
    // Statistics belong to an interface, so there must be one.
    if (this.#interfaceCount === 0) this.#declare(1, '', '')
    const comments = [...this.#changed.values()].map(remarkOf)
    // What has no numbers to go on from is complete as it stands.
    for (const comment of comments.length > 0 ? comments : [REMARK]) {
      this.#piece.grow(statisticsRoom(comment))
      this.#piece.at = writeStatistics(this.#piece.view, this.#piece.at, 0, Date.now() * 1000, 0, comment)
    }
    this.#changed.clear()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    if (this.#options.format === 'pcapng' && !this.#begun && this.packets === 0 && !this.#target.rotates) this.#begin()
    await this.flush()
    await this.#writing
    await this.#target.close()
    if (this.#failed !== undefined) throw this.#failed
  }
}

/** Bytes on their way out. */
class Piece {
  bytes = new Uint8Array(PIECE_BYTES + (1 << 19))
  view = new DataView(this.bytes.buffer)
  at = 0

  fits(more: number): boolean {
    if (this.at + more <= this.bytes.length) return true
    if (this.at > 0) return false
    this.grow(more)
    return true
  }

  /** Makes room; for the few things that must not be cut from what is there. */
  grow(more: number): void {
    if (this.at + more <= this.bytes.length) return
    const larger = new Uint8Array(2 * (this.at + more))
    larger.set(this.bytes.subarray(0, this.at))
    this.bytes = larger
    this.view = new DataView(larger.buffer)
  }
}

const keyOf = ({ sensorId, stream }: Position): string => `${sensorId} ${stream}`
const remarkOf = ({ sensorId, stream, number, packets, whole }: Position): string =>
  `${REMARK} sensor=${sensorId} stream=${stream} block=${number} packets=${packets}${whole ? ' whole' : ''}`

function readRemark(text: string): Position | undefined {
  const [, sensorId, stream, number, packets, whole] =
    /^earshot-mirror sensor=(\d{1,5}) stream=([0-9a-f]{32}) block=(\d{1,16}) packets=(\d{1,9})( whole)?$/.exec(text) ?? []
  if (stream === undefined) return undefined
  return { sensorId: Number(sensorId), stream, number: Number(number), packets: Number(packets), whole: whole !== undefined }
}

/** Where pieces go. */
export interface Target {
  readonly write: Write
  /** Files follow one another, and their pieces end with remarks. */
  readonly rotates: boolean
  readonly remarks: boolean
  /** What the last run left: where the streams stood. */
  readonly positions: readonly Position[]
  /** Begins another file when it is time; answers whether it did. */
  rotate(options: WriterOptions): Promise<boolean>
  /** Opens the file of this name anew, unless it is still the same; answers its name when it did. */
  reopen(): Promise<string | undefined>
  close(): Promise<void>
}

export function streamTarget(stream: NodeJS.WritableStream): Target {
  return {
    write: (bytes) => new Promise((resolve, reject) => stream.write(bytes, (error) => (error ? reject(error) : resolve()))),
    rotates: false,
    remarks: false,
    positions: [],
    rotate: async () => false,
    reopen: async () => undefined,
    close: async () => {},
  }
}

export async function fileTarget(path: string): Promise<Target> {
  const openNew = (): Promise<FileHandle> =>
    open(path, 'w').catch((error: Error) => {
      throw cannotWrite(path, error)
    })
  let file = await openNew()
  return {
    write: (bytes) => writeAll(file, bytes),
    rotates: false,
    remarks: false,
    positions: [],
    rotate: async () => false,
    async reopen() {
      const [ours, there] = await Promise.all([file.stat(), stat(path).catch(() => undefined)])
      // Still in its place: opened anew it would be emptied.
      if (there?.ino === ours.ino && there.dev === ours.dev) return undefined
      const old = file
      file = await openNew()
      await old.close()
      return path
    },
    close: () => file.close(),
  }
}

/** Opens a directory; looks at what the last run left, and cuts off what it did not finish. */
export async function directoryTarget(dir: string): Promise<Target> {
  try {
    makeDirectory(dir)
    const { positions, lastSerial } = await recover(dir)
    let serial = lastSerial
    let current: { file: FileHandle; bytes: number; sinceMs: number } | undefined
    return {
      rotates: true,
      remarks: true,
      positions,
      async write(bytes) {
        current ??= { file: await open(join(dir, fileName(++serial, new Date())), 'wx'), bytes: 0, sinceMs: Date.now() }
        await writeAll(current.file, bytes)
        current.bytes += bytes.length
      },
      async rotate({ fileBytesMax, fileSecondsMax, filesMax }) {
        if (current === undefined) return false
        const full = fileBytesMax > 0 && current.bytes >= fileBytesMax
        const old = fileSecondsMax > 0 && Date.now() - current.sinceMs >= fileSecondsMax * 1000
        if (!full && !old) return false
        await current.file.close()
        current = undefined
        if (filesMax > 0) for (const name of (await ourFiles(dir)).slice(0, -filesMax)) await rm(join(dir, name), { force: true })
        return true
      },
      async reopen() {
        await current?.file.close()
        current = undefined
        return `another file in ${dir}`
      },
      close: async () => current?.file.close(),
    }
  } catch (error) {
    throw cannotWrite(dir, error as Error)
  }
}

const FILE_NAME = /^earshot-(\d{8})-\d{8}T\d{6}Z\.pcapng$/
const fileName = (serial: number, date: Date): string =>
  `earshot-${String(serial).padStart(8, '0')}-${date.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z.pcapng`
const ourFiles = async (dir: string): Promise<string[]> => (await readdir(dir)).filter((name) => FILE_NAME.test(name)).sort()

async function recover(dir: string): Promise<{ positions: Position[]; lastSerial: number }> {
  const names = await ourFiles(dir)
  const lastSerial = names.length === 0 ? 0 : Number((FILE_NAME.exec(names.at(-1) as string) as RegExpExecArray)[1])
  for (const name of names.reverse()) {
    const file = await open(join(dir, name), 'r+')
    try {
      const { positions, end } = await readRemarks(file)
      if (end > 0) {
        if (end < (await file.stat()).size) await file.truncate(end)
        return { positions, lastSerial }
      }
    } finally {
      await file.close()
    }
    // Nothing in it was finished.
    await rm(join(dir, name))
  }
  return { positions: [], lastSerial }
}

/** Walks the blocks of a file that we wrote. `end` is behind the last remark. */
async function readRemarks(file: FileHandle): Promise<{ positions: Position[]; end: number }> {
  const found = new Map<string, Position>()
  const buffer = Buffer.alloc(1 << 20)
  let end = 0
  let fileAt = 0
  let have = 0
  for (;;) {
    const { bytesRead } = await file.read(buffer, have, buffer.length - have, fileAt + have)
    have += bytesRead
    let at = 0
    while (at + 12 <= have) {
      const length = buffer.readUInt32LE(at + 4)
      if (length < 12 || length % 4 !== 0) return { positions: [...found.values()], end }
      if (at + length > have) break
      if (buffer.readUInt32LE(at) === 5 && length >= 36) {
        const size = buffer.readUInt16LE(at + 22)
        const comment = buffer.readUInt16LE(at + 20) === 1 && 24 + size <= length ? buffer.toString('utf8', at + 24, at + 24 + size) : ''
        const position = readRemark(comment)
        if (position !== undefined) found.set(keyOf(position), position)
        if (position !== undefined || comment === REMARK) end = fileAt + at + length
      }
      at += length
    }
    if (bytesRead === 0) return { positions: [...found.values()], end }
    buffer.copyWithin(0, at, have)
    have -= at
    fileAt += at
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done, bytes.length - done)).bytesWritten
}

function cannotWrite(path: string, cause: Error): OperatorError {
  return new OperatorError('WRITE', `Cannot write packets to "${path}": ${cause.message}.`, {
    cause,
    suggestions: ['Give a directory or a file that you may write to, or - for standard output.'],
  })
}
