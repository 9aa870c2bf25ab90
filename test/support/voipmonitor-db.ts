import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestServer } from './mariadb.js'
import { capturesDir } from './shared.js'

/**
 * A database in the forms that VoIPmonitor creates, made from the facts recorded of it (columns, indexes): latin1, with or without
 * daily partitions, milliseconds, IPv6. Only the tables that a CDR touches, and a few that it does not.
 */
export interface TheirForm {
  readonly partitioned: boolean
  readonly milliseconds: boolean
  readonly ipv6: boolean
  /** Ids of calls are `int unsigned`, as older versions make them. */
  readonly intIds?: boolean
  /** Last day that has a partition, `YYYY-MM-DD`. */
  readonly lastDay?: string
}

const shared = join(capturesDir, '..', 'reference', 'voipmonitor')
export const theirTables = [
  'cdr',
  'cdr_next',
  'cdr_rtp',
  'cdr_sdp',
  'cdr_dtmf',
  'cdr_proxy',
  'cdr_siphistory',
  'cdr_sipresp',
  'cdr_sip_response',
  'cdr_sip_request',
  'cdr_ua',
  'cdr_reason',
  'cdr_country_code',
  'sensors',
  'rtp_stat',
  'message',
]

const tsv = (file: string): string[][] =>
  readFileSync(join(shared, file), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))

export async function makeTheirDatabase(server: TestServer, database: string, form: TheirForm): Promise<void> {
  await server.sql(`CREATE DATABASE ${database}`)
  const indexes = tsv('voipmonitor-indexes.tsv')
  for (const table of theirTables) {
    // Without partitions the tables beside cdr lead to it by the id alone.
    const undated = !form.partitioned && /^cdr_/.test(table) && table !== 'cdr_proxy'
    const columns = tsv('voipmonitor-schema.tsv').filter(([t, , name]) => t === table && !(undated && name === 'calldate'))
    const keys = indexes
      .filter(([t]) => t === table)
      .filter(([, key, , names]) => !(undated && key !== 'PRIMARY' && /\bcalldate\b/.test(names as string)))
    const lines = columns.map(([, , name, type, nullable, fallback]) => {
      const counts = name?.toLowerCase() === 'id' && keys.some(([, k, , c]) => k === 'PRIMARY' && c?.split(',')[0] === name)
      const rest = nullable === 'NO' ? 'NOT NULL' : `DEFAULT ${fallback === '' ? 'NULL' : fallback}`
      return `\`${name}\` ${typeIn(form, name as string, type as string)} ${rest}${counts ? ' AUTO_INCREMENT' : ''}`
    })
    for (const [, key, unique, names] of keys) {
      const list = (names as string)
        .split(',')
        .map((c) => `\`${c.trim()}\``)
        .join(', ')
      lines.push(key === 'PRIMARY' ? `PRIMARY KEY (${list})` : `${unique === 'yes' ? 'UNIQUE ' : ''}KEY \`${key}\` (${list})`)
    }
    const by =
      columns.map(([, , name]) => name as string).find((name) => name === 'calldate') ?? (table === 'rtp_stat' ? 'time' : undefined)
    const partitions = form.partitioned && by ? ` PARTITION BY RANGE COLUMNS(\`${by}\`) (${theirPartitions(form.lastDay)})` : ''
    // Where there are no partitions the key of a table is its ID alone.
    const sql = `CREATE TABLE \`${table}\` (${lines.join(', ')}) ENGINE=InnoDB DEFAULT CHARSET=latin1${partitions}`
    await server.sql(form.partitioned ? sql : sql.replace(/PRIMARY KEY \(`(ID|cdr_ID)`, `calldate`\)/, 'PRIMARY KEY (`$1`)'), database)
  }
}

function typeIn({ milliseconds, ipv6, intIds }: TheirForm, name: string, type: string): string {
  if (intIds && type === 'bigint(20) unsigned' && /^(ID|cdr_ID)$/.test(name)) return 'int(10) unsigned'
  if (ipv6 && type === 'int(10) unsigned' && /^(sipcall(er|ed)ip|([ab]_)?[sd]addr|ip|dst)$/.test(name)) return 'varbinary(16)'
  if (milliseconds) return type
  if (type === 'datetime(3)') return 'datetime'
  // Whole seconds in cdr, float in its children (database.md 1 and 4).
  if (type === 'decimal(9,3)')
    return /^(firsttime)$/.test(name)
      ? 'float'
      : /last_rtp_from_end/.test(name)
        ? 'smallint(6)'
        : name === 'post_bye_delay'
          ? type
          : 'mediumint(8) unsigned'
  return type
}

function theirPartitions(lastDay = new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 10)): string {
  const end = Date.parse(`${lastDay}T00:00:00Z`)
  return [end - 86_400_000, end]
    .map(
      (day) =>
        `PARTITION p${new Date(day).toISOString().slice(2, 10).replaceAll('-', '')} VALUES LESS THAN ('${new Date(day + 86_400_000).toISOString().slice(0, 10)}')`,
    )
    .join(', ')
}
