import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import type { CallRecord } from '../../../src/lib/call/record.js'
import { recordText } from '../../../src/lib/call/record-text.js'
import { Backlog, type Journal, openJournal } from '../../../src/lib/journal/index.js'
import { Recorder, type RecorderOptions } from '../../../src/lib/sniffer/recorder.js'
import type { RecordsNotice, RecordsStatus } from '../../../src/lib/sniffer/records-status.js'
import { RefusedFile } from '../../../src/lib/sniffer/refused-file.js'
import { sampleRecords } from '../../contract/records.js'
import { type Behaviour, FaultyStore } from '../../support/faulty-store.js'
import { needsRoot } from '../../support/netns.js'

const root = mkdtempSync(join(tmpdir(), 'earshot-recorder-'))
afterAll(() => rmSync(root, { recursive: true }))
let made = 0

const [sample] = sampleRecords() as [CallRecord]
const record = (n: number, changes: Partial<CallRecord> = {}): CallRecord => ({ ...sample, callId: `call-${n}`, ...changes })
const texts = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => recordText(record(from + i)))
const ids = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `call-${from + i}`)

const timing = {
  gatherMs: 1,
  retryMs: [2, 10],
  refusedRetryMs: [2, 10],
  insertMsMax: 100,
  firstOpenMsMax: 50,
  closeMsMax: 20,
  syncMs: 5,
} as const

interface Rig {
  readonly store: FaultyStore
  readonly recorder: Recorder
  readonly notices: RecordsNotice[]
  readonly journal: Journal | undefined
  readonly refusedPath: string
  /** Waits until the status is so. */
  until(condition: (status: RecordsStatus) => boolean): Promise<void>
}

