import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseIpv4 } from '../../../src/lib/base/address.js'
import type { CallJson } from '../../../src/lib/call/json.js'
import { parseExpression } from '../../../src/lib/query/parse.js'
import type { CdrReader } from '../../../src/lib/store/cdr-store.js'
import { openReader } from '../../../src/lib/store/index.js'
import { openMysqlWriter } from '../../../src/lib/store/mysql/writer.js'
import { sampleRecords } from '../../contract/records.js'
import { haveMariadb, startMariadb, type TestServer } from '../../support/mariadb.js'
import { capturesDir, haveCaptures } from '../../support/shared.js'
import { makeTheirDatabase } from '../../support/voipmonitor-db.js'

// Calls that VoIPmonitor wrote itself, in its own database: the rows recorded of it (../shared/reference/voipmonitor/rows), read by us.

type Row = Record<string, string | number>
interface Their {
  readonly cdr: Row
  readonly rtp: readonly Row[]
  readonly dtmf: readonly Row[]
}
const rowsDir = join(capturesDir, '..', 'reference', 'voipmonitor', 'rows')
const recorded = (): Their[] =>
  readdirSync(rowsDir).flatMap((file) => (JSON.parse(readFileSync(join(rowsDir, file), 'utf8')) as { calls: Their[] }).calls.slice(0, 25))

