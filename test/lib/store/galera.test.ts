import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Micros } from '../../../src/lib/base/units.js'
import type { CallRecord } from '../../../src/lib/call/record.js'
import { openMysqlWriter } from '../../../src/lib/store/mysql/writer.js'
import { sampleRecords } from '../../contract/records.js'
import { haveGalera, startCluster, status } from '../../support/galera.js'
import type { TestServer } from '../../support/mariadb.js'

// A cluster of three nodes, two sensors that write over different nodes, and a node that dies in the middle.

const long = process.env['EARSHOT_LONG'] === '1'
const [good] = sampleRecords() as [CallRecord]
const started = Math.floor(Date.now() / 1000) * 1e6 - 3600e6
const many = (n: number, tag: string): CallRecord[] =>
  Array.from({ length: n }, (_, i) => ({ ...good, started: (started + i) as Micros, callId: `${tag}-${i}` }))

describe.skipIf(!long || !haveGalera)('Galera [needs EARSHOT_LONG=1, galera-4 and rsync]', () => {
  let nodes: TestServer[] = []
  beforeAll(async () => {
    nodes = await startCluster(3)
    for (const statement of ["CREATE USER 'sensor'@'127.0.0.1'", "GRANT ALL ON voip.* TO 'sensor'@'127.0.0.1'"])
      await nodes[0]?.sql(statement)
  }, 180_000)
  afterAll(async () => {
    for (const node of nodes) await node.dispose()
  })

  test('a node is killed while two sensors write: each record is there once, on the nodes that live', async () => {
    const url = (...order: number[]): string => `mysql://sensor@${order.map((i) => `127.0.0.1:${nodes[i]?.port}`).join(',')}/voip`
    // The first sensor writes over the node that will die, the second over another.
    const sensors = [await openMysqlWriter(url(1, 2, 0)), await openMysqlWriter(url(2, 0, 1))]
    const total = 4000
    const size = 100
    let sent = 0
    let failures = 0
    const write = async (writer: (typeof sensors)[number], tag: string): Promise<void> => {
      const records = many(total, tag)
      for (let i = 0; i < total; i += size) {
        for (;;) {
          try {
            await writer.insert(records.slice(i, i + size))
            break
          } catch (error) {
            expect(error).toMatchObject({ kind: 'transient' })
            failures++
            await new Promise((resolve) => setTimeout(resolve, 200))
          }
        }
        sent += size
      }
    }
    const writing = Promise.all(sensors.map((writer, i) => write(writer, `sensor${i}`)))
    while (sent < total) await new Promise((resolve) => setTimeout(resolve, 10))
    await nodes[1]?.kill()
    await writing
    for (const writer of sensors) await writer.close()
    expect(failures).toBeGreaterThan(0)
    for (const i of [0, 2]) {
      const node = nodes[i] as TestServer
      expect(await status(node, 'wsrep_cluster_size')).toBe('2')
      // What the others have sent is applied before we count.
      await node.sql('SET GLOBAL wsrep_sync_wait = 1')
      for (const [table, rows] of [
        ['cdr', 1],
        ['earshot_cdr', 1],
        ['cdr_next', 1],
        ['cdr_rtp', 2],
        ['earshot_rtp', 2],
      ] as const) {
        const [count] = await node.sql<{ n: number }>(`SELECT count(*) AS n FROM ${table}`, 'voip')
        expect([i, table, count?.n]).toEqual([i, table, rows * 2 * total])
      }
      const [one] = await node.sql<{ n: number }>('SELECT count(DISTINCT call_id) AS n FROM earshot_cdr', 'voip')
      expect(one?.n).toBe(2 * total)
      // Children are with their own calls, although each node counts ids in steps of its own.
      const [apart] = await node.sql<{ n: number }>(
        'SELECT count(*) AS n FROM earshot_cdr e JOIN cdr_next x ON x.cdr_ID = e.cdr_ID WHERE x.fbasename <> e.call_id',
        'voip',
      )
      expect(apart?.n).toBe(0)
    }
  }, 300_000)
})
