/**
 * How long `cdr query` and its siblings take on a large database, the start of the program included.
 *
 *   npx tsx bench/query.ts [--calls 5000000] [--dir bench/tmp] [--engine sqlite|mariadb] [--keep]
 *
 * The database is filled by the engine itself from one real record (every column as Earshot writes it), not through the pipeline:
 * 30 days of calls, 1 million numbers, one number with 5 % of all calls, one that called three times. MariaDB gets a server of its
 * own on DIR, daily partitions, and of VoIPmonitor's indexes those that can matter to a read. Prints rows for RESULTS.md.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import mysql from 'mysql2/promise'
import { callTables, schemaNumber } from '../src/lib/store/all-tables.js'
import { ourDatabase, schemaTable } from '../src/lib/store/mysql/ddl.js'
import { partitionList } from '../src/lib/store/mysql/partitions.js'
import { openMysqlWriter } from '../src/lib/store/mysql/writer.js'
import { openDatabase } from '../src/lib/store/sqlite/driver.js'
import { openSqlite } from '../src/lib/store/sqlite/store.js'
import { sampleRecords } from '../test/contract/records.js'
import { startMariadb } from '../test/support/mariadb.js'

const { values: options } = parseArgs({
  options: {
    calls: { type: 'string', default: '5000000' },
    dir: { type: 'string', default: 'bench/tmp' },
    engine: { type: 'string', default: 'sqlite' },
    keep: { type: 'boolean', default: false },
  },
})
const calls = Number(options.calls)
mkdirSync(options.dir, { recursive: true })

const DAYS = 30
const DAY_US = 86_400e6
const endUs = Math.floor((Date.now() * 1000) / DAY_US) * DAY_US
const startUs = endUs - DAYS * DAY_US
const stepUs = Math.floor((DAYS * DAY_US) / calls)

/** What differs from call to call, as SQL over `i`. `text` makes a text of a number, `concat` joins. */
interface Words {
  readonly text: (sql: string) => string
  readonly concat: (...parts: string[]) => string
  readonly dateTime: (micros: string) => string
}
const mixed = (factor: number, range: number): string => `((i * ${factor}) % 2147483647 % ${range})`
function overrides({ text, concat, dateTime }: Words): Record<string, string> {
  const started = `(${startUs} + i * ${stepUs})`
  // 5 % of the calls come from one number; another called three times; the rest is spread over a million.
  const rare = `i IN (${[0.2, 0.5, 0.9].map((part) => Math.floor(calls * part)).join(', ')})`
  const caller = `CASE WHEN ${rare} THEN '+15550001234' WHEN i % 20 = 0 THEN '+15559990000' ELSE ${concat("'+42'", text(`(700000000 + ${mixed(48_271, 1_000_000)})`))} END`
  const called = concat("'+49'", text(`(300000000 + ${mixed(69_621, 1_000_000)})`))
  const callerReverse = `CASE WHEN ${rare} THEN '43210005551+' WHEN i % 20 = 0 THEN '00009995551+' ELSE ${concat(text(`(100000000 + ${mixed(48_271, 1_000_000)})`), "'24+'")} END`
  return {
    calldate: dateTime(started),
    callend: dateTime(`(${started} + 60000000)`),
    started_us: started,
    ringing_us: `(${started} + 400000)`,
    answered_us: `CASE WHEN ${mixed(39_373, 10)} < 6 THEN (${started} + 1000000) END`,
    ended_us: `(${started} + 1000000 + ${mixed(16_807, 600_000_000)})`,
    last_us: `(${started} + 601000000)`,
    caller,
    called,
    caller_reverse: callerReverse,
    called_reverse: concat(text(`(100000000 + ${mixed(69_621, 1_000_000)})`), "'94+'"),
    sipcallerip: `(167772160 + ${mixed(40_692, 200)})`,
    sipcalledip: `(167772160 + ${mixed(40_014, 200)})`,
    lastSIPresponseNum: `CASE WHEN ${mixed(39_373, 10)} < 6 THEN 200 WHEN ${mixed(39_373, 10)} < 8 THEN 486 ELSE 404 END`,
    state: `CASE WHEN ${mixed(39_373, 10)} < 6 THEN 'answered' ELSE 'failed' END`,
    call_id: concat(text('i'), "'-'", text(mixed(742_938_285 % 2_000_000, 1_000_000_000)), "'@192.0.2.1'"),
    fbasename: concat(text('i'), "'@192.0.2.1'"),
    mos: `(4.4 - ${mixed(30_323, 200)} / 100.0)`,
    loss_pct: `(${mixed(30_323, 200)} / 40.0)`,
    talk_ms: `CASE WHEN ${mixed(39_373, 10)} < 6 THEN (${mixed(16_807, 600_000_000)} / 1000.0) END`,
    call_key: '',
  }
}

