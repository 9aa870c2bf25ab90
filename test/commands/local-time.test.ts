import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CallJson } from '../../src/lib/call/json.js'
import { haveMariadb, startMariadb, type TestServer } from '../support/mariadb.js'

// A voipmonitor.conf that names a database, and `utc = no`: VoIPmonitor's tables and the spool show the clock on the wall. What the wall shows is asked of `date`.

const root = join(import.meta.dirname, '..', '..')
const fixture = join(root, 'test', 'fixtures', 'pbx.pcap')
const dir = mkdtempSync(join(tmpdir(), 'earshot-local-time-'))
/** Half an hour beside the others, and on another day for part of it. */
const TZ = 'Asia/Kolkata'
let server: TestServer | undefined

beforeAll(async () => {
  if (haveMariadb) server = await startMariadb()
})
afterAll(async () => {
  await server?.dispose()
  rmSync(dir, { recursive: true })
})

const earshot = (...args: string[]) =>
  spawnSync(process.execPath, [join(root, 'bin', 'run.js'), ...args, '--no-config'], {
    encoding: 'utf8',
    cwd: dir,
    env: { ...process.env, TZ, HOME: dir },
  })
const wall = (iso: string, format: string): string =>
  execFileSync('date', ['-d', iso, `+${format}`], { encoding: 'utf8', env: { ...process.env, TZ } }).trim()

test.skipIf(!haveMariadb)(
  'a voipmonitor.conf fills the database it names, with its password, in local time [needs mariadb-server]',
  async () => {
    const database = server as TestServer
    await database.sql("CREATE USER vm@localhost IDENTIFIED BY 'n0t-to-be-seen'")
    await database.sql('GRANT ALL ON moved.* TO vm@localhost')
    const conf = join(dir, 'voipmonitor.conf')
    writeFileSync(
      conf,
      `[general]\nmysqlhost = localhost\nmysqlsocket = ${database.socket}\nmysqlusername = vm\nmysqlpassword = n0t-to-be-seen\nmysqldb = moved\nspooldir = ${dir}/moved\n`,
    )
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [join(root, 'bin', 'run.js'), ...args, '--config', conf], {
        encoding: 'utf8',
        cwd: dir,
        env: { ...process.env, TZ, HOME: dir },
      })
    const ran = run('sniff', '-r', fixture, '-v', '-o', 'json')
    expect(ran.stderr).toMatch(/Stored 7 records/)
    expect(ran.stderr).not.toContain('n0t-to-be-seen')
    const { calls } = JSON.parse(ran.stdout) as { calls: CallJson[] }
    const rows = await database.sql<{ d: string }>(
      "SELECT date_format(calldate, '%Y-%m-%d %H:%i:%s') AS d FROM cdr ORDER BY calldate",
      'moved',
    )
    expect(rows.map((row) => row.d)).toEqual(calls.map((c) => wall(c.started, '%Y-%m-%d %H:%M:%S')).sort())
    // Nothing says that packets are saved, and so none are.
    expect(existsSync(join(dir, 'moved'))).toBe(false)
    expect(run('cdr', 'query', '-o', 'csv').stdout.trim().split('\n')).toHaveLength(8)
  },
)

describe('local time', () => {
  test('names the directories of the spool', () => {
    const ran = earshot('sniff', '-r', fixture, '--spool', 'pcaps', '--utc', 'no', '-o', 'json')
    const { calls } = JSON.parse(ran.stdout) as { calls: CallJson[] }
    const files = (readdirSync(join(dir, 'pcaps'), { recursive: true, encoding: 'utf8' }) as string[]).filter((name) =>
      name.endsWith('.pcap'),
    )
    expect([...new Set(files.map((name) => name.slice(0, 16)))].sort()).toEqual(
      [...new Set(calls.map((c) => wall(c.started, '%Y-%m-%d/%H/%M')))].sort(),
    )
    // The record leads there.
    expect(calls.map((c) => c.pcap).sort()).toEqual(files.sort())
  })

  test.skipIf(!haveMariadb)('is in VoIPmonitor’s tables; whoever asks Earshot gets UTC [needs mariadb-server]', async () => {
    const url = (server as TestServer).url('local')
    const ran = earshot('sniff', '-r', fixture, '--store', url, '--utc', 'no', '-o', 'json')
    expect(ran.stderr).toMatch(/Stored 7 records/)
    const { calls } = JSON.parse(ran.stdout) as { calls: CallJson[] }
    const rows = await (server as TestServer).sql<{ d: string; e: string; s: number }>(
      "SELECT date_format(calldate, '%Y-%m-%d %H:%i:%s') AS d, timestampdiff(SECOND, calldate, callend) AS s FROM cdr ORDER BY calldate",
      'local',
    )
    expect(rows.map((row) => row.d)).toEqual(calls.map((c) => wall(c.started, '%Y-%m-%d %H:%M:%S')).sort())
    expect(rows.every((row) => row.s >= 0 && row.s < 60)).toBe(true)
    // Stored once, also when it is read again.
    expect(earshot('sniff', '-r', fixture, '--store', url, '--utc', 'no', '-q', '-o', 'json').status).toBe(0)
    const asked = JSON.parse(earshot('cdr', 'query', '--store', url, '-o', 'json').stdout) as { calls: CallJson[] }
    expect(asked.calls.map((c) => c.started).sort()).toEqual(calls.map((c) => c.started).sort())
    const some = earshot('cdr', 'query', '--store', url, '-o', 'json', '--since', calls[3]?.started ?? '')
    expect((JSON.parse(some.stdout) as { calls: CallJson[] }).calls).toHaveLength(4)
  })
})
