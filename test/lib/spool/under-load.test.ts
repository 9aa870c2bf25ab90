import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PacketBatch } from '../../../src/lib/base/packets.js'
import type { Micros } from '../../../src/lib/base/units.js'
import type { CallHandle } from '../../../src/lib/call/outputs.js'
import { openSpool } from '../../../src/lib/spool/index.js'
import { noLimits, type SpoolLimits } from '../../../src/lib/spool/limits.js'
import type { Spool, SpoolStats } from '../../../src/lib/spool/spool.js'
import { type Packet, talk } from '../../support/ladder.js'
import { needsRoot } from '../../support/netns.js'

// The limits hold while packets come as fast as they can be written. The file system is one that fills at once: a tmpfs.

const MIB = 2 ** 20
/** docs/spool.md: what one file has in memory at most, and so what one write adds. */
const WRITE_BUFFER = 256 << 10
const [{ frame: FRAME }] = talk(0, '10.0.0.1:4000', '10.0.0.2:6000', 1) as [Packet]
const PACKET = FRAME.length
const CALLS = 50
const FRAMES = Uint8Array.from({ length: PACKET * CALLS }, (_, i) => FRAME[i % PACKET] as number)

let dir: string
beforeEach(() => {
  needsRoot()
  dir = mkdtempSync(join(tmpdir(), 'earshot-load-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', dir])
})
afterEach(() => {
  // Lazily: the last thread may be letting go of its file this very moment.
  execFileSync('umount', ['-l', dir])
  rmSync(dir, { recursive: true })
})

const used = (): number => {
  const { blocks, bfree, bsize } = statfsSync(dir)
  return (blocks - bfree) * bsize
}
const pcaps = (): string[] => (readdirSync(dir, { recursive: true, encoding: 'utf8' }) as string[]).filter((f) => f.endsWith('.pcap'))

/** One batch: a packet of each call, `ms` after the start. */
function batchFor(calls: number, ms: number): PacketBatch {
  const micros = 1.7e15 + ms * 1000
  return {
    bytes: FRAMES.subarray(0, PACKET * calls),
    count: calls,
    at: Uint32Array.from({ length: calls }, (_, i) => i * PACKET),
    captured: new Uint32Array(calls).fill(PACKET),
    length: new Uint32Array(calls).fill(PACKET),
    micros: new Float64Array(calls).fill(micros),
    nanos: undefined,
    linkType: 1,
    until: micros as Micros,
    release: () => {},
  }
}

interface Load {
  readonly peak: number
  readonly stats: SpoolStats
  readonly notices: string[]
  /** Packets. */
  readonly given: number
  readonly lastPath: string | undefined
  readonly inProgress: { readonly deleted: number; readonly pcaps: number }
}

/** Calls of 2 s each, 50 at a time, 200 packets/s each, one after the other, until so many bytes were given. */
async function load(
  limits: Partial<SpoolLimits>,
  bytes: number,
  o: { endless?: boolean; kind?: 'sip' | 'rtp'; pauseMs?: number } = {},
): Promise<Load> {
  const notices: string[] = []
  const spool: Spool = await openSpool({
    dir,
    save: 'rtp',
    canWait: true,
    limits: { ...noLimits, ...limits },
    onNotice: (text) => notices.push(text),
  })
  let peak = 0
  let number = 0
  const make = (ms: number): CallHandle => ({
    number: ++number,
    callId: `load-${number}`,
    started: (1.7e15 + ms * 1000) as Micros,
    tag: -1,
  })
  let calls = Array.from({ length: CALLS }, () => make(0))
  let lastPath: string | undefined
  let packets = 0
  for (let given = 0, ms = 0; given < bytes; ms += 5) {
    const batch = batchFor(calls.length, ms)
    for (let i = 0; i < calls.length; i++) spool.packet(calls[i] as CallHandle, batch, i, o.kind ?? 'rtp', (batch.at[i] as number) + 54)
    given += calls.length * (PACKET + 16)
    packets += calls.length
    spool.settle(batch, batch.until)
    if (ms % 2000 === 1995 && o.endless !== true) {
      for (const call of calls) {
        lastPath = spool.pathOf(call)
        spool.ended(call)
      }
      calls = calls.map(() => make(ms + 5))
    }
    peak = Math.max(peak, used())
    if (ms % 50 === 0)
      await (o.pauseMs === undefined ? new Promise(setImmediate) : new Promise((resolve) => setTimeout(resolve, o.pauseMs)))
    await spool.drained()
  }
  // What is in progress is looked at before all of it ends at once.
  const inProgress = { deleted: spool.stats().kept.deletedFiles, pcaps: pcaps().length }
  for (const call of calls) spool.ended(call)
  const stats = await spool.close()
  return { peak: Math.max(peak, used()), stats, notices, lastPath, inProgress, given: packets }
}

