import { problemNames, problems } from '../call/problems.js'
import { type Field, type FieldType, fieldNames, fields } from './fields.js'
import { dimensionNames, dimensions } from './groups.js'
import { kpiHelp, kpiNames } from './kpi.js'
import { types } from './values.js'

/** docs/queries.md, from the tables that the program itself goes by. */
export function queriesMarkdown(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|')
  const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => '---|').join('')}`,
    ...rows.map((row) => `| ${row.map(cell).join(' | ')} |`),
  ]
  const field = (name: (typeof fieldNames)[number]): readonly string[] => {
    const { short, unit, type, help, words }: Field = fields[name]
    const also = short === undefined ? '' : `, \`${short}\`${type === 'duration' ? ` (a plain number: ${unit})` : ''}`
    return [
      `\`${name}\`${also}`,
      type,
      `${help}${words === undefined || name === 'problem' ? '' : `: ${words.map((w) => `\`${w}\``).join(', ')}`}`,
    ]
  }
  return [
    '# Questions',
    '',
    'Generated from src/lib/query by `npx tsx scripts/docs.ts`; a test fails when it is stale.',
    '',
    '`cdr query`, `cdr export` and `cdr stats` choose calls with the same flags and the same language, on SQLite, MySQL and MariaDB alike.',
    '',
    '```',
    "earshot cdr query --where 'talk > 10m and (loss > 2% or problem = one_way_media)'",
    "earshot cdr query --where 'caller = +420* and status in (486, 5xx) and not agent ~ asterisk' --since 7d",
    "earshot cdr query --where 'ip = 192.0.2.0/24 or ip = 2001:db8::/32' --where 'mos < 3.6'",
    '```',
    '',
    '## Language',
    '',
    'A test is `field operator value`; tests are joined by `and`, `or`, `not` and brackets (also `&&`, `||`, `!`); `and` binds before `or`.',
    '`field in (a, b)` and `field not in (a, b)` are lists. A field alone asks whether it is known. A value with a space, comma or bracket stands in quotes; a quote in it is written twice.',
    '',
    'What is unknown passes no test: `mos < 3` leaves out calls without a MOS. `!=` and `not` are the opposite of the test: `codec != PCMA` finds calls without a codec too. `none` without quotes means unknown: `mos = none`.',
    'A field with several values (`number`, `ip`, `agent`, `problem` …) passes when one of them does.',
    '',
    'In texts `*` stands for anything (`+420*`, `*100`, `*pbx*`); `\\*` is a star. `~` means "contains". Case does not matter for A to Z, except in `call_id` and `pcap`; a database that VoIPmonitor made compares as its collation has it.',
    '',
    ...table(
      ['type', 'operators', 'values'],
      (Object.keys(types) as FieldType[]).map((type) => [
        type,
        types[type].operators.map((op) => `\`${op}\``).join(' '),
        types[type].values,
      ]),
    ),
    '',
    '## Fields',
    '',
    'The names are those of the JSON (docs/records.md).',
    '',
    ...table(['field', 'type', 'meaning'], fieldNames.map(field)),
    '',
    '## Problems',
    '',
    ...table(
      ['problem', 'meaning'],
      problemNames.map((name) => [`\`${name}\``, problems[name].help]),
    ),
    '',
    '## Flags',
    '',
    'Every flag is a test: `--mos-below 3.6` is `mos < 3.6`. Different flags must all fit; several values of one flag (repeated, or with commas) are a choice.',
    '`--number`, `--caller`, `--callee` without a star find the whole number or its end: `--number 5550100` finds +15550100, and is `number = *5550100`.',
    '`--since 1h --until 30m`, `--between 2h..1h`, `--between 2026-11-24T09:00..2026-11-24T10:00`: times are UTC.',
    '',
    '## Order and pages',
    '',
    'Calls come by start, oldest first; ties go by number; unknown values come last. `--limit 1000` prints a page, and `--after ID` with the number of its last call the next one: pages go by key, so a page costs the same however far on it is, and new calls shift nothing.',
    'A table shows the last 50 unless told otherwise. Memory does not grow with the number of calls; `--sort` by something else than `started` and `id` holds 8 bytes a call, for 5 million calls at most.',
    '`--follow` prints new records as they are stored (looked for every half second). A record that is stored early and completed later is printed once, as it was first seen.',
    '',
    'Fast, by an index, are time, `caller`, `callee`, `number` (whole, beginning, end), `call_id` (whole, beginning), `caller_ip` and `callee_ip`; `ip`, `media_ip` and `ssrc` read the table of streams once (seconds for millions of calls), or only the calls of the time that is given; the rest is tested on the calls that these, or the time, leave. Give `--since` on a large database.',
    'In a database that VoIPmonitor made, calls that VoIPmonitor itself wrote are not found: what is asked of lies in part in `earshot_cdr`, where it writes nothing.',
    'In MySQL an index does not help a number with letters in it, because it tells the cases apart. Without the option `ipv6` its columns hold no IPv6 addresses, and `ip` does not find them.',
    '',
    '## Formats',
    '',
    '`-o table` for people; `json` is one document, `ndjson` a call a line (docs/records.md); `csv` is RFC 4180, `tsv` has tabs. `--fields a,b,c` chooses the fields of all of them.',
    '',
    'Names and user agents are written by strangers. In tables, CSV and TSV their control characters become `·`, so that nothing they contain reaches a terminal as a command; JSON escapes them.',
    'In CSV and TSV a text that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, or so after a `;`) gets an apostrophe before it. A sign before digits only gets none: `+420123456789` runs nothing, and a program that reads the file gets the number as it is. A spreadsheet may show it without its plus: import that column as text.',
    '',
    '## Key figures',
    '',
    'A call is one attempt, whatever its challenges and repeats. Ratios are percent; a figure of nothing is `null`, not 0. Percentiles are within 0.25 % of the value.',
    '',
    ...table(
      ['figure', 'meaning'],
      kpiNames.map((name) => [`\`${name}\``, kpiHelp[name]]),
    ),
    '',
    'As JSON the whole is `{schema_version, groups, totals}`, one object a group; `ndjson`, `csv` and `tsv` have the groups alone. Further groups than 2,000 are counted together as `other`, and that is said.',
    '',
    '`--by` makes groups, `--every` steps of time that begin on round ones (weeks on Monday, UTC):',
    '',
    ...table(
      ['group', 'meaning'],
      dimensionNames.map((name) => [`\`${name}\``, dimensions[name].help]),
    ),
    '',
  ].join('\n')
}
