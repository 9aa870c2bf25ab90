// How many complete call records a store takes: `npx tsx bench/store.ts [sqlite|mysql|all] [seconds]`, after three seconds of warming up.
// MariaDB runs on this machine with VoIPmonitor's full index set; building the SQL counts. Prints rows for bench/RESULTS.md.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Micros } from '../src/lib/base/units.js'
import type { CallRecord } from '../src/lib/call/record.js'
import type { InsertCounts } from '../src/lib/store/cdr-store.js'
import { openMysqlWriter } from '../src/lib/store/mysql/writer.js'
import { openSqlite } from '../src/lib/store/sqlite/store.js'
import { startMariadb } from '../test/support/mariadb.js'
import { batches } from './store-load.js'

const [which = 'all', secondsText = '10'] = process.argv.slice(2)
const seconds = Number(secondsText)
const WARM_MS = 3000
interface Sink {
  insert(records: readonly CallRecord[]): Promise<InsertCounts>
  close(): Promise<void>
}

/** Seconds of CPU that a process has used (proc_pid_stat(5), fields 14 and 15, in ticks of 10 ms). */
function cpuSeconds(pid: number | undefined): number {
  if (pid === undefined) return 0
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

async function measure(name: string, sink: Sink, atOnce: number, serverPid?: number): Promise<void> {
  const next = batches()
  // A sensor runs for weeks: what V8 takes to compile its loops is not what a record costs.
  for (const untilMs = performance.now() + WARM_MS; performance.now() < untilMs; ) await sink.insert(next())
  // Made beforehand, and given again as other calls: only storing them is measured, without a heap full of records.
  const ready = Array.from({ length: 20 }, next)
  let round = 0
  const another = (): CallRecord[] => {
    const n = round++
    const later = Math.floor(n / 20) * 3e6
    return (ready[n % 20] as CallRecord[]).map((r) => ({ ...r, callId: `${n}-${r.callId}`, started: (r.started + later) as Micros }))
  }
  let stored = 0
  const cpu = process.cpuUsage()
  const serverCpu = cpuSeconds(serverPid)
  const began = performance.now()
  const untilMs = began + seconds * 1000
  const run = async (): Promise<void> => {
    while (performance.now() < untilMs) stored += (await sink.insert(another())).stored
  }
  await Promise.all(Array.from({ length: atOnce }, run))
  const took = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  console.log(
    `| ${name} | ${stored} records in ${took.toFixed(1)} s | ${Math.round(stored / took)} records/s | ${((user + system) / stored).toFixed(0)} µs CPU of ours${serverPid ? `, ${(((cpuSeconds(serverPid) - serverCpu) / stored) * 1e6).toFixed(0)} µs of the server’s` : ''} each |`,
  )
  await sink.close()
}

if (which !== 'mysql') {
  const dir = mkdtempSync(join(tmpdir(), 'earshot-bench-'))
  await measure('SQLite', openSqlite(join(dir, 'bench.db'), { readonly: false }), 1)
  rmSync(dir, { recursive: true })
}
if (which !== 'sqlite') {
  // As a server of its own would be set up: the indexes of the day fit into memory, the log is synced once a second.
  const server = await startMariadb([
    '--innodb-buffer-pool-size=4G',
    '--innodb-log-file-size=2G',
    '--innodb-flush-log-at-trx-commit=2',
    '--performance-schema=OFF',
    ...process.argv.filter((a) => a.startsWith('--innodb')),
  ])
  try {
    for (const connections of [2, 4]) {
      await server.sql('DROP DATABASE IF EXISTS bench')
      await measure(
        `MariaDB, ${connections} connections`,
        await openMysqlWriter(server.url('bench', `connections=${connections}`)),
        1,
        server.pid,
      )
    }
  } finally {
    await server.dispose()
  }
}
