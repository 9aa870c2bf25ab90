import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PackedBlock } from '../../../src/lib/mirror/block.js'
import { BlockQueue, type QueueOptions } from '../../../src/lib/mirror/block-queue.js'
import { DiskBuffer } from '../../../src/lib/mirror/disk-buffer.js'
import { SpareBuffers } from '../../../src/lib/mirror/spare-buffers.js'
import { until } from '../../support/mirror.js'

// A block is 1000 bytes of its own number here.
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'earshot-queue-'))
})
afterEach(async () => {
  // Those that were left as a kill leaves them.
  for (const one of opened.splice(0)) await one.close().catch(() => {})
  rmSync(dir, { recursive: true })
})

const SIZE = 1000
const block = (n: number): PackedBlock => ({
  bytes: new Uint8Array(SIZE).fill(n),
  plainBytes: SIZE,
  packets: 10,
  firstMicros: n,
  lastMicros: n,
})
const notices: string[] = []
const opened: DiskBuffer[] = []
const disk = (maxBytes = 1 << 20): DiskBuffer => {
  const made = new DiskBuffer({ dir, maxBytes, onNotice: (text) => notices.push(text) })
  opened.push(made)
  return made
}
const queue = (o: Partial<QueueOptions> = {}): BlockQueue =>
  new BlockQueue({ memoryMax: 4 * (SIZE + 256), disk: undefined, drop: 'newest', ...o })
const put = (q: BlockQueue, from: number, to: number): void => {
  for (let n = from; n < to; n++) q.put(block(n))
}

/** Sends and acknowledges what is there, one by one; answers the contents. */
async function drain(q: BlockQueue, want: number): Promise<number[]> {
  const seen: number[] = []
  while (seen.length < want) {
    const next = q.next()
    if (next === undefined) {
      await until(`block ${seen.length} of ${want}`, () => q.unsent && hasNext(q))
      continue
    }
    seen.push(next.bytes[0] as number)
    q.ack(next.number)
  }
  return seen
}
const hasNext = (q: BlockQueue): boolean => {
  const next = q.next()
  if (next !== undefined) q.rewind(-1)
  return next !== undefined
}
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

describe('in memory', () => {
  test('in order; kept until acknowledged; sent again after a break', async () => {
    const q = queue()
    put(q, 0, 4)
    expect([q.next()?.number, q.next()?.number, q.inFlight]).toEqual([0, 1, 2])
    q.ack(0)
    q.rewind(-1)
    expect(q.next()?.number).toBe(1)
    q.rewind(2)
    expect(q.next()?.number).toBe(3)
    q.ack(3)
    expect(q.empty).toBe(true)
  })

  test('bytes are spare once acknowledged, or copied to the disk, and not before', () => {
    const spare: number[] = []
    const options = { spare: (bytes: Uint8Array) => spare.push(bytes[0] as number) }
    const q = queue(options)
    put(q, 0, 3)
    q.next()
    q.next()
    expect(spare).toEqual([])
    q.ack(0)
    q.rewind(-1)
    expect(spare).toEqual([0])
    q.ack(2)
    expect(spare).toEqual([0, 1, 2])
    const onDisk = queue({ ...options, memoryMax: SIZE + 256, disk: disk() })
    put(onDisk, 3, 5)
    expect(spare).toEqual([0, 1, 2, 4])
  })

  test('spare memory is used again for what fits it; other memory is not ours to use', () => {
    const memory = new SpareBuffers()
    const first = memory.take(20_000)
    expect([first.length, first.byteOffset]).toEqual([20_000, 0])
    memory.give(first)
    memory.give(new Uint8Array(20_000))
    expect(memory.take(40_000).buffer).not.toBe(first.buffer)
    expect(memory.take(1000).buffer).not.toBe(first.buffer)
    expect(memory.take(25_000).buffer).toBe(first.buffer)
    expect(memory.take(25_000).buffer).not.toBe(first.buffer)
  })

  test('full: the newest go', async () => {
    const q = queue()
    put(q, 0, 6)
    expect(q.losses()).toEqual([['memory buffer full', 20]])
    expect(await drain(q, 4)).toEqual([0, 1, 2, 3])
  })

  test('full: the oldest go, but not what is in flight', async () => {
    const q = queue({ drop: 'oldest' })
    put(q, 0, 4)
    q.next()
    put(q, 4, 7)
    expect(q.losses()).toEqual([['memory buffer full', 30]])
    q.rewind(-1)
    expect(await drain(q, 4)).toEqual([0, 4, 5, 6])
  })

  test('a source that can wait waits for room', async () => {
    const q = queue()
    put(q, 0, 4)
    let room = false
    void q.room().then(() => {
      room = true
    })
    await new Promise((wake) => setTimeout(wake, 10))
    expect(room).toBe(false)
    q.next()
    q.next()
    q.ack(1)
    await until('room', () => room)
  })
})

