import type { Micros } from '../../base/units.js'
import { localMicros } from '../../native/local-time.js'
import { schemaNumber } from '../all-tables.js'
import type { MigrationPlan, PrunePlan, Sensor, SensorEntry, StoreAdmin } from '../store-admin.js'
import { dateTime } from '../values.js'
import { partitionedTables } from './ddl.js'
import { type Connection, connect, writeFailure } from './driver.js'
import { planned } from './migrations.js'
import { type Partition, readPartitions } from './partitions.js'
import { existingForm, type Form, readState } from './schema.js'
import { name } from './sql.js'
import { parseMysqlUrl } from './url.js'

/** The MySQL store for its operator. */
export async function openMysqlAdmin(url: string): Promise<StoreAdmin> {
  const at = parseMysqlUrl(url)
  const db = await connect(at, { readonly: false })
  let form: Form | undefined
  const current = async (): Promise<Form> => {
    form ??= await existingForm(db, at)
    return form
  }
  const told = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw writeFailure(at, error)
    }
  }
  return {
    sensors: () =>
      told(async () => {
        await current()
        return listSensors(db)
      }),
    setSensor: (sensor) => told(() => setSensor(db, sensor)),
    removeSensor: (id) => told(async () => (await db.run('DELETE FROM sensors WHERE id_sensor = ?', [id])).affected > 0),
    prunePlan: (before) => told(async () => prunePlan(db, await current(), before, at.localTime ? localMicros(before) : before)),
    prune: (plan) => told(() => runAll(db, plan.steps)),
    migrationPlan: () =>
      told(async (): Promise<MigrationPlan> => {
        const from = Number((await readState(db)).get('version') ?? schemaNumber)
        return { from, to: schemaNumber, statements: planned(from).flatMap((m) => [...m.statements(), versionStatement(m.to)]) }
      }),
    migrate: (plan) => told(() => runAll(db, plan.statements)),
    close: () => db.close(),
  }
}

const versionStatement = (to: number): string => `UPDATE earshot_schema SET value = '${to}' WHERE name = 'version'`

async function runAll(db: Connection, statements: readonly string[]): Promise<void> {
  for (const statement of statements) {
    let affected: number
    // A DELETE of ours is cut into pieces by LIMIT: again until nothing is left.
    do affected = (await db.run(statement)).affected
    while (affected > 0 && / LIMIT \d+$/.test(statement))
  }
}

async function listSensors(db: Connection): Promise<Sensor[]> {
  const listed = await db.rows<SensorEntry>('SELECT id_sensor AS id, name, host, port FROM sensors ORDER BY id_sensor')
  const writers = await db.rows<{ id: number; host: string }>(
    'SELECT id_sensor AS id, host FROM earshot_lease WHERE id_sensor > 0 AND seen > UTC_TIMESTAMP() - INTERVAL 30 SECOND ORDER BY id_sensor, host',
  )
  const ids = [...new Set([...listed, ...writers].map((s) => s.id))].sort((a, b) => a - b)
  return ids.map((id) => {
    const entry = listed.find((s) => s.id === id)
    return {
      ...(entry ?? { id, name: null, host: null, port: null }),
      listed: entry !== undefined,
      writers: writers.filter((w) => w.id === id).map((w) => w.host),
    }
  })
}

async function setSensor(db: Connection, { id, name: text, host, port }: SensorEntry): Promise<'added' | 'changed'> {
  const there = await db.rows('SELECT 1 FROM sensors WHERE id_sensor = ?', [id])
  await db.run(
    `INSERT INTO sensors (id_sensor, name, host, port) VALUES (?, ?, ?, ?)
     ON DUPLICATE KEY UPDATE name = VALUES(name), host = VALUES(host), port = VALUES(port)`,
    [id, text, host, port],
  )
  return there.length > 0 ? 'changed' : 'added'
}

/** `written`: `before` as the tables have it, which may be local time. Whole days go, by their partitions. Where VoIPmonitor made the tables, only ours go: it cleans its own. */
async function prunePlan(db: Connection, form: Form, before: Micros, written: Micros): Promise<PrunePlan> {
  const ours = partitionedTables.filter((t) => form.madeBy === 'earshot' || t.owner === 'earshot').map((t) => t.name)
  const notes =
    form.madeBy === 'earshot'
      ? []
      : ['VoIPmonitor made this database and removes its own rows (its option cleandatabase); only Earshot’s tables are pruned here.']
  if (!form.partitioned) {
    const old = `started_us < ${before}`
    const [count] = await db.rows<{ n: number }>(`SELECT count(*) AS n FROM earshot_cdr WHERE ${old}`)
    const date = `calldate < '${dateTime(written)}' LIMIT 5000`
    const children = ours.filter((t) => t !== 'earshot_cdr').map((t) => `DELETE FROM ${name(t)} WHERE ${date}`)
    return { before, calls: count?.n ?? 0, steps: [...children, `DELETE FROM earshot_cdr WHERE ${old} LIMIT 5000`], notes }
  }
  const partitions = (await readPartitions(db)).filter((p) => ours.includes(p.table))
  const gone = ours.flatMap((table): Partition[] => {
    const own = partitions.filter((p) => p.table === table)
    const old = own.filter((p) => p.endMicros <= written)
    // The last one stays: a table must have one.
    return old.length === own.length ? old.slice(0, -1) : old
  })
  const steps = ours.flatMap((table) => {
    const names = gone.filter((p) => p.table === table).map((p) => name(p.name))
    return names.length === 0 ? [] : [`ALTER TABLE ${name(table)} DROP PARTITION ${names.join(', ')}`]
  })
  notes.push('Whole days are removed; rows of the day that the limit falls into stay until that day is over.')
  return { before, calls: gone.filter((p) => p.table === 'earshot_cdr').reduce((sum, p) => sum + p.rows, 0), steps, notes }
}
