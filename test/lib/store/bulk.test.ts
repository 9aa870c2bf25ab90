import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RawConnection, speaksBulk } from '../../../src/lib/store/mysql/bulk-command.js'
import { BulkRows, bulkTypeOf } from '../../../src/lib/store/mysql/bulk-rows.js'
import { type Connection, connect } from '../../../src/lib/store/mysql/driver.js'
import { writerOf } from '../../../src/lib/store/mysql/sql.js'
import { Unsettled } from '../../../src/lib/store/mysql/unsettled.js'
import { parseMysqlUrl } from '../../../src/lib/store/mysql/url.js'
import type { SqlValue } from '../../../src/lib/store/values.js'
import { haveMariadb, startMariadb, type TestServer } from '../../support/mariadb.js'
import { startMysqlProxy } from '../../support/mysql-proxy.js'

// MariaDB's bulk protocol against a real server: what it makes of our packets is what it makes of the same values as text.

const times = ['2026-11-26 09:08:07.654', '1970-01-01 00:00:00.000', '2255-12-31 23:59:59.999', null]
const numbers = [0, 1, -1, 255, 256, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -(2 ** 40), 2 ** 53 - 1, 34.74, Number.NaN, null]
const fractions = [0, 34.74, 0.1 + 0.2, 1 / 3, -0.0005, 999_999.999, 1e9, Number.POSITIVE_INFINITY, null]
const texts = [
  '',
  'a',
  "o'hara\\ \0 \n",
  'é'.repeat(83),
  'e'.repeat(84),
  '📞'.repeat(63),
  'x'.repeat(250),
  '☃'.repeat(251),
  'y'.repeat(2000),
  '\ud800',
  null,
]
const bytes = [new Uint8Array(0), Uint8Array.of(0, 255, 39, 92), new Uint8Array(16).fill(200), null]

const cases: { type: string; values: readonly SqlValue[] }[] = [
  ...['tinyint(3) unsigned', 'tinyint(4)', 'smallint(5) unsigned', 'mediumint(8) unsigned', 'int(10) unsigned', 'int(11)'].map((type) => ({
    type,
    values: numbers,
  })),
  { type: 'bigint(20) unsigned', values: [...numbers, 2n ** 36n, 2n ** 63n - 1n] },
  { type: 'bigint(20)', values: [...numbers, 1e30, -1e30, -5n] },
  { type: 'decimal(9,3)', values: fractions },
  { type: 'double', values: fractions },
  { type: 'datetime', values: times },
  { type: 'datetime(3)', values: times },
  { type: 'varchar(255)', values: texts },
  { type: 'text', values: texts },
  { type: 'varchar(40) character set latin1', values: texts },
  { type: "enum('caller','callee')", values: ['caller', 'callee', 'nobody', null] },
  { type: 'varbinary(16)', values: [...bytes, 167_772_161, 0] },
]

describe('servers that take bulk rows', () => {
  const BULK = 4
  const MYSQL = 1
  test.each<[string, { flags?: number; client?: number }, boolean]>([
    ['10.11.6-MariaDB-log', {}, true],
    ['5.5.5-10.6.12-MariaDB-1:10.6.12+maria~ubu2204', {}, true],
    ['10.6.12-8-MariaDB-enterprise', {}, true],
    ['5.5.5-10.6.12-8-MariaDB-enterprise-log', {}, true],
    ['11.4.2-MariaDB', {}, true],
    ['10.4.32-MariaDB', {}, false],
    ['10.4.32-22-MariaDB-enterprise', {}, false],
    ['8.4.0', {}, false],
    ['10.11.6-MariaDB', { flags: 0 }, false],
    // mysql2 says that it is a client of MySQL, so that the server does not read what we offer.
    ['10.11.6-MariaDB', { client: MYSQL }, false],
  ])('%s %j: %s', (serverVersion, { flags = BULK, client = 0 }, takes) => {
    const raw = { _handshakePacket: { serverVersion, mariadbExtendedCapabilityFlags: flags } } as RawConnection
    expect(speaksBulk(raw, { clientFlags: client })).toBe(takes)
  })
})

