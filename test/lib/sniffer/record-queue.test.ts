import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { CallRecord } from '../../../src/lib/call/record.js'
import { recordText } from '../../../src/lib/call/record-text.js'
import { openRecordQueue, type RecordingOptions } from '../../../src/lib/sniffer/record-queue.js'
import type { RecordsNotice } from '../../../src/lib/sniffer/records-status.js'
import { openSqlite } from '../../../src/lib/store/sqlite/store.js'
import { sampleRecords } from '../../contract/records.js'

// The capture's end of the queue, with the real thread, queue on disk and SQLite behind it.

const root = mkdtempSync(join(tmpdir(), 'earshot-record-queue-'))
afterAll(() => rmSync(root, { recursive: true }))
let made = 0

const [sample] = sampleRecords() as [CallRecord]
const record = (n: number): CallRecord => ({ ...sample, callId: `call-${n}` })
/** Nothing listens there. */
const unreachable = 'mysql://nobody@127.0.0.1:1/voipmonitor'

const rig = (options: Partial<RecordingOptions> = {}): { options: RecordingOptions; notices: RecordsNotice[]; path: string } => {
  const notices: RecordsNotice[] = []
  const path = join(root, `${++made}.db`)
  return {
    notices,
    path,
    options: {
      storeUrl: `sqlite:${path}`,
      sensorId: undefined,
      queue: { dir: join(root, `queue-${made}`), bytesMax: 1 << 30, drop: 'oldest' },
      memoryBytesMax: 64 << 20,
      drop: 'oldest',
      live: true,
      onNotice: (notice) => notices.push(notice),
      ...options,
    },
  }
}
const stored = async (path: string): Promise<number> => {
  const store = openSqlite(path, { readonly: true })
  let calls = 0
  for await (const _ of store.find({})) calls++
  await store.close()
  return calls
}

describe('records on their way', () => {
  test('are in the store when it is closed', async () => {
    const { options, path, notices } = rig()
    const queue = await openRecordQueue(options)
    for (let n = 0; n < 2500; n++) queue.offer(record(n))
    await queue.taken()
    expect(queue.status.waiting + queue.status.stored).toBe(2500)
    expect(await queue.close()).toMatchObject({ stored: 2500, waiting: 0, dropped: 0, state: 'ok' })
    expect(await stored(path)).toBe(2500)
    expect(notices).toEqual([])
  })

  test('of a wire have a bound, and what is too much is counted; its last ones have none', async () => {
    const { options, path } = rig({ memoryBytesMax: 100 * recordText(record(100)).length })
    const queue = await openRecordQueue(options)
    // All in one moment: the thread has no chance to take any.
    for (let n = 100; n < 600; n++) queue.offer(record(n))
    queue.ending()
    for (let n = 1000; n < 2000; n++) queue.offer(record(n))
    const status = await queue.close()
    expect(status.dropped).toBe(400)
    expect(status.stored).toBe(1100)
    expect(await stored(path)).toBe(1100)
  })

  test('of a file have none: it waits', async () => {
    const { options } = rig({ live: false, queue: undefined, memoryBytesMax: 1 })
    const queue = await openRecordQueue(options)
    for (let n = 0; n < 10_000; n++) {
      queue.offer(record(n))
      if (n % 1000 === 0) await queue.drained()
      expect(queue.status.waiting).toBeLessThan(6000)
    }
    expect(await queue.close()).toMatchObject({ stored: 10_000, dropped: 0 })
  })
})

describe('what cannot be used', () => {
  test('a URL of no store: told as wrong usage, and nothing is made', async () => {
    const { options } = rig({ storeUrl: 'calls.db' })
    await expect(openRecordQueue(options)).rejects.toMatchObject({ code: 'STORE_URL', exit: 2 })
    expect(existsSync(options.queue!.dir)).toBe(false)
  })

  test('a place for the queue: told with the next step', async () => {
    const file = join(root, 'file')
    writeFileSync(file, '')
    const { options } = rig({ queue: { dir: join(file, 'queue'), bytesMax: 1 << 20, drop: 'oldest' } })
    await expect(openRecordQueue(options)).rejects.toMatchObject({
      code: 'QUEUE_OPEN',
      suggestions: [expect.stringMatching(/--queue DIR/), expect.stringMatching(/--query-cache no/)],
    })
  })

  test('a server that is not there, for a file: unreachable', async () => {
    const { options } = rig({ storeUrl: unreachable, live: false, queue: undefined })
    await expect(openRecordQueue(options)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', exit: 5 })
  })

  test('the same for a wire: it begins all the same, and what waits is on disk at its end', async () => {
    const { options, notices } = rig({ storeUrl: unreachable })
    const queue = await openRecordQueue(options)
    for (let n = 0; n < 20; n++) queue.offer(record(n))
    await queue.taken()
    expect(queue.status).toMatchObject({ state: 'retrying', waiting: 20, waitingInMemory: 0, failure: { code: 'STORE_UNREACHABLE' } })
    expect(await queue.close()).toMatchObject({ waiting: 20, dropped: 0 })
    expect(notices.map(({ kind }) => kind)).toEqual(['trouble', 'trouble'])
    // A mirror's receiver may wait, but not for this.
    const many = await openRecordQueue(options)
    for (let n = 20; n < 6000; n++) many.offer(record(n))
    await many.drained()
    expect(many.status).toMatchObject({ state: 'retrying', waiting: 6000 })
    await many.close()
    const again = await openRecordQueue(options)
    expect((await again.close()).found).toBe(6000)
  })
})