const TABLES = ['cdr', 'cdr_next', 'cdr_rtp', 'earshot_cdr', 'earshot_rtp'] as const
const template = (): ReturnType<typeof sampleRecords> => sampleRecords().slice(0, 1)

/** INSERT … SELECT: rows of the template, once for each `i`. */
function fillStatement(
  table: string,
  row: Readonly<Record<string, unknown>>,
  words: Words,
  from: string,
): { sql: string; values: unknown[] } {
  const values: unknown[] = []
  const made = overrides(words)
  const columns = Object.entries(row).map(([name, value]) => {
    if (name === 'ID' || name === 'cdr_ID') return [name, 'i']
    if (name === 'call_key') return [name, 'unhex(md5(i))']
    if (made[name] !== undefined && made[name] !== '') return [name, made[name]]
    values.push(value)
    return [name, '?']
  })
  const quote = from.includes('seq_') ? '`' : '"'
  return {
    sql: `INSERT INTO ${table} (${columns.map(([name]) => `${quote}${name}${quote}`).join(', ')}) SELECT ${columns.map(([, sql]) => sql).join(', ')} ${from}`,
    values,
  }
}

async function fillSqlite(path: string): Promise<void> {
  const store = openSqlite(path, { readonly: false })
  await store.insert(template())
  await store.close()
  const db = openDatabase(path, { readonly: false })
  db.pragma('journal_mode = OFF')
  db.pragma('synchronous = OFF')
  db.pragma('cache_size = -2000000')
  const indexes = db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").all() as {
    name: string
    sql: string
  }[]
  for (const { name } of indexes) db.exec(`DROP INDEX ${name}`)
  const words: Words = {
    text: (sql) => `CAST(${sql} AS TEXT)`,
    concat: (...parts) => `(${parts.join(' || ')})`,
    dateTime: (micros) => `strftime('%Y-%m-%d %H:%M:%f', ${micros} / 1000000.0, 'unixepoch')`,
  }
  for (const table of TABLES) {
    for (const row of db.prepare(`SELECT * FROM ${table}`).all() as Record<string, unknown>[]) {
      const { sql, values } = fillStatement(table, row, words, 'FROM s')
      db.prepare(`WITH RECURSIVE s(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM s WHERE i < ${calls}) ${sql}`).run(...values)
    }
    say(`${table} filled`)
  }
  for (const { sql } of indexes) db.exec(sql)
  db.exec('ANALYZE')
  db.pragma('journal_mode = WAL')
  db.close()
}

async function fillMariadb(url: string, socket: string, database: string): Promise<void> {
  const db = await mysql.createConnection({ socketPath: socket, user: 'root', charset: 'utf8mb4' })
  await db.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`)
  await db.query(`USE ${database}`)
  const statements = [schemaTable, ...ourDatabase({ ipv6: false, partitions: partitionList(Date.now() * 1000, startUs) })]
  for (const statement of statements) await db.query(statement)
  await db.query("INSERT INTO earshot_schema VALUES ('made_by', 'earshot'), ('version', ?)", [String(schemaNumber)])
  const used = new Set([
    'PRIMARY',
    'source',
    'destination',
    'source_reverse',
    'destination_reverse',
    'sipcallerip',
    'sipcalledip',
    'cdr_ID',
    'calldate',
    'once',
    'call_id',
    'dst',
  ])
  const dropped: string[] = []
  for (const { name } of callTables) {
    const [keys] = (await db.query(`SHOW INDEX FROM ${name} WHERE Seq_in_index = 1`)) as unknown as [{ Key_name: string }[]]
    for (const { Key_name: key } of keys) if (!used.has(key)) dropped.push(`ALTER TABLE ${name} DROP INDEX \`${key}\``)
  }
  for (const statement of dropped) await db.query(statement)
  const writer = await openMysqlWriter(url)
  await writer.insert(template())
  await writer.close()
  const words: Words = {
    text: (sql) => `CAST(${sql} AS CHAR)`,
    concat: (...parts) => `concat(${parts.join(', ')})`,
    dateTime: (micros) => `timestampadd(MICROSECOND, ${micros}, '1970-01-01 00:00:00.000000')`,
  }
  await db.query("SET unique_checks = 0, foreign_key_checks = 0, sql_mode = 'NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'")
  for (const table of TABLES) {
    const [rows] = (await db.query(`SELECT * FROM ${table}`)) as unknown as [Record<string, unknown>[]]
    const PART = 250_000
    for (let from = 2; from <= calls; from += PART) {
      for (const row of rows) {
        const { sql, values } = fillStatement(
          table,
          row,
          words,
          `FROM (SELECT seq AS i FROM seq_${from}_to_${Math.min(calls, from + PART - 1)}) s`,
        )
        await db.query(sql, values)
      }
    }
    say(`${table} filled`)
  }
  await db.query(`ANALYZE TABLE ${callTables.map((t) => t.name).join(', ')}`)
  await db.end()
}

