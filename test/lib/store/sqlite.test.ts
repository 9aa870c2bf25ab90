import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CallRecord } from '../../../src/lib/call/record.js'
import { recordText } from '../../../src/lib/call/record-text.js'
import { cdrTable } from '../../../src/lib/store/cdr-columns.js'
import { childTables } from '../../../src/lib/store/child-columns.js'
import { openReader, openWriter } from '../../../src/lib/store/index.js'
import { openDatabase } from '../../../src/lib/store/sqlite/driver.js'
import { openSqlite } from '../../../src/lib/store/sqlite/store.js'
import { cdrStoreContract } from '../../contract/cdr-store.js'
import { dashboardQuestions } from '../../contract/dashboard.js'
import { sampleRecords } from '../../contract/records.js'
import { analyse, analyseBatches } from '../../support/analyse.js'
import { batchOf, sip, talk } from '../../support/ladder.js'
import { capturesDir, haveCaptures } from '../../support/shared.js'

const dir = mkdtempSync(join(tmpdir(), 'earshot-store-'))
afterAll(() => rmSync(dir, { recursive: true }))
const query = (path: string, sql: string): Record<string, unknown>[] => {
  const db = openDatabase(path, { readonly: true })
  try {
    return db.prepare(sql).all() as Record<string, unknown>[]
  } finally {
    db.close()
  }
}

cdrStoreContract('SQLite', async () => {
  const path = join(dir, 'contract.db')
  return {
    open: async () => openSqlite(path, { readonly: false }),
    rows: async (table) => query(path, `SELECT count(*) AS n FROM ${table}`)[0]?.['n'] as number,
  }
})

