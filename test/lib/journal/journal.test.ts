import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { crc32 } from '../../../src/lib/journal/crc32.js'
import { type Entry, entryBytes, readEntry } from '../../../src/lib/journal/entry.js'
import { Journal, type JournalOptions } from '../../../src/lib/journal/journal.js'
import { claimPlace, placeName } from '../../../src/lib/journal/places.js'

const root = mkdtempSync(join(tmpdir(), 'earshot-journal-'))
afterAll(() => rmSync(root, { recursive: true }))
let made = 0
const fresh = (): string => join(root, `q${++made}`)

const open = (queue: string, options: Partial<JournalOptions> = {}): Promise<Journal> =>
  Journal.open(claimPlace(queue, 'store'), { bytesMax: 1 << 30, drop: 'oldest', ...options })
const entry = (text: string): Entry => ({ queuedMs: 1_700_000_000_123, text })
const entries = (from: number, to: number): Entry[] => Array.from({ length: to - from }, (_, i) => entry(`{"n":${from + i}}`))
const files = (queue: string): string[] => readdirSync(join(queue, 'store')).filter((name) => name !== 'lock')
const only = (queue: string): string => join(queue, 'store', files(queue)[0] as string)

/** Everything from the front on, as the numbers in it. */
async function drain(journal: Journal, max = 100): Promise<number[]> {
  const numbers: number[] = []
  for (;;) {
    const batch = await journal.peek(max)
    if (batch.length === 0) return numbers
    numbers.push(...batch.map(({ text }) => (JSON.parse(text) as { n: number }).n))
    await journal.done(batch.at(-1)!.number)
  }
}
const count = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

/** As kill -9 leaves it: nothing is closed, the lock goes with the process. */
const crash = (queue: string): string => {
  const copy = fresh()
  const place = claimPlace(copy, 'store')
  for (const name of files(queue)) writeFileSync(join(place.dir, name), readFileSync(join(queue, 'store', name)))
  place.lock.release()
  return copy
}

describe('CRC-32', () => {
  test('the check value of the catalogue, and what gzip writes', () => {
    expect(crc32(Buffer.from('123456789'))).toBe(0xcbf4_3926)
    for (const length of [0, 1, 2, 3, 4, 5, 1000, 1003]) {
      const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 7 + 3) & 255))
      expect(crc32(bytes)).toBe(gzipSync(bytes).readUInt32LE(gzipSync(bytes).length - 8))
    }
  })
})

describe('entries', () => {
  test.each(['', '{}', 'ö 📞 \\n', 'x'.repeat(100_000)])('come back as they were: %.20s', (text) => {
    const bytes = Buffer.concat([Buffer.from('junk\n'), entryBytes(entry(text))])
    expect(readEntry(bytes, 5)).toEqual({ state: 'entry', entry: entry(text), next: bytes.length })
    expect(readEntry(bytes, 0)).toEqual({ state: 'damaged', next: 5 })
  })

  test('a line that tools read', () =>
    expect(entryBytes(entry('{"callId":"x"}')).toString()).toMatch(/^[0-9a-f]{8} [0-9a-f]{8} 1700000000123 \{"callId":"x"\}\n$/))
})

