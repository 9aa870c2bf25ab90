import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { PacketBatch } from '../../../src/lib/base/packets.js'
import { mergedCapture } from '../../../src/lib/pcap/merge.js'
import { batchOf, type Packet, sip, talk } from '../../support/ladder.js'

// What several captures look like as one, to tshark.

const dir = mkdtempSync(join(tmpdir(), 'earshot-merge-'))
afterAll(() => rmSync(dir, { recursive: true }))

const A = '10.0.0.1:5060'
const B = '10.0.0.2:5060'

/** A capture in batches of at most so many packets. */
async function* capture(
  packets: readonly Packet[],
  linkType: number,
  o: { nanos?: number; each?: number } = {},
): AsyncGenerator<PacketBatch> {
  const each = o.each ?? 3
  for (let i = 0; i < packets.length; i += each) {
    const batch = batchOf(packets.slice(i, i + each), linkType)
    yield o.nanos === undefined ? batch : { ...batch, nanos: new Uint16Array(batch.count).fill(o.nanos) }
  }
}

async function merged(...captures: AsyncIterable<PacketBatch>[]): Promise<{ type: string; rows: string[][] }> {
  const file = join(dir, 'merged')
  const pieces: Uint8Array[] = []
  for await (const piece of mergedCapture(captures)) pieces.push(piece)
  writeFileSync(file, Buffer.concat(pieces))
  const type = execFileSync('capinfos', ['-t', '-T', '-r', file], { encoding: 'utf8' }).split('\t')[1]?.trim() as string
  const fields = ['frame.time_epoch', 'frame.len', 'frame.encap_type', 'frame.interface_id'].flatMap((name) => ['-e', name])
  const text = execFileSync('tshark', ['-r', file, '-T', 'fields', ...fields], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim()
  return { type, rows: text === '' ? [] : text.split('\n').map((line) => line.split('\t')) }
}

const times = (rows: readonly string[][]): string[] => rows.map((row) => row[0] as string)

test('of one link type: a pcap, in order of time', async () => {
  const { type, rows } = await merged(
    capture([sip(0, A, B, 'INVITE'), sip(5, A, B, 'BYE')], 1),
    capture(talk(1, '10.0.0.1:4000', '10.0.0.2:6000', 100), 1, { each: 7 }),
  )
  expect(type).toBe('pcap')
  expect(rows).toHaveLength(102)
  expect(times(rows)).toEqual([...times(rows)].sort())
  expect([times(rows)[0], times(rows)[101]]).toEqual(['1700000000.000000000', '1700000005.000000000'])
})

test('of two: a pcapng with two interfaces, times to the nanosecond', async () => {
  const sll2 = talk(0.5, '10.0.0.1:4000', '10.0.0.2:6000', 5).map(({ at, frame }) => {
    const cooked = new Uint8Array(20 + frame.length - 14)
    cooked.set([0x08, 0x00], 0)
    cooked.set(frame.subarray(14), 20)
    return { at, frame: cooked }
  })
  const { type, rows } = await merged(capture([sip(0, A, B, 'INVITE'), sip(1, A, B, 'BYE')], 1, { nanos: 7 }), capture(sll2, 276))
  expect(type).toBe('pcapng')
  expect(rows.map((row) => row[3])).toEqual(['0', '1', '1', '1', '1', '1', '0'])
  expect(new Set(rows.map((row) => row[2])).size).toBe(2)
  expect([times(rows)[0], times(rows)[1]]).toEqual(['1700000000.000000007', '1700000000.500000000'])
})

test('microseconds beside nanoseconds become nanoseconds', async () => {
  const { type, rows } = await merged(capture([sip(1, A, B, 'BYE')], 1), capture([sip(0, A, B, 'INVITE')], 1, { nanos: 999 }))
  expect(type).toMatch(/nsecpcap|pcap/)
  expect(times(rows)).toEqual(['1700000000.000000999', '1700000001.000000000'])
})

test('nothing is an empty pcap', async () => expect(await merged(capture([], 1))).toEqual({ type: 'pcap', rows: [] }))

test('one larger than a piece', async () => {
  const frame = new Uint8Array(300_000).fill(5)
  const pieces: Uint8Array[] = []
  for await (const piece of mergedCapture([capture([{ at: 0, frame }], 1)])) pieces.push(piece)
  const whole = Buffer.concat(pieces)
  expect([whole.length, whole.readUInt32LE(24 + 8), whole.subarray(40).equals(frame)]).toEqual([24 + 16 + 300_000, 300_000, true])
})