const lost = ({ stats }: Load): number => stats.dropped.reduce((sum, [, n]) => sum + n, 0)

describe('a spool that is filled at full speed', () => {
  test('by size: never more than a write buffer above its limit, the oldest calls go, the newest stay', async () => {
    const ran = await load({ bytes: 16 * MIB }, 60 * MIB)
    expect(ran.peak).toBeLessThanOrEqual(16 * MIB + WRITE_BUFFER)
    expect(ran.peak).toBeGreaterThan(8 * MIB)
    expect(lost(ran)).toBe(0)
    expect(ran.stats.kept.deletedFiles).toBeGreaterThan(100)
    expect(statSync(join(dir, ran.lastPath as string)).size).toBe(24 + 400 * (PACKET + 16))
    expect(pcaps()).not.toContain('2023-11-14/22/13/load-1.pcap')
    expect(ran.notices).toEqual([])
  })

  test('by free space: the disk is never filled', async () => {
    // A tenth of the disk at most: 6.4 MiB.
    const ran = await load({ freeBytes: 1e12 }, 90 * MIB)
    expect(ran.peak).toBeLessThanOrEqual(64 * MIB - 6.4 * MIB + WRITE_BUFFER)
    expect(lost(ran)).toBe(0)
    expect(ran.stats.kept.deletedFiles).toBeGreaterThan(20)
    expect(ran.notices).toEqual([expect.stringMatching(/nearly full \(autocleanmingb\)/)])
  })

  test('nothing but calls in progress: none of them is touched, packets are lost and counted, and it lives', async () => {
    const ran = await load({ bytes: 4 * MIB }, 80 * MIB, { endless: true })
    expect(ran.peak).toBeLessThanOrEqual(4 * MIB + WRITE_BUFFER)
    expect(ran.inProgress.deleted).toBe(0)
    expect(ran.inProgress.pcaps).toBeGreaterThan(10)
    expect(lost(ran)).toBeGreaterThan(1000)
    expect(ran.stats.dropped.map(([reason]) => reason)).toEqual(['spool at its limit'])
    expect(ran.notices).toEqual([expect.stringMatching(/maxpoolsize.*calls in progress stay/)])
  })

  test('media by their own limit: finished calls lose theirs while others of the same minute run', async () => {
    const ran = await load({ mediaBytes: 24 * MIB }, 80 * MIB, { pauseMs: 2 })
    // What stays of a call is at least a block.
    const rest = (pcaps().length + 1) * 4096
    expect(ran.peak).toBeLessThanOrEqual(24 * MIB + rest + WRITE_BUFFER)
    expect(ran.stats.kept.trimmedFiles).toBeGreaterThan(20)
    expect(ran.stats.kept.deletedFiles).toBe(0)
    expect(ran.stats.packets + lost(ran)).toBe(ran.given)
  })

  test('signalling by its own limit', async () => {
    const ran = await load({ sipBytes: 16 * MIB }, 40 * MIB, { kind: 'sip' })
    expect(ran.peak).toBeLessThanOrEqual(16 * MIB + WRITE_BUFFER)
    expect(lost(ran)).toBe(0)
  })

  test('begun on a disk that is full: says so, counts, and goes on with its index when there is room', async () => {
    // A directory needs an inode, and none is left.
    execFileSync('mount', ['-o', 'remount,nr_inodes=200', dir])
    const fillers: string[] = []
    for (;;) {
      const file = join(dir, `filler-${fillers.length}`)
      try {
        writeFileSync(file, '')
      } catch {
        break
      }
      fillers.push(file)
    }
    const full = await load({}, 2 * MIB)
    expect(full.notices[0]).toMatch(/disk of the spool .* is full: its index cannot be written yet/)
    expect([lost(full), pcaps()]).toEqual([full.given, []])
    const running = load({}, 4 * MIB, { pauseMs: 20 })
    for (const file of fillers) rmSync(file)
    const ran = await running
    expect(pcaps().length).toBeGreaterThan(0)
    expect(readdirSync(join(dir, '.index'))).toContain('2023-11-14')
    expect(lost(ran)).toBeLessThan(ran.given)
  })
})