describe('a queue on disk', () => {
  test('first in, first out, over many openings', async () => {
    const queue = fresh()
    let journal = await open(queue)
    await journal.append(entries(0, 10))
    expect((await journal.peek(3)).map((e) => e.number)).toEqual([0, 1, 2])
    await journal.done(1)
    expect((await journal.peek(2)).map((e) => JSON.parse(e.text).n)).toEqual([2, 3])
    await journal.close()
    journal = await open(queue)
    // Which of a segment are done is not written down.
    expect(journal.found).toBe(10)
    await journal.append(entries(10, 15))
    expect(await drain(journal, 4)).toEqual(count(0, 15))
    expect(journal.waiting).toBe(0)
    await journal.close()
    expect(files(queue)).toEqual([])
  })

  test('when nothing waits, nothing lies on the disk', async () => {
    const queue = fresh()
    const journal = await open(queue)
    for (let round = 0; round < 20; round++) {
      await journal.append(entries(0, 50))
      expect(await drain(journal)).toEqual(count(0, 50))
    }
    expect(files(queue).map((name) => statSync(join(queue, 'store', name)).size)).toEqual([0])
    await journal.close()
  })

  test('segments go as soon as they are done', async () => {
    const queue = fresh()
    const journal = await open(queue, { bytesMax: 80_000 })
    await journal.append(entries(0, 1000))
    expect(files(queue).length).toBeGreaterThan(3)
    const before = files(queue).length
    for (let left = 500; left > 0; ) {
      const batch = await journal.peek(left)
      await journal.done(batch.at(-1)!.number)
      left -= batch.length
    }
    expect(files(queue).length).toBeLessThan(before)
    expect(await drain(journal)).toEqual(count(500, 1000))
    await journal.close()
  })

  test('what was appended is there after a crash, without a close', async () => {
    const queue = fresh()
    const journal = await open(queue)
    await journal.append(entries(0, 100))
    const after = await open(crash(queue))
    expect(await drain(after)).toEqual(count(0, 100))
    await after.close()
    await journal.close()
  })

  test('appending, reading and finishing may overlap', async () => {
    const journal = await open(fresh(), { bytesMax: 20_000_000 })
    const got: number[] = []
    const reader = async (): Promise<void> => {
      while (got.length < 5000) {
        const batch = await journal.peek(37)
        got.push(...batch.map(({ text }) => (JSON.parse(text) as { n: number }).n))
        if (batch.length > 0) await journal.done(batch.at(-1)!.number)
      }
    }
    const writer = async (): Promise<void> => {
      for (let n = 0; n < 5000; n += 25) await journal.append(entries(n, n + 25))
    }
    await Promise.all([writer(), reader()])
    expect(got).toEqual(count(0, 5000))
    await journal.close()
  })
})

describe('damage', () => {
  const written = async (): Promise<string> => {
    const queue = fresh()
    const journal = await open(queue)
    await journal.append(entries(0, 4))
    const copy = crash(queue)
    await journal.close()
    return copy
  }

  test('cut at any byte: what was whole before is there, the rest is cut off, counted, and out of the way', async () => {
    const whole = await written()
    const size = statSync(only(whole)).size
    for (let length = 0; length < size; length++) {
      const queue = crash(whole)
      truncateSync(only(queue), length)
      const journal = await open(queue)
      const left = Math.floor(length / (size / 4))
      expect([journal.found, journal.torn, journal.damaged]).toEqual([left, length % (size / 4) === 0 ? 0 : 1, 0])
      await journal.append(entries(4, 6))
      const after = await open(crash(queue))
      expect(await drain(after)).toEqual([...count(0, left), 4, 5])
      await after.close()
      await journal.close()
    }
  })

  test('a byte changed anywhere costs the entry it is in, or the two it parts', async () => {
    const whole = await written()
    const bytes = readFileSync(only(whole))
    const length = bytes.length / 4
    for (let at = 0; at < bytes.length; at += 3) {
      const queue = crash(whole)
      const changed = Buffer.from(bytes)
      changed[at] = changed[at]! ^ 0x55
      writeFileSync(only(queue), changed)
      const journal = await open(queue)
      const numbers = await drain(journal)
      const hit = Math.floor(at / length)
      const cost = at % length === length - 1 ? [hit, hit + 1] : [hit]
      expect(numbers).toEqual(count(0, 4).filter((n) => !cost.includes(n)))
      expect(journal.torn + journal.damaged).toBe(1)
      await journal.close()
    }
  })

  test('what a power cut leaves: zeros where data should be', async () => {
    const queue = await written()
    appendFileSync(only(queue), Buffer.alloc(8192))
    const journal = await open(queue)
    expect([journal.found, journal.torn]).toEqual([4, 1])
    expect(await drain(journal)).toEqual(count(0, 4))
    await journal.close()
  })

  test('a length that lies does not swallow what follows', async () => {
    const queue = await written()
    const bytes = readFileSync(only(queue))
    bytes.write('00ffffff', 0, 'latin1')
    writeFileSync(only(queue), bytes)
    const journal = await open(queue)
    expect(journal.damaged).toBe(1)
    expect(await drain(journal)).toEqual([1, 2, 3])
    await journal.close()
  })
})