async function rig(
  options: {
    queue?: string
    store?: FaultyStore
    bytesMax?: number
    memoryBytesMax?: number
    drop?: 'oldest' | 'newest'
  } & Partial<RecorderOptions> = {},
): Promise<Rig> {
  const { queue, store = new FaultyStore(), bytesMax = 1 << 30, memoryBytesMax = 1 << 30, drop = 'oldest', ...rest } = options
  const notices: RecordsNotice[] = []
  const journal = queue === undefined ? undefined : await openJournal(queue, 'sqlite:/test.db', { bytesMax, drop })
  const refusedPath = join(root, `refused-${++made}`)
  const recorder = new Recorder({
    open: store.open,
    journal,
    backlog: new Backlog({ journal, memoryBytesMax, drop, onJournal: () => {} }),
    refusedFile: new RefusedFile(refusedPath),
    giveUpSeconds: undefined,
    onNotice: (notice) => notices.push(notice),
    onStatus: () => {},
    timing,
    ...rest,
  })
  const until = async (condition: (status: RecordsStatus) => boolean): Promise<void> => {
    const deadline = performance.now() + 20_000
    while (!condition(recorder.status)) {
      if (performance.now() > deadline) throw new Error(`it did not come to that: ${JSON.stringify(recorder.status)}`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
  return { store, recorder, notices, journal, refusedPath, until }
}
const queueDir = (): string => join(root, `queue-${++made}`)
const kinds = (notices: readonly RecordsNotice[]): string[] => notices.map(({ kind }) => kind)
const empty = ({ waiting }: RecordsStatus): boolean => waiting === 0

describe.each(['in memory', 'on disk'])('records that wait %s', (where) => {
  const queued = (): { queue?: string } => (where === 'on disk' ? { queue: queueDir() } : {})

  test('a store that works takes them in order', async () => {
    const { store, recorder, notices } = await rig(queued())
    await recorder.start(true)
    for (let n = 0; n < 3000; n += 100) await recorder.take(texts(n, n + 100))
    const status = await recorder.close(10)
    expect(store.order).toEqual(ids(0, 3000))
    expect(status).toMatchObject({ state: 'ok', stored: 3000, updated: 0, duplicates: 0, waiting: 0, dropped: 0, refused: 0, failures: 0 })
    expect(notices).toEqual([])
    expect(store.openNow).toBe(0)
  })

  const anyhow: readonly Behaviour[] = [
    'transient',
    'transient',
    'store',
    'answer lost',
    'answer lost',
    'half, then lost',
    'half, then lost',
  ]
  test.each<[string, (n: number) => Behaviour]>([
    ['goes away for a while', (n) => (n > 3 && n < 12 ? 'transient' : 'take')],
    ['takes nothing until somebody acts', (n) => (n > 3 && n < 12 ? 'store' : 'take')],
    ['loses its answers', (n) => (n % 3 === 0 ? 'answer lost' : 'take')],
    ['restarts in mid-batch', (n) => (n % 3 === 0 ? 'half, then lost' : 'take')],
    ['falls silent', (n) => (n === 4 || n === 5 ? 'silence' : 'take')],
    // Mixed by their number, so that a run is like the next. A store that cannot be opened twice running is another story.
    ['fails anyhow', (n) => (n <= 2 ? 'take' : (anyhow[Math.imul(n, 0x9e3779b1) >>> 28] ?? 'take'))],
  ])('a store that %s has each record once, in order', async (_, behaviour) => {
    const { store, recorder, until } = await rig(queued())
    let asked = 0
    store.behave = () => behaviour(++asked)
    await recorder.start(true).catch(() => recorder.start(true))
    for (let n = 0; n < 2000; n += 50) {
      await recorder.take(texts(n, n + 50))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await until(empty)
    const status = await recorder.close(10)
    expect(store.order).toEqual(ids(0, 2000))
    expect([...store.rows.values()].every(({ made: times }) => times === 1)).toBe(true)
    expect(status).toMatchObject({ dropped: 0, refused: 0, waiting: 0 })
    expect(status.failures).toBeGreaterThan(0)
  })

  test('an outage is said once, with the next step, and its end too', async () => {
    const { store, recorder, notices, until } = await rig(queued())
    await recorder.start(true)
    store.behave = () => 'transient'
    await recorder.take(texts(0, 300))
    await until(({ failures }) => failures > 8)
    expect(recorder.status).toMatchObject({ state: 'retrying', waiting: 300, stored: 0 })
    expect(recorder.status.failure).toMatchObject({ code: 'TEST_TRANSIENT' })
    expect(Date.now() - recorder.status.oldestMs!).toBeLessThan(20_000)
    store.behave = () => 'take'
    await until(empty)
    expect(recorder.status).toMatchObject({ state: 'ok', stored: 300, failure: undefined })
    expect(kinds(notices)).toEqual(['trouble', 'good'])
    expect(notices[0]?.message).toMatch(/The store fails.*Records wait/)
    expect(notices[0]?.suggestions).toEqual(['what to do about transient'])
    expect(notices[1]?.message).toMatch(/takes records again after .* s; \d+ waited/)
    await recorder.close(10)
  })

  test('an end in the middle of a flood, while the store is away: all of it is on disk', async () => {
    const queue = queueDir()
    const { store, recorder } = await rig({ queue })
    store.behave = () => 'transient'
    await recorder.start(true)
    const takings = Array.from({ length: 100 }, (_, i) => recorder.take(texts(i * 50, i * 50 + 50)))
    const status = await recorder.close(10)
    await Promise.all(takings)
    expect(status).toMatchObject({ waiting: 5000, dropped: 0 })
    const again = await openJournal(queue, 'sqlite:/test.db', { bytesMax: 1 << 30, drop: 'oldest' })
    expect(again.found).toBe(5000)
    await again.close()
  })

  test('a record that the store refuses is set aside, and holds up nobody', async () => {
    const { store, recorder, notices, refusedPath, until } = await rig(queued())
    const poison = ['call-7', 'call-500', 'call-501']
    store.behave = (records) => (records.some(({ callId }) => poison.includes(callId)) ? 'record' : 'take')
    await recorder.start(true)
    await recorder.take(texts(0, 1500))
    await until(empty)
    expect(recorder.status).toMatchObject({ state: 'ok', stored: 1497, refused: 3 })
    expect(store.order).toEqual(ids(0, 1500).filter((id) => !poison.includes(id)))
    expect(kinds(notices)).toEqual(['loss'])
    const aside = readFileSync(refusedPath, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { reason: string; record: { callId: string } })
    expect(aside.map((one) => one.record.callId)).toEqual(poison)
    expect(aside[0]?.reason).toMatch(/The store fails: record/)
    await recorder.close(10)
  })

  test('so is one that takes the connection down with it each time', async () => {
    const { store, recorder, refusedPath, until } = await rig(queued())
    // The one after it is refused for itself, which makes it a poor witness.
    const kindOf = (callId: string): Behaviour => (callId === 'call-30' ? 'transient' : callId === 'call-31' ? 'record' : 'take')
    store.behave = (batch) =>
      (['transient', 'record'] as const).find((kind) => batch.some(({ callId }) => kindOf(callId) === kind)) ?? 'take'
    await recorder.start(true)
    await recorder.take(texts(0, 60))
    await until(empty)
    expect(recorder.status).toMatchObject({ state: 'ok', stored: 58, refused: 2 })
    expect(readFileSync(refusedPath, 'utf8')).toMatch(/call-30/)
    await recorder.close(10)
  })

  test('but none is blamed for an outage, however long, whatever comes and goes', async () => {
    const { store, recorder, until } = await rig(queued())
    let asked = 0
    store.behave = (records) => (records.length === 0 || ++asked % 7 === 0 ? 'take' : 'transient')
    await recorder.start(true)
    await recorder.take(texts(0, 20))
    await until(empty)
    expect(recorder.status).toMatchObject({ stored: 20, refused: 0 })
    await recorder.close(10)
  })

  test('text that is no record of this version is set aside', async () => {
    const { recorder, until } = await rig(queued())
    await recorder.start(true)
    await recorder.take([...texts(0, 3), '{"v":99}', ...texts(3, 6)])
    await until(empty)
    expect(recorder.status).toMatchObject({ stored: 6, refused: 1 })
    await recorder.close(10)
  })

  test('a later word goes in after the earlier, and stays', async () => {
    const { store, recorder, until } = await rig(queued())
    store.behave = (records) => (store.inserts < 5 && records.length > 0 ? 'answer lost' : 'take')
    await recorder.start(true)
    await recorder.take([recordText(record(1, { revision: 1 })), recordText(record(2, { revision: 1 })), recordText(record(1))])
    await until(empty)
    expect([...store.rows.values()]).toEqual([
      { revision: 255, made: 1 },
      { revision: 1, made: 1 },
    ])
    await recorder.close(10)
  })

  test('the bound: the oldest give way, are counted, and that is said once', async () => {
    const size = texts(0, 1)[0]!.length + 100
    const { store, recorder, notices, until } = await rig({ ...queued(), bytesMax: 100 * size, memoryBytesMax: 100 * size })
    await recorder.start(true)
    store.behave = () => 'transient'
    for (let n = 0; n < 300; n += 10) await recorder.take(texts(n, n + 10))
    const { dropped, waiting } = recorder.status
    expect(dropped).toBeGreaterThan(190)
    expect(dropped + waiting).toBe(300)
    store.behave = () => 'take'
    await until(empty)
    // What was under way when it gave way may still go in.
    expect(store.order.slice(-50)).toEqual(ids(250, 300))
    expect(notices.filter(({ kind }) => kind === 'loss').map(({ message }) => message)).toEqual([expect.stringMatching(/full/)])
    await recorder.close(10)
  })
})

describe('the disk of the queue', () => {
  test('fills up: records wait in memory, go on to the disk when there is room, and all are stored once', () => {
    needsRoot()
    const mount = queueDir()
    mkdirSync(mount)
    const child = fileURLToPath(new URL('../../support/full-disk-child.ts', import.meta.url))
    const out = execFileSync(
      'unshare',
      [
        '--mount',
        'sh',
        '-c',
        'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" --import tsx "$3" "$1"',
        'sh',
        mount,
        process.execPath,
        child,
      ],
      { encoding: 'utf8' },
    )
    const { said, full, relieved, end, order } = JSON.parse(out) as {
      said: string[]
      full: RecordsStatus
      relieved: RecordsStatus
      end: RecordsStatus
      order: string[]
    }
    expect(said).toEqual(['trouble', 'ENOSPC', 'works again', 'good'])
    expect(full).toMatchObject({ waiting: 1000, dropped: 0 })
    expect(full.waitingInMemory).toBeGreaterThan(500)
    expect(relieved.waitingInMemory).toBeLessThan(full.waitingInMemory)
    expect(end).toMatchObject({ waiting: 0, dropped: 0, damaged: 0, torn: 0 })
    expect([...order].sort()).toEqual(ids(0, 1010).sort())
  })
})

describe('the beginning', () => {
  test('a live run begins without its store, and catches up', async () => {
    const { store, recorder, notices, until } = await rig({ queue: queueDir() })
    store.behave = () => 'transient'
    await recorder.start(true)
    await recorder.take(texts(0, 10))
    expect(kinds(notices)).toEqual(['trouble'])
    store.behave = () => 'take'
    await until(({ stored }) => stored === 10)
    await recorder.close(10)
  })

  test('and knows when it is back, although nothing waits', async () => {
    const { store, recorder, notices, until } = await rig({ queue: queueDir() })
    store.behave = () => 'transient'
    await recorder.start(true)
    await until(({ failures }) => failures > 3)
    store.behave = () => 'take'
    await until(({ state }) => state === 'ok')
    expect(kinds(notices)).toEqual(['trouble', 'good'])
    await recorder.close(10)
  })

  test('also when that does not even say no', async () => {
    const { store, recorder, until } = await rig()
    store.behave = () => 'silence'
    await recorder.start(true)
    await recorder.take(texts(0, 10))
    store.behave = () => 'take'
    await until(({ stored }) => stored === 10)
    expect((await recorder.close(10)).dropped).toBe(0)
  })

  test.each([
    [true, 'store'],
    [false, 'store'],
    [false, 'transient'],
  ] as const)('live %s, %s: fails at once, as the store said it', async (live, kind) => {
    const { store, recorder } = await rig()
    store.behave = () => kind
    await expect(recorder.start(live)).rejects.toMatchObject({
      code: `TEST_${kind.toUpperCase()}`,
      suggestions: [`what to do about ${kind}`],
    })
    await recorder.close(1)
  })
})

describe('the end', () => {
  test('of a live run while the store is away: at once; the next run stores what waits, first', async () => {
    const queue = queueDir()
    const one = await rig({ queue })
    await one.recorder.start(true)
    one.store.behave = () => 'transient'
    await one.recorder.take(texts(0, 400))
    const began = performance.now()
    expect(await one.recorder.close(10)).toMatchObject({ waiting: 400, dropped: 0 })
    expect(performance.now() - began).toBeLessThan(5000)
    expect(one.notices.at(-1)?.message).toMatch(/400 records wait in .* next start/)

    const two = await rig({ queue })
    await two.recorder.start(true)
    await two.recorder.take(texts(400, 410))
    await two.until(empty)
    expect(two.store.order).toEqual(ids(0, 410))
    expect(two.notices[0]?.message).toMatch(/400 records of an earlier run/)
    expect(await two.recorder.close(10)).toMatchObject({ found: 400, stored: 410 })
  })

  test('while the store hangs: within the bound', async () => {
    const { store, recorder } = await rig({ queue: queueDir(), timing: { ...timing, insertMsMax: 60_000 } })
    await recorder.start(true)
    store.behave = () => 'silence'
    await recorder.take(texts(0, 10))
    const began = performance.now()
    expect(await recorder.close(0.2)).toMatchObject({ waiting: 10, dropped: 0 })
    expect(performance.now() - began).toBeLessThan(5000)
  })

  test('without a queue on disk it tries until the bound, and counts what is lost', async () => {
    const { store, recorder, notices } = await rig()
    await recorder.start(true)
    store.behave = () => 'transient'
    await recorder.take(texts(0, 10))
    expect(await recorder.close(0.2)).toMatchObject({ waiting: 0, dropped: 10 })
    expect(notices.at(-1)).toMatchObject({ kind: 'loss', message: expect.stringMatching(/10 records .* lost/) })
  })

  test('of a file: it waits for a store that comes back', async () => {
    const { store, recorder } = await rig({ giveUpSeconds: 30 })
    await recorder.start(false)
    let asked = 0
    store.behave = () => (++asked > 6 ? 'take' : 'transient')
    await recorder.take(texts(0, 10))
    expect(await recorder.close(undefined)).toMatchObject({ stored: 10, dropped: 0 })
  })

  test('of a file whose store does not come back: it gives up, says so, and counts', async () => {
    const { store, recorder, notices } = await rig({ giveUpSeconds: 0.05 })
    await recorder.start(false)
    store.behave = () => 'transient'
    await recorder.take(texts(0, 10))
    expect(await recorder.close(undefined)).toMatchObject({ state: 'given up', dropped: 10, waiting: 0 })
    expect(notices.at(-1)).toMatchObject({ kind: 'loss', suggestions: [expect.stringMatching(/same command again/)] })
  })
})
