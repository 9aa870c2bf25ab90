import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { isLz4Frame, Lz4FrameError, Lz4FrameReader, packLz4Frame } from '../../../src/lib/codec/index.js'

// The other side is the lz4 program.

const run = (args: string[], input: Uint8Array): Buffer =>
  execFileSync('lz4', args, { input, maxBuffer: 64 << 20, stdio: ['pipe', 'pipe', 'ignore'] })

function unpack(bytes: Uint8Array, pieceBytes = bytes.length): { plain: Buffer; whole: boolean } {
  const reader = new Lz4FrameReader()
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes)
    for (const piece of reader.read(bytes.subarray(at, at + pieceBytes))) pieces.push(Buffer.from(piece))
  return { plain: Buffer.concat(pieces), whole: reader.whole }
}

const texts: [name: string, bytes: Uint8Array][] = [
  ['nothing', new Uint8Array(0)],
  ['one byte', Uint8Array.of(7)],
  ['what packs well', new Uint8Array(200_000).fill(0xd5)],
  ['what does not', randomBytes(200_000)],
  ['a block exactly', randomBytes(65_536)],
]

describe.each(texts)('%s', (_, plain) => {
  test('packed here, unpacked by lz4', () => expect(run(['-dc'], packLz4Frame(plain)).equals(plain)).toBe(true))
  test.each([[[]], [['-B4', '-BI']], [['-B7', '-BI', '-BX', '--content-size']]])('packed by lz4 %j, unpacked here', (args) => {
    const { plain: mine, whole } = unpack(run(['-zc', ...args], plain))
    expect([mine.equals(plain), whole]).toEqual([true, true])
  })
  test('in pieces of 7 bytes', () =>
    expect(unpack(packLz4Frame(plain.subarray(0, 70_000)), 7)).toEqual({ plain: Buffer.from(plain.subarray(0, 70_000)), whole: true }))
})

test('frames behind each other are one text, to lz4 too', () => {
  const both = Buffer.concat([packLz4Frame(Buffer.from('one, ')), packLz4Frame(Buffer.from('two'))])
  expect(run(['-dc'], both).toString()).toBe('one, two')
  expect(unpack(both).plain.toString()).toBe('one, two')
})

test('a cut frame is not whole, and what came before the cut is there', () => {
  const packed = packLz4Frame(randomBytes(100_000))
  const { plain, whole } = unpack(packed.subarray(0, -10))
  expect([plain.length, whole]).toEqual([65_536, false])
})

test.each<[string, (bytes: Uint8Array) => void, RegExp]>([
  ['another version', (b) => b.fill(0xff, 4, 5), /version/],
  ['linked blocks', (b) => b.fill(0x40, 4, 5), /linked/],
  ['a block longer than allowed', (b) => b.fill(0x7f, 10, 11), /longer/],
  ['a broken block', (b) => b.fill(0xff, 11, 20), /broken/],
  ['something else behind it', (b) => b.fill(9, b.length - 8), /no lz4 frame/],
])('%s is told', (_, spoil, message) => {
  const bytes = Buffer.concat([packLz4Frame(new Uint8Array(1000).fill(3)), new Uint8Array(8)])
  spoil(bytes)
  expect(() => unpack(bytes)).toThrow(Lz4FrameError)
  expect(() => unpack(bytes)).toThrow(message)
})

test('recognised by its magic', () =>
  expect([isLz4Frame(packLz4Frame(Uint8Array.of(1))), isLz4Frame(Uint8Array.of(4, 0x22))]).toEqual([true, false]))