describe('the bound', () => {
  test('the newest give way: what is there stays', async () => {
    const queue = fresh()
    const journal = await open(queue, { bytesMax: 10_000, drop: 'newest' })
    for (let n = 0; n < 500; n += 10) await journal.append(entries(n, n + 10))
    const kept = 500 - journal.dropped
    expect(kept).toBeGreaterThan(150)
    expect(journal.bytes).toBeLessThanOrEqual(10_000)
    expect(await drain(journal)).toEqual(count(0, kept))
    // There is room again.
    await journal.append(entries(500, 510))
    expect(await drain(journal)).toEqual(count(500, 510))
    await journal.close()
  })

  test('the oldest give way, some at a time: the newest stay', async () => {
    const queue = fresh()
    const journal = await open(queue, { bytesMax: 10_000, drop: 'oldest' })
    for (let n = 0; n < 500; n += 10) {
      await journal.append(entries(n, n + 10))
      expect(journal.bytes).toBeLessThanOrEqual(10_000)
    }
    expect(journal.dropped).toBeGreaterThan(0)
    const left = await drain(journal)
    expect(left).toEqual(count(journal.dropped, 500))
    expect(left.length).toBeGreaterThan(100)
    await journal.close()
  })

  test('the oldest give way while they are being stored', async () => {
    const journal = await open(fresh(), { bytesMax: 10_000, drop: 'oldest' })
    await journal.append(entries(0, 100))
    const handedOut = await journal.peek(50)
    await journal.append(entries(100, 400))
    await journal.done(handedOut.at(-1)!.number)
    expect(await drain(journal)).toEqual(count(journal.dropped, 400))
    await journal.close()
  })

  test('one that is larger than the whole bound is refused', async () => {
    const journal = await open(fresh(), { bytesMax: 1000, drop: 'oldest' })
    await journal.append([entry('x'.repeat(2000))])
    expect([journal.dropped, journal.waiting]).toEqual([1, 0])
    await journal.append(entries(0, 3))
    expect(await drain(journal)).toEqual([0, 1, 2])
    await journal.close()
  })
})

describe('places', () => {
  test('a name for each store, without its password', () => {
    const names = [
      'sqlite:/var/lib/earshot/calls.db',
      'sqlite:calls.db',
      'mysql://u:secret@db1:3306/voipmonitor',
      'mysql://u:secret@db2:3306/voipmonitor',
    ].map(placeName)
    expect(new Set(names).size).toBe(4)
    for (const name of names) expect(name).toMatch(/^[\w.-]{1,90}$/)
    expect(names.join()).not.toMatch(/secret/)
    // The same store, whoever asks.
    expect(placeName('mysql://other:pass@db1:3306/voipmonitor?ssl=1')).toBe(names[2])
  })

  test('two at a time have one each; who comes later takes over what was left', async () => {
    const queue = fresh()
    const [one, two] = [await open(queue), await open(queue)]
    expect(one.dir).not.toBe(two.dir)
    await one.append(entries(0, 3))
    await two.append(entries(3, 6))
    // The second is in use, the first alone is not.
    await one.close()
    const again = await open(queue)
    expect([again.dir, again.found]).toEqual([one.dir, 3])
    await again.close()
    await two.close()
    const all = await open(queue)
    expect(await drain(all)).toEqual(count(0, 6))
    await all.close()
    expect(readdirSync(two.dir)).toEqual(['lock'])
  })
})
