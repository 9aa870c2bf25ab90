import { schemaNumber } from '../all-tables.js'
import { cdrTable } from '../cdr-columns.js'
import { childTables } from '../child-columns.js'
import { bookDdl, indexDdl, onceIndex, plainDdl, tableDdl, view } from './ddl.js'
import type { Database } from './driver.js'

/** From one version of the tables to the next, forward only. A step reads like what it does, and runs in one transaction. */
export interface Migration {
  readonly to: number
  readonly help: string
  readonly statements: () => readonly string[]
}

const made = (name: string): string[] => tableDdl(childTables.find((t) => t.name === name) as (typeof childTables)[number])

export const migrations: readonly Migration[] = [
  {
    to: 2,
    help: 'Revisions of records, numbered digits, the BYE in cdr_siphistory, sensors; fewer indexes.',
    statements: () => [
      'DROP VIEW calls',
      'DROP INDEX earshot_cdr_once',
      'DROP INDEX earshot_cdr_started_us',
      'DROP INDEX earshot_cdr_mos',
      'DROP INDEX cdr_next_fbasename',
      ...cdrTable1Indexes.map((name) => `DROP INDEX cdr_${name}`),
      ...indexDdl(cdrTable),
      ...indexDdl(childTables.find((t) => t.name === 'cdr_proxy') as (typeof childTables)[number]),
      ...bookDdl(['cdr_sip_request']),
      ...plainDdl(),
      ...made('cdr_siphistory'),
      'ALTER TABLE earshot_cdr ADD COLUMN problems INTEGER NOT NULL DEFAULT 0',
      'ALTER TABLE earshot_cdr ADD COLUMN exact TEXT',
      'ALTER TABLE earshot_cdr ADD COLUMN revision INTEGER NOT NULL DEFAULT 255',
      ...numbered(
        'earshot_rtp',
        'position',
        'cdr_ID, position, ssrc, src, dst, direction, codec, packets, expected, lost, duplicates, reordered, jitter_mean_ms, jitter_max_ms, burst_ratio, mos, first_us, last_us, learned',
      ),
      ...numbered('earshot_dtmf', 'row_number() OVER (PARTITION BY cdr_ID ORDER BY rowid) - 1', 'cdr_ID, position, time_us, digit, type'),
      onceIndex,
      view(),
    ],
  },
]

/** What version 1 had on cdr. */
const cdrTable1Indexes = [
  'calldate',
  'caller',
  'called',
  'caller_reverse',
  'called_reverse',
  'sipcallerip',
  'sipcalledip',
  'lastSIPresponseNum',
  'id_sensor',
]

/** A table made anew with its rows kept, `position` being worked out. */
function numbered(table: string, position: string, columns: string): string[] {
  return [
    `DROP INDEX ${table}_cdr_ID`,
    `ALTER TABLE ${table} RENAME TO ${table}_1`,
    ...made(table),
    `INSERT INTO ${table} (${columns}) SELECT ${columns.replace('position', position)} FROM ${table}_1`,
    `DROP TABLE ${table}_1`,
  ]
}

/** What would be done from this version on. */
export const planned = (version: number): readonly Migration[] => migrations.filter((m) => m.to > version && m.to <= schemaNumber)

export function migrate(db: Database, version: number): void {
  for (const { to, statements } of planned(version)) {
    db.transaction(() => {
      for (const statement of statements()) db.exec(statement)
      db.pragma(`user_version = ${to}`)
    })()
  }
}
