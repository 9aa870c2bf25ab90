import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Micros } from '../../../src/lib/base/units.js'
import {
  type ClassicBlock,
  type ClassicEvent,
  ClassicPacker,
  ClassicReader,
  classicBatches,
  classicChecksum,
  classicHandshake,
  clockDifference,
  stampClassicBlock,
} from '../../../src/lib/mirror/voipmonitor.js'
import { BatchFill } from '../../../src/lib/pcap/batch.js'
import { ethernet, ipv4, text, udp, vlan } from '../../support/frames.js'

// The truth is a stream that the real program wrote (fixtures/README.md), and its layout as found there.
const recording = new Uint8Array(readFileSync(join(import.meta.dirname, '..', '..', 'fixtures', 'voipmonitor-mirror.bin')))
/** Each packet of the file that it played, as a pcap record of microseconds: their SHA-256, taken from the file itself. */
const played = { packets: 3010, sha256: 'e0f1453ff330e16ab5e35db86e4ceb8eb76a1f6f04bcaea71a583c2290aad0f7' }

const lax = { linkType: 1, differenceSecondsMax: 0 }

function read(bytes: Uint8Array, piece: number, limits = lax): { events: ClassicEvent[]; broken: string | undefined } {
  const events: ClassicEvent[] = []
  const reader = new ClassicReader(limits)
  for (let at = 0; at < bytes.length; at += piece) {
    const broken = reader.push(bytes.subarray(at, at + piece), 1_800_000_000, (event) => events.push(event))
    if (broken !== undefined) return { events, broken }
  }
  return { events, broken: undefined }
}
const blocksOf = (events: readonly ClassicEvent[]): ClassicBlock[] => events.flatMap((e) => (e.kind === 'block' ? [e.block] : []))

function digest(blocks: readonly ClassicBlock[]): typeof played {
  const sha = createHash('sha256')
  let packets = 0
  for (const block of blocks)
    for (const batch of classicBatches(block, 0, () => {}))
      for (let i = 0; i < batch.count; i++) {
        const micros = batch.micros[i] as number
        const at = batch.at[i] as number
        const captured = batch.captured[i] as number
        sha.update(new Uint8Array(Uint32Array.of(Math.floor(micros / 1e6), micros % 1e6, captured, batch.length[i] as number).buffer))
        sha.update(batch.bytes.subarray(at, at + captured))
        packets++
      }
  return { packets, sha256: sha.digest('hex') }
}

describe('the recorded stream', () => {
  test.each([1, 7, 1000, 1 << 20])('in pieces of %d bytes: every packet as it was played', (piece) => {
    const { events, broken } = read(recording, piece)
    expect(broken).toBeUndefined()
    expect(events[0]).toMatchObject({ kind: 'handshake', handshake: { name: '', seconds: expect.any(Number) } })
    expect(events.filter((e) => e.kind === 'refused')).toEqual([])
    const blocks = blocksOf(events)
    expect(blocks.map((b) => b.counter)).toEqual(blocks.map((_, i) => i + 1))
    expect(blocks.every((b) => b.confirm && b.linkType === 1)).toBe(true)
    expect(digest(blocks)).toEqual(played)
  })

  test('is what our own sender makes of the same packets, but for compression', () => {
    const blocks = blocksOf(read(recording, 4096).events)
    const theirs = firstBlock(recording)
    const packer = new ClassicPacker('none', 1 << 20, blocks[0]!.sensorId)
    for (const batch of classicBatches(blocks[0]!, 0, () => {}))
      expect(packer.add({ ...view(batch), interfaceName: blocks[0]!.interfaceName }, 0, undefined)).toBe(batch.count)
    const ours = packer.take()!.bytes
    stampClassicBlock(ours, {
      counter: 1,
      confirm: true,
      checksum: true,
      seconds: new DataView(theirs.buffer, theirs.byteOffset).getUint32(60, true),
    })
    // Title to padding, without the sizes and the checksum, which are of packed bytes there.
    const bare = (b: Uint8Array): string => Buffer.concat([b.subarray(0, 24), b.subarray(28, 48), b.subarray(52, 64)]).toString('hex')
    expect(bare(ours)).toBe(bare(theirs))
    const table = 4 * blocks[0]!.packets
    expect(Buffer.compare(ours.subarray(64, 64 + table), theirs.subarray(64, 64 + table))).toBe(0)
    expect(Buffer.compare(ours.subarray(64 + table), blocks[0]!.plain)).toBe(0)
  })

  test('its checksums are ours', () => {
    const theirs = firstBlock(recording)
    expect(classicChecksum(theirs, 64)).toBe(new DataView(theirs.buffer, theirs.byteOffset).getUint32(48, true))
  })
})

