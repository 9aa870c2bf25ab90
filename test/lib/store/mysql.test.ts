import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Micros } from '../../../src/lib/base/units.js'
import type { CallRecord } from '../../../src/lib/call/record.js'
import { openAdmin } from '../../../src/lib/store/index.js'
import type { CodeBooks } from '../../../src/lib/store/mysql/code-books.js'
import { type Connection, writeFailure } from '../../../src/lib/store/mysql/driver.js'
import { Inserter, turns } from '../../../src/lib/store/mysql/insert.js'
import type { Form } from '../../../src/lib/store/mysql/schema.js'
import { parseMysqlUrl } from '../../../src/lib/store/mysql/url.js'
import { type MysqlWriter, openMysqlWriter } from '../../../src/lib/store/mysql/writer.js'
import { dashboardQuestions } from '../../contract/dashboard.js'
import { sampleRecords } from '../../contract/records.js'
import { haveMariadb, quickOptions, startMariadb, type TestServer } from '../../support/mariadb.js'
import { startMysqlProxy, statementOf } from '../../support/mysql-proxy.js'
import { haveCaptures } from '../../support/shared.js'
import { makeTheirDatabase, theirTables } from '../../support/voipmonitor-db.js'

// Writing to a real MariaDB: forms of databases, partitions, clocks, outages. Reading is in mysql-read.test.ts, the URL in mysql-url.test.ts.

const long = process.env['EARSHOT_LONG'] === '1'
const dir = mkdtempSync(join(tmpdir(), 'earshot-mysql-'))
afterAll(() => rmSync(dir, { recursive: true }))

const DAY = 86_400e6
const now = Math.floor(Date.now() / 1000) * 1e6
const [good] = sampleRecords() as [CallRecord]
/** The sample call at another time. */
const at = (started: number, changes: Partial<CallRecord> = {}): CallRecord => {
  const by = started - good.started
  const move = (t: Micros | undefined): Micros => ((t ?? good.started) + by) as Micros
  return {
    ...good,
    started: move(good.started),
    ringing: move(good.ringing),
    firstResponse: move(good.firstResponse),
    answered: move(good.answered),
    ended: move(good.ended),
    bye: move(good.bye),
    byeConfirmed: move(good.byeConfirmed),
    lastPacket: move(good.lastPacket),
    ...changes,
  }
}
const many = (n: number, tag: string): CallRecord[] => Array.from({ length: n }, (_, i) => at(now - 60e6 + i, { callId: `${tag}-${i}` }))
const failure = async (work: Promise<unknown>): Promise<{ message: string; code: string; kind?: string; suggestions: string[] }> =>
  work.then(
    () => {
      throw new Error('it did not fail')
    },
    (error) => error,
  )

test.each([
  [2, undefined],
  [Number.POSITIVE_INFINITY, /forgotten/],
])('ids of texts that other connections make be forgotten %d times: no text becomes NULL for that', async (times, message) => {
  let forgotten = 0
  const books = { id: () => (forgotten < times ? undefined : 7), learn: async () => void forgotten++ } as unknown as CodeBooks
  const sent: string[] = []
  const db = {
    takesBulk: false,
    alive: true,
    rows: async (sql: string) => (/auto_increment/.test(sql) ? [{ step: 1 }] : []),
    run: async (sql: string) => {
      sent.push(sql)
      return { affected: 1, insertId: 1 }
    },
  } as unknown as Connection
  const columns = new Map([['cdr', new Map([['a_ua_id', 'int(10) unsigned']])]])
  const form: Form = { madeBy: 'voipmonitor', beside: true, partitioned: false, milliseconds: false, ipv6: false, columns }
  const inserting = new Inserter(form, books, undefined, turns()).insert(db, [good], (record) => record, now)
  if (message === undefined) {
    expect(await inserting).toMatchObject({ stored: 1 })
    expect(sent).toEqual(['BEGIN', 'INSERT INTO `cdr` (`a_ua_id`) VALUES (7)', 'COMMIT'])
  } else {
    const error = await failure(inserting)
    expect(error.message).toMatch(message)
    expect(sent).toEqual([])
    expect(writeFailure(parseMysqlUrl('mysql://root@localhost/x'), error)).toMatchObject({ kind: 'transient' })
  }
})

