import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { PacketBatch } from '../../../src/lib/base/packets.js'
import type { Position } from '../../../src/lib/mirror/lane.js'
import { directoryTarget, PacketWriter, type WriterOptions } from '../../../src/lib/mirror/packet-writer.js'
import { numberedBatch } from '../../support/mirror.js'

// A directory of packets, and what a next run finds in it.

const dirs: string[] = []
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true })
})
const freshDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'earshot-writer-'))
  dirs.push(dir)
  return dir
}

const options: WriterOptions = { format: 'pcapng', fileBytesMax: 0, fileSecondsMax: 0, filesMax: 0 }
const stream = 'a'.repeat(32)
const position = (number: number): Position => ({ sensorId: 7, stream, number, packets: 50, whole: true })

/** One run: the batches are written and flushed, one after the other. */
async function run(dir: string, batches: readonly (PacketBatch & { position?: Position })[]): Promise<readonly Position[]> {
  const target = await directoryTarget(dir)
  const writer = new PacketWriter(target, options)
  for (const batch of batches) {
    await writer.write(batch)
    await writer.flush()
  }
  await writer.close()
  return target.positions
}
const files = (dir: string): string[] => readdirSync(dir).sort()
const contents = (dir: string): Buffer[] => files(dir).map((name) => readFileSync(join(dir, name)))

describe('the next run', () => {
  test.each([
    ['of senders that number nothing (VoIPmonitor’s)', [numberedBatch(0, 50), numberedBatch(50, 100)], []],
    ['of a sender of ours', [{ ...numberedBatch(0, 50), position: position(1) }], [position(1)]],
    ['of both', [{ ...numberedBatch(0, 50), position: position(1) }, numberedBatch(0, 50, { sensor: 9 })], [position(1)]],
  ])('keeps every packet %s', async (_, batches, positions) => {
    const dir = freshDir()
    expect(await run(dir, batches)).toEqual([])
    const before = contents(dir)
    expect(before[0]!.length).toBeGreaterThan(50 * 100)
    expect(await run(dir, [])).toEqual(positions)
    expect(contents(dir)).toEqual(before)
  })

  test('cuts off what was not finished, and takes a file away that holds nothing else', async () => {
    const dir = freshDir()
    await run(dir, [numberedBatch(0, 50)])
    const [name] = files(dir) as [string]
    const whole = statSync(join(dir, name)).size
    appendFileSync(join(dir, name), readFileSync(join(dir, name)).subarray(0, 200))
    writeFileSync(join(dir, name.replace('00000001', '00000002')), readFileSync(join(dir, name)).subarray(0, 60))
    await run(dir, [])
    expect(files(dir)).toEqual([name])
    expect(statSync(join(dir, name)).size).toBe(whole)
  })
})
