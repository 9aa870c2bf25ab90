import { books } from './books.js'
import { cdrTable } from './cdr-columns.js'
import { childTables } from './child-columns.js'
import { plainTables } from './plain-tables.js'
import type { Column } from './table.js'

/** docs/schema.md, from the column table. */
export function schemaMarkdown(): string {
  const row = ({ name, type, help, value }: Column<never>): string =>
    `| \`${name}\` | ${type.replaceAll('|', '\\|')} | ${value === undefined ? '*NULL:* ' : ''}${(help ?? (value === undefined ? 'nothing of ours yet' : '')).replaceAll('|', '\\|')} |`
  const section = (title: string, help: string, columns: readonly Column<never>[]): string =>
    [`## ${title}`, '', help, '', '| column | type (MySQL) | meaning |', '|---|---|---|', ...columns.map(row)].join('\n')
  const parts = [cdrTable, ...childTables].map((table) =>
    section(
      `${table.name}`,
      `${table.help} ${table.owner === 'earshot' ? 'Ours.' : 'As VoIPmonitor has it.'}`,
      table.columns as readonly Column<never>[],
    ),
  )
  return [
    '# Tables',
    '',
    'Generated from src/lib/store by `npx tsx scripts/docs.ts`; a test fails when it is stale.',
    '',
    'Tables, columns, types and units are VoIPmonitor’s. What only Earshot computes is in tables of its own, `earshot_…`.',
    'Times are UTC. IPv4 addresses are unsigned integers, IPv6 addresses 16 bytes. `_mult10` and the like: the value times that.',
    '`calls` is a view for people: times, addresses as text, MOS as 4.1 (`earshot_calls` in a database that VoIPmonitor made).',
    'Rows of the tables below `cdr` lead to it by `cdr_ID` and `calldate` (in SQLite ours by `cdr_ID` alone). Which form a database has: [database.md](database.md).',
    'A call is stored once: its key is sensor, Call-ID and the time of its first INVITE (`earshot_cdr.sensor, call_id, started_us`).',
    '',
    parts.join('\n\n'),
    '',
    '## Code books',
    '',
    '| table | columns | what |',
    '|---|---|---|',
    ...books.map(
      (b) => `| \`${b.name}\` | \`id\`, ${b.kind === undefined ? '' : `\`${b.kind}\`, `}\`${b.column}\` ${b.type} | ${b.help} |`,
    ),
    '',
    '## Lists',
    '',
    ...plainTables.flatMap((t) => [`**${t.name}**: ${t.help} ${t.columns.map((c) => `\`${c.name}\``).join(', ')}.`, '']),
  ].join('\n')
}