describe('columns', () => {
  // A corrupt record header gives a packet any time between 1970 and 2106; a strict MySQL refuses a row that does not fit.
  test.each([
    ['the answers long before the INVITE', -1.6e9],
    ['the answers decades after it', 2.5e9],
  ])('%s: every time fits its column', (_, at) => {
    const { calls, records } = analyseBatches(
      [0, at].map((t) =>
        batchOf(
          t === 0
            ? [sip(0, '10.0.0.1:5060', '10.0.0.2:5060', 'INVITE', { sdp: '10.0.0.1:4000' })]
            : [
                sip(t, '10.0.0.2:5060', '10.0.0.1:5060', '180 Ringing', { toTag: 'b' }),
                sip(t + 1, '10.0.0.2:5060', '10.0.0.1:5060', '200 OK', { toTag: 'b' }),
                sip(2, '10.0.0.1:5060', '10.0.0.2:5060', 'BYE', { toTag: 'b', cseq: '2 BYE' }),
              ],
        ),
      ),
    )
    expect(calls).toHaveLength(1)
    expect(calls[0]?.pdd_ms).toBeGreaterThanOrEqual(0)
    for (const { name, columns, rows } of [cdrTable, ...childTables]) {
      for (const row of rows(records[0] as CallRecord)) {
        for (const column of columns) {
          const limit = /^decimal\((\d+),(\d+)\)/.exec(column.type)
          const value = limit === null ? null : (column.value?.(row as never) ?? null)
          if (limit !== null && value !== null)
            expect(Math.abs(Number(value)), `${name}.${column.name}`).toBeLessThan(10 ** (Number(limit[1]) - Number(limit[2])))
        }
      }
    }
  })

  test('media that goes on after the BYE ends less than nothing before the end', () => {
    const [a, b] = ['10.0.0.1:5060', '10.0.0.2:5060']
    const packets = [
      sip(0, a, b, 'INVITE', { sdp: '10.0.0.1:4000' }),
      sip(1, b, a, '200 OK', { toTag: 'b', sdp: '10.0.0.2:6000' }),
      ...talk(1, '10.0.0.2:6000', '10.0.0.1:4000', 151),
      sip(3, a, b, 'BYE', { toTag: 'b', cseq: '2 BYE' }),
      sip(3.1, b, a, '200 OK', { toTag: 'b', cseq: '2 BYE' }),
    ].sort((x, y) => x.at - y.at)
    const { records } = analyseBatches([batchOf(packets)])
    const [row] = cdrTable.rows(records[0] as CallRecord)
    // The call is as long as its SIP, 3.1 s (cdr.duration); the last of 151 packets is at 4 s.
    expect(cdrTable.columns.find((c) => c.name === 'b_last_rtp_from_end')?.value?.(row as never)).toBe(-0.9)
  })

  const shared = join(capturesDir, '..', 'reference', 'voipmonitor')
  test.skipIf(!haveCaptures)('names and types are VoIPmonitor’s, none is missing [needs ../shared/captures]', () => {
    const rows = readFileSync(join(shared, 'voipmonitor-schema.tsv'), 'utf8')
      .split('\n')
      .map((line) => line.split('\t'))
    for (const table of [cdrTable, ...childTables].filter((t) => t.owner === 'voipmonitor')) {
      const theirs = new Map(
        rows.filter((r) => r[0] === table.name && !['ID', 'cdr_ID', 'calldate'].includes(r[2] as string)).map((r) => [r[2], r[3]]),
      )
      const ours = table.columns.filter((c) => c.name !== 'calldate').map((c): [string, string] => [c.name, c.type])
      expect(new Map(ours)).toEqual(theirs)
    }
  })

  // Rows that VoIPmonitor wrote for the same captures (without sighup: it sets that for every call of a file, we for those that
  // the end of the file closed; and an empty display name is an empty string there, NULL here). Both round and both count: what is compared means the same in both.
  const same = [
    'caller',
    'called',
    'caller_domain',
    'called_domain',
    'callername',
    'sipcallerport',
    'sipcalledport',
    'whohanged',
    'bye',
    'lastSIPresponseNum',
    'a_payload',
    'b_payload',
    'a_received',
    'b_received',
    'a_lost',
    'b_lost',
    'payload',
    'lost',
    'a_rtp_ptime',
    'b_rtp_ptime',
    'ttl_min',
    'ttl_max',
    'a_sl1',
    'b_sl1',
    'a_index',
    'b_index',
    'max_retransmission_invite',
  ]
  test.skipIf(!haveCaptures).each(['BruteShark__SIP_DTMF2.pcap', 'sip_captures__RTP-Protocol.pcap', 'BruteShark__sip-rtp-g729a.pcap'])(
    '%s: the row VoIPmonitor wrote [needs ../shared/captures]',
    async (file) => {
      const theirs = JSON.parse(readFileSync(join(shared, 'rows', `${file}.json`), 'utf8')) as { calls: { cdr: Record<string, unknown> }[] }
      const path = join(dir, `${file}.db`)
      const store = openSqlite(path, { readonly: false })
      await store.insert((await analyse([join(capturesDir, file)])).records)
      await store.close()
      const rows = query(
        path,
        'SELECT c.*, n.fbasename AS fbasename, s.lastSIPresponse AS lastSIPresponse FROM cdr c JOIN cdr_next n ON n.cdr_ID = c.ID JOIN cdr_sip_response s ON s.id = c.lastSIPresponse_id',
      )
      for (const { cdr } of theirs.calls) {
        const ours = rows.find((r) => r['fbasename'] === cdr['fbasename'])
        const pick = (row: Record<string, unknown> | undefined): Record<string, unknown> =>
          Object.fromEntries(same.map((k) => [k, row?.[k] || row?.[k] === 0 ? row[k] : null]))
        expect(pick(ours)).toEqual(pick(cdr))
        expect(ours?.['lastSIPresponse']).toBe(cdr['lastSIPresponse'])
        expect(String(ours?.['calldate']).slice(0, 19)).toBe(cdr['calldate'])
        expect(Math.floor(Number(ours?.['connect_duration'] ?? 0))).toBe(cdr['connect_duration'] ?? 0)
      }
    },
  )

  test('the view speaks to people', async () => {
    const path = join(dir, 'view.db')
    const store = openSqlite(path, { readonly: false })
    await store.insert(sampleRecords())
    await store.close()
    expect(query(path, "SELECT * FROM calls WHERE call_id = 'bad'")[0]).toMatchObject({
      caller: '+15550101',
      caller_addr: '10.0.0.1:5060',
      callee_addr: '10.0.0.2:5060',
      status: 200,
      state: 'answered',
      started: '2023-11-14 22:14:20.000',
      hung_up_by: 'caller',
    })
    expect(String(query(path, "SELECT mos FROM calls WHERE call_id = 'bad'")[0]?.['mos'])).toMatch(/^\d\.\d$/)
    expect(query(path, "SELECT caller_addr FROM calls WHERE call_id = 'v6'")[0]?.['caller_addr']).toBe('[2001:db8::1]:5060')
  })
})

