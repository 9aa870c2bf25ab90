import { OperatorError } from '../../base/errors.js'
import { cdrTable } from '../cdr-columns.js'
import { childTables } from '../child-columns.js'
import type { Database } from './driver.js'

/** The tables in SQLite, made from the column table. */

/** Raised when the tables change; an older file is brought up to date, a newer one refused. */
export const schemaNumber = 1

/** MySQL's type → SQLite's affinity. INTEGER turns whole doubles (all numbers above 2^31 come as such) into integers and leaves the bytes of IPv6 addresses alone. */
function affinity(type: string): string {
  if (/^(tiny|small|medium|big)?int/.test(type)) return 'INTEGER'
  if (/^(decimal|double)/.test(type)) return 'REAL'
  return 'TEXT'
}

const quoted = (name: string): string => `"${name}"`
/** People look for these without regard to case, and an index only helps when it sees letters the same way. */
const caseless = new Set(['caller', 'called', 'caller_reverse', 'called_reverse'])
const definition = ({ name, type }: { name: string; type: string }): string =>
  `${quoted(name)} ${affinity(type)}${caseless.has(name) ? ' COLLATE NOCASE' : ''}${/not null/.test(type) ? ' NOT NULL' : ''}`

export function ddl(): string[] {
  const statements = [
    `CREATE TABLE cdr (ID INTEGER PRIMARY KEY, ${cdrTable.columns.map(definition).join(', ')})`,
    'CREATE TABLE cdr_sip_response (id INTEGER PRIMARY KEY, lastSIPresponse TEXT UNIQUE)',
    'CREATE TABLE cdr_ua (id INTEGER PRIMARY KEY, ua TEXT UNIQUE)',
    'CREATE TABLE cdr_reason (id INTEGER PRIMARY KEY, type INTEGER, reason TEXT, UNIQUE (type, reason))',
  ]
  for (const index of cdrTable.indexes ?? []) statements.push(indexOn('cdr', index))
  for (const table of childTables) {
    const key = table.name === 'cdr_next' || table.name === 'earshot_cdr' ? 'cdr_ID INTEGER PRIMARY KEY' : 'cdr_ID INTEGER NOT NULL'
    statements.push(`CREATE TABLE ${table.name} (${key}, ${table.columns.map(definition).join(', ')})`)
    if (!key.endsWith('PRIMARY KEY')) statements.push(indexOn(table.name, ['cdr_ID']))
    for (const index of table.indexes ?? []) statements.push(indexOn(table.name, index))
  }
  // A call is stored once, however often its packets are read.
  statements.push('CREATE UNIQUE INDEX earshot_cdr_once ON earshot_cdr (sensor, call_id, started_us)')
  statements.push(callsView)
  return statements
}

const indexOn = (table: string, columns: readonly string[]): string =>
  `CREATE INDEX ${table}_${columns.join('_')} ON ${table} (${columns.map(quoted).join(', ')})`

/** An address column as text; IPv6 in hexadecimal groups, not shortened. */
const addressText = (column: string): string => {
  const byte = (shift: number): string => `((${column} >> ${shift}) & 255)`
  const v4 = [24, 16, 8, 0].map(byte).join(` || '.' || `)
  const v6 = Array.from({ length: 8 }, (_, i) => `lower(substr(hex(${column}), ${4 * i + 1}, 4))`).join(` || ':' || `)
  return `CASE typeof(${column}) WHEN 'integer' THEN ${v4} WHEN 'blob' THEN '[' || ${v6} || ']' END`
}

const timeText = (column: string): string => `strftime('%Y-%m-%d %H:%M:%f', ${column} / 1000000.0, 'unixepoch')`

/** For people with a database shell: numbers, times, MOS as 4.1, addresses as text. */
const callsView = `CREATE VIEW calls AS SELECT
  c.ID AS id, ${timeText('e.started_us')} AS started, ${timeText('e.answered_us')} AS answered, ${timeText('e.ended_us')} AS ended,
  c.caller, c.called AS callee, c.callername AS caller_name,
  ${addressText('c.sipcallerip')} || ':' || c.sipcallerport AS caller_addr,
  CASE WHEN e.callee_ip LIKE '%:%' THEN '[' || e.callee_ip || ']' ELSE e.callee_ip END || ':' || e.callee_port AS callee_addr,
  e.state, nullif(c.lastSIPresponseNum, 0) AS status, e.status_text,
  round(e.pdd_ms / 1000, 3) AS pdd_s, round(e.duration_ms / 1000, 3) AS duration_s, round(e.talk_ms / 1000, 3) AS talk_s,
  e.codec, round(e.mos, 1) AS mos, e.loss_pct, e.jitter_ms, c.whohanged AS hung_up_by, c.id_sensor AS sensor_id, e.call_id, e.pcap
FROM cdr c JOIN earshot_cdr e ON e.cdr_ID = c.ID`

/** Makes the tables in an empty file; leaves a current one alone. */
export function ensureSchema(db: Database, path: string): void {
  const version = db.pragma('user_version', { simple: true }) as number
  if (version === schemaNumber) return
  if (version > schemaNumber) {
    throw new OperatorError(
      'STORE_NEWER',
      `"${path}" was made by a newer Earshot (tables ${version}, this program knows ${schemaNumber}).`,
      {
        suggestions: ['Update earshot, or give another path to --store.'],
      },
    )
  }
  const foreign = db.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").get() as { n: number }
  if (foreign.n > 0) {
    throw new OperatorError('NOT_A_STORE', `"${path}" is a database of something else: it has tables, but not Earshot's.`, {
      suggestions: ['Give another path to --store.'],
    })
  }
  db.transaction(() => {
    for (const statement of ddl()) db.exec(statement)
    db.pragma(`user_version = ${schemaNumber}`)
  })()
}
