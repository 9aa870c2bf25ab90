// How many complete call records a store takes: `npx tsx bench/store.ts [sqlite|mysql|all] [records] [--connections=2,4] [--innodb-…] [--bulk=no]`.
// As in a run: records come as text, and reading them, building the SQL and the threads in between count. A first third warms up.
// MariaDB runs on this machine with VoIPmonitor's full index set; then it loads the same rows once more from its own files, alone:
// what no client can do better. Prints rows for bench/RESULTS.md.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { recordText } from '../src/lib/call/record-text.js'
import { callTables } from '../src/lib/store/all-tables.js'
import type { RecordWriter } from '../src/lib/store/cdr-store.js'
import { ourDatabase } from '../src/lib/store/mysql/ddl.js'
import { partitionList } from '../src/lib/store/mysql/partitions.js'
import { openMysqlWriter } from '../src/lib/store/mysql/writer.js'
import { recordOfText } from '../src/lib/store/record-of-text.js'
import { openSqliteWriter } from '../src/lib/store/sqlite/writer.js'
import { startMariadb, type TestServer } from '../test/support/mariadb.js'
import { BATCH, batches } from './store-load.js'

const [which = 'all', recordsText = '60000'] = process.argv.slice(2).filter((a) => !a.startsWith('--'))
const batchCount = Math.ceil(Number(recordsText) / BATCH)
/** Of the URL of the store. */
const parameters = process.argv.filter((a) => a.startsWith('--bulk=')).map((a) => a.slice(2))
const connectionCounts = (/--connections=([\d,]+)/.exec(process.argv.join(' '))?.[1] ?? '2,4').split(',').map(Number)

/** Seconds of CPU that a process has used (proc_pid_stat(5), fields 14 and 15, in ticks of 10 ms). */
function cpuSeconds(pid: number | undefined): number {
  if (pid === undefined) return 0
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Seconds of all cores that were not idle, or taken by the host of this machine (proc_stat(5)). */
function busySeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '')
    .split(/ +/)
    .slice(1)
    .map(Number)
  return (user + nice + system + irq + softirq + steal) / 100
}

async function measure(name: string, sink: RecordWriter, serverPid?: number): Promise<void> {
  const next = batches()
  const texts = Array.from({ length: Math.ceil(batchCount * 1.5) }, () => next().map(recordText))
  const insert = async (batch: readonly string[]): Promise<number> =>
    (await (sink.insertTexts?.(batch) ?? sink.insert(batch.map(recordOfText)))).stored
  for (const batch of texts.splice(batchCount)) await insert(batch)
  let stored = 0
  const cpu = process.cpuUsage()
  const serverCpu = cpuSeconds(serverPid)
  const busy = busySeconds()
  const began = performance.now()
  for (const batch of texts) stored += await insert(batch)
  const took = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const serverTook = cpuSeconds(serverPid) - serverCpu
  const others = Math.max(0, busySeconds() - busy - (user + system) / 1e6 - serverTook) / took
  const server = serverPid ? `, ${((serverTook / stored) * 1e6).toFixed(0)} µs of the server’s` : ''
  console.log(
    `| ${name} | ${stored} records in ${took.toFixed(1)} s | ${Math.round(stored / took)} records/s | ${((user + system) / stored).toFixed(0)} µs CPU of ours${server} each; others took ${others.toFixed(1)} cores |`,
  )
  await sink.close()
}

/** So that nobody has to believe what a complete record is. */
async function rowsPerRecord(server: TestServer, database: string): Promise<void> {
  const counts = await Promise.all(
    callTables.map(async ({ name, owner }) => {
      const [row] = await server.sql<{ n: number }>(`SELECT count(*) AS n FROM ${name}`, database)
      return { name, owner, n: row?.n ?? 0 }
    }),
  )
  const records = counts.find(({ name }) => name === 'cdr')?.n ?? 1
  const of = (owner: string): number => counts.filter((c) => c.owner === owner).reduce((sum, { n }) => sum + n, 0) / records
  const each = counts.filter(({ n }) => n > 0).map(({ name, n }) => `${n / records} ${name}`)
  console.log(`  ${of('voipmonitor')} rows of VoIPmonitor’s and ${of('earshot')} of ours a record: ${each.join(', ')}`)
}

/** LOAD DATA INFILE by the server from its own disk, table after table, of rows that are there already. */
async function floor(server: TestServer, database: string, dir: string): Promise<void> {
  const [range] = await server.sql<{ first: number; last: number }>('SELECT min(ID) AS first, max(ID) AS last FROM cdr', database)
  const { first, last } = range as { first: number; last: number }
  const rest = first + Math.floor((last - first) / 3)
  const parts = [
    [first, rest],
    [rest + 1, last],
  ] as const
  for (const { name } of callTables) {
    const id = name === 'cdr' ? 'ID' : 'cdr_ID'
    for (const [i, [from, to]] of parts.entries())
      await server.sql(
        `SELECT * FROM ${name} WHERE ${id} BETWEEN ${from} AND ${to} ORDER BY ${id} INTO OUTFILE '${join(dir, `${name}-${i}`)}'`,
        database,
      )
  }
  await server.sql('CREATE DATABASE floor')
  for (const statement of ourDatabase({ ipv6: false, partitions: partitionList(Date.now() * 1000) })) await server.sql(statement, 'floor')
  for (const [i] of parts.entries()) {
    const cpu = cpuSeconds(server.pid)
    const began = performance.now()
    for (const { name } of callTables) await server.sql(`LOAD DATA INFILE '${join(dir, `${name}-${i}`)}' INTO TABLE ${name}`, 'floor')
    if (i === 0) continue
    const [count] = await server.sql<{ n: number }>(`SELECT count(*) AS n FROM cdr WHERE ID > ${rest}`, 'floor')
    const n = count?.n ?? 0
    console.log(
      `| MariaDB, LOAD DATA INFILE from its own disk, 1 connection | ${n} records | ${Math.round((n / (performance.now() - began)) * 1000)} records/s | ${(((cpuSeconds(server.pid) - cpu) / n) * 1e6).toFixed(0)} µs of the server’s each |`,
    )
  }
}

const dir = mkdtempSync(join(tmpdir(), 'earshot-bench-'))
try {
  if (which !== 'mysql') await measure('SQLite', await openSqliteWriter(join(dir, 'bench.db')))
  if (which !== 'sqlite') {
    // As a server of its own would be set up: the indexes of the day fit into memory, the log is synced once a second.
    const server = await startMariadb([
      '--innodb-buffer-pool-size=4G',
      '--innodb-log-file-size=2G',
      '--innodb-flush-log-at-trx-commit=2',
      '--performance-schema=OFF',
      ...process.argv.filter((a) => /^--innodb/.test(a)),
    ])
    try {
      for (const connections of connectionCounts) {
        // A database each: what is left to do for one that was dropped would be done while the next is measured.
        const database = `bench${connections}`
        await measure(
          `MariaDB, ${connections} connections`,
          await openMysqlWriter(server.url(database, [`connections=${connections}`, ...parameters].join('&'))),
          server.pid,
        )
        await rowsPerRecord(server, database)
      }
      await floor(server, `bench${connectionCounts.at(-1)}`, dir)
    } finally {
      await server.dispose()
    }
  }
} finally {
  rmSync(dir, { recursive: true })
}