describe('plain SQL', () => {
  const path = join(dir, 'dashboard.db')
  beforeAll(async () => {
    const store = openSqlite(path, { readonly: false })
    await store.insert(sampleRecords())
    await store.close()
  })
  dashboardQuestions(async (sql) => query(path, sql))
})

describe('files', () => {
  const failure = (work: () => unknown): { message: string; suggestions: string[] } => {
    try {
      work()
    } catch (error) {
      return error as { message: string; suggestions: string[] }
    }
    throw new Error('it did not fail')
  }

  test.each([
    ['not there', () => openSqlite(join(dir, 'nosuch.db'), { readonly: true }), /no record database/],
    ['not a database', () => openSqlite(join(import.meta.dirname, 'sqlite.test.ts'), { readonly: true }), /not an SQLite database/],
    ['a directory in the way', () => openSqlite(join(import.meta.dirname, 'sqlite.test.ts', 'x.db'), { readonly: false }), /Cannot write/],
  ])('%s: told with the next step', (_, work, message) => {
    const error = failure(work)
    expect(error.message).toMatch(message)
    expect(error.suggestions.length).toBeGreaterThan(0)
  })

  test('somebody else’s database is left alone, a newer one refused', () => {
    const other = join(dir, 'other.db')
    const db = openDatabase(other, { readonly: false })
    db.exec('CREATE TABLE things (x)')
    db.close()
    expect(failure(() => openSqlite(other, { readonly: false })).message).toMatch(/something else/)
    const newer = join(dir, 'newer.db')
    const made = openDatabase(newer, { readonly: false })
    made.pragma('user_version = 999')
    made.close()
    expect(failure(() => openSqlite(newer, { readonly: false })).message).toMatch(/newer Earshot/)
  })

  test('a file of release 0.1.0 is brought forward: its calls are found, and are last words', async () => {
    const path = join(dir, 'older.db')
    const db = openDatabase(path, { readonly: false })
    db.exec(readFileSync(join(import.meta.dirname, '..', '..', 'fixtures', 'store-1.sql'), 'utf8'))
    db.close()
    expect(failure(() => openSqlite(path, { readonly: true }))).toMatchObject({ code: 'STORE_OLDER' })
    const store = openSqlite(path, { readonly: false })
    // A dump as SQL cannot hold the NUL in one of the Call-IDs.
    const records = sampleRecords().filter((r) => !r.callId.includes('\0'))
    expect(await store.insert(records)).toEqual({ stored: 0, updated: 0, duplicates: records.length })
    await store.close()
    // The same tables as a new file has.
    const fresh = join(dir, 'fresh.db')
    await openSqlite(fresh, { readonly: false }).close()
    const shape = (of: string): unknown[] =>
      query(
        of,
        "SELECT m.name, m.type, p.name AS c, p.type AS t, p.pk FROM sqlite_master m LEFT JOIN pragma_table_info(m.name) p WHERE m.name NOT LIKE 'sqlite_%' ORDER BY 1, 3",
      )
    expect(shape(path)).toEqual(shape(fresh))
  })

  test.each([['calls.db', /not a store/]])('store %s', async (url, message) => {
    const errors = await Promise.allSettled([openReader(url), openWriter(url)])
    for (const e of errors) expect(String((e as PromiseRejectedResult).reason.message)).toMatch(message)
  })
})