describe.skipIf(!haveMariadb)('bulk rows [needs mariadb-server]', () => {
  let server: TestServer
  let db: Connection
  beforeAll(async () => {
    server = await startMariadb()
    await server.sql('CREATE DATABASE bulk CHARACTER SET utf8mb4')
    db = await connect(parseMysqlUrl(server.url('bulk')), { readonly: false, statementTimeoutMs: 20_000 })
  })
  afterAll(async () => {
    await db?.close()
    await server?.dispose()
  })
  const filled = (types: readonly string[], rows: readonly (readonly SqlValue[])[]): BulkRows => {
    const kinds = types.map(bulkTypeOf)
    const bulk = new BulkRows(kinds)
    rows.forEach((row, place) => {
      bulk.startRow(place)
      for (const [i, value] of row.entries()) kinds[i]?.write(bulk, value)
    })
    return bulk
  }

  test('mysql2 still lets us, and the server takes it', () => {
    expect(db.takesBulk).toBe(true)
  })

  test('bulk=no is heeded', async () => {
    const plain = await connect(parseMysqlUrl(server.url('bulk', 'bulk=no')), { readonly: false })
    expect(plain.takesBulk).toBe(false)
    await plain.close()
  })

  test.each(cases)('$type: the same as text', async ({ type, values }) => {
    await db.run(`CREATE OR REPLACE TABLE v (id bigint unsigned NOT NULL, how char(4) NOT NULL, v ${type})`)
    const write = writerOf(type)
    await db.run(`INSERT INTO v VALUES ${values.map((value, i) => `(${i}, 'text', ${write(value)})`).join(', ')}`)
    const types = ['bigint(20) unsigned', 'char(4)', type]
    await db.bulk(
      'INSERT INTO v VALUES (?, ?, ?)',
      filled(
        types,
        values.map((value, i) => [i, 'bulk', value]),
      ),
    )
    const rows = (how: string): Promise<unknown[]> => db.rows(`SELECT id, hex(v) AS h, v FROM v WHERE how = '${how}' ORDER BY id`)
    expect(await rows('bulk')).toEqual(await rows('text'))
  })

  test('a packet is as long as said and one row at the most; together they have every row', () => {
    const rows = filled(
      ['bigint(20)', 'text'],
      Array.from({ length: 100 }, (_, i) => [i, 'f'.repeat(1000)]),
    )
    const lengths = [...rows.packets(1, 10_000)].map((packet) => packet.length)
    expect(lengths.length).toBeGreaterThan(8)
    for (const length of lengths) expect(length).toBeLessThan(10_000 + 1100)
    const [head, row] = [15, 9 + 10 + 1000]
    expect(lengths.reduce((sum, length) => sum + (length - head) / row, 0)).toBe(100)
  })

  test('ids come back in the order of the rows, over several packets, beside another writer; partitions may come meanwhile', async () => {
    await db.run(
      `CREATE OR REPLACE TABLE ids (id bigint NOT NULL AUTO_INCREMENT, n int, day datetime NOT NULL, filler text, PRIMARY KEY (id, day))
       PARTITION BY RANGE COLUMNS(day) (PARTITION a VALUES LESS THAN ('2026-01-02'), PARTITION b VALUES LESS THAN ('2026-01-03'))`,
    )
    const insert = async (from: number, day: string): Promise<void> => {
      const numbered = Array.from({ length: 500 }, (_, i) => [from + i, i % 2 === 0 ? '2026-01-01 00:00:00' : day, 'f'.repeat(3000)])
      const ids = await db.bulk(
        'INSERT INTO ids (n, day, filler) VALUES (?, ?, ?) RETURNING id',
        filled(['bigint(20)', 'datetime', 'text'], numbered),
      )
      const rows = await db.rows<{ id: number; n: number }>(`SELECT id, n FROM ids WHERE n BETWEEN ${from} AND ${from + 499} ORDER BY n`)
      expect(ids).toEqual(rows.map(({ id }) => id))
      expect(rows.map(({ n }) => n)).toEqual(numbered.map(([n]) => n))
    }
    let over = false
    const other = (async () => {
      while (!over) await server.sql("INSERT INTO ids (n, day) VALUES (-1, '2026-01-01'), (-1, '2026-01-02')", 'bulk')
    })()
    await insert(0, '2026-01-02 00:00:00')
    over = true
    await other
    await db.run("ALTER TABLE ids ADD PARTITION (PARTITION c VALUES LESS THAN ('2026-01-04'))")
    await insert(1000, '2026-01-03 00:00:00')
  })

  test.each([
    ['int(10) unsigned', [1, 2, 4_000_000_000]],
    ['int(11)', [1, 2, 2_000_000_000]],
    ['bigint(20) unsigned', [1, 2, 2 ** 40]],
    ['mediumint(8) unsigned', undefined],
    ['smallint(6)', undefined],
    ['varchar(20)', undefined],
  ])('an id of type %s is read in its width, or not at all', async (type, ids) => {
    await db.run(`CREATE OR REPLACE TABLE widths (id ${type} NOT NULL PRIMARY KEY)`)
    const rows = filled(
      ['bigint(20) unsigned'],
      (ids ?? [1, 2, 3]).map((id) => [id]),
    )
    const another = await connect(parseMysqlUrl(server.url('bulk')), { readonly: false })
    const answer = another.bulk('INSERT INTO widths VALUES (?) RETURNING id', rows)
    if (ids === undefined) await expect(answer).rejects.toThrow(/ids of a bulk INSERT/)
    else expect(await answer).toEqual(ids)
    expect(await another.rows('SELECT count(*) AS n FROM widths')).toEqual([{ n: 3 }])
    // What cannot be read so is asked for as text.
    expect(another.takesBulk).toBe(ids !== undefined)
    await another.close()
  })

  test('rows that are left out are not sent, and ids find the others', async () => {
    await db.run('CREATE OR REPLACE TABLE left_out (id bigint unsigned, t text)')
    const types = ['bigint(20) unsigned', 'text'].map(bulkTypeOf)
    const bulk = new BulkRows(types)
    for (const [place, text] of [
      [0, 'a'],
      [0, 'b'],
      [1, 'c'],
      [2, 'd'],
      [3, 'e'],
      [3, 'f'],
    ] as const) {
      bulk.startRow(place)
      types[0]?.write(bulk, 0)
      types[1]?.write(bulk, text)
    }
    bulk.leaveOut(new Set([1, 3]))
    expect(bulk.count).toBe(3)
    bulk.setIds([70, 71, 72, 73])
    await db.bulk('INSERT INTO left_out VALUES (?, ?)', bulk)
    expect(await db.rows('SELECT id, t FROM left_out ORDER BY t')).toEqual([
      { id: 70, t: 'a' },
      { id: 70, t: 'b' },
      { id: 72, t: 'd' },
    ])
  })

  test.each<[number, string, (packet: Buffer, first: boolean) => void]>([
    // The last byte of the greeting's answer that is ours: not in its bulk, says the server then.
    [1295, 'its capability', (packet, first) => first && packet.writeUInt8((packet[32] as number) & ~4, 32)],
    [1047, 'its command', (packet) => packet[4] === 0xfa && packet.writeUInt8(0xf0, 4)],
    [1243, 'its statement', (packet) => packet[4] === 0xfa && packet.writeUInt32LE(0xffff, 5)],
  ])('error %i, for something does not know %s: this connection sends text from now on', async (errno, _, spoil) => {
    await db.run('CREATE OR REPLACE TABLE refused (id bigint unsigned)')
    const proxy = await startMysqlProxy(server.socket, spoil)
    const spoiled = await connect(parseMysqlUrl(`mysql://root@localhost/bulk?socket=${proxy.socket}`), { readonly: false })
    try {
      expect(spoiled.takesBulk).toBe(true)
      const error = await spoiled.bulk('INSERT INTO refused VALUES (?)', filled(['bigint(20) unsigned'], [[1], [2]])).catch((e) => e)
      expect(error).toBeInstanceOf(Unsettled)
      expect(error.cause).toMatchObject({ errno })
      expect([spoiled.takesBulk, spoiled.alive]).toEqual([false, true])
      expect(await spoiled.rows('SELECT count(*) AS n FROM refused')).toEqual([{ n: 0 }])
    } finally {
      await spoiled.close()
      await proxy.dispose()
    }
  })

  test('a server that stands still from the first statement on is given up after the time of a statement', async () => {
    await db.run('CREATE OR REPLACE TABLE still (id bigint unsigned)')
    const waiting = await connect(parseMysqlUrl(server.url('bulk')), { readonly: false, statementTimeoutMs: 200 })
    server.freeze()
    try {
      const work = waiting.bulk('INSERT INTO still VALUES (?)', filled(['bigint(20) unsigned'], [[1]]))
      await expect(work).rejects.toMatchObject({ code: 'PROTOCOL_SEQUENCE_TIMEOUT' })
      expect(waiting.alive).toBe(false)
    } finally {
      server.thaw()
    }
  })

  test('an error is told, and the connection goes on', async () => {
    await db.run('CREATE OR REPLACE TABLE u (id bigint unsigned PRIMARY KEY)')
    const twice = filled(['bigint(20) unsigned'], [[1], [1]])
    await expect(db.bulk('INSERT INTO u VALUES (?)', twice)).rejects.toMatchObject({ errno: 1062 })
    await expect(db.bulk('INSERT INTO nowhere VALUES (?)', twice)).rejects.toMatchObject({ errno: 1146 })
    expect(await db.rows('SELECT 1 AS one')).toEqual([{ one: 1 }])
    expect(db.alive).toBe(true)
  })
})
