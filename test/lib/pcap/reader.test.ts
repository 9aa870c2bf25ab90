import { execFileSync, spawnSync } from 'node:child_process'
import { createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { Counters } from '../../../src/lib/base/counters.js'
import { OperatorError } from '../../../src/lib/base/errors.js'
import { openFiles } from '../../../src/lib/capture/file-source.js'
import { BatchFill } from '../../../src/lib/pcap/batch.js'
import { readerFor } from '../../../src/lib/pcap/reader.js'
import { writeFileHeader, writeRecordHeader } from '../../../src/lib/pcap/write.js'
import { capturesDir, expectedCaptures, haveCaptures } from '../../support/shared.js'

const dir = mkdtempSync(join(tmpdir(), 'earshot-pcap-'))
afterAll(() => rmSync(dir, { recursive: true }))
let files = 0
const fileOf = (bytes: Uint8Array, name = `f${files++}.pcap`): string => {
  writeFileSync(join(dir, name), bytes)
  return join(dir, name)
}

interface Read {
  packets: { micros: number; nanos: number; bytes: string; length: number; linkType: number }[]
  odd: Record<string, number>
}

async function read(...paths: string[]): Promise<Read> {
  const source = await openFiles(paths)
  const packets: Read['packets'] = []
  for await (const batch of source.batches(new AbortController().signal)) {
    for (let i = 0; i < batch.count; i++) {
      const at = batch.at[i] as number
      packets.push({
        micros: batch.micros[i] as number,
        nanos: batch.nanos?.[i] ?? 0,
        bytes: Buffer.from(batch.bytes.subarray(at, at + (batch.captured[i] as number))).toString('hex'),
        length: batch.length[i] as number,
        linkType: batch.linkType,
      })
    }
    batch.release()
  }
  return { packets, odd: Object.fromEntries(source.oddities.entries()) }
}

const frames = Array.from({ length: 40 }, (_, i) => Uint8Array.from({ length: 20 + i * 3 }, (_, k) => (k * 7 + i) & 255))
const T = 1_700_000_000_123_456

/** A pcap of these frames, one second apart. */
function pcap(o: { nanos?: boolean; big?: boolean; linkType?: number; list?: readonly Uint8Array[]; start?: number } = {}): Uint8Array {
  const list = o.list ?? frames
  const bytes = new Uint8Array(24 + list.reduce((sum, f) => sum + 16 + f.length, 0))
  const view = new DataView(bytes.buffer)
  let at = writeFileHeader(view, 0, o.linkType ?? 1, o.nanos === true)
  const turned = [0, 8, 12, 16, 20]
  list.forEach((frame, i) => {
    const to = writeRecordHeader(view, at, (o.start ?? T) + i * 1e6, o.nanos === true ? 789 : -1, frame.length, frame.length + 5)
    turned.push(at, at + 4, at + 8, at + 12)
    bytes.set(frame, to)
    at = to + frame.length
  })
  if (o.big === true) {
    for (const word of turned) view.setUint32(word, view.getUint32(word, true))
    for (const half of [4, 6]) view.setUint16(half, view.getUint16(half, true))
  }
  return bytes
}

/** pcapng blocks, in either byte order. */
class Ng {
  readonly #little: boolean
  readonly #parts: Uint8Array[] = []

  constructor(little = true) {
    this.#little = little
  }

  block(type: number, body: Uint8Array): this {
    const padded = (body.length + 3) & ~3
    const bytes = new Uint8Array(12 + padded)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, type, this.#little)
    view.setUint32(4, bytes.length, this.#little)
    bytes.set(body, 8)
    view.setUint32(bytes.length - 4, bytes.length, this.#little)
    this.#parts.push(bytes)
    return this
  }

  words(...words: number[]): Uint8Array {
    const view = new DataView(new ArrayBuffer(words.length * 4))
    words.forEach((word, i) => {
      view.setUint32(i * 4, word >>> 0, this.#little)
    })
    return new Uint8Array(view.buffer)
  }

  section(): this {
    return this.block(0x0a0d0d0a, this.words(0x1a2b3c4d, this.#little ? 1 : 1 << 16, 0xffffffff, 0xffffffff))
  }

  interface(linkType: number, resolution?: number): this {
    const head = this.words(this.#little ? linkType : linkType << 16, 262_144)
    const option =
      resolution === undefined
        ? []
        : this.#little
          ? [9, 0, 1, 0, resolution, 0, 0, 0, 0, 0, 0, 0]
          : [0, 9, 0, 1, resolution, 0, 0, 0, 0, 0, 0, 0]
    return this.block(1, Uint8Array.from([...head, ...option]))
  }

  packet(id: number, units: bigint, frame: Uint8Array): this {
    return this.block(
      6,
      Uint8Array.from([...this.words(id, Number(units >> 32n), Number(units & 0xffffffffn), frame.length, frame.length), ...frame]),
    )
  }

  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts))
  }
}

const hex = (list: readonly Uint8Array[]): string[] => list.map((f) => Buffer.from(f).toString('hex'))

describe('pcap', () => {
  test.each([
    { name: 'little-endian µs', o: {} },
    { name: 'big-endian µs', o: { big: true } },
    { name: 'little-endian ns', o: { nanos: true } },
    { name: 'big-endian ns', o: { nanos: true, big: true } },
  ])('$name', async ({ o }) => {
    const { packets, odd } = await read(fileOf(pcap(o)))
    expect(packets.map((p) => p.bytes)).toEqual(hex(frames))
    expect(packets.map((p) => p.micros)).toEqual(frames.map((_, i) => T + i * 1e6))
    expect(packets[3]).toMatchObject({ nanos: 'nanos' in o ? 789 : 0, length: (frames[3] as Uint8Array).length + 5, linkType: 1 })
    expect(odd).toEqual({})
  })

  test('gzip, whatever its name', async () => expect((await read(fileOf(gzipSync(pcap()), 'x.cap'))).packets).toHaveLength(40))

  test('cut anywhere: what is whole is kept, nothing throws', async () => {
    const whole = pcap({ list: frames.slice(0, 4) })
    for (let length = 24; length < whole.length; length++) {
      const { packets } = await read(fileOf(whole.subarray(0, length), 'cut.pcap'))
      // Records end at 60, 99, 141 and 186.
      expect(packets.length).toBe([60, 99, 141, 186].filter((end) => end <= length).length)
      expect(hex(frames).slice(0, packets.length)).toEqual(packets.map((p) => p.bytes))
    }
  })

  test('cut in a record: said', async () =>
    expect((await read(fileOf(pcap().subarray(0, -3)))).odd).toEqual({ 'file cut in the middle of a record': 1 }))

  test('a record of impossible length in the middle: those before and after are kept', async () => {
    const bytes = pcap()
    const before = 24 + frames.slice(0, 10).reduce((sum, f) => sum + 16 + f.length, 0)
    new DataView(bytes.buffer).setUint32(before + 8, 0x7fffffff, true)
    const { packets, odd } = await read(fileOf(bytes))
    expect(packets.map((p) => p.bytes)).toEqual([...hex(frames).slice(0, 10), ...hex(frames).slice(11)])
    expect(odd['record longer than a packet can be']).toBe(1)
  })

  test('our file as an independent reader sees it', async () => {
    const { parse } = createRequire(import.meta.url)('pcap-parser') as { parse(stream: NodeJS.ReadableStream): NodeJS.EventEmitter }
    const seen: string[] = []
    await new Promise<void>((resolve, reject) => {
      parse(createReadStream(fileOf(pcap())))
        .on('packet', (p: { data: Buffer }) => seen.push(p.data.toString('hex')))
        .on('end', resolve)
        .on('error', reject)
    })
    expect(seen).toEqual(hex(frames))
  })
})

describe('pcapng', () => {
  test.each([true, false])('two interfaces with link types and clocks of their own (little-endian %s)', async (little) => {
    const file = new Ng(little)
      .section()
      .interface(1)
      .interface(276, 9)
      .packet(0, BigInt(T), frames[0] as Uint8Array)
      .packet(1, BigInt(T) * 1000n + 789n, frames[1] as Uint8Array)
      .packet(0, BigInt(T) + 5n, frames[2] as Uint8Array)
    const { packets } = await read(fileOf(file.bytes()))
    expect(packets.map((p) => [p.linkType, p.micros, p.nanos])).toEqual([
      [1, T, 0],
      [276, T, 789],
      [1, T + 5, 0],
    ])
    expect(packets.map((p) => p.bytes)).toEqual(hex(frames.slice(0, 3)))
  })

  // draft-ietf-opsawg-pcapng: 1700000000.123456 s is 0x00060A24, 0x18202240.
  test('the time stamp of the reference', async () => {
    const ng = new Ng()
    const file = ng
      .section()
      .interface(1)
      .block(6, Uint8Array.from([...ng.words(0, 0x00060a24, 0x18202240, 4, 4), 1, 2, 3, 4]))
    expect((await read(fileOf(file.bytes()))).packets[0]?.micros).toBe(T)
  })

  test('a second section forgets the interfaces of the first; unknown blocks and simple packets', async () => {
    const ng = new Ng()
    const file = ng
      .section()
      .interface(113)
      .packet(0, BigInt(T), frames[0] as Uint8Array)
      .block(0x0bad, new Uint8Array(100))
      .section()
      .interface(1)
      .block(3, Uint8Array.from([...ng.words(20), ...(frames[0] as Uint8Array)]))
      .packet(7, BigInt(T), frames[1] as Uint8Array)
    const { packets, odd } = await read(fileOf(file.bytes()))
    expect(packets.map((p) => p.linkType)).toEqual([113, 1])
    expect(odd).toEqual({ 'packet of an interface that the file does not describe': 1 })
  })

  test('a block of impossible length: the rest is found again', async () => {
    const ng = new Ng()
    const bytes = ng
      .section()
      .interface(1)
      .packet(0, BigInt(T), frames[0] as Uint8Array)
      .packet(0, BigInt(T), frames[1] as Uint8Array)
      .packet(0, BigInt(T), frames[2] as Uint8Array)
      .bytes()
    new DataView(bytes.buffer).setUint32(28 + 20 + 52 + 4, 7, true)
    const { packets, odd } = await read(fileOf(bytes))
    expect(packets.map((p) => p.bytes)).toEqual([hex(frames)[0], hex(frames)[2]])
    expect(odd['pcapng block of impossible length']).toBe(1)
  })
})

describe('several inputs', () => {
  test('files in the order given, a directory in order of time, other files in it counted', async () => {
    const folder = join(dir, 'rotated')
    mkdirSync(folder)
    writeFileSync(join(folder, 'a.pcap'), pcap({ start: T + 100e6 }))
    writeFileSync(join(folder, 'z.pcap'), pcap({ start: T }))
    writeFileSync(join(folder, 'notes.txt'), 'nothing')
    const { packets, odd } = await read(folder)
    expect([packets.length, packets[0]?.micros, packets[40]?.micros]).toEqual([80, T, T + 100e6])
    expect(odd).toEqual({ 'file in the directory that is no capture': 1 })
  })

  test('a large file crosses blocks unharmed', async () => {
    const list = Array.from({ length: 30_000 }, (_, i) => Uint8Array.from({ length: 60 + (i % 200) }, (_, k) => (i + k) & 255))
    const { packets } = await read(fileOf(pcap({ list })))
    expect(packets.length).toBe(30_000)
    expect(packets.every((p, i) => p.bytes === Buffer.from(list[i] as Uint8Array).toString('hex'))).toBe(true)
    const zipped = await read(fileOf(gzipSync(pcap({ list }))))
    expect(zipped.packets.length).toBe(30_000)
  })

  test('stdin', () => {
    const root = join(import.meta.dirname, '..', '..', '..')
    const file = join(root, 'test', 'fixtures', 'pbx.pcap')
    for (const input of [`cat ${file}`, `gzip -c ${file}`]) {
      const out = execFileSync('sh', ['-c', `${input} | node ${join(root, 'bin', 'run.js')} sniff -r - -q -o ndjson`], { encoding: 'utf8' })
      expect(out.trim().split('\n')).toHaveLength(7)
    }
  })
})

describe('mistakes are told', () => {
  const failure = async (path: string): Promise<OperatorError> => {
    const caught = await read(path).then(
      () => undefined,
      (error) => error,
    )
    expect(caught).toBeInstanceOf(OperatorError)
    return caught
  }
  test.each([
    ['no such file', () => join(dir, 'nosuch.pcap'), /no such file/],
    ['text', () => fileOf(Buffer.from('hello, this is text\n')), /looks like text/],
    ['a program', () => process.execPath, /looks like a program/],
    ['zstd', () => fileOf(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0)), /zstd/],
    ['an empty directory', () => mkdtempSync(join(dir, 'empty-')), /no capture file/],
  ])('%s', async (_, path, message) => {
    const error = await failure(path())
    expect(error.message).toMatch(message)
    expect(error.suggestions.length).toBeGreaterThan(0)
  })

  test('an empty file is odd, not an error', async () =>
    expect(await read(fileOf(new Uint8Array(0)))).toEqual({ packets: [], odd: { 'empty file': 1 } }))
})

test('mutated files never throw', async () => {
  const good = [
    pcap({ list: frames.slice(0, 12) }),
    new Ng()
      .section()
      .interface(1)
      .packet(0, BigInt(T), frames[0] as Uint8Array)
      .packet(0, BigInt(T), frames[5] as Uint8Array)
      .bytes(),
  ]
  let seed = 99
  const random = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return seed / 2 ** 32
  }
  for (let round = 0; round < 400; round++) {
    const bytes = (good[round % 2] as Uint8Array).slice()
    for (let i = 0; i < 5; i++) bytes[4 + Math.floor(random() * (bytes.length - 4))] = Math.floor(random() * 256)
    await read(fileOf(bytes, 'mutated'))
  }
})

describe('a file in pieces gives what it gives as a whole', () => {
  const ng = (): Uint8Array => {
    const file = new Ng().section().interface(1)
    frames.forEach((frame, i) => {
      file.packet(0, BigInt(T + i * 1e6), frame)
    })
    return file.bytes()
  }
  /** Fed block by block; what the reader leaves comes again before the next block, as from a source. */
  const fed = (bytes: Uint8Array, block: number, capacity: number): { packets: [at: number, hex: string][]; most: number } => {
    const reader = readerFor(bytes, new BatchFill(new Uint8Array(0), capacity), new Counters())
    const packets: [number, string][] = []
    let most = 0
    let position = 0
    for (let end = block; ; end += block) {
      for (const batch of reader?.read(bytes, position, Math.min(end, bytes.length)) ?? []) {
        most = Math.max(most, batch.count)
        expect(batch.until).toBe(batch.micros[batch.count - 1])
        for (let i = 0; i < batch.count; i++) {
          const at = batch.at[i] as number
          packets.push([batch.micros[i] as number, Buffer.from(bytes.subarray(at, at + (batch.captured[i] as number))).toString('hex')])
        }
      }
      position = reader?.position ?? 0
      if (end >= bytes.length) return { packets, most }
    }
  }
  const whole = frames.map((frame, i) => [T + i * 1e6, Buffer.from(frame).toString('hex')])
  test.each([1, 7, 64, 333, 100_000].flatMap((block) => [1, 3, 16, 1000].map((capacity) => [block, capacity] as const)))(
    'blocks of %d bytes, batches of %d packets',
    (block, capacity) => {
      for (const bytes of [pcap(), pcap({ big: true, nanos: true }), ng()]) {
        const { packets, most } = fed(bytes, block, capacity)
        expect(packets).toEqual(whole)
        expect(most).toBeLessThanOrEqual(capacity)
      }
    },
  )
})

test('a packet is as long as what was captured of it, whatever its record says', async () => {
  const bytes = pcap({ list: frames.slice(0, 1) })
  new DataView(bytes.buffer).setUint32(24 + 12, 3, true)
  expect((await read(fileOf(bytes))).packets.map(({ length }) => length)).toEqual([20])
})

describe.skipIf(!haveCaptures)('shared captures [needs ../shared/captures]', () => {
  test.each(expectedCaptures().map((c) => [c.file, c] as const))('%s', async (file, { container, capinfos }) => {
    const { packets } = await read(join(capturesDir, file))
    expect(packets).toHaveLength(container.packets)
    const first = packets.reduce((least, p) => Math.min(least, p.micros), Number.POSITIVE_INFINITY)
    expect(Math.abs(first - Number(capinfos.first) * 1e6)).toBeLessThan(2)
    expect(new Set(packets.map((p) => p.linkType)).size).toBeLessThanOrEqual(new Set(container.linktypes).size)
  })
})

test('capinfos counts the packets of a file with nanoseconds as we do', () => {
  const { stdout } = spawnSync('capinfos', ['-M', '-c', fileOf(pcap({ nanos: true }))], { encoding: 'utf8' })
  expect(stdout).toMatch(/Number of packets:\s+40/)
})
