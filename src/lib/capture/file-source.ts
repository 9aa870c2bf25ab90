import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { Counters } from '../base/counters.js'
import { OperatorError } from '../base/errors.js'
import type { PacketBatch, PacketSource, SourceProgress, StopSignal } from '../base/packets.js'
import { isLz4Frame, Lz4FrameReader } from '../codec/index.js'
import { BatchFill } from '../pcap/batch.js'
import { type CaptureReader, readerFor } from '../pcap/reader.js'

/**
 * Packets from capture files: several in the order given, directories in order of time, `-` for stdin, gzip and lz4 by their magic.
 * While the consumer works on one block of a file, the next is read into another.
 */
const BLOCK_BYTES = 1 << 20
/** Room for a record that a block's end cuts in two. */
const CARRY_BYTES = 1 << 19

export interface FileInput {
  readonly name: string
  /** Size on disk; undefined for a pipe. */
  readonly bytes: number | undefined
}

/** Opens files, directories and `-`. Every path is looked at now, so that a mistake is told before the work begins. */
export async function openFiles(paths: readonly string[]): Promise<FileSource> {
  const inputs: FileInput[] = []
  const oddities = new Counters()
  for (const path of paths) {
    if (path === '-') inputs.push({ name: '-', bytes: undefined })
    else {
      const about = await stat(path).catch((error: NodeJS.ErrnoException) => {
        throw cannotRead(path, error)
      })
      if (about.isDirectory()) inputs.push(...(await directory(path, oddities)))
      else {
        await openFile(path).then((file) => file.close())
        inputs.push({ name: path, bytes: about.isFile() ? about.size : undefined })
      }
    }
  }
  return new FileSource(inputs, oddities)
}

export class FileSource implements PacketSource {
  readonly live = false
  readonly oddities: Counters
  readonly #inputs: readonly FileInput[]
  #bytesBefore = 0
  #bytesHere = 0

  constructor(inputs: readonly FileInput[], oddities: Counters) {
    this.#inputs = inputs
    this.oddities = oddities
  }

  progress(): SourceProgress {
    const sizes = this.#inputs.map((input) => input.bytes)
    const total = sizes.includes(undefined) ? undefined : sizes.reduce<number>((sum, n) => sum + (n ?? 0), 0)
    return { bytes: this.#bytesBefore + this.#bytesHere, total }
  }

  async *batches(signal: StopSignal): AsyncGenerator<PacketBatch, void, void> {
    for (const input of this.#inputs) {
      if (signal.aborted) return
      yield* this.#file(input, signal)
      this.#bytesBefore += this.#bytesHere
      this.#bytesHere = 0
    }
  }

  async *#file(input: FileInput, signal: StopSignal): AsyncGenerator<PacketBatch, void, void> {
    const blocks = await openBlocks(input.name, (bytes) => {
      this.#bytesHere = bytes
    })
    const fill = new BatchFill(new Uint8Array(0))
    let reader: CaptureReader | undefined
    try {
      for await (const { bytes, at, end, last, keep } of blocks.read()) {
        reader ??= readerFor(bytes.subarray(at, end), fill, this.oddities)
        if (reader === undefined) {
          if (end - at === 0) this.oddities.add('empty file')
          else throw notACapture(input.name, bytes.subarray(at, end))
          return
        }
        for (const batch of reader.read(bytes, at, end)) {
          yield batch
          if (signal.aborted) return
        }
        keep(reader.position)
        if (last && reader.position < end) this.oddities.add('file cut in the middle of a record')
      }
    } catch (error) {
      if (!(error instanceof ReadFailure) || reader === undefined)
        throw error instanceof ReadFailure ? cannotRead(input.name, error.cause as Error) : error
      this.oddities.add('file unreadable from some point on')
    } finally {
      await blocks.close()
    }
  }
}

class ReadFailure extends Error {}

interface Block {
  readonly bytes: Uint8Array
  readonly at: number
  readonly end: number
  readonly last: boolean
  /** Says from where on the bytes are to come again in the next block. */
  keep(position: number): void
}

interface Blocks {
  read(): AsyncGenerator<Block, void, void>
  close(): Promise<void>
}

