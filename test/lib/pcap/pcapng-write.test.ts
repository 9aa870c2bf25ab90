import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { utf8Bytes } from '../../../src/lib/base/text.js'
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