describe('the writing thread', () => {
  const many = (n: number): CallRecord[] => {
    const [record] = sampleRecords()
    return Array.from({ length: n }, (_, i) => ({ ...(record as CallRecord), callId: `many-${i}` }))
  }

  test('takes records, closes, and all is there', async () => {
    const path = join(dir, 'writer.db')
    const writer = await openWriter(`sqlite:${path}`)
    const done = await Promise.all([0, 500, 1000].map((from) => writer.insert(many(1500).slice(from, from + 500))))
    expect(done.map((d) => d.stored)).toEqual([500, 500, 500])
    await writer.close()
    expect(query(path, 'SELECT count(*) AS n FROM cdr')[0]?.['n']).toBe(1500)
    expect(query(path, 'SELECT typeof(flags) AS t FROM cdr LIMIT 1')[0]?.['t']).toBe('integer')
  })

  test('an error at opening comes back as what it is', async () => {
    await expect(openWriter(`sqlite:${join(import.meta.dirname, 'sqlite.test.ts')}`)).rejects.toMatchObject({ code: 'NOT_A_STORE' })
  })

  describe('killed in mid-insert', () => {
    const root = join(import.meta.dirname, '..', '..', '..')
    let path = ''
    beforeAll(() => {
      path = join(dir, 'killed.db')
    })
    test('the database is whole: each call with all its rows, or not at all', async () => {
      const script = join(dir, 'insert.mjs')
      writeFileSync(
        script,
        `import { openSqlite } from ${JSON.stringify(join(root, 'dist', 'lib', 'store', 'sqlite', 'store.js'))}
const [record] = JSON.parse(process.argv[2], (k, v) => (k === 'flags' ? BigInt(v) : v))
const store = openSqlite(${JSON.stringify(path)}, { readonly: false })
for (let i = 0; ; i++) { await store.insert(Array.from({ length: 50 }, (_, k) => ({ ...record, callId: 'c' + i + '-' + k }))); if (i === 3) process.stdout.write('going') }`,
      )
      const json = JSON.stringify(sampleRecords().slice(0, 1), (_, v) => (typeof v === 'bigint' ? String(v) : v))
      const child = spawn(process.execPath, [script, json], { stdio: ['ignore', 'pipe', 'inherit'] })
      await new Promise((resolve) => child.stdout.once('data', resolve))
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('exit', resolve))
      expect(existsSync(path)).toBe(true)
      const store = openSqlite(path, { readonly: false })
      await store.close()
      expect(query(path, 'PRAGMA integrity_check')[0]).toEqual({ integrity_check: 'ok' })
      const [counts] = query(
        path,
        'SELECT (SELECT count(*) FROM cdr) AS calls, (SELECT count(*) FROM earshot_cdr) AS ours, (SELECT count(*) FROM cdr_rtp) AS streams',
      )
      expect(counts?.['calls']).toBe(counts?.['ours'])
      expect(counts?.['streams']).toBe(2 * (counts?.['calls'] as number))
      expect((counts?.['calls'] as number) % 50).toBe(0)
    })
  })
})

test('another program reads it', () => {
  // Python's sqlite3 module is the independent reader: it is on every machine that builds the native parts.
  const out = execFileSync(
    'python3',
    [
      '-c',
      `import sqlite3;print(sqlite3.connect(${JSON.stringify(join(dir, 'view.db'))}).execute("select count(*) from calls").fetchone()[0])`,
    ],
    { encoding: 'utf8' },
  )
  expect(Number(out)).toBe(sampleRecords().length)
})

describe('the writer of two threads', () => {
  const [model] = sampleRecords() as [CallRecord]
  const many = (n: number, revision = 255): CallRecord[] =>
    Array.from({ length: n }, (_, i) => ({ ...model, callId: `chunk-${i}`, revision }))

  test('a batch of several chunks is one: all of it or nothing', async () => {
    const path = join(dir, 'chunks.db')
    const writer = await openWriter(`sqlite:${path}`)
    const texts = many(900).map(recordText)
    const calls = (): unknown => query(path, 'SELECT count(*) AS n FROM cdr')[0]?.['n']
    // The first chunks are on their way when the trouble shows.
    await expect(writer.insertTexts?.([...texts.slice(0, 700), 'no record', ...texts.slice(700)])).rejects.toMatchObject({ kind: 'record' })
    expect(calls()).toBe(0)
    const noText = { ...(many(1)[0] as CallRecord), streams: null as never }
    await expect(writer.insert([...many(700), noText])).rejects.toMatchObject({ kind: 'record' })
    expect(calls()).toBe(0)
    expect(await writer.insertTexts?.(texts)).toEqual({ stored: 900, updated: 0, duplicates: 0 })
    expect(calls()).toBe(900)
    await writer.close()
  })

  test('a later word in a later chunk takes the place of the earlier one; batches given at once do not mix', async () => {
    const path = join(dir, 'later.db')
    const writer = await openWriter(`sqlite:${path}`)
    const [early, late] = [many(300, 1), many(300, 255)]
    const done = await Promise.all([writer.insert([...early, ...late]), writer.insert(late), writer.insert([])])
    expect(done).toEqual([
      { stored: 300, updated: 300, duplicates: 0 },
      { stored: 0, updated: 0, duplicates: 300 },
      { stored: 0, updated: 0, duplicates: 0 },
    ])
    expect(query(path, 'SELECT count(*) AS n, min(revision) AS r FROM earshot_cdr')).toEqual([{ n: 300, r: 255 }])
    expect(query(path, 'SELECT count(*) AS n FROM cdr_rtp')).toEqual([{ n: 600 }])
    await writer.close()
  })
})