const say = (text: string): void => {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`)
}

/** What is asked, with the aim in ms where there is one. */
const QUESTIONS: readonly (readonly [name: string, args: string[], aimMs?: number])[] = [
  ['--version (start of the program alone)', ['--version']],
  ['the last 50 calls', ['cdr', 'query', '--last', '50', '-o', 'ndjson'], 300],
  ['a number, 3 calls', ['cdr', 'query', '--number', '+15550001234', '-o', 'ndjson'], 400],
  ['a number, its end, 3 calls', ['cdr', 'query', '--number', '50001234', '-o', 'ndjson'], 400],
  ['a number, exact, in the language', ['cdr', 'query', '--where', 'caller = +15550001234', '-o', 'ndjson'], 400],
  ['a prefix, 3 calls', ['cdr', 'query', '--number', '+1555000*', '-o', 'ndjson'], 400],
  ['a number with 5 % of all calls, last 50', ['cdr', 'query', '--number', '+15559990000', '--last', '50', '-o', 'ndjson'], 400],
  ['a prefix with 95 % of all calls, last 50', ['cdr', 'query', '--caller', '+42*', '--last', '50', '-o', 'ndjson'], 400],
  ['nobody’s number', ['cdr', 'query', '--number', '+99999', '-o', 'ndjson'], 400],
  ['a Call-ID by its beginning', ['cdr', 'query', '--call-id', '4242424-*', '-o', 'ndjson'], 400],
  ['a network of 2 addresses, last 50', ['cdr', 'query', '--caller-ip', '10.0.0.42/31', '--last', '50', '-o', 'ndjson'], 400],
  [
    'failed and in one hour',
    ['cdr', 'query', '--status', '4xx', '--between', `${hourAt(15)}..${hourAt(15, 1)}`, '--last', '50', '-o', 'ndjson'],
  ],
  ['100,000 calls as CSV', ['cdr', 'query', '--limit', '100000', '-o', 'csv']],
  ['one day by the hour', ['cdr', 'stats', '--between', `${hourAt(15)}..${hourAt(16)}`, '--every', '1h', '-o', 'ndjson']],
]

function hourAt(day: number, hour = 0): string {
  return new Date(startUs / 1000 + day * 86_400_000 + hour * 3_600_000).toISOString().slice(0, 16)
}

function measure(engine: string, store: string): void {
  const root = join(import.meta.dirname, '..')
  for (const [name, args, aimMs] of QUESTIONS) {
    const all = args[0] === 'cdr' ? [...args, '--store', store] : args
    const runs = Array.from({ length: 5 }, () => {
      const before = performance.now()
      const { stdout, stderr, status } = spawnSync(
        '/usr/bin/time',
        ['-f', '%U %S %M', process.execPath, join(root, 'bin', 'run.js'), ...all],
        {
          encoding: 'utf8',
          maxBuffer: 1 << 30,
        },
      )
      if (status !== 0) throw new Error(stderr)
      const [user = 0, system = 0, kilobytes = 0] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number)
      return { ms: performance.now() - before, cpuMs: 1000 * (user + system), mib: kilobytes / 1024, lines: stdout.split('\n').length - 1 }
    }).sort((a, b) => a.ms - b.ms)
    const [best, , median] = runs as [(typeof runs)[0], unknown, (typeof runs)[0]]
    const aim = aimMs === undefined ? '' : `aim ${aimMs}`
    console.log(
      `| ${engine}, ${calls.toLocaleString('en-US')} calls: ${name} | ${best.lines} lines | best ${best.ms.toFixed(0)} ms, median ${median.ms.toFixed(0)} ms | ${best.cpuMs.toFixed(0)} ms CPU | ${best.mib.toFixed(0)} MiB | ${aim} |`,
    )
  }
}

if (options.engine === 'sqlite') {
  const path = join(options.dir, `query-${calls}.db`)
  if (!existsSync(path)) await fillSqlite(path)
  measure('SQLite', `sqlite:${path}`)
  if (!options.keep) rmSync(path)
} else {
  const server = await startMariadb([
    '--innodb-buffer-pool-size=4G',
    '--innodb-log-file-size=1G',
    '--innodb-flush-log-at-trx-commit=0',
    '--innodb-doublewrite=0',
  ])
  try {
    const url = server.url('bench')
    await fillMariadb(url, server.socket, 'bench')
    measure('MariaDB', url)
  } finally {
    await server.dispose()
  }
}
