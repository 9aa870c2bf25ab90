import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../src/lib/store/sqlite/driver.js'
import { openSqlite } from '../../src/lib/store/sqlite/store.js'
import { analyse } from '../support/analyse.js'
import { capturesDir, haveCaptures } from '../support/shared.js'
import { type Rule, rules } from './voipmonitor-differences.js'

// The rows VoIPmonitor wrote for our captures against those we write: identity, times, durations, responses, bye, addresses, streams,
// digits. Numbers of quality have their own tests (quality.test.ts), against G.107 and tshark.

const shared = join(capturesDir, '..', 'reference', 'voipmonitor')
const dir = mkdtempSync(join(tmpdir(), 'earshot-rows-'))
afterAll(() => rmSync(dir, { recursive: true }))

type Row = Record<string, unknown>
interface Theirs {
  readonly calls: readonly { readonly cdr: Row; readonly rtp: readonly Row[]; readonly dtmf: readonly Row[] }[]
}
interface Found {
  readonly file: string
  readonly callId: string
  readonly column: string
  readonly ours: unknown
  readonly theirs: unknown
}

/** What only one of the two measures, or both by rules of their own. */
const notCompared = /^[ab]_(mos|rtcp)|^mos|^rtcp|^[ab]_d\d|jitter|delay_(sum|avg|cnt)|^[ab]_sl\d|^[ab]_delay/

const explains = (r: Rule, f: Found): boolean =>
  r.columns.test(f.column) && (r.files?.test(f.file) ?? true) && (r.callId?.test(f.callId) ?? true)

describe.skipIf(!haveCaptures)('rows of VoIPmonitor [needs ../shared/captures]', () => {
  const found: Found[] = []
  let compared = 0
  beforeAll(async () => {
    for (const file of readdirSync(join(shared, 'rows'))) {
      const name = file.slice(0, -'.json'.length)
      const capture = [capturesDir, join(shared, 'recordings')].map((d) => join(d, name)).find(existsSync) as string
      const path = join(dir, `${name}.db`)
      const store = openSqlite(path, { readonly: false })
      await store.insert((await analyse([capture])).records)
      await store.close()
      const db = openDatabase(path, { readonly: true })
      compared += compare(db, name, JSON.parse(readFileSync(join(shared, 'rows', file), 'utf8')) as Theirs)
      db.close()
    }
  })

  test('many calls are compared', () => expect(compared).toBeGreaterThan(800))

  test('each difference has its rule', () => expect(found.filter((f) => !rules.some((r) => explains(r, f)))).toEqual([]))

  test.each(rules.map((rule) => ({ rule })))('still explains something: $rule.columns $rule.files', ({ rule }) =>
    expect(found.some((f) => explains(rule, f))).toBe(true),
  )

  function compare(db: Database, file: string, theirs: Theirs): number {
    const ours = db
      .prepare(
        `SELECT c.*, n.fbasename, s.lastSIPresponse, ua.ua AS a_ua, ub.ua AS b_ua FROM cdr c JOIN cdr_next n ON n.cdr_ID = c.ID
         LEFT JOIN cdr_sip_response s ON s.id = c.lastSIPresponse_id LEFT JOIN cdr_ua ua ON ua.id = c.a_ua_id LEFT JOIN cdr_ua ub ON ub.id = c.b_ua_id`,
      )
      .all() as Row[]
    const note = (callId: unknown, column: string, a: unknown, b: unknown): unknown =>
      found.push({ file, callId: String(callId), column, ours: a, theirs: b })
    for (const { fbasename } of ours)
      if (!theirs.calls.some((c) => c.cdr['fbasename'] === fbasename)) note(fbasename, 'call', 'there', 'missing')
    for (const { cdr, rtp, dtmf } of theirs.calls) {
      const id = cdr['fbasename']
      const call = ours.find((row) => row['fbasename'] === id)
      if (call === undefined) {
        note(id, 'call', 'missing', 'there')
        continue
      }
      for (const [column, value] of Object.entries(cdr)) {
        if (notCompared.test(column)) continue
        const own = asTheirs(column, call[column], value)
        // No display name is an empty text with them.
        if (own !== value && !(own === null && value === '')) note(id, `cdr.${column}`, own, value)
      }
      const streams = db.prepare('SELECT * FROM cdr_rtp WHERE cdr_ID = ?').all(call['ID']) as Row[]
      for (const stream of rtp) compareStream(streams, stream, (column, a, b) => note(id, `rtp.${column}`, a, b))
      const digits = (list: readonly Row[]): string => list.map((d) => `${d['dtmf']} ${d['type']} ${address(d['saddr'])}`).join(', ')
      const own = db.prepare('SELECT * FROM cdr_dtmf WHERE cdr_ID = ? ORDER BY rowid').all(call['ID']) as Row[]
      if (digits(own) !== digits(dtmf)) note(id, 'dtmf', digits(own), digits(dtmf))
      for (const [i, d] of dtmf.entries()) {
        if (Math.abs((own[i]?.['firsttime'] as number) - (d['firsttime'] as number)) > 0.0011)
          note(id, 'dtmf', own[i]?.['firsttime'], d['firsttime'])
      }
    }
    return theirs.calls.length
  }

  function compareStream(ours: readonly Row[], theirs: Row, note: (column: string, a: unknown, b: unknown) => unknown): void {
    const same = (row: Row, names: readonly string[]): boolean => names.every((n) => address(row[n]) === address(theirs[n]))
    const own =
      ours.find((row) => same(row, ['ssrc', 'saddr', 'sport', 'daddr', 'dport'])) ?? ours.find((row) => same(row, ['ssrc', 'saddr']))
    if (own === undefined) return void note('stream', 'missing', `${theirs['saddr']} ${theirs['ssrc']}`)
    for (const [column, value] of Object.entries(theirs)) {
      if (notCompared.test(column)) continue
      const a = /addr$/.test(column) ? address(own[column]) : own[column]
      // Float seconds with them, milliseconds with us.
      const equal = /^(firsttime|duration)$/.test(column) ? Math.abs((a as number) - (value as number)) < 0.0011 : a === value
      if (!equal) note(column, a, value)
    }
  }
})

function address(value: unknown): unknown {
  if (typeof value !== 'number') return value
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}

/** Our value in the form of these rows: whole seconds, addresses as text. */
function asTheirs(column: string, own: unknown, value: unknown): unknown {
  if (/(ip|addr)$/.test(column)) return address(own)
  if (/^call(date|end)$/.test(column)) return String(own).slice(0, 19)
  if (column === 'post_bye_delay' && typeof own === 'number') return own.toFixed(3)
  return typeof own === 'number' && Number.isInteger(value) ? Math.trunc(own) : own
}
