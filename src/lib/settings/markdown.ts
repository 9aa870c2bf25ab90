import { callSettings } from './call.js'
import { captureSettings } from './capture.js'
import { logSettings } from './log.js'
import { accessSettings, ownManagerSettings, serveManagerSettings } from './manager.js'
import { metricsSettings } from './metrics.js'
import {
  classicSendSettings,
  mirrorDestinationSettings,
  mirrorRecvSettings,
  mirrorSenderSettings,
  mirrorSendSettings,
  mirrorSettings,
} from './mirror.js'
import { pruneSettings } from './prune.js'
import { reassemblySettings } from './reassembly.js'
import { recordSettings, storeSettings, timeSettings } from './records.js'
import { services } from './services.js'
import { sipSettings } from './sip.js'
import { spoolLimitSettings, spoolPlaceSettings, spoolSettings } from './spool.js'
import { type SettingTable, toMarkdown } from './table.js'

/** docs/settings.md, from the setting tables. */
const chapters: readonly (readonly [title: string, table: SettingTable, about?: string])[] = [
  ['Packets', captureSettings, 'A mirror-send has a `ringbuffer` of 32MiB when nobody says otherwise.'],
  ['SIP', sipSettings],
  ['Calls', callSettings, 'Timeouts run on capture time: a replay of a file ends calls where the live run did.'],
  ['Records', { ...storeSettings, ...recordSettings, ...timeSettings }, 'What happens while the store is away is told in docs/outage.md.'],
  ['Age of records', pruneSettings],
  ['Reassembly', reassemblySettings],
  [
    'Spool',
    { ...spoolPlaceSettings, ...spoolSettings, ...spoolLimitSettings },
    'A file that is read (`-r`) deletes nothing for the sake of free space; the other limits hold when they are given. docs/spool.md tells what goes first.',
  ],
  ['Log', logSettings],
  ['Manager of a run', ownManagerSettings],
  ['Manager service', serveManagerSettings],
  [
    'Metrics',
    metricsSettings,
    'docs/metrics.md. In [serve-manager] they are of the whole host; below [general] every service would want the same port.',
  ],
  ['Asking other managers', accessSettings, 'Of fetch-pcap, cdr show and sensor status; below [general].'],
  ['Mirror, both ends', mirrorSettings],
  ['Mirror, sender', { ...mirrorDestinationSettings, ...mirrorSendSettings, ...classicSendSettings }],
  ['Mirror, receiver', { ...mirrorRecvSettings, ...mirrorSenderSettings }],
]

export const settingsMarkdown = (): string =>
  [
    '# Settings',
    '',
    'Generated from src/lib/settings by `npx tsx scripts/docs.ts`; a test fails when it is stale. Names and defaults are VoIPmonitor’s where it has the thing;',
    'a flag may be written with its underscores too. A key stands in a file, `EARSHOT_KEY` in the environment: docs/configuration.md tells who wins.',
    '“HUP”: a running service takes a change when it is told to read its settings again (`systemctl reload`).',
    '',
    ...chapters.flatMap(([title, table, about]) => [
      `## ${title}`,
      '',
      ...[holdersText(table), about].filter((line) => line !== undefined),
      '',
      toMarkdown(table),
      '',
    ]),
  ].join('\n')

/** The services that have the first row of a table, and so the others. */
function holdersText(table: SettingTable): string | undefined {
  const [[key, setting] = ['', undefined]] = Object.entries(table)
  const names = Object.entries<SettingTable>(services)
    .filter(([, rows]) => rows[key]?.help === setting?.help)
    .map(([name]) => `[${name}]`)
  return names.length === 0 ? undefined : `Of ${names.join(', ')}.`
}