/** A file, a compressed file or stdin as blocks; what a reader leaves over is put before the next block. */
async function openBlocks(name: string, onBytes: (bytes: number) => void): Promise<Blocks> {
  if (name === '-') {
    const stream = process.stdin
    const head = await firstChunk(stream)
    const chunks = prepend(head, stream)
    const source = isGzip(head) ? Readable.from(chunks).pipe(createGunzip()) : isLz4Frame(head) ? unpackedLz4(chunks) : chunks
    return { read: () => fromStream(source, onBytes), close: async () => stream.pause() as unknown as undefined }
  }
  const file = await openFile(name)
  const head = new Uint8Array(4)
  const { bytesRead } = await file.read(head, 0, 4, 0).catch((error: Error) => {
    throw cannotRead(name, error)
  })
  const lz4 = bytesRead === 4 && isLz4Frame(head)
  if (!lz4 && !(bytesRead >= 2 && isGzip(head))) return { read: () => fromFile(file, onBytes), close: () => file.close() }
  let compressed = 0
  const onPacked = (length: number): void => {
    compressed += length
    onBytes(compressed)
  }
  const raw = file.createReadStream({ start: 0, autoClose: false, highWaterMark: BLOCK_BYTES })
  if (lz4) {
    return {
      read: () => fromStream(unpackedLz4(raw, onPacked), () => {}),
      close: async () => {
        raw.destroy()
        await file.close()
      },
    }
  }
  raw.on('data', (chunk) => onPacked(chunk.length))
  const gunzip = createGunzip({ chunkSize: BLOCK_BYTES })
  raw.on('error', (error) => gunzip.destroy(error))
  raw.pipe(gunzip)
  return {
    read: () => fromStream(gunzip, () => {}),
    close: async () => {
      raw.destroy()
      gunzip.destroy()
      await file.close()
    },
  }
}

/** Two buffers: the next read runs while the consumer works. */
async function* fromFile(file: FileHandle, onBytes: (bytes: number) => void): AsyncGenerator<Block, void, void> {
  const buffers = [new Uint8Array(CARRY_BYTES + BLOCK_BYTES), new Uint8Array(CARRY_BYTES + BLOCK_BYTES)]
  const from: (number | null)[] = [0, null]
  const fetch = (which: number): Promise<number> => {
    const position = from[0] as number
    return file.read(buffers[which] as Uint8Array, CARRY_BYTES, BLOCK_BYTES, position === -1 ? null : position).then(
      ({ bytesRead }) => {
        if (from[0] !== -1) from[0] = position + bytesRead
        return bytesRead
      },
      (error) => {
        // A pipe or a device has no positions.
        throw new ReadFailure('read failed', { cause: error })
      },
    )
  }
  const regular = (await file.stat()).isFile()
  if (!regular) from[0] = -1
  let which = 0
  let carried = 0
  let total = 0
  let pending = fetch(which)
  for (;;) {
    const got = await pending
    const bytes = buffers[which] as Uint8Array
    total += got
    onBytes(total)
    const at = CARRY_BYTES - carried
    const end = CARRY_BYTES + got
    const other = buffers[1 - which] as Uint8Array
    if (got > 0) {
      pending = fetch(1 - which)
      pending.catch(() => {})
    }
    let rest = end
    yield { bytes, at, end, last: got === 0, keep: (position) => (rest = position) }
    if (got === 0) return
    carried = Math.min(end - rest, CARRY_BYTES)
    other.set(bytes.subarray(end - carried, end), CARRY_BYTES - carried)
    which = 1 - which
  }
}

async function* fromStream(stream: AsyncIterable<Uint8Array>, onBytes: (bytes: number) => void): AsyncGenerator<Block, void, void> {
  let rest: Uint8Array = new Uint8Array(0)
  let total = 0
  let keepFrom = 0
  const next = (bytes: Uint8Array, last: boolean): Block => ({
    bytes,
    at: 0,
    end: bytes.length,
    last,
    keep: (position) => {
      keepFrom = position
    },
  })
  try {
    for await (const chunk of stream) {
      total += chunk.length
      onBytes(total)
      const bytes = rest.length === 0 ? chunk : concat(rest, chunk)
      keepFrom = bytes.length
      yield next(bytes, false)
      rest = bytes.slice(keepFrom)
    }
  } catch (error) {
    // A gzip file cut short: what came out of it so far is good.
    yield next(rest, true)
    throw new ReadFailure('read failed', { cause: error })
  }
  yield next(rest, true)
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length)
  whole.set(a)
  whole.set(b, a.length)
  return whole
}

async function* unpackedLz4(
  stream: AsyncIterable<Uint8Array>,
  onPacked: (bytes: number) => void = () => {},
): AsyncGenerator<Uint8Array, void, void> {
  const reader = new Lz4FrameReader()
  for await (const chunk of stream) {
    onPacked(chunk.length)
    yield* reader.read(chunk)
  }
  if (!reader.whole) throw new Error('the last lz4 frame is cut')
}

const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b