describe('on disk', () => {
  test('behind the memory, in order, while new ones come', async () => {
    const q = queue({ disk: disk() })
    put(q, 0, 30)
    expect(q.diskBytes).toBeGreaterThan(20 * SIZE)
    const first = await drain(q, 10)
    put(q, 30, 50)
    expect([...first, ...(await drain(q, 40))]).toEqual(range(0, 50))
    expect(q.empty).toBe(true)
    expect(q.losses()).toEqual([])
    await q.close()
    expect(readdirSync(dir).filter((name) => name.endsWith('.blocks'))).toEqual([])
  })

  test('a restart in order: what was in memory comes first again, with its numbers', async () => {
    const q = queue({ disk: disk() })
    put(q, 0, 20)
    expect(await drain(q, 3)).toEqual([0, 1, 2])
    expect(await q.close()).toBe(0)
    const d = disk()
    expect(d.stream).toBe(q.stream)
    const again = queue({ disk: d })
    put(again, 20, 25)
    expect(await drain(again, 22)).toEqual(range(3, 25))
  })

  test('a kill: what was on disk is there, later numbers are larger', async () => {
    const d = disk()
    const q = queue({ disk: d })
    put(q, 0, 20)
    await d.flush()
    // No close: the next opens the directory as after a kill.
    const again = queue({ disk: disk() })
    put(again, 20, 22)
    expect(await drain(again, 18)).toEqual([...range(4, 20), 20, 21])
    expect(again.stream).toBe(q.stream)
  })

  test('a record torn by the kill is left out, what is before it is good', async () => {
    const d = disk()
    const q = queue({ disk: d })
    put(q, 0, 10)
    await d.flush()
    const [name] = readdirSync(dir).filter((n) => n.endsWith('.blocks'))
    appendFileSync(join(dir, name!), readFileSync(join(dir, name!)).subarray(0, 500))
    const again = queue({ disk: disk() })
    expect(await drain(again, 6)).toEqual(range(4, 10))
  })

  test('a changed byte costs the rest of its file, counted', async () => {
    const d = disk()
    put(queue({ disk: d }), 0, 10)
    await d.flush()
    const [name] = readdirSync(dir).filter((n) => n.endsWith('.blocks'))
    const bytes = readFileSync(join(dir, name!))
    bytes[2 * (SIZE + 32) + 100] = 99
    writeFileSync(join(dir, name!), bytes)
    const again = queue({ disk: disk() })
    expect(await drain(again, 2)).toEqual([4, 5])
    await until('the loss', () => again.losses().length > 0)
    expect(again.losses()).toEqual([['disk buffer: unreadable', 40]])
  })

  test('acknowledged before the kill is not sent again', async () => {
    const d = disk()
    const q = queue({ disk: d })
    put(q, 0, 20)
    await d.flush()
    await drain(q, 8)
    const again = queue({ disk: disk() })
    expect(await drain(again, 12)).toEqual(range(8, 20))
  })

  test.each(['oldest', 'newest'] as const)('full, the %s go', async (drop) => {
    const d = disk(600 << 10)
    const q = queue({ disk: d, drop, memoryMax: 10 })
    // The first files are closed and written before the disk is full.
    for (let n = 0; n < 1000; n++) {
      q.put(block(n & 0xff))
      if (n % 20 === 0) await d.flush()
    }
    const lost = q.losses()[0]
    expect(lost?.[0]).toBe('disk buffer full')
    expect(d.bytes).toBeLessThanOrEqual(600 << 10)
    const kept = 1000 - lost![1] / 10
    const seen = await drain(q, kept)
    // Some were read ahead before the oldest files went: they stay in front.
    expect(seen.at(-1)).toBe(drop === 'oldest' ? 999 & 0xff : (kept - 1) & 0xff)
    expect(seen[0]).toBe(0)
  })

  test('a disk that refuses is told, counted and tried again', async () => {
    const d = disk()
    const q = queue({ disk: d, memoryMax: 10 })
    rmSync(dir, { recursive: true })
    put(q, 0, 3)
    await d.flush()
    expect(q.losses()).toEqual([['disk buffer: write failed', 30]])
    expect(notices.at(-1)).toMatch(/takes no more/)
    q.put(block(3))
    expect(q.losses()).toEqual([['disk buffer: write failed', 40]])
    dir = mkdtempSync(join(tmpdir(), 'earshot-queue-'))
  })

  test('two senders in one directory: the second is told', () => {
    const held = disk()
    const state = JSON.parse(readFileSync(join(dir, 'stream.json'), 'utf8'))
    // As if another process, this one's parent, had it.
    const started = readFileSync(`/proc/${process.ppid}/stat`, 'latin1')
    writeFileSync(
      join(dir, 'stream.json'),
      JSON.stringify({ ...state, pid: process.ppid, started: started.slice(started.lastIndexOf(')') + 2).split(' ')[19] }),
    )
    expect(() => disk()).toThrow(/keeps its blocks/)
    expect(held.stream).toBe(state.stream)
  })

  test('a directory that cannot be', () =>
    expect(() => new DiskBuffer({ dir: '/proc/nope', maxBytes: 1, onNotice: () => {} })).toThrow(/Cannot keep/))

  test('files are of a bounded size and go when they are acknowledged', async () => {
    const d = disk(1 << 20)
    const q = queue({ disk: d, memoryMax: 10 })
    for (let n = 0; n < 500; n++) q.put(block(n & 0xff))
    await d.flush()
    const names = (): string[] => readdirSync(dir).filter((name) => name.endsWith('.blocks'))
    expect(names().length).toBeGreaterThan(3)
    for (const name of names()) expect(statSync(join(dir, name)).size).toBeLessThanOrEqual(1 << 17)
    await drain(q, 500)
    expect(names()).toEqual([])
  })
})
