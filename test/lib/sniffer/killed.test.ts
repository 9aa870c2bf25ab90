import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CallRecord } from '../../../src/lib/call/record.js'
import { openRecordQueue } from '../../../src/lib/sniffer/record-queue.js'
import type { RecordsStatus } from '../../../src/lib/sniffer/records-status.js'
import { openWriter } from '../../../src/lib/store/index.js'
import { openDatabase } from '../../../src/lib/store/sqlite/driver.js'
import { sampleRecords } from '../../contract/records.js'
import { haveMariadb, startMariadb, type TestServer } from '../../support/mariadb.js'
import { callIdOf, hasLastWord, type RecordOrder, recordsOf } from '../../support/record-child.js'

// kill -9 of the sniffer and of the database at random moments while calls end: each call that was given out is stored exactly once.

const long = process.env['EARSHOT_LONG'] === '1'
/** Moments at which something is killed, and calls that end around each. */
const plan = long ? { moments: 20, calls: 1000 } : { moments: 3, calls: 150 }

const dir = mkdtempSync(join(tmpdir(), 'earshot-killed-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const script = fileURLToPath(new URL('../../support/record-child.ts', import.meta.url))

/** One process that gives out records; what it said so far. */
class Recording {
  taken: number
  status: RecordsStatus | undefined
  stderr = ''
  readonly #child: ChildProcess
  readonly #exited: Promise<void>

  constructor(order: RecordOrder) {
    this.taken = order.from
    this.#child = spawn(process.execPath, ['--import', 'tsx', script, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child.stderr?.on('data', (chunk) => {
      this.stderr += chunk
    })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const [word, ...rest] = line.split(' ')
      if (word === 'taken') this.taken = Number(rest[0])
      if (word === 'closed') this.status = JSON.parse(rest.join(' ')) as RecordsStatus
    })
    this.#exited = new Promise((resolve) => this.#child.once('close', () => resolve()))
  }

  /** Waits until it has given out so many. */
  async reached(n: number): Promise<void> {
    while (this.taken < n && this.#child.exitCode === null && this.#child.signalCode === null) await sleep(5)
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  async end(): Promise<void> {
    await this.#exited
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const random = (most: number): number => Math.floor(Math.random() * most)

/** How often each call is there, and in which word; from outside the store. */
interface Row {
  readonly call_id: string
  readonly revision: number
  readonly streams: number
}
const question = `SELECT e.call_id, e.revision, (SELECT count(*) FROM cdr_rtp r WHERE r.cdr_ID = e.cdr_ID) AS streams
  FROM earshot_cdr e JOIN cdr c ON c.ID = e.cdr_ID`

/** Kills the recording process `plan.moments` times, and calls `disturb` as often; then lets all come to its end. */
async function ordeal(storeUrl: string, rows: () => Promise<Row[]>, disturb: () => Promise<void>): Promise<void> {
  const queueDir = mkdtempSync(join(dir, 'queue-'))
  const total = plan.calls * plan.moments
  const order = { storeUrl, queueDir, to: total, perTick: 5, tickMs: 10 }
  let from = 0
  for (let moment = 1; moment <= plan.moments; moment++) {
    const recording = new Recording({ ...order, from })
    await recording.reached(from + Math.floor(plan.calls / 3))
    const disturbed = disturb()
    await recording.reached(Math.min(total - 1, from + Math.floor(plan.calls / 2) + random(plan.calls / 2)))
    await sleep(random(30))
    await recording.kill()
    await disturbed
    from = recording.taken
  }
  // Twice: the first may find its store away at the end and leave its records on disk.
  for (let round = 0; round < 2; round++) {
    const last = new Recording({ ...order, from })
    await last.end()
    from = last.taken
    expect(last.status, last.stderr).toMatchObject({ dropped: 0, refused: 0, damaged: 0 })
  }
  expect(from).toBe(total)
  const found = await rows()
  const wrong = found.filter(({ call_id, revision, streams }) => {
    const n = Number(call_id.split('-')[1])
    return revision !== (hasLastWord(n) ? 255 : 1) || streams !== 2
  })
  expect(wrong).toEqual([])
  expect(found.map(({ call_id }) => call_id).sort()).toEqual(Array.from({ length: total }, (_, n) => callIdOf(n)).sort())
}

describe('SQLite', () => {
  test(`the sniffer killed ${plan.moments} times`, { timeout: 600_000 }, async () => {
    const path = join(dir, 'calls.db')
    const rows = async (): Promise<Row[]> => {
      const db = openDatabase(path, { readonly: true })
      try {
        return db.prepare(question).all() as Row[]
      } finally {
        db.close()
      }
    }
    await ordeal(`sqlite:${path}`, rows, async () => {})
  })
})

describe.skipIf(!haveMariadb)('MariaDB [needs mariadb-server]', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startMariadb()
  })
  afterAll(() => server?.dispose())

  test(`the sniffer killed ${plan.moments} times, the server as often`, { timeout: 1_200_000 }, async () => {
    // The tables are there: a server that is killed while it makes partitions may need its administrator.
    await (await openWriter(server.url('killed'))).close()
    await ordeal(
      server.url('killed'),
      () => server.sql<Row>(question, 'killed'),
      async () => {
        await sleep(random(100))
        await server.kill()
        await sleep(random(300))
        await server.start()
      },
    )
  })

  test('killed and started again: said once, and nobody takes us for another writer', { timeout: 120_000 }, async () => {
    const notices: string[] = []
    const queue = await openRecordQueue({
      storeUrl: server.url('restarted'),
      sensorId: 7,
      live: true,
      queue: { dir: mkdtempSync(join(dir, 'queue-')), bytesMax: 1 << 30, drop: 'oldest' },
      memoryBytesMax: 64 << 20,
      drop: 'oldest',
      onNotice: ({ kind, message }) => notices.push(`${kind}: ${message}`),
    })
    const [sample] = sampleRecords() as [CallRecord]
    const stored = async (n: number): Promise<void> => {
      while (queue.status.stored < n) await sleep(20)
    }
    for (const n of [0, 1, 2]) {
      for (const record of recordsOf(n, sample)) queue.offer(record)
      queue.flush()
      if (n === 1) {
        while (queue.status.state === 'ok') await sleep(20)
        expect(queue.status).toMatchObject({ state: 'retrying', failure: { code: 'STORE_UNREACHABLE' } })
        await server.start()
      }
      await stored(n + 1)
      if (n === 0) await server.kill()
    }
    expect(await queue.close()).toMatchObject({ stored: 3, waiting: 0, dropped: 0 })
    expect(notices).toEqual([expect.stringMatching(/^trouble: .* Records wait in/), expect.stringMatching(/^good: /)])
  })
})