describe.skipIf(!haveMariadb || !haveCaptures)('calls that VoIPmonitor wrote [needs mariadb-server, ../shared/captures]', () => {
  let server: TestServer
  let theirs: (Their & { readonly id: number })[] = []
  const readers: CdrReader[] = []
  const reader = async (database: string): Promise<CdrReader> => {
    const opened = await openReader(server.url(database))
    readers.push(opened)
    return opened
  }
  const all = async (from: CdrReader, query: Parameters<CdrReader['find']>[0] = {}): Promise<CallJson[]> => {
    const found: CallJson[] = []
    for await (const call of from.find(query)) found.push(call)
    return found
  }
  const ids = async (from: CdrReader, where: string): Promise<(number | null)[]> =>
    (await all(from, { where: parseExpression(where, Date.now()) })).map(({ id }) => id)

  beforeAll(async () => {
    server = await startMariadb()
    await makeTheirDatabase(server, 'alone', { partitioned: true, milliseconds: false, ipv6: false })
    await makeTheirDatabase(server, 'shared', { partitioned: true, milliseconds: false, ipv6: false })
    const calls = recorded()
    const database = 'alone'
    for (const [i, call] of calls.entries()) await write(database, i + 1, call)
    for (const table of ['cdr', 'cdr_next', 'cdr_rtp', 'cdr_dtmf', 'cdr_sip_response', 'cdr_ua'])
      await server.sql(`INSERT INTO shared.${table} SELECT * FROM alone.${table}`)
    theirs = calls.map((call, i) => ({ ...call, id: i + 1 }))
    const writer = await openMysqlWriter(server.url('shared'))
    await writer.insert(sampleRecords())
    await writer.close()
  })
  afterAll(async () => {
    for (const one of readers) await one.close()
    await server?.dispose()
  })

  /** As its own program leaves them: texts in code books, addresses as numbers. */
  async function write(database: string, id: number, { cdr, rtp, dtmf }: Their): Promise<void> {
    const book = async (table: string, column: string, text: unknown): Promise<number | undefined> => {
      if (text === undefined) return undefined
      await server.sql(`INSERT IGNORE INTO ${table} (${column}) VALUES ('${text}')`, database)
      return (await server.sql<{ id: number }>(`SELECT id FROM ${table} WHERE ${column} = '${text}'`, database))[0]?.id
    }
    const insert = async (table: string, row: Record<string, unknown>): Promise<void> => {
      const given = Object.entries(row).filter(([, value]) => value !== undefined)
      const value = (name: string, v: unknown): string =>
        typeof v === 'number'
          ? String(v)
          : /(ip|addr)$/.test(name)
            ? String(parseIpv4(v as string))
            : `'${String(v).replaceAll("'", "''")}'`
      await server.sql(
        `INSERT INTO ${table} (${given.map(([name]) => `\`${name}\``).join(', ')}) VALUES (${given.map(([name, v]) => value(name, v)).join(', ')})`,
        database,
      )
    }
    const { fbasename, lastSIPresponse, a_ua, b_ua, ...columns } = cdr
    await insert('cdr', {
      ...columns,
      ID: id,
      lastSIPresponse_id: await book('cdr_sip_response', 'lastSIPresponse', lastSIPresponse),
      a_ua_id: await book('cdr_ua', 'ua', a_ua),
      b_ua_id: await book('cdr_ua', 'ua', b_ua),
    })
    const of = { cdr_ID: id, calldate: cdr['calldate'] }
    await insert('cdr_next', { ...of, fbasename })
    for (const row of rtp) await insert('cdr_rtp', { ...of, ...row })
    for (const row of dtmf) await insert('cdr_dtmf', { ...of, ...row })
  }

  const iso = (date: unknown): string => new Date(`${String(date).replace(' ', 'T')}Z`).toISOString()
  const checked = (call: CallJson, { cdr, rtp, dtmf }: Their): void => {
    const connected = cdr['connect_duration'] !== undefined
    expect(call).toMatchObject({
      call_id: cdr['fbasename'],
      caller: cdr['caller'] ?? null,
      callee: cdr['called'] ?? null,
      caller_domain: cdr['caller_domain'] ?? null,
      caller_addr: `${cdr['sipcallerip']}:${cdr['sipcallerport']}`,
      callee_addr: `${cdr['sipcalledip']}:${cdr['sipcalledport']}`,
      caller_agent: cdr['a_ua'] ?? null,
      callee_agent: cdr['b_ua'] ?? null,
      duration_ms: Number(cdr['duration']) * 1000,
      talk_ms: connected ? Number(cdr['connect_duration']) * 1000 : null,
      pdd_ms: cdr['progress_time'] === undefined ? null : Number(cdr['progress_time']) * 1000,
      status: cdr['lastSIPresponseNum'] || null,
      hung_up_by: cdr['whohanged'] ?? null,
      bye_code: cdr['bye'],
      mos: cdr['mos_min_mult10'] === undefined ? null : Number(cdr['mos_min_mult10']) / 10,
      pcap: null,
    })
    expect(call.started.slice(0, 19)).toBe(iso(cdr['calldate']).slice(0, 19))
    expect(call.answered === null).toBe(!connected)
    expect((call.state === 'answered') === connected).toBe(true)
    expect(call.streams.map((s) => [s.src, s.dst, Number(s.ssrc), s.packets, s.lost, s.mos, s.duplicates])).toEqual(
      rtp.map((r) => [
        `${r['saddr']}:${r['sport']}`,
        `${r['daddr']}:${r['dport']}`,
        r['ssrc'],
        r['received'] ?? 0,
        r['loss'] ?? 0,
        null,
        null,
      ]),
    )
    expect(call.dtmf.map((d) => d.digit).join('')).toBe(dtmf.map((d) => d['dtmf']).join(''))
  }

  test('before Earshot has written there: every call, as its rows say', async () => {
    const from = await reader('alone')
    const calls = await all(from)
    expect(calls).toHaveLength(theirs.length)
    expect(calls.map((c) => c.started)).toEqual([...calls.map((c) => c.started)].sort())
    for (const their of theirs) checked(calls.find((c) => c.id === their.id) as CallJson, their)
    expect(await from.details(theirs[0]?.id as number)).toMatchObject({ digestUser: null })
  })

  test('beside those of Earshot: both in one order, each with what is known of it', async () => {
    const from = await reader('shared')
    const calls = await all(from)
    expect(calls).toHaveLength(theirs.length + sampleRecords().length)
    for (const their of theirs) checked(calls.find((c) => c.id === their.id) as CallJson, their)
    for (const record of sampleRecords()) {
      const call = calls.find((c) => c.call_id === record.callId && (c.sensor_id ?? 0) === (record.sensorId ?? 0)) as CallJson
      expect(call.streams.map((s) => s.mos !== null)).toEqual(record.streams.map((s) => s.mos !== undefined))
      expect(await from.get(call.id as number)).toEqual(call)
    }
    const pages: (number | null)[] = []
    for (let after: number | undefined; ; ) {
      const page = await all(from, { limit: 7, sort: { column: 'started', descending: true }, ...(after !== undefined && { after }) })
      pages.push(...page.map(({ id }) => id))
      if (page.length < 7) break
      after = page.at(-1)?.id as number
    }
    expect(pages).toEqual([...calls.map(({ id }) => id)].reverse())
  })

  test('questions that narrow them down', async () => {
    const from = await reader('shared')
    const fitting = (holds: (cdr: Row) => boolean): number[] =>
      theirs
        .filter(({ cdr }) => holds(cdr))
        .map(({ id }) => id)
        .sort((a, b) => a - b)
    const own = (found: (number | null)[]): number[] => (found as number[]).filter((id) => id <= theirs.length).sort((a, b) => a - b)
    const first = theirs[0] as Their
    expect(own(await ids(from, `call_id = '${first.cdr['fbasename']}'`))).toEqual(fitting((c) => c['fbasename'] === first.cdr['fbasename']))
    expect(own(await ids(from, `caller = '${first.cdr['caller']}'`))).toEqual(fitting((c) => c['caller'] === first.cdr['caller']))
    expect(own(await ids(from, 'state = answered'))).toEqual(fitting((c) => c['connect_duration'] !== undefined))
    expect(own(await ids(from, 'status = 4xx'))).toEqual(fitting((c) => /^4/.test(String(c['lastSIPresponseNum']))))
    expect(own(await ids(from, 'talk > 10s'))).toEqual(fitting((c) => Number(c['connect_duration'] ?? 0) > 10))
    expect(own(await ids(from, 'problem = no_bye'))).toEqual(fitting((c) => c['bye'] === 1))
    expect(own(await ids(from, 'codec = PCMA'))).toEqual(fitting((c) => c['payload'] === 8))
    expect(own(await ids(from, `caller_ip = ${first.cdr['sipcallerip']}`))).toEqual(
      fitting((c) => c['sipcallerip'] === first.cdr['sipcallerip']),
    )
    const year = (c: Row): number => Number(String(c['calldate']).slice(0, 4))
    expect(own(await ids(from, 'started >= 2010-01-01 and started < 2015-01-01'))).toEqual(
      fitting((c) => year(c) >= 2010 && year(c) < 2015),
    )
    const stream = theirs.flatMap(({ id, rtp }) => rtp.map((r) => ({ id, ssrc: r['ssrc'] })))[0]
    expect(own(await ids(from, `ssrc = ${stream?.ssrc}`))).toContain(stream?.id)
  })

  test('written in local time (utc=no): told in UTC, as `date` says, and found by it', async () => {
    const zone = process.env['TZ']
    process.env['TZ'] = 'Europe/Prague'
    try {
      const from = await openReader(server.url('alone', 'utc=no'))
      readers.push(from)
      const calls = await all(from)
      const recent = theirs.filter(({ cdr }) => String(cdr['calldate']) >= '2000-01-02')
      expect(recent.length).toBeGreaterThan(20)
      const dates = recent.map(({ cdr }) => `TZ="Europe/Prague" ${cdr['calldate']}`).join('\n')
      const truth = execFileSync('date', ['-u', '-f', '-', '+%Y-%m-%dT%H:%M:%S'], { encoding: 'utf8', input: `${dates}\n` })
        .trim()
        .split('\n')
      expect(recent.map(({ id }) => calls.find((c) => c.id === id)?.started.slice(0, 19))).toEqual(truth)
      // Winter and summer.
      expect(
        new Set(
          recent.map(({ cdr }, i) => Date.parse(`${String(cdr['calldate']).slice(0, 19).replace(' ', 'T')}Z`) - Date.parse(`${truth[i]}Z`)),
        ).size,
      ).toBe(2)
      for (const [i, { id }] of recent.entries())
        expect(
          await ids(from, `started >= ${truth[i]} and started < ${new Date(Date.parse(`${truth[i]}Z`) + 1000).toISOString().slice(0, 19)}`),
        ).toContain(id)
    } finally {
      if (zone === undefined) delete process.env['TZ']
      else process.env['TZ'] = zone
    }
  })

  test('statistics count them', async () => {
    const from = await reader('shared')
    let answered = 0
    let calls = 0
    await from.facts({ needs: ['codec'] }, (call) => {
      calls++
      if (call.answered) answered++
    })
    expect(calls).toBe(theirs.length + sampleRecords().length)
    expect(answered).toBe(
      theirs.filter(({ cdr }) => cdr['connect_duration'] !== undefined).length +
        sampleRecords().filter((r) => r.answered !== undefined).length,
    )
  })
})