describe.skipIf(!haveMariadb)('MariaDB [needs mariadb-server]', () => {
  let server: TestServer
  const writers: MysqlWriter[] = []
  const open = async (database: string, options: Parameters<typeof openMysqlWriter>[1] = {}, parameters?: string): Promise<MysqlWriter> => {
    const writer = await openMysqlWriter(server.url(database, parameters), options)
    writers.push(writer)
    return writer
  }
  const one = async <T = number>(sql: string, database: string): Promise<T> =>
    Object.values((await server.sql(sql, database))[0] as object)[0] as T
  beforeAll(async () => {
    server = await startMariadb(quickOptions, { tcp: true })
  })
  afterAll(async () => {
    await Promise.allSettled(writers.map((w) => w.close()))
    await server?.dispose()
  })

  describe.skipIf(!haveCaptures)('a database that VoIPmonitor made [needs ../shared/captures]', () => {
    const created = async (database: string): Promise<unknown[]> =>
      Promise.all(theirTables.map(async (t) => (await server.sql(`SHOW CREATE TABLE ${t}`, database))[0]))
    const withoutCounter = (list: unknown[]): string => JSON.stringify(list).replace(/ AUTO_INCREMENT=\d+/g, '')

    test.each([
      { form: { partitioned: true, milliseconds: true, ipv6: false }, duration: 6.04, date: /\.\d{3}$/, ip: '167772161', v6: null },
      { form: { partitioned: true, milliseconds: false, ipv6: false }, duration: 6, date: /:\d\d$/, ip: '167772161', v6: null },
      {
        form: { partitioned: false, milliseconds: true, ipv6: true },
        duration: 6.04,
        date: /\.\d{3}$/,
        ip: '0A000001',
        v6: '20010DB8000000000000000000000001',
      },
      {
        form: { partitioned: false, milliseconds: false, ipv6: true },
        duration: 6,
        date: /:\d\d$/,
        ip: '0A000001',
        v6: '20010DB8000000000000000000000001',
      },
    ])('$form: written as it is, nothing of it altered', async ({ form, duration, date, ip, v6 }) => {
      const database = `theirs_${Number(form.partitioned)}${Number(form.milliseconds)}${Number(form.ipv6)}`
      await makeTheirDatabase(server, database, form)
      const before = await created(database)
      const writer = await open(database)
      // .999 s: a time that is rounded would be of the next second.
      const call = at(now - 100e6 + 999_000, { callId: 'theirs', callerName: 'Žofie 📞' })
      const over6 = { ...call, callId: 'over6', callerAddr: { ip: '2001:db8::1', port: 5060 } }
      expect(await writer.insert([call, over6])).toMatchObject({ stored: 2 })
      expect(await writer.insert([call, over6])).toMatchObject({ stored: 0, duplicates: 2 })
      const day = (alias: string): string => (form.partitioned ? `AND ${alias}.calldate = c.calldate` : '')
      const [row] = await server.sql(
        `SELECT c.calldate, c.duration, ${form.ipv6 ? 'hex(c.sipcallerip)' : 'c.sipcallerip'} AS ip, c.lastSIPresponseNum, r.received, n.fbasename, e.exact
         FROM cdr c JOIN cdr_next n ON n.cdr_ID = c.ID ${day('n')} JOIN cdr_rtp r ON r.cdr_ID = c.ID ${day('r')}
         JOIN earshot_cdr e ON e.cdr_ID = c.ID AND e.calldate = c.calldate WHERE n.fbasename = 'theirs' LIMIT 1`,
        database,
      )
      expect(row).toMatchObject({ duration, lastSIPresponseNum: 200, received: 200, exact: JSON.stringify({ callerName: 'Žofie 📞' }) })
      expect(row?.['calldate']).toMatch(date)
      expect(String(row?.['calldate']).slice(0, 19)).toBe(new Date(call.started / 1000).toISOString().replace('T', ' ').slice(0, 19))
      expect(String(row?.['ip'])).toBe(ip)
      expect(
        await one(`SELECT hex(c.sipcallerip) FROM cdr c JOIN cdr_next n ON n.cdr_ID = c.ID WHERE n.fbasename = 'over6'`, database),
      ).toBe(v6)
      // What comes later takes the place of what was there, in every table.
      const streams = await one('SELECT count(*) FROM cdr_rtp', database)
      expect(await writer.insert([{ ...call, revision: call.revision + 1 }])).toMatchObject({ updated: 1 })
      expect(await one('SELECT count(*) FROM cdr_rtp', database)).toBe(streams)
      expect(await one('SELECT count(*) FROM cdr_next', database)).toBe(2)
      expect(withoutCounter(await created(database))).toBe(withoutCounter(before))
      const added = (
        await server.sql<{ t: string }>(`SELECT table_name AS t FROM information_schema.tables WHERE table_schema = '${database}'`)
      ).map((r) => r.t)
      expect(added.filter((t) => !theirTables.includes(t)).every((t) => t.startsWith('earshot_'))).toBe(true)
    })

    test.each(['bulk=yes', 'bulk=no'])(
      'of an older version, whose ids are int unsigned: the rows of a call find each other, %s',
      async (way) => {
        const database = `int_ids_${way.slice(5)}`
        await makeTheirDatabase(server, database, { partitioned: true, milliseconds: false, ipv6: false, intIds: true })
        expect(
          await one(
            `SELECT group_concat(DISTINCT column_type) FROM information_schema.columns
           WHERE table_schema = '${database}' AND (table_name, column_name) IN (('cdr', 'ID'), ('cdr_next', 'cdr_ID'), ('cdr_rtp', 'cdr_ID'))`,
            database,
          ),
        ).toBe('int(10) unsigned')
        const writer = await open(database, {}, way)
        for (const [i, count] of [1, 1, 2, 120].entries()) {
          expect(await writer.insert(many(count, `batch-${i}`))).toMatchObject({ stored: count })
        }
        // The largest there is, and no more.
        await server.sql(`ALTER TABLE cdr AUTO_INCREMENT = ${2 ** 32 - 2}`, database)
        expect(await writer.insert(many(1, 'last'))).toMatchObject({ stored: 1 })
        expect(await one('SELECT max(ID) FROM cdr', database)).toBe(2 ** 32 - 2)
        expect(
          await one(
            `SELECT count(*) FROM cdr c JOIN cdr_next n ON n.cdr_ID = c.ID AND n.calldate = c.calldate
           JOIN earshot_cdr e ON e.cdr_ID = c.ID AND e.call_id = n.fbasename`,
            database,
          ),
        ).toBe(125)
        expect(await one('SELECT count(*) FROM cdr c JOIN cdr_rtp r ON r.cdr_ID = c.ID', database)).toBe(250)
      },
    )

    test('a missing partition is said, and the records go in when it is there', async () => {
      await makeTheirDatabase(server, 'late', { partitioned: true, milliseconds: true, ipv6: false, lastDay: '2026-01-01' })
      const writer = await open('late')
      const error = await failure(writer.insert([at(now)]))
      expect(error).toMatchObject({ code: 'STORE_PARTITION', kind: 'store' })
      expect(error.message).toContain(new Date(now / 1000).toISOString().slice(0, 10))
      expect(error.suggestions.join('\n')).toMatch(/ALTER TABLE cdr ADD PARTITION/)
      const day = new Date(now / 1000 + 2 * 86_400_000).toISOString().slice(0, 10)
      for (const table of theirTables.filter((t) => !/^cdr_(sip_|ua|reason)|sensors/.test(t)))
        await server.sql(`ALTER TABLE ${table} ADD PARTITION (PARTITION pnow VALUES LESS THAN ('${day}'))`, 'late')
      expect(await writer.insert([at(now)])).toMatchObject({ stored: 1 })
    })

    test('prune leaves their rows to them', async () => {
      const admin = await openAdmin(server.url('late'))
      const plan = await admin.prunePlan((now + 400 * DAY) as Micros)
      expect(plan.steps.length).toBeGreaterThan(0)
      expect(plan.steps.every((s) => / `?earshot_/.test(s))).toBe(true)
      expect(plan.notes.join()).toMatch(/VoIPmonitor/)
      await admin.close()
    })
  })

  test('a database of something else is left alone; a newer one is refused; an older one is told how to come forward', async () => {
    await server.sql('CREATE DATABASE other')
    await server.sql('CREATE TABLE things (x int)', 'other')
    expect(await failure(open('other'))).toMatchObject({ code: 'NOT_A_STORE' })
    await open('versions')
    await server.sql("UPDATE earshot_schema SET value = '999' WHERE name = 'version'", 'versions')
    expect(await failure(open('versions'))).toMatchObject({ code: 'STORE_NEWER' })
    await server.sql("UPDATE earshot_schema SET value = '1' WHERE name = 'version'", 'versions')
    const older = await failure(open('versions'))
    expect(older).toMatchObject({ code: 'STORE_OLDER' })
    expect(older.suggestions.join()).toContain('earshot db migrate')
  })

  test('a start that was cut short is finished by the next', async () => {
    await open('cut')
    await server.sql("DELETE FROM earshot_schema WHERE name = 'version'", 'cut')
    await server.sql('DROP VIEW calls', 'cut')
    await server.sql('DROP TABLE earshot_rtp', 'cut')
    expect(await (await open('cut')).insert([good])).toMatchObject({ stored: 1 })
    expect(await one('SELECT count(*) FROM calls', 'cut')).toBe(1)
  })

  test('files that a killed server left in the way: a partition gets another name, of a table it is said', async () => {
    await server.sql('CREATE DATABASE leftover')
    await server.sql(
      "CREATE TABLE t (d datetime not null) PARTITION BY RANGE COLUMNS(d) (PARTITION p VALUES LESS THAN ('2026-01-01'))",
      'leftover',
    )
    const data = join(dirname(server.socket), 'data', 'leftover')
    const partition = (table: string, days: number): string =>
      `${table}#P#p${new Date(now / 1000 + days * 86_400_000).toISOString().slice(2, 10).replaceAll('-', '')}`
    const leave = (file: string): void => copyFileSync(join(data, 't#P#p.ibd'), join(data, `${file}.ibd`))
    for (const file of [partition('cdr', 0), partition('cdr_rtp', 2), partition('cdr_next', 5), 'cdr_ua']) leave(file)
    await server.sql('DROP TABLE t', 'leftover')
    const error = await failure(open('leftover'))
    expect(error).toMatchObject({ code: 'STORE_LEFTOVER', kind: 'store' })
    expect(error.message).toMatch(/table "cdr_ua"/)
    expect(error.suggestions[0]).toContain('cdr_ua.ibd')
    rmSync(join(data, 'cdr_ua.ibd'))
    expect(await (await open('leftover')).insert([at(now)])).toMatchObject({ stored: 1 })
    const later = await open('leftover', { nowMicros: () => now + 3 * DAY })
    expect(await later.insert([at(now + 3 * DAY)])).toMatchObject({ stored: 1 })
    expect(await one('SELECT count(*) FROM cdr_next', 'leftover')).toBe(2)
  })

  describe('plain SQL', () => {
    beforeAll(async () => {
      await (await open('dashboard')).insert(sampleRecords())
    })
    dashboardQuestions((sql) => server.sql(sql, 'dashboard'))
  })

  describe('partitions and clocks', () => {
    test('made ahead, and again when days have passed; the gap costs one partition', async () => {
      let clock = now
      const writer = await open('days', { nowMicros: () => clock })
      const partitions = (): Promise<number> =>
        one("SELECT count(*) FROM information_schema.partitions WHERE table_schema = 'days' AND table_name = 'cdr'", 'days')
      const first = await partitions()
      expect(first).toBe(4)
      clock += 40 * DAY
      expect(await writer.insert([at(clock)])).toMatchObject({ stored: 1, clamped: 0 })
      expect(await partitions()).toBe(first + 4)
      const day = new Date(clock / 1000).toISOString().slice(2, 10).replaceAll('-', '')
      expect(await one(`SELECT count(*) FROM cdr PARTITION (p${day})`, 'days')).toBe(1)
    })

    test('a record from the future, and one from before time, are stored, counted, and keep their own times', async () => {
      const notices: string[] = []
      const writer = await open('clocks', { nowMicros: () => now, onNotice: (text) => notices.push(text) })
      const future = at(now + 3650 * DAY, { callId: 'future' })
      const past = at(1e6, { callId: 'past' })
      const wild = [future, past, at(now, { callId: 'sane' })]
      expect(await writer.insert(wild)).toMatchObject({ stored: 3, clamped: 1 })
      expect(await writer.insert(wild)).toMatchObject({ stored: 0, duplicates: 3 })
      expect(notices).toHaveLength(1)
      expect(await one(`SELECT started_us FROM earshot_cdr WHERE call_id = 'future'`, 'clocks')).toBe(future.started)
      const calldate = await one<string>(
        `SELECT calldate FROM cdr WHERE ID = (SELECT cdr_ID FROM earshot_cdr WHERE call_id = 'future')`,
        'clocks',
      )
      expect(calldate).toBe(`${new Date(now / 1000 + 86_400_000).toISOString().slice(0, 10)} 23:59:59.999`)
      expect(await one(`SELECT duration FROM cdr WHERE calldate = '${calldate}'`, 'clocks')).toBe(6.04)
      expect(await one("SELECT calldate FROM earshot_cdr WHERE call_id = 'past'", 'clocks')).toBe('1970-01-01 00:00:01.000')
    })

    test('prune drops whole days, keeps the rest, and shows it first', async () => {
      const writer = await open('old', { nowMicros: () => now - 30 * DAY })
      await writer.insert([at(now - 30 * DAY, { callId: 'old' })])
      const today = await open('old', { nowMicros: () => now })
      await today.insert([at(now, { callId: 'new' })])
      const admin = await openAdmin(server.url('old'))
      const plan = await admin.prunePlan((now - 10 * DAY) as Micros)
      expect(plan.steps).toContainEqual(expect.stringMatching(/^ALTER TABLE `cdr` DROP PARTITION `p\d{6}`/))
      expect(await one('SELECT count(*) FROM cdr', 'old')).toBe(2)
      await admin.prune(plan)
      expect(await one('SELECT count(*) FROM cdr', 'old')).toBe(1)
      expect(await one('SELECT call_id FROM earshot_cdr', 'old')).toBe('new')
      expect((await admin.prunePlan((now - 10 * DAY) as Micros)).steps).toEqual([])
      await admin.close()
      expect(await today.insert([at(now, { callId: 'new' })])).toMatchObject({ duplicates: 1 })
    })
  })

  describe('each record once', () => {
    test('two writers with the same records at the same time', async () => {
      const [a, b] = [await open('twice', {}, 'connections=4'), await open('twice', {}, 'connections=4')]
      const records = many(600, 'twice')
      const done = await Promise.all([a.insert(records), b.insert([...records].reverse()), a.insert(records)])
      expect(done.reduce((sum, d) => sum + d.stored, 0)).toBe(600)
      expect(await one('SELECT count(*) FROM cdr', 'twice')).toBe(600)
      expect(await one('SELECT count(*) FROM cdr_rtp', 'twice')).toBe(1200)
    })

    test.each([
      [2, 255],
      [255, 2],
    ])('revision %i on its way while another writer stores revision %i: the higher stays', async (late, early) => {
      const name = `race_${late}`
      const call = (revision: number): CallRecord => at(now, { callId: 'raced', revision, callerAgent: `revision ${revision}` })
      const other = await open(name)
      await other.insert([call(1)])
      // What is there has been asked when the transaction begins.
      let races = 1
      const proxy = await startMysqlProxy(server.socket, async (packet) => {
        if (statementOf(packet) === 'BEGIN' && races-- > 0) expect(await other.insert([call(early)])).toMatchObject({ updated: 1 })
      })
      const writer = await openMysqlWriter(`mysql://root@localhost/${name}?socket=${proxy.socket}&connections=1`)
      try {
        const expected = late > early ? { updated: 1, duplicates: 0 } : { updated: 0, duplicates: 1 }
        expect(await writer.insert([call(late)])).toMatchObject(expected)
        expect(races).toBeLessThan(1)
        expect(
          await server.sql(
            'SELECT e.revision, u.ua, (SELECT count(*) FROM cdr_rtp) AS streams FROM earshot_cdr e JOIN cdr c ON c.ID = e.cdr_ID JOIN cdr_ua u ON u.id = c.a_ua_id',
            name,
          ),
        ).toEqual([{ revision: 255, ua: 'revision 255', streams: 2 }])
      } finally {
        await writer.close()
        await proxy.dispose()
      }
    })

    test('the first error is told, not that of the ROLLBACK after it; nothing of the batch is kept', async () => {
      await open('rollback')
      await server.sql(
        "CREATE TRIGGER no BEFORE INSERT ON cdr_rtp FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'",
        'rollback',
      )
      const proxy = await startMysqlProxy(server.socket, (packet) => {
        if (statementOf(packet) === 'ROLLBACK') packet.write('ROLLBAKC', 5)
      })
      const writer = await openMysqlWriter(`mysql://root@localhost/rollback?socket=${proxy.socket}&connections=1`)
      try {
        expect((await failure(writer.insert(many(3, 'first')))).message).toContain('not today')
        await server.sql('DROP TRIGGER no', 'rollback')
        expect(await writer.insert(many(2, 'second'))).toMatchObject({ stored: 2 })
        expect(await one('SELECT count(*) FROM cdr', 'rollback')).toBe(2)
      } finally {
        await writer.close()
        await proxy.dispose()
      }
    })

    test('a server that does not know of bulk rows after all gets text', async () => {
      let refused = 0
      const proxy = await startMysqlProxy(server.socket, (packet) => {
        if (packet[4] !== 0xfa) return
        packet.writeUInt8(0xf0, 4)
        refused++
      })
      const writer = await openMysqlWriter(`mysql://root@localhost/refused?socket=${proxy.socket}&connections=1`)
      try {
        for (const tag of ['a', 'b']) expect(await writer.insert(many(120, tag))).toMatchObject({ stored: 120 })
        expect(refused).toBe(1)
        expect(await one('SELECT count(*) FROM cdr_rtp', 'refused')).toBe(480)
      } finally {
        await writer.close()
        await proxy.dispose()
      }
    })

    test('a server that prepares no statements gets text', async () => {
      await server.sql('SET GLOBAL max_prepared_stmt_count = 0')
      try {
        const writer = await open('unprepared')
        expect(await writer.insert(many(120, 'unprepared'))).toMatchObject({ stored: 120 })
        expect(await one('SELECT count(*) FROM cdr_rtp', 'unprepared')).toBe(240)
      } finally {
        await server.sql('SET GLOBAL max_prepared_stmt_count = 16382')
      }
    })

    test.each(['bulk=yes', 'bulk=no'])(
      'ids of calls and of their children agree, whatever the step of the server’s counter: %s',
      async (way) => {
        const name = `steps_${way.slice(5)}`
        await server.sql('SET GLOBAL auto_increment_increment = 3')
        try {
          const writer = await open(name, {}, way)
          await writer.insert(many(120, 'steps'))
          expect(await one('SELECT max(ID) - min(ID) FROM cdr', name)).toBeGreaterThanOrEqual(119 * 3)
          expect(
            await one(
              `SELECT count(*) FROM cdr_next n JOIN cdr c ON c.ID = n.cdr_ID JOIN earshot_cdr e ON e.cdr_ID = c.ID
          WHERE n.fbasename = e.call_id AND c.calldate = e.calldate AND c.calldate = n.calldate`,
              name,
            ),
          ).toBe(120)
        } finally {
          await server.sql('SET GLOBAL auto_increment_increment = 1')
        }
      },
    )

    test('ids that were set aside for a batch stay its own while another program writes into cdr', async () => {
      const writers = [await open('aside', {}, 'connections=2'), await open('aside', {}, 'connections=2&bulk=no')]
      let other = 0
      let over = false
      const stranger = (async () => {
        const base = now / 1e6
        while (!over) {
          await server.sql(
            `INSERT INTO cdr (calldate, callend, caller) VALUES ${Array(7).fill(`(from_unixtime(${base}), from_unixtime(${base}), 'stranger')`).join(',')}`,
            'aside',
          )
          other += 7
        }
      })()
      const done = await Promise.all(writers.flatMap((w, i) => [0, 1, 2].map((n) => w.insert(many(300, `aside-${i}-${n}`)))))
      over = true
      await stranger
      expect(done.reduce((sum, d) => sum + d.stored, 0)).toBe(1800)
      expect(await one("SELECT count(*) FROM cdr WHERE caller <> 'stranger'", 'aside')).toBe(1800)
      expect(await one("SELECT count(*) FROM cdr WHERE caller = 'stranger'", 'aside')).toBe(other)
      expect(
        await one(
          `SELECT count(*) FROM cdr_next n JOIN cdr c ON c.ID = n.cdr_ID JOIN earshot_cdr e ON e.cdr_ID = c.ID
           WHERE n.fbasename = e.call_id AND c.calldate = e.calldate AND c.calldate = n.calldate AND c.caller <> 'stranger'`,
          'aside',
        ),
      ).toBe(1800)
    })

    test('a text that no code book can tell apart', async () => {
      const writer = await open('books')
      const calls = ['Phone/1', 'phone/1', 'Phone/1 ', '', '📞', "o'hara\\"].map((callerAgent, i) =>
        at(now + i, { callId: `ua-${i}`, callerAgent }),
      )
      expect(await writer.insert(calls)).toMatchObject({ stored: 6 })
      const rows = await server.sql('SELECT u.ua FROM cdr c JOIN cdr_ua u ON u.id = c.a_ua_id ORDER BY c.ID', 'books')
      expect(rows.map((r) => r['ua'])).toEqual(expect.arrayContaining(['Phone/1', 'phone/1', '', '📞', "o'hara\\"]))
    })

    const kills = long ? 20 : 3
    test(`the server is killed ${kills} times in the middle of batches and started again`, async () => {
      const writer = await open('killed', {}, 'connections=3')
      const records = many(long ? 6000 : 1200, 'killed')
      const size = 200
      let sent = 0
      let failures = 0
      const writing = (async () => {
        for (let i = 0; i < records.length; i += size) {
          for (;;) {
            try {
              await writer.insert(records.slice(i, i + size))
              break
            } catch (error) {
              expect(error).toMatchObject({ kind: 'transient' })
              failures++
              await new Promise((resolve) => setTimeout(resolve, 100))
            }
          }
          sent += size
        }
      })()
      for (let i = 0; i < kills; i++) {
        const target = Math.floor((records.length * (i + 0.5)) / kills)
        while (sent < target) await new Promise((resolve) => setTimeout(resolve, 5))
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 30))
        await server.kill()
        await server.start()
      }
      await writing
      expect(failures).toBeGreaterThan(0)
      for (const [table, rows] of [
        ['cdr', 1],
        ['cdr_next', 1],
        ['earshot_cdr', 1],
        ['cdr_rtp', 2],
        ['earshot_rtp', 2],
      ] as const)
        expect([table, await one(`SELECT count(*) FROM ${table}`, 'killed')]).toEqual([table, rows * records.length])
      expect(await one('SELECT count(DISTINCT call_id) FROM earshot_cdr', 'killed')).toBe(records.length)
    }, 600_000)
  })

  describe('the way to the server', () => {
    test('a host that is down or read-only is passed over, at the start and in the middle', async () => {
      const second = await startMariadb(quickOptions, { tcp: true })
      try {
        for (const one of [server, second]) await one.sql("CREATE USER 'remote'@'127.0.0.1'")
        for (const one of [server, second]) await one.sql("GRANT ALL ON away.* TO 'remote'@'127.0.0.1'")
        const url = `mysql://remote@127.0.0.1:1,127.0.0.1:${server.port},127.0.0.1:${second.port}/away`
        const writer = await openMysqlWriter(url)
        writers.push(writer)
        await writer.insert(many(10, 'first'))
        await server.sql('SET GLOBAL read_only = 1')
        expect(await failure(writer.insert(many(10, 'second')))).toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })
        expect(await writer.insert(many(10, 'second'))).toMatchObject({ stored: 10 })
        expect(await one('SELECT count(*) FROM cdr', 'away')).toBe(10)
        expect(Object.values((await second.sql('SELECT count(*) FROM cdr', 'away'))[0] as object)).toEqual([10])
      } finally {
        await server.sql('SET GLOBAL read_only = 0')
        await second.dispose()
      }
    })

    describe('TLS', () => {
      const pem = (name: string): string => join(dir, `${name}.pem`)
      const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { stdio: 'ignore' })
      let tls: TestServer
      beforeAll(async () => {
        openssl(
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-keyout',
          pem('ca-key'),
          '-out',
          pem('ca'),
          '-subj',
          '/CN=test authority',
          '-days',
          '2',
        )
        writeFileSync(join(dir, 'ext'), 'subjectAltName=DNS:localhost\n')
        for (const name of ['server', 'client']) {
          openssl(
            'req',
            '-newkey',
            'ec',
            '-pkeyopt',
            'ec_paramgen_curve:P-256',
            '-nodes',
            '-keyout',
            pem(`${name}-key`),
            '-out',
            join(dir, `${name}.csr`),
            '-subj',
            `/CN=${name}`,
          )
          openssl(
            'x509',
            '-req',
            '-in',
            join(dir, `${name}.csr`),
            '-CA',
            pem('ca'),
            '-CAkey',
            pem('ca-key'),
            '-CAcreateserial',
            '-out',
            pem(name),
            '-days',
            '2',
            '-extfile',
            join(dir, 'ext'),
          )
        }
        tls = await startMariadb(
          [...quickOptions, `--ssl-ca=${pem('ca')}`, `--ssl-cert=${pem('server')}`, `--ssl-key=${pem('server-key')}`],
          { tcp: true },
        )
        await tls.sql("CREATE USER 'plain'@'127.0.0.1' REQUIRE SSL")
        await tls.sql("CREATE USER 'known'@'127.0.0.1' REQUIRE X509")
        for (const user of ['plain', 'known']) await tls.sql(`GRANT ALL ON tls.* TO '${user}'@'127.0.0.1'`)
      })
      afterAll(() => tls?.dispose())

      test.each<[string, string, string, RegExp | undefined]>([
        ['the certificate names the host', 'plain@localhost', `ssl-ca=CA`, undefined],
        ['it names another', 'plain@127.0.0.1', 'ssl-ca=CA', /names only/],
        ['another, and only the authority counts', 'plain@127.0.0.1', 'ssl-ca=CA&ssl-mode=verify-ca', undefined],
        ['an authority nobody knows', 'plain@localhost', 'ssl-mode=verify-identity', /No TLS/],
        ['encrypted, to whomever', 'plain@127.0.0.1', 'ssl-mode=required', undefined],
        ['not encrypted', 'plain@localhost', '', /refuses the user/],
        ['with a certificate of ours', 'known@localhost', 'ssl-ca=CA&ssl-cert=CERT&ssl-key=KEY', undefined],
        ['without one', 'known@localhost', 'ssl-ca=CA', /refuses the user/],
      ])('%s', async (_, who, parameters, message) => {
        const filled = parameters
          .replace('=CA', `=${pem('ca')}`)
          .replace('=CERT', `=${pem('client')}`)
          .replace('=KEY', `=${pem('client-key')}`)
        const opening = openMysqlWriter(`mysql://${who}:${tls.port}/tls?${filled}`)
        if (message !== undefined) expect((await failure(opening)).message).toMatch(message)
        else {
          const writer = await opening
          expect(await writer.insert(many(3, `tls-${who}-${parameters}`))).toMatchObject({ stored: 3 })
          await writer.close()
        }
      })
    })

    test('a frozen server does not stop the others; the batch goes in when it wakes', async () => {
      const writer = await open('frozen')
      await writer.insert(many(10, 'before'))
      server.freeze()
      const inserting = writer.insert(many(10, 'frozen'))
      await new Promise((resolve) => setTimeout(resolve, 300))
      server.thaw()
      expect(await inserting).toMatchObject({ stored: 10 })
    })

    test('a user who may not write is told what to ask for', async () => {
      await server.sql('CREATE DATABASE rights')
      await server.sql("CREATE USER 'guest'@'localhost' IDENTIFIED BY 'secret'")
      const file = join(dir, 'password')
      writeFileSync(file, 'wrong\n')
      const url = `mysql://guest@localhost/rights?socket=${server.socket}&password-file=${file}`
      const wrong = await failure(openMysqlWriter(url))
      expect(wrong).toMatchObject({ code: 'STORE_OPEN', kind: 'store' })
      expect(`${wrong.message} ${wrong.suggestions}`).not.toContain('wrong\n')
      expect(wrong.message).toMatch(/refuses the user "guest" with this password/)
      writeFileSync(file, 'secret\n')
      const denied = await failure(openMysqlWriter(url))
      expect(denied.suggestions.join()).toContain("GRANT ALL ON `rights`.* TO 'guest'")
    })
  })

  describe('sensors', () => {
    test('two writers under one number notice each other; one that has ended does not count', async () => {
      const heard: string[][] = [[], [], []]
      const options = (i: number, sensorId: number) => ({ sensorId, onNotice: (text: string) => heard[i]?.push(text) })
      const first = await open('leases', options(0, 7))
      await open('leases', options(1, 8))
      expect(heard).toEqual([[], [], []])
      await open('leases', options(2, 7))
      expect(heard[2]?.join()).toMatch(/Sensor 7 is also written by another one/)
      await first.close()
      const again: string[] = []
      const admin = await openAdmin(server.url('leases'))
      expect((await admin.sensors()).map((s) => [s.id, s.writers.length, s.listed])).toEqual([
        [7, 1, false],
        [8, 1, false],
      ])
      await admin.close()
      expect(again).toEqual([])
    })

    test('one that was killed on this machine is not another', async () => {
      const heard: string[] = []
      const gone = spawnSync(process.execPath, [
        '--import',
        'tsx',
        '--input-type=module',
        '-e',
        `import { newInstance } from './src/lib/store/mysql/lease.ts'; process.stdout.write(newInstance())`,
      ]).stdout.toString()
      expect(gone).toMatch(/^[\da-f]{16}\.\d+\.\d+\.\d+\.[\da-f]{8}$/)
      await open('killed', { sensorId: 9 }).then((w) => w.close())
      const lease = (instance: string): Promise<unknown> =>
        server.sql(`INSERT INTO earshot_lease VALUES (9, '${instance}', 'here', UTC_TIMESTAMP(), UTC_TIMESTAMP())`, 'killed')
      await lease(gone)
      await open('killed', { sensorId: 9, onNotice: (text) => heard.push(text) }).then((w) => w.close())
      expect(heard).toEqual([])
      expect(await one(`SELECT count(*) FROM earshot_lease WHERE instance = '${gone}'`, 'killed')).toBe(0)
      // The same numbers on another machine say nothing about ours.
      await lease(gone.replace(/^..../, (start) => (start === 'ffff' ? '0000' : 'ffff')))
      await open('killed', { sensorId: 9, onNotice: (text) => heard.push(text) })
      expect(heard.join()).toMatch(/Sensor 9 is also written/)
    })

    test('the list: add, change, remove', async () => {
      await open('list')
      const admin = await openAdmin(server.url('list'))
      const entry = { id: 3, name: 'Prague; rack "2"', host: '10.0.3.5', port: 5029 }
      expect(await admin.setSensor(entry)).toBe('added')
      expect(await admin.setSensor({ ...entry, name: 'Brno' })).toBe('changed')
      expect(await admin.sensors()).toEqual([{ ...entry, name: 'Brno', listed: true, writers: [] }])
      expect(await admin.removeSensor(3)).toBe(true)
      expect(await admin.removeSensor(3)).toBe(false)
      await admin.close()
    })
  })
})
