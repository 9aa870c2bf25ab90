import { OperatorError } from '../../base/errors.js'
import { callTables, schemaNumber } from '../all-tables.js'
import { besideTheirs, ourDatabase, schemaTable } from './ddl.js'
import type { Connection, MysqlError } from './driver.js'
import { runPastLeftovers } from './leftover.js'
import { partitionList } from './partitions.js'
import type { MysqlLocation } from './url.js'

/** The form a database has: made by us or by VoIPmonitor, with milliseconds or without, IPv6 or not. We write what is there. */
export interface Form {
  readonly madeBy: 'earshot' | 'voipmonitor'
  /** Our tables are there; false only to a reader of a database in which no Earshot has written yet. */
  readonly beside: boolean
  readonly partitioned: boolean
  /** calldate with milliseconds. */
  readonly milliseconds: boolean
  readonly ipv6: boolean
  /** table → column → type, as the server says it. */
  readonly columns: ReadonlyMap<string, ReadonlyMap<string, string>>
}

/** Makes the tables in an empty database, ours alone beside VoIPmonitor's, and leaves current ones as they are. */
export async function ensureSchema(db: Connection, at: MysqlLocation, nowMicros: number): Promise<Form> {
  const tables = new Set(
    (await db.rows<{ t: string }>('SELECT TABLE_NAME AS t FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()')).map((r) => r.t),
  )
  const state = tables.has('earshot_schema') ? await readState(db) : new Map<string, string>()
  const version = state.get('version')
  if (version === undefined) await makeTables(db, at, tables, state.get('made_by'), nowMicros)
  else refuseOther(at, Number(version))
  return readForm(db)
}

/** For a reader: makes nothing. */
export async function existingForm(db: Connection, at: MysqlLocation): Promise<Form> {
  const there = await db.rows("SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'earshot_schema'")
  const version = there.length === 0 ? undefined : (await readState(db)).get('version')
  if (version === undefined) {
    throw new OperatorError('NO_STORE', `${at.shown} holds no records of Earshot.`, {
      suggestions: [`Write some first: earshot sniff -r call.pcap --store '${at.shown}'`],
    })
  }
  refuseOther(at, Number(version))
  return readForm(db)
}

/**
 * For who only asks for calls. A person waits for this, so a database of ours is known from two small questions; one of
 * VoIPmonitor's own will do that holds nothing of ours.
 */
export async function readableForm(db: Connection, at: MysqlLocation): Promise<Form> {
  let state: ReadonlyMap<string, string>
  try {
    state = await readState(db)
  } catch (error) {
    // 1146: no such table.
    if ((error as MysqlError).errno !== 1146) throw error
    const there = await db.rows(
      "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('cdr', 'cdr_next', 'cdr_sip_response', 'cdr_ua')",
    )
    return there.length === 4 ? readForm(db, false) : existingForm(db, at)
  }
  if (state.get('made_by') !== 'earshot' || Number(state.get('version')) !== schemaNumber) return existingForm(db, at)
  const [made] = await db.rows<{ 'Create Table': string }>('SHOW CREATE TABLE cdr')
  const ddl = made?.['Create Table'] ?? ''
  const types = new Map(Array.from(ddl.matchAll(/^\s*`(\w+)` (\S+)/gm), (m) => [m[1] as string, m[2] as string]))
  return formOf({ madeBy: 'earshot', beside: true, partitioned: /PARTITION BY/.test(ddl), columns: new Map([['cdr', types]]) })
}

export async function readState(db: Connection): Promise<Map<string, string>> {
  return new Map((await db.rows<{ name: string; value: string }>('SELECT name, value FROM earshot_schema')).map((r) => [r.name, r.value]))
}

function refuseOther(at: MysqlLocation, version: number): void {
  if (version === schemaNumber) return
  const newer = version > schemaNumber
  throw new OperatorError(
    newer ? 'STORE_NEWER' : 'STORE_OLDER',
    `${at.shown} was made by ${newer ? 'a newer' : 'an older'} Earshot (tables ${version}, this program knows ${schemaNumber}).`,
    { suggestions: [newer ? 'Update earshot, or give another --store.' : `Bring it forward: earshot db migrate --store '${at.shown}'`] },
  )
}

async function makeTables(
  db: Connection,
  at: MysqlLocation,
  tables: ReadonlySet<string>,
  begunBy: string | undefined,
  nowMicros: number,
): Promise<void> {
  const beside = begunBy === 'voipmonitor' || (begunBy === undefined && tables.has('cdr'))
  if (begunBy === undefined && !tables.has('cdr') && tables.size > 0) {
    throw new OperatorError(
      'NOT_A_STORE',
      `The database ${at.shown} is of something else: it has tables, but neither Earshot's nor VoIPmonitor's.`,
      {
        suggestions: ['Give another database; an empty one is filled, a missing one is made.'],
      },
    )
  }
  await db.run(schemaTable)
  await remember(db, 'made_by', beside ? 'voipmonitor' : 'earshot')
  const form = beside ? await readForm(db) : { ipv6: at.ipv6, partitioned: true }
  const options = { ipv6: form.ipv6, partitions: form.partitioned ? partitionList(nowMicros) : undefined }
  for (const statement of beside ? besideTheirs(options) : ourDatabase(options)) await runPastLeftovers(db, at.shown, statement)
  await remember(db, 'version', String(schemaNumber))
}

/** The first writer of two decides. */
async function remember(db: Connection, key: string, value: string): Promise<void> {
  await db.run('INSERT IGNORE INTO earshot_schema (name, value) VALUES (?, ?)', [key, value])
}

async function readForm(db: Connection, beside = true): Promise<Form> {
  const rows = await db.rows<{ t: string; c: string; y: string }>(
    `SELECT TABLE_NAME AS t, COLUMN_NAME AS c, COLUMN_TYPE AS y FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
     AND TABLE_NAME IN (${callTables.map((t) => `'${t.name}'`).join(', ')})`,
  )
  const columns = new Map<string, Map<string, string>>()
  for (const { t, c, y } of rows) {
    const table = columns.get(t) ?? new Map<string, string>()
    columns.set(t, table.set(c, y))
  }
  const [partitions] = await db.rows<{ n: number }>(
    "SELECT count(*) AS n FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'cdr' AND PARTITION_NAME IS NOT NULL",
  )
  return formOf({
    madeBy: !beside || (await readState(db)).get('made_by') === 'voipmonitor' ? 'voipmonitor' : 'earshot',
    beside,
    partitioned: (partitions?.n ?? 0) > 0,
    columns,
  })
}

/** The rest shows in the types of cdr. */
function formOf(known: Omit<Form, 'milliseconds' | 'ipv6'>): Form {
  const cdr = known.columns.get('cdr')
  return {
    ...known,
    milliseconds: /\([1-6]\)/.test(cdr?.get('calldate') ?? ''),
    ipv6: /^varbinary/.test(cdr?.get('sipcallerip') ?? ''),
  }
}
