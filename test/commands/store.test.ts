import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../src/lib/store/sqlite/driver.js'

// What an operator types to look after a store: sensors, old records, older tables. On SQLite; the server has its own tests.

const root = join(import.meta.dirname, '..', '..')
const dir = mkdtempSync(join(tmpdir(), 'earshot-store-cli-'))
afterAll(() => rmSync(dir, { recursive: true }))
const earshot = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [join(root, 'bin', 'run.js'), ...args], {
    encoding: 'utf8',
    cwd: dir,
    env: { ...process.env, HOME: dir, XDG_DATA_HOME: join(dir, 'data') },
  })
const path = join(dir, 'older.db')
const store = `sqlite:${path}`
/** A file as release 0.1.0 left it. */
const older = (file: string): void => {
  const db = openDatabase(file, { readonly: false })
  db.exec(readFileSync(join(root, 'test', 'fixtures', 'store-1.sql'), 'utf8'))
  db.close()
}
beforeAll(() => older(path))

describe('db migrate', () => {
  test('an older file is told how to come forward; a dry run shows the SQL and changes nothing; then it is done, once', () => {
    expect(earshot('cdr', 'query', '--store', store).stderr).toContain('earshot db migrate')
    const dry = earshot('db', 'migrate', '--store', store, '--dry-run')
    expect(dry.status).toBe(0)
    expect(dry.stdout).toMatch(/^ALTER TABLE earshot_cdr ADD COLUMN revision/m)
    const again = earshot('db', 'migrate', '--store', store, '--dry-run')
    expect(again.stdout).toBe(dry.stdout)
    expect(earshot('db', 'migrate', '--store', store).status).toBe(0)
    expect(earshot('db', 'migrate', '--store', store).stderr).toMatch(/nothing to do/)
    expect(earshot('cdr', 'query', '--store', store, '-o', 'ndjson').stdout.trim().split('\n')).toHaveLength(7)
  })

  test('what the dry run prints is what is done', () => {
    const [a, b] = [join(dir, 'a.db'), join(dir, 'b.db')]
    older(a)
    older(b)
    const { stdout } = earshot('db', 'migrate', '--store', `sqlite:${a}`, '--dry-run')
    const db = openDatabase(a, { readonly: false })
    db.exec(stdout)
    db.close()
    earshot('db', 'migrate', '--store', `sqlite:${b}`)
    const shape = (file: string): unknown => {
      const opened = openDatabase(file, { readonly: true })
      const rows = opened.prepare('SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2').all()
      const version = opened.pragma('user_version', { simple: true })
      opened.close()
      return { rows, version }
    }
    expect(shape(a)).toEqual(shape(b))
  })
})

describe('cdr prune', () => {
  test('says what would go, removes it, keeps the rest', () => {
    // The records are of 14 November 2023, 22:13 to 22:18.
    expect(earshot('cdr', 'prune', '--store', store, '--older-than', '90d', '--dry-run').stderr).toMatch(/Would remove about 7 calls/)
    expect(earshot('cdr', 'query', '--store', store, '-o', 'ndjson').stdout.trim().split('\n')).toHaveLength(7)
    const all = earshot('cdr', 'prune', '--store', store, '--older-than', '20y')
    expect(all.stderr).toMatch(/Nothing began before/)
    expect(earshot('cdr', 'prune', '--store', store, '--older-than', '90d').stderr).toMatch(/Removed about 7 calls/)
    const db = openDatabase(path, { readonly: true })
    for (const table of ['cdr', 'cdr_next', 'cdr_rtp', 'cdr_sdp', 'cdr_sipresp', 'earshot_cdr', 'earshot_rtp', 'earshot_dtmf'])
      expect([table, db.prepare(`SELECT count(*) AS n FROM ${table}`).get()]).toEqual([table, { n: 0 }])
    db.close()
  })

  test('a span it cannot read is a mistake of use', () =>
    expect(earshot('cdr', 'prune', '--store', store, '--older-than', 'soon').status).toBe(2))
})

describe('sensor', () => {
  test('add, list, change, remove', () => {
    expect(earshot('sensor', 'add', '3', 'Prague; "rack" 2', '--host', '10.0.3.5', '--store', store)).toMatchObject({
      status: 0,
      stderr: 'Sensor 3 is added.\n',
    })
    expect(JSON.parse(earshot('sensor', 'list', '--store', store, '--json').stdout)).toEqual([
      { id: 3, name: 'Prague; "rack" 2', host: '10.0.3.5', port: 5029, writers: null },
    ])
    expect(earshot('sensor', 'add', '3', 'Brno', '--store', store).stderr).toBe('Sensor 3 is changed.\n')
    expect(earshot('sensor', 'list', '--store', store, '-o', 'csv').stdout).toBe('id,name,host,port,writers\r\n3,Brno,,,\r\n')
    expect(earshot('sensor', 'remove', '3', '--store', store).status).toBe(0)
    expect(earshot('sensor', 'remove', '3', '--store', store).status).toBe(3)
    for (const id of ['0', '65535', 'x']) expect(earshot('sensor', 'add', id, 'x', '--store', store).status).toBe(2)
  })
})

test('a password on the command line is refused, and not repeated', () => {
  const ran = earshot('cdr', 'query', '--store', 'mysql://u:topsecret@localhost/db')
  expect(ran.status).toBe(2)
  expect(ran.stderr).toMatch(/every user of this machine can read/)
  expect(ran.stdout + ran.stderr).not.toContain('topsecret')
})

test('no server there: exit code 5, what was tried, and the next step', () => {
  const ran = earshot('sensor', 'list', '--store', `mysql://u@localhost/db?socket=${join(dir, 'nosuch')}`)
  expect(ran.status).toBe(5)
  expect(ran.stderr).toMatch(/nosuch/)
})