async function firstChunk(stream: NodeJS.ReadableStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of (stream as Readable).iterator({ destroyOnReturn: false })) {
    chunks.push(chunk as Uint8Array)
    size += (chunk as Uint8Array).length
    if (size >= 24) break
  }
  return Buffer.concat(chunks)
}

async function* prepend(head: Uint8Array, stream: NodeJS.ReadableStream): AsyncGenerator<Uint8Array, void, void> {
  if (head.length > 0) yield head
  for await (const chunk of stream) yield chunk as unknown as Uint8Array
}

/** The captures in a directory in order of their first packet; what is no capture is counted. */
async function directory(path: string, oddities: Counters): Promise<FileInput[]> {
  const names = (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => join(path, entry.name))
  const found: { input: FileInput; first: number }[] = []
  for (const name of names) {
    const first = await firstPacketMicros(name)
    if (first === undefined) oddities.add('file in the directory that is no capture')
    else found.push({ input: { name, bytes: (await stat(name)).size }, first })
  }
  if (found.length === 0) {
    throw new OperatorError('NO_CAPTURES', `There is no capture file in "${path}".`, {
      suggestions: [
        'earshot reads pcap and pcapng files, also gzip or lz4. Give the directory that holds them; subdirectories are not searched.',
      ],
    })
  }
  found.sort((a, b) => a.first - b.first || (a.input.name < b.input.name ? -1 : 1))
  return found.map(({ input }) => input)
}

/** Time of a capture's first packet; undefined when it is no capture or cannot be read. A capture without packets sorts first. */
async function firstPacketMicros(name: string): Promise<number | undefined> {
  const blocks = await openBlocks(name, () => {}).catch(() => undefined)
  if (blocks === undefined) return undefined
  const fill = new BatchFill(new Uint8Array(0), 1)
  let reader: CaptureReader | undefined
  try {
    for await (const { bytes, at, end, keep } of blocks.read()) {
      reader ??= readerFor(bytes.subarray(at, end), fill, new Counters())
      if (reader === undefined) return undefined
      for (const batch of reader.read(bytes, at, end)) return batch.micros[0]
      keep(reader.position)
    }
    return 0
  } catch {
    return undefined
  } finally {
    await blocks.close()
  }
}

async function openFile(name: string): Promise<FileHandle> {
  return open(name, 'r').catch((error: NodeJS.ErrnoException) => {
    throw cannotRead(name, error)
  })
}

function cannotRead(name: string, error: Error & { code?: string | undefined }): OperatorError {
  const next: Record<string, string> = {
    ENOENT: 'Check the path; quotes are needed around names with spaces.',
    EACCES: 'Ask its owner for read permission, or run as a user who has it.',
  }
  const why = error.code === 'ENOENT' ? 'there is no such file' : error.code === 'EACCES' ? 'permission denied' : error.message
  return new OperatorError('CAPTURE_READ', `Cannot read "${name}": ${why}.`, {
    cause: error,
    suggestions: [next[error.code ?? ''] ?? 'Check the file and the disk it is on.'],
  })
}

/** First bytes of things that are mistaken for captures. */
const lookalikes: readonly (readonly [prefix: readonly number[], what: string])[] = [
  [[0x1f, 0x8b], 'a gzip file inside gzip'],
  [[0x50, 0x4b], 'a zip archive: unpack it first'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'a zstd file: unpack it first (zstd -d)'],
  [[0xfd, 0x37, 0x7a], 'an xz file: unpack it first (xz -d)'],
  [[0x42, 0x5a, 0x68], 'a bzip2 file: unpack it first'],
  [[0x7f, 0x45, 0x4c, 0x46], 'a program'],
  [[0x47, 0x4d, 0x42, 0x55], 'a Network Monitor capture: convert it with editcap -F pcapng'],
  [[0x73, 0x6e, 0x6f, 0x6f, 0x70], 'a snoop capture: convert it with editcap -F pcapng'],
  [[0x53, 0x51, 0x4c, 0x69], 'an SQLite database'],
]

function notACapture(name: string, head: Uint8Array): OperatorError {
  const known = lookalikes.find(([prefix]) => prefix.every((byte, i) => head[i] === byte))?.[1]
  const text = [...head.subarray(0, 64)].every((b) => b === 9 || b === 10 || b === 13 || (b >= 32 && b < 127))
  const what =
    known ??
    (text ? 'text' : `something unknown (first bytes ${[...head.subarray(0, 8)].map((b) => b.toString(16).padStart(2, '0')).join(' ')})`)
  return new OperatorError('NOT_A_CAPTURE', `"${name}" is not a capture file: it looks like ${what}.`, {
    suggestions: ['earshot reads pcap (microseconds or nanoseconds) and pcapng, each also as gzip or lz4.'],
  })
}
