import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { anything } from '../../../src/lib/query/expression.js'
import { parseExpression } from '../../../src/lib/query/parse.js'
import { callTables } from '../../../src/lib/store/all-tables.js'
import { readerOver } from '../../../src/lib/store/read/reader.js'
import { type Database, openDatabase } from '../../../src/lib/store/sqlite/driver.js'
import { sqliteEngine } from '../../../src/lib/store/sqlite/read.js'
import { openSqlite } from '../../../src/lib/store/sqlite/store.js'
import { sampleRecords } from '../../contract/records.js'

// Which indexes SQLite takes for our questions: each index earns its keep, and no question that has one walks a table.

const dir = mkdtempSync(join(tmpdir(), 'earshot-plans-'))
const path = join(dir, 'calls.db')
let db: Database
beforeAll(async () => {
  const store = openSqlite(path, { readonly: false })
  await store.insert(sampleRecords())
  await store.close()
  db = openDatabase(path, { readonly: true })
})
afterAll(() => {
  db.close()
  rmSync(dir, { recursive: true })
})

/** What SQLite plans for every statement that a question leads to. */
async function plansOf(question: string): Promise<string[]> {
  const engine = sqliteEngine(db)
  const plans: string[] = []
  const reader = readerOver({
    ...engine,
    rows(sql, values = []) {
      plans.push(...(db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values) as { detail: string }[]).map((row) => row.detail))
      return engine.rows(sql, values)
    },
  })
  const where = question === '' ? anything : parseExpression(question, 0)
  for await (const call of reader.find({ where, limit: 50, sort: { column: 'started', descending: true } })) void call
  return plans
}

const questions: readonly (readonly [question: string, index: string])[] = [
  ['', 'earshot_cdr_once'],
  ['started >= 2023-01-01 and started < 2024-01-01', 'earshot_cdr_once'],
  ['caller = +15550100', 'cdr_caller'],
  ['caller = +1555*', 'cdr_caller'],
  ['caller = Alice*', 'cdr_caller'],
  ['caller = *0100', 'cdr_caller_reverse'],
  ['callee = bob', 'cdr_called'],
  ['callee = *0100', 'cdr_called_reverse'],
  ['number = +15550100 and mos < 4', 'cdr_called'],
  ['call_id = busy', 'earshot_cdr_call_id'],
  ['call_id = bus*', 'earshot_cdr_call_id'],
  ['caller_ip = 10.0.0.0/30', 'cdr_sipcallerip'],
  ['caller_ip = 2001:db8::/32', 'cdr_sipcallerip'],
  ['callee_ip = 10.0.0.9', 'cdr_sipcalledip'],
  ['callee_ip = 10.0.0.99', 'cdr_proxy_dst'],
]

describe('SQLite', () => {
  test.each(questions)('"%s" takes %s', async (question, index) => {
    const plans = await plansOf(question)
    expect(plans.join('\n')).toMatch(new RegExp(`USING (COVERING )?INDEX ${index}\\b`))
    // Small books of texts may be read whole.
    const walked = plans.filter((plan) => /^SCAN (?!u[ab]\b)/.test(plan) && !/USING (COVERING )?INDEX earshot_cdr_once/.test(plan))
    expect(walked).toEqual([])
  })

  test('every index of ours is one that a question takes', () => {
    const made = callTables.flatMap((table) => (table.indexes ?? []).map((columns) => `${table.name}_${columns.join('_')}`))
    expect(made.filter((name) => !questions.some(([, index]) => index === name))).toEqual([])
  })
})
