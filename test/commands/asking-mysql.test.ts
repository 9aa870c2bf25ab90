import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openWriter } from '../../src/lib/store/index.js'
import { sampleRecords } from '../contract/records.js'
import { haveMariadb, startMariadb, type TestServer } from '../support/mariadb.js'

// The same records in SQLite and on a real MariaDB: whatever is asked, the built program prints the same bytes.

const root = join(import.meta.dirname, '..', '..')
const dir = mkdtempSync(join(tmpdir(), 'earshot-asking-mysql-'))
let server: TestServer | undefined
const stores: string[] = []

beforeAll(async () => {
  if (!haveMariadb) return
  server = await startMariadb()
  stores.push(`sqlite:${join(dir, 'calls.db')}`, server.url('earshot', 'ipv6=yes'))
  for (const url of stores) {
    const writer = await openWriter(url)
    // One after the other, so that both give the same numbers.
    for (const record of sampleRecords()) await writer.insert([record])
    await writer.close()
  }
})
afterAll(async () => {
  await server?.dispose()
  rmSync(dir, { recursive: true })
})

const earshot = (store: string, args: readonly string[]): { status: number | null; stdout: string; stderr: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'bin', 'run.js'), ...args, '--store', store], {
    encoding: 'utf8',
    cwd: dir,
  })
  return { status, stdout, stderr }
}

describe.skipIf(!haveMariadb)('SQLite and MariaDB print the same [needs mariadb-server]', () => {
  test.each([
    [['cdr', 'query', '-o', 'ndjson']],
    [['cdr', 'query', '-o', 'csv', '--sort', '-mos']],
    [['cdr', 'query', '--where', 'caller_name ~ drop or ip = 2001:db8::/32 or problem = no_media', '--status', '2xx,none']],
    [['cdr', 'query', '--number', '50101', '-o', 'json', '--limit', '1']],
    [['cdr', 'query', '--number', '999']],
    [['cdr', 'stats', '--every', '1m', '--by', 'time,codec']],
    [['cdr', 'stats', '--trunk', 'a=10.0.0.0/8', '--by', 'trunk,direction,status', '-o', 'csv']],
    [['cdr', 'show', 'bad']],
    [['cdr', 'show', '1', '--json']],
  ])('%j', (args) => {
    const [lite, maria] = stores.map((store) => earshot(store, args))
    expect(maria).toEqual(lite)
    expect(lite?.status).toBe(0)
  })

  test('cdr export', () => {
    const [lite, maria] = stores.map((store, i) => {
      expect(earshot(store, ['cdr', 'export', `${i}.ndjson`]).status).toBe(0)
      return readFileSync(join(dir, `${i}.ndjson`), 'utf8')
    })
    expect(maria).toBe(lite)
    expect(lite?.split('\n')).toHaveLength(sampleRecords().length + 1)
  })

  test('the password that units get as a credential opens the store of the host’s files, for who may read it, and no other', async () => {
    for (const statement of ["CREATE USER asker@localhost IDENTIFIED BY 'geheim'", 'GRANT SELECT ON earshot.* TO asker@localhost'])
      await server?.sql(statement)
    const url = (stores[1] as string).replace(/\/\/[^@]*@/, '//asker@')
    const etc = join(dir, 'etc')
    mkdirSync(join(etc, 'credentials'), { recursive: true })
    writeFileSync(join(etc, 'earshot.conf'), `[general]\nstore = ${url}\n`)
    const ask = (...more: string[]) =>
      spawnSync(process.execPath, [join(root, 'bin', 'run.js'), 'cdr', 'query', '-o', 'csv', ...more], {
        encoding: 'utf8',
        cwd: dir,
        env: { PATH: process.env['PATH'], HOME: dir, CONFIGURATION_DIRECTORY: etc },
      })
    expect(ask().stderr).toContain('without a password')
    writeFileSync(join(etc, 'credentials', 'earshot-db-password'), 'geheim\n')
    expect(ask()).toMatchObject({ status: 0, stderr: '' })
    expect(ask('--store', url).stderr).toContain('without a password')
  })

  test('a server that is away: exit code 5, and what to do', async () => {
    await server?.stop()
    expect(earshot(stores[1] as string, ['cdr', 'query'])).toMatchObject({
      status: 5,
      stdout: '',
      stderr: expect.stringMatching(/Is it running/),
    })
  })
})