/** The arrays of a batch without the object that fills them. */
const view = (b: BatchFill) => ({
  bytes: b.bytes,
  count: b.count,
  at: b.at,
  captured: b.captured,
  length: b.length,
  micros: b.micros,
  nanos: b.nanos,
  linkType: b.linkType,
  until: b.until,
  release: () => {},
})

function firstBlock(stream: Uint8Array): Uint8Array {
  const at = Buffer.from(stream.buffer, stream.byteOffset, stream.length).indexOf('pcap_block_store')
  const head = new DataView(stream.buffer, stream.byteOffset + at)
  return stream.subarray(at, at + 64 + 4 * head.getUint32(28, true) + (head.getUint32(24, true) || head.getUint32(20, true)))
}

const frames = [
  ethernet(0x0800, ipv4(17, udp(5060, 5060, text('plain')))),
  ethernet(0x8100, vlan(5, 0x0800, ipv4(17, udp(5060, 5060, text('tagged'))))),
  ethernet(0x88a8, vlan(6, 0x8100, vlan(7, 0x0800, ipv4(17, udp(5060, 5060, text('tagged twice')))))),
]
const arp = ethernet(0x0806, text('no IP, but long enough for a header'))

function packerOf(frames: readonly Uint8Array[], compression: 'none' | 'snappy' | 'lz4', linkType = 1): ClassicPacker {
  const fill = new BatchFill(new Uint8Array(Buffer.concat(frames)))
  fill.begin(fill.bytes, linkType, false)
  let at = 0
  frames.forEach((frame, i) => {
    fill.add(at, frame.length, frame.length + i, 1_700_000_000_000_000 + i * 1001, 0)
    at += frame.length
  })
  fill.until = 0 as Micros
  const packer = new ClassicPacker(compression, 1 << 20, 7)
  expect(packer.add(view(fill), 0, undefined)).toBe(frames.length)
  return packer
}

function packed(compression: 'none' | 'snappy' | 'lz4', linkType = 1): Uint8Array {
  const { bytes } = packerOf(frames, compression, linkType).take()!
  stampClassicBlock(bytes, { counter: 3, confirm: true, checksum: true, seconds: 1_800_000_000 })
  return bytes
}
const shaken = (...blocks: Uint8Array[]): Uint8Array =>
  new Uint8Array(Buffer.concat([classicHandshake(7, 'pbx', new Date(1_800_000_000_000)), ...blocks]))

