import type { Expression } from '../../query/expression.js'
import type { CallFacts, FactName } from '../../query/groups.js'
import { candidates } from './candidates.js'
import type { ReadEngine, Row } from './engine.js'
import { chunks, fromTables, namedSql } from './order.js'
import { whereOf } from './where.js'

/** The little of each call that statistics need, in no order: one narrow row a call, straight from the tables. */
const COUNTED = [
  'e.started_us',
  'e.state',
  'c.lastSIPresponseNum AS status',
  'e.answered_us',
  'e.ringing_us',
  'e.talk_ms',
  'e.pdd_ms',
  'e.mos',
  'e.loss_pct',
  'e.jitter_ms',
  'c.whohanged',
]
  .map((column) => (column.startsWith('e.') ? `${column} AS ${column.slice(2)}` : column))
  .join(', ')

const columns: Readonly<Record<FactName, string>> = {
  caller: 'c.caller',
  callee: 'c.called',
  callerIp: 'c.sipcallerip',
  calleeIp: 'c.sipcalledip',
  sensorId: 'e.sensor',
  codec: 'e.codec',
  hungUpBy: 'c.whohanged',
}

export async function factsOf(
  engine: ReadEngine,
  where: Expression,
  needs: readonly FactName[],
  take: (call: CallFacts) => void,
): Promise<void> {
  const { sql, values } = whereOf(where, engine.dialect)
  const selected = [COUNTED, ...needs.map((name) => `${columns[name]} AS ${name}`)].join(', ')
  const address = (value: unknown): CallFacts['callerIp'] => engine.dialect.addressValue(value) ?? null
  const statement = `SELECT ${selected} ${fromTables(engine, [selected, sql])} WHERE `
  const takeRow = (row: Row): void => {
    const number = (name: string): number | null => (row[name] ?? null) as number | null
    const text = (name: string): string | null => (row[name] ?? null) as string | null
    take({
      startedMicros: row['started_us'] as number,
      state: row['state'] as string,
      status: number('status') || null,
      answered: row['answered_us'] !== null,
      ringing: row['ringing_us'] !== null,
      byeSeen: row['whohanged'] !== null,
      talkMs: number('talk_ms'),
      pddMs: number('pdd_ms'),
      mos: number('mos'),
      lossPct: number('loss_pct'),
      jitterMs: number('jitter_ms'),
      caller: text('caller'),
      callee: text('callee'),
      callerIp: address(row['callerIp']),
      calleeIp: address(row['calleeIp']),
      sensorId: number('sensorId') || null,
      codec: text('codec'),
      hungUpBy: text('hungUpBy'),
    })
  }
  const found = await candidates(engine, where)
  if (found === undefined) await engine.each(`${statement}${sql}`, values, takeRow)
  else
    for (const part of chunks(found)) {
      const named = namedSql(part, engine, 'e')
      await engine.each(`${statement}${named.sql} AND ${sql}`, [...named.values, ...values], takeRow)
    }
}
