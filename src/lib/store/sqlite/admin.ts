import type { Micros } from '../../base/units.js'
import { isoTime } from '../../call/json.js'
import { callTables, schemaNumber } from '../all-tables.js'
import type { MigrationPlan, PrunePlan, SensorEntry, StoreAdmin } from '../store-admin.js'
import { type Database, openDatabase, writeFailure } from './driver.js'
import { migrate, planned } from './migrations.js'
import { checkSchema, schemaVersion } from './schema.js'

/** The SQLite store for its operator. */
export async function openSqliteAdmin(path: string): Promise<StoreAdmin> {
  // Opened for reading first: a path that is not there must not become an empty database.
  openDatabase(path, { readonly: true }).close()
  const db = openDatabase(path, { readonly: false })
  const told = async <T>(work: () => T, migrated = true): Promise<T> => {
    if (migrated) checkSchema(db, path)
    try {
      return work()
    } catch (error) {
      throw writeFailure(path, error as Error)
    }
  }
  return {
    sensors: () =>
      told(() =>
        (db.prepare('SELECT id_sensor AS id, name, host, port FROM sensors ORDER BY id_sensor').all() as SensorEntry[]).map((entry) => ({
          ...entry,
          listed: true,
          writers: [],
        })),
      ),
    setSensor: ({ id, name, host, port }) =>
      told(() => {
        const there = db.prepare('SELECT 1 FROM sensors WHERE id_sensor = ?').get(id)
        db.prepare('INSERT OR REPLACE INTO sensors (id_sensor, name, host, port) VALUES (?, ?, ?, ?)').run(id, name, host, port)
        return there === undefined ? 'added' : 'changed'
      }),
    removeSensor: (id) => told(() => db.prepare('DELETE FROM sensors WHERE id_sensor = ?').run(id).changes > 0),
    prunePlan: (before) => told(() => prunePlan(db, before)),
    prune: (plan) => told(() => prune(db, plan)),
    migrationPlan: () =>
      told((): MigrationPlan => {
        const from = schemaVersion(db)
        return { from, to: schemaNumber, statements: planned(from).flatMap((m) => [...m.statements(), `PRAGMA user_version = ${m.to}`]) }
      }, false),
    migrate: (plan) => told(() => migrate(db, plan.from), false),
    close: async () => db.close(),
  }
}

function prunePlan(db: Database, before: Micros): PrunePlan {
  const { n } = db.prepare('SELECT count(*) AS n FROM earshot_cdr WHERE started_us < ?').get(before) as { n: number }
  return {
    before,
    calls: n,
    steps: n === 0 ? [] : [`Delete the rows of ${n} calls that began before ${isoTime(before)} from ${callTables.length} tables.`],
    notes: ['The file keeps its size; the room is used again. To make it smaller: sqlite3 FILE VACUUM'],
  }
}

/** Calls that are removed in one transaction: a writer waits no longer than for these. */
const CALLS_AT_ONCE = 500

function prune(db: Database, { before }: PrunePlan): void {
  const find = db.prepare(`SELECT cdr_ID AS id FROM earshot_cdr WHERE started_us < ? ORDER BY started_us LIMIT ${CALLS_AT_ONCE}`)
  const removals = callTables.map(({ name }) => db.prepare(`DELETE FROM ${name} WHERE ${name === 'cdr' ? 'ID' : 'cdr_ID'} = ?`))
  const some = db.transaction(() => {
    const calls = find.all(before) as { id: number }[]
    for (const { id } of calls) for (const remove of removals) remove.run(id)
    return calls.length
  })
  while (some() > 0);
}