describe('our own stream', () => {
  test.each(['none', 'snappy', 'lz4'] as const)('there and back, packed by %s', (compression) => {
    const { events } = read(shaken(packed(compression)), 13)
    expect(events[0]).toEqual({ kind: 'handshake', handshake: { sensorId: 7, name: 'pbx', seconds: 1_800_000_000 } })
    const [block] = blocksOf(events)
    expect(block).toMatchObject({ counter: 3, sensorId: 7, confirm: true, packets: 3, linkType: 1 })
    const [batch] = [...classicBatches(block!, 0, () => {})]
    expect(
      Array.from({ length: 3 }, (_, i) => Buffer.from(batch!.bytes.subarray(batch!.at[i], batch!.at[i]! + batch!.captured[i]!))),
    ).toEqual(frames.map((f) => Buffer.from(f)))
    expect([...batch!.micros.subarray(0, 3)]).toEqual([0, 1001, 2002].map((n) => 1_700_000_000_000_000 + n))
    expect([...batch!.length.subarray(0, 3)]).toEqual(frames.map((f, i) => f.length + i))
  })

  test('says where the IP header is, and the VLAN of the last tag', () => {
    const { plain, offsets } = blocksOf(read(shaken(packed('none')), 999).events)[0]!
    const word = (field: number): number[] => [...offsets].map((at) => plain[at + field]! | (plain[at + field + 1]! << 8))
    expect(word(24)).toEqual([14, 18, 22])
    expect(word(26)).toEqual([14, 18, 22])
    expect(word(32)).toEqual([0xfffe, 5, 7])
  })

  test('what is not IP stays out, counted: its receiver refuses a block of it, when it is not packed', () => {
    const packer = packerOf([arp, frames[0]!, arp], 'none')
    expect(packer.count).toBe(1)
    expect(packer.leftOut()).toEqual([['not IP', 2]])
    expect(packerOf([arp], 'none').take()).toBeUndefined()
  })

  test('raw IP is named as libpcap does, and read back', () => {
    const bytes = packed('none', 101)
    expect(bytes[32]).toBe(12)
    expect(blocksOf(read(shaken(bytes), 999).events)[0]!.linkType).toBe(101)
  })
})

describe('what the other side should hear', () => {
  const change = (at: number, ...values: number[]): Uint8Array => {
    const bytes = packed('none')
    bytes.set(values, at)
    return bytes
  }
  test.each([
    ['another version', change(16, 6), /version/],
    ['a wrong checksum', change(200, 1), /checksum/],
    ['four gigabytes', change(20, 0xff, 0xff, 0xff, 0xff), /too big/],
    ['four thousand million records', change(28, 0xff, 0xff, 0xff, 0xff), /bad size/],
    ['no records', change(28, 0, 0, 0, 0), /bad size/],
    ['another kind', change(46, 9), /bad size/],
    ['offsets that go backwards', change(48, 0, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5), /offsets/],
    [
      'a frame beyond the end',
      change(48, 0, 0, 0, 0)
        .with(64 + 12 + 8, 0xff)
        .with(64 + 12 + 9, 0xff),
      /offsets/,
    ],
  ])('%s is refused, and the next block is read', (_, bytes, reason) => {
    const { events } = read(shaken(bytes, packed('snappy')), 64)
    expect(events.filter((e) => e.kind === 'refused')[0]).toMatchObject({ reason: expect.stringMatching(reason) })
    expect(blocksOf(events)).toHaveLength(1)
  })

  test('a clock that is wrong by 40 s, but not by a time zone', () => {
    const strict = { linkType: 1, differenceSecondsMax: 30 }
    const at = (seconds: number): string[] => {
      const bytes = packed('none')
      stampClassicBlock(bytes, { counter: 1, confirm: true, checksum: true, seconds })
      return read(shaken(bytes), 999, strict).events.map((e) => e.kind)
    }
    expect(at(1_800_000_040)).toEqual(['handshake', 'refused'])
    expect(at(1_800_000_000 + 5 * 1800 + 3)).toEqual(['handshake', 'block'])
    expect(at(0)).toEqual(['handshake', 'block'])
    expect([clockDifference(0, 1799), clockDifference(7202, 0), clockDifference(0, 7202)]).toEqual([1, 2, -2])
  })

  test('garbage between blocks is skipped; garbage alone ends it', () => {
    expect(blocksOf(read(shaken(packed('none'), text('garbage pcap_block_st'), packed('lz4')), 50).events)).toHaveLength(2)
    expect(read(new Uint8Array(5000).fill(65), 100).broken).toMatch(/no sensor/)
  })

  test('a block without the two texts before it', () => {
    expect(read(packed('none'), 10).events.map((e) => e.kind)).toEqual(['handshake', 'block'])
  })
})
