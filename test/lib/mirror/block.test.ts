import { describe, expect, test } from 'vitest'
import type { PacketBatch } from '../../../src/lib/base/packets.js'
import type { Micros } from '../../../src/lib/base/units.js'
import { crc32c } from '../../../src/lib/codec/index.js'
import {
  blockFill,
  blockHeaderLength,
  blockInterface,
  type Compression,
  numberBlock,
  OwnPacker,
  readBlockHead,
  unpackBlock,
} from '../../../src/lib/mirror/block.js'
import type { BatchFill } from '../../../src/lib/pcap/batch.js'
import { numberedBatch } from '../../support/mirror.js'

const MIB = 1 << 20

function pack(batch: PacketBatch, compression: Compression = 'lz4', number = 5): Uint8Array {
  const packer = new OwnPacker(compression, MIB)
  expect(packer.add(batch, 0, undefined)).toBe(batch.count)
  const { bytes } = packer.take((batch.until + 7) as Micros)!
  numberBlock(bytes, number)
  return bytes
}

function unpack(bytes: Uint8Array, shift = 0): BatchFill | string {
  const head = readBlockHead(bytes)
  if (typeof head === 'string') return head
  const fill = blockFill(head.packets)
  return unpackBlock(bytes, new Uint8Array(head.plainLength), shift, fill) ?? fill
}

const packetsOf = (batch: PacketBatch): unknown[] =>
  Array.from({ length: batch.count }, (_, i) => [
    Buffer.from(batch.bytes.subarray(batch.at[i], batch.at[i]! + batch.captured[i]!)).toString('hex'),
    batch.length[i],
    batch.micros[i],
    batch.nanos?.[i] ?? -1,
  ])

describe('there and back', () => {
  test.each([
    ['lz4', 'lz4', {}],
    ['snappy', 'snappy', {}],
    ['unpacked', 'none', {}],
    ['nanoseconds', 'lz4', { nanos: true }],
    ['another link type', 'lz4', { linkType: 276, interfaceName: 'eth0.100' }],
    ['time that goes backwards', 'lz4', { stepMicros: -1_000_000 }],
  ] as const)('%s', (_, compression, options) => {
    const batch = numberedBatch(0, 501, options)
    const bytes = pack(batch, compression)
    const back = unpack(bytes) as BatchFill
    expect(packetsOf(back)).toEqual(packetsOf(batch))
    expect([back.linkType, back.until, blockInterface(bytes)]).toEqual([
      batch.linkType,
      Math.max(batch.until + 7, batch.until),
      batch.interfaceName,
    ])
  })

  test('a number beyond 32 bits, and a shift of all times', () => {
    const batch = numberedBatch(0, 3)
    const bytes = pack(batch, 'lz4', 2 ** 40 + 3)
    expect(readBlockHead(bytes)).toMatchObject({ number: 2 ** 40 + 3, packets: 3 })
    expect([...(unpack(bytes, -3_600_000_000) as BatchFill).micros.subarray(0, 3)]).toEqual([...batch.micros].map((t) => t - 3_600_000_000))
  })

  test('cut and left out packets', () => {
    const batch = numberedBatch(0, 4)
    const packer = new OwnPacker('lz4', MIB)
    packer.add(batch, 0, Int32Array.of(10, -1, 0, 100))
    const { bytes, packets } = packer.take(0 as Micros)!
    numberBlock(bytes, 0)
    const back = unpack(bytes) as BatchFill
    expect(packets).toBe(3)
    expect([...back.captured.subarray(0, 3)]).toEqual([10, 0, 100])
    expect([...back.length.subarray(0, 3)]).toEqual([batch.length[0], batch.length[2], batch.length[3]])
    expect(back.micros[2]).toBe(batch.micros[3])
  })

  test('what does not pack is sent as it is, and says so', () => {
    const batch = numberedBatch(0, 1)
    expect(pack(batch, 'lz4').length).toBeLessThanOrEqual(blockHeaderLength + 100 + 12)
  })
})

