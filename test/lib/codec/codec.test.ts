import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { codecs, crc32c, snappyPlainLength } from '../../../src/lib/codec/index.js'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

let seed = 7
const random = (): number => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(random() * 256))
const capture = new Uint8Array(readFileSync(join(import.meta.dirname, '..', '..', 'fixtures', 'pbx.pcap')))

const inputs: readonly (readonly [string, Uint8Array])[] = [
  ['nothing', bytes()],
  ['one byte', bytes(9)],
  ['a short text', ascii('sip:alice@example.com')],
  ['a run', new Uint8Array(100_000).fill(0xd5)],
  ['a pattern of three', Uint8Array.from({ length: 70_000 }, (_, i) => i % 3)],
  ['noise', noise(200_000)],
  ['a capture', capture],
  ['noise and runs', Uint8Array.from({ length: 300_000 }, (_, i) => (((i >> 8) & 3) === 0 ? Math.floor(random() * 256) : i >> 10))],
]

describe.each(Object.entries(codecs))('%s', (_name, codec) => {
  test.each(inputs)('there and back: %s', (_, plain) => {
    const out = new Uint8Array(codec.bound(plain.length))
    const length = codec.compress(plain, out)
    expect(length).toBeGreaterThan(0)
    const back = new Uint8Array(plain.length)
    expect(codec.decompress(out.subarray(0, length), back)).toBe(true)
    expect(Buffer.compare(back, plain)).toBe(0)
  })

  test('another size than the block has is refused', () => {
    const plain = capture.subarray(0, 5000)
    const out = new Uint8Array(codec.bound(plain.length))
    const packed = out.subarray(0, codec.compress(plain, out))
    expect(codec.decompress(packed, new Uint8Array(4999))).toBe(false)
    expect(codec.decompress(packed, new Uint8Array(5001))).toBe(false)
  })

  test('broken blocks end in an answer, and nothing beside the output is touched', () => {
    const plain = capture.subarray(0, 20_000)
    const out = new Uint8Array(codec.bound(plain.length))
    const good = out.slice(0, codec.compress(plain, out))
    const around = new Uint8Array(plain.length + 64).fill(0xaa)
    for (let round = 0; round < 3000; round++) {
      const bad = good.slice(0, random() < 0.3 ? Math.floor(random() * good.length) : good.length)
      for (let i = 0; i < 1 + random() * 5; i++) bad[Math.floor(random() * bad.length)] = Math.floor(random() * 256)
      codec.decompress(bad, around.subarray(32, 32 + plain.length))
      expect(around.subarray(0, 32).every((b) => b === 0xaa) && around.subarray(-32).every((b) => b === 0xaa)).toBe(true)
    }
  })
})

// Elements written by hand after the format description of google/snappy.
test.each([
  ['a literal', [5, 4 << 2, ...ascii('Hello')], 'Hello'],
  ['a copy that overlaps itself', [9, 0 << 2, 0x61, (4 << 2) | 1, 1], 'aaaaaaaaa'],
  ['a two-byte offset', [8, 3 << 2, ...ascii('abcd'), (3 << 2) | 2, 4, 0], 'abcdabcd'],
  ['a four-byte offset', [8, 3 << 2, ...ascii('abcd'), (3 << 2) | 3, 4, 0, 0, 0], 'abcdabcd'],
  ['a long literal', [61, 60 << 2, 60, ...new Uint8Array(61).fill(0x78)], 'x'.repeat(61)],
])('snappy: %s', (_, packed, want) => {
  const out = new Uint8Array(want.length)
  expect(codecs.snappy.decompress(bytes(...packed), out)).toBe(true)
  expect(new TextDecoder().decode(out)).toBe(want)
  expect(snappyPlainLength(bytes(...packed))).toBe(want.length)
})

test.each([
  ['an offset before the beginning', [4, 0, 0x61, (2 << 2) | 2, 2, 0]],
  ['an offset of nothing', [4, 0, 0x61, (2 << 2) | 2, 0, 0]],
  ['more than it said', [1, 4 << 2, ...ascii('Hello')]],
  ['a literal cut off', [5, 4 << 2, 0x48]],
  ['a literal of four gigabytes', [5, 63 << 2, 0xff, 0xff, 0xff, 0xff, 1]],
  ['no length', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
])('snappy refuses %s', (_, packed) => expect(codecs.snappy.decompress(bytes(...packed), new Uint8Array(4))).toBe(false))

test('lz4: what the lz4 program packs is read', () => {
  // The program writes frames: magic, descriptor of 3 bytes, then blocks of size and data.
  const frame = execFileSync('lz4', ['-c', '-1', '--no-frame-crc', '-B4'], {
    input: capture.subarray(0, 60_000),
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const size = frame.readUInt32LE(7)
  const out = new Uint8Array(60_000)
  expect(codecs.lz4.decompress(new Uint8Array(frame.subarray(11, 11 + size)), out)).toBe(true)
  expect(Buffer.compare(out, capture.subarray(0, 60_000))).toBe(0)
})

// RFC 3720 B.4.
test.each([
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['0 to 31', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['31 to 0', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ['123456789', ascii('123456789'), 0xe3069283],
])('CRC-32C of %s', (_, input, want) => {
  expect(crc32c(input)).toBe(want)
  expect(crc32c(input, 5, input.length, crc32c(input, 0, 5))).toBe(want)
})
