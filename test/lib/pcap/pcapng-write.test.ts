import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Counters } from '../../../src/lib/base/counters.js'
import { utf8Bytes } from '../../../src/lib/base/text.js'
import { BatchFill } from '../../../src/lib/pcap/batch.js'
import { PcapngReader } from '../../../src/lib/pcap/pcapng-reader.js'
import {
  interfaceRoom,
  packetRoom,
  sectionRoom,
  statisticsRoom,
  writeInterface,
  writePacket,
  writeSection,
  writeStatistics,
} from '../../../src/lib/pcap/pcapng-write.js'
import { numberedBatch } from '../../support/mirror.js'

// What we write, as tshark reads it.

test.each(['', 'sip:alice', 'Zürich', '日本', '😀', '\ud800x'])('UTF-8 of "%s" is what the platform makes of it', (text) =>
  expect([...utf8Bytes(text)]).toEqual([...new TextEncoder().encode(text)]),
)

test('times of nanoseconds come back exactly from our own reader', () => {
  let seed = 3
  const random = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return seed / 2 ** 32
  }
  const count = 2000
  const micros = Float64Array.from({ length: count }, () => 1_700_000_000_000_000 + Math.floor(random() * 4e14))
  const nanos = Uint16Array.from({ length: count }, () => Math.floor(random() * 1000))
  const batch = { ...numberedBatch(0, count), micros, nanos, captured: new Uint32Array(count).fill(4) }
  const bytes = new Uint8Array(100 + count * packetRoom(4))
  const view = new DataView(bytes.buffer)
  let at = writeInterface(view, writeSection(view, 0), 1, '', '')
  for (let i = 0; i < count; i++) at = writePacket(bytes, view, at, 0, batch, i)
  const fill = new BatchFill(bytes)
  const read: number[] = []
  for (const { count: n, micros: m, nanos: rest } of new PcapngReader(fill, new Counters()).read(bytes, 0, at))
    for (let i = 0; i < n; i++) read.push(m[i] as number, (rest as Uint16Array)[i] as number)
  expect(read).toEqual(Array.from({ length: count }, (_, i) => [micros[i], nanos[i]]).flat())
})

describe('a file with two interfaces', () => {
  const batch = { ...numberedBatch(0, 3, { nanos: true, startMicros: 1_800_000_000_123_456 }), captured: Uint32Array.of(100, 0, 33) }
  const bytes = new Uint8Array(10_000)
  const view = new DataView(bytes.buffer)
  const rooms: number[] = []
  const room = (at: number, before: number): number => {
    rooms.push(at - before)
    return at
  }
  let at = room(writeSection(view, 0), 0)
  at = room(writeInterface(view, at, 1, 'eth0', 'sensor 7 Zürich'), at)
  at = room(writeInterface(view, at, 113, '', ''), at)
  for (let i = 0; i < 3; i++) at = room(writePacket(bytes, view, at, i % 2, batch, i), at)
  at = room(writeStatistics(view, at, 0, 1_800_000_000_999_999, 5, 'a remark'), at)
  const file = bytes.subarray(0, at)
  const tshark = (...words: string[]): string[] => {
    const dir = mkdtempSync(join(tmpdir(), 'earshot-pcapng-'))
    try {
      writeFileSync(join(dir, 'file.pcapng'), file)
      return execFileSync('tshark', ['-r', join(dir, 'file.pcapng'), ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
        .trim()
        .split('\n')
    } finally {
      rmSync(dir, { recursive: true })
    }
  }

  test('times to the nanosecond, lengths, interfaces', () => {
    const fields = ['frame.time_epoch', 'frame.cap_len', 'frame.len', 'frame.interface_name'].flatMap((name) => ['-e', name])
    expect(tshark('-T', 'fields', ...fields).map((line) => line.split('\t'))).toEqual([
      ['1800000000.123456000', '100', '100', 'eth0'],
      ['1800000000.123556001', '0', '101', 'unknown'],
      ['1800000000.123656002', '33', '102', 'eth0'],
    ])
  })

  test('needs the room that it said', () =>
    expect(rooms).toEqual([
      sectionRoom,
      expect.toSatisfy((used: number) => used <= interfaceRoom('eth0', 'sensor 7 Zürich')),
      expect.toSatisfy((used: number) => used <= interfaceRoom('', '')),
      packetRoom(100),
      packetRoom(0),
      packetRoom(33),
      expect.toSatisfy((used: number) => used <= statisticsRoom('a remark')),
    ]))
})