describe('when a block closes', () => {
  const limits = (batch: PacketBatch, change: Partial<PacketBatch>): number => {
    const packer = new OwnPacker('lz4', MIB)
    packer.add(numberedBatch(0, 5, { interfaceName: 'a' }), 0, undefined)
    return packer.add({ ...batch, ...change }, 0, undefined)
  }
  test.each([
    ['another link type', { linkType: 101 }],
    ['another interface', { interfaceName: 'b' }],
    ['nanoseconds now', { nanos: new Uint16Array(5) }],
    ['an hour later', { micros: new Float64Array(5).fill(1_700_003_600_000_000) }],
  ])('%s', (_, change) => expect(limits(numberedBatch(5, 10, { interfaceName: 'a' }), change)).toBe(0))

  test('a megabyte of frames; a single frame may be longer', () => {
    const packer = new OwnPacker('none', 1000)
    expect(packer.add(numberedBatch(0, 30), 0, undefined)).toBe(10)
    const big = { ...numberedBatch(0, 1), bytes: new Uint8Array(200_000), captured: Uint32Array.of(200_000) }
    const other = new OwnPacker('none', 1000)
    expect(other.add(big, 0, undefined)).toBe(1)
    expect(other.take(0 as Micros)!.bytes.length).toBeGreaterThan(200_000)
  })
})

describe('hostile blocks', () => {
  const batch = numberedBatch(0, 50)
  const good: Partial<Record<Compression, Uint8Array>> = { lz4: pack(batch, 'lz4'), none: pack(batch, 'none') }
  /** Changes bytes and mends the sum, as a hostile sender would. */
  function forged(compression: Compression, change: (bytes: Uint8Array, view: DataView) => void): Uint8Array {
    const bytes = good[compression]!.slice()
    const view = new DataView(bytes.buffer)
    change(bytes, view)
    view.setUint32(36, crc32c(bytes, 40, bytes.length, crc32c(bytes, 0, 36)), true)
    return bytes
  }
  const columns = 50 * 100
  test.each<[string, (bytes: Uint8Array, view: DataView) => void, RegExp]>([
    ['four gigabytes', (_, v) => v.setUint32(8, 0xffff_ffff, true), /larger/],
    ['no packets', (_, v) => v.setUint32(12, 0, true), /larger/],
    ['a million packets', (_, v) => v.setUint32(12, 1_000_000, true), /larger/],
    ['more packets than fit', (_, v) => v.setUint32(12, 30_000, true), /columns/],
    ['a time that is none', (_, v) => v.setFloat64(16, Number.NaN, true), /time/],
    ['a number that is none', (_, v) => v.setUint32(4, 0xffff_ffff, true), /number/],
    ['an unknown compression', (b) => b.fill(9, 34, 35), /compression/],
    ['a frame that reaches out', (_, v) => v.setUint32(blockHeaderLength + columns + 4, 0x7fff_ffff, true), /do not fit/],
    ['frames that leave bytes over', (_, v) => v.setUint32(blockHeaderLength + columns + 4, 4, true), /belong to no packet/],
  ])('%s', (_, change, reason) => expect(unpack(forged('none', change))).toMatch(reason))

  test('a changed byte anywhere is seen', () => {
    const bytes = pack(batch)
    for (let at = 0; at < bytes.length; at += 3) {
      const broken = bytes.slice()
      broken[at] = broken[at]! ^ 0x10
      expect(readBlockHead(broken)).toMatch(/sum/)
    }
    expect(readBlockHead(bytes.subarray(0, 20))).toMatch(/shorter/)
  })

  test('noise with a good sum ends in a reason or in packets within the block', () => {
    let seed = 11
    const random = (): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
      return seed / 2 ** 32
    }
    for (let round = 0; round < Number(process.env['FUZZ_ROUNDS'] ?? 2000); round++) {
      const bytes = forged(round % 2 === 0 ? 'lz4' : 'none', (b) => {
        for (let i = 0; i < 1 + random() * 6; i++) b[Math.floor(random() * b.length)] = Math.floor(random() * 256)
      })
      const back = unpack(bytes)
      if (typeof back === 'string') continue
      let outside = 0
      for (let i = 0; i < back.count; i++) if (back.at[i]! + back.captured[i]! > back.bytes.length) outside++
      expect(outside).toBe(0)
    }
  })
})
