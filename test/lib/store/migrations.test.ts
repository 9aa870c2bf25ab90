import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CallJson, callJson } from '../../../src/lib/call/json.js'
import { schemaNumber } from '../../../src/lib/store/all-tables.js'
import { openDatabase } from '../../../src/lib/store/sqlite/driver.js'
import { openSqlite } from '../../../src/lib/store/sqlite/store.js'
import { analyse } from '../../support/analyse.js'

// An SQLite store as version 1 wrote it (fixtures/calls-1.sql), brought forward. Old columns stay without NOT NULL: SQLite cannot add it.

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures')
const dir = mkdtempSync(join(tmpdir(), 'earshot-migrate-'))
const old = join(dir, 'old.db')
const fresh = join(dir, 'fresh.db')
afterAll(() => rmSync(dir, { recursive: true }))

type Rows = Record<string, unknown>[]
const rows = (path: string, sql: string): Rows => {
  const db = openDatabase(path, { readonly: true })
  try {
    return db.prepare(sql).all() as Rows
  } finally {
    db.close()
  }
}

beforeAll(async () => {
  const db = openDatabase(old, { readonly: false })
  db.exec(readFileSync(join(fixtures, 'calls-1.sql'), 'utf8'))
  db.close()
  for (const path of [old, fresh]) await openSqlite(path, { readonly: false }).close()
})

describe('a store of version 1', () => {
  test('has the tables, columns and indexes of a new one', () => {
    const shape = (path: string): unknown => ({
      version: rows(path, 'PRAGMA user_version'),
      tables: rows(path, "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"),
      columns: rows(
        path,
        `SELECT m.name AS "table", c.name, c.type, c.pk FROM sqlite_master m JOIN pragma_table_info(m.name) c
         WHERE m.type IN ('table', 'view') ORDER BY m.name, c.name`,
      ),
      indexes: rows(path, "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY sql"),
    })
    expect(shape(old)).toEqual(shape(fresh))
    expect(rows(old, 'PRAGMA user_version')).toEqual([{ user_version: schemaNumber }])
    expect(rows(old, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
  })

  test('tells its calls as before; what it did not know of them it does not make up', async () => {
    const { records } = await analyse([join(fixtures, 'pbx.pcap')])
    const store = openSqlite(old, { readonly: true })
    const calls: CallJson[] = []
    for await (const call of store.find({})) calls.push(call)
    await store.close()
    // Problems were not kept then.
    const wanted = records.map((r) => ({ ...callJson(r), problems: [] })).sort((a, b) => (a.started < b.started ? -1 : 1))
    expect(calls.map((c) => ({ ...c, id: null }))).toEqual(wanted)
  })

  test('takes new calls, and knows the old ones again', async () => {
    const { records } = await analyse([join(fixtures, 'pbx.pcap')])
    const store = openSqlite(old, { readonly: false })
    const [first] = records
    if (first === undefined) throw new Error('no record')
    expect(await store.insert([...records, { ...first, callId: 'new' }])).toMatchObject({ stored: 1, duplicates: records.length })
    await store.close()
  })
})
