import { callSettings } from './call.js'
import { classicSendSettings, mirrorRecvSettings, mirrorSendSettings, mirrorSettings } from './mirror.js'
import { reassemblySettings } from './reassembly.js'
import { recordSettings } from './records.js'
import { sipSettings } from './sip.js'
import { spoolLimitSettings, spoolSettings } from './spool.js'
import { toMarkdown } from './table.js'

/** docs/settings.md, from the setting tables. */
export const settingsMarkdown = (): string =>
  [
    '# Settings',
    '',
    'Generated from src/lib/settings by `npx tsx scripts/docs.ts`; a test fails when it is stale. Names and defaults are VoIPmonitor’s where it has the thing;',
    'a flag may be written with its underscores too.',
    '',
    '## SIP',
    '',
    toMarkdown(sipSettings),
    '',
    '## Calls',
    '',
    'Timeouts run on capture time: a replay of a file ends calls where the live run did.',
    '',
    toMarkdown(callSettings),
    '',
    '## Records',
    '',
    'What happens while the store is away is told in docs/outage.md.',
    '',
    toMarkdown(recordSettings),
    '',
    '## Reassembly',
    '',
    toMarkdown(reassemblySettings),
    '',
    '## Spool',
    '',
    'A file that is read (`-r`) deletes nothing for the sake of free space; the other limits hold when they are given. docs/spool.md tells what goes first.',
    '',
    toMarkdown({ ...spoolSettings, ...spoolLimitSettings }),
    '',
    '## Mirror, both ends',
    '',
    toMarkdown(mirrorSettings),
    '',
    '## Mirror, sender',
    '',
    toMarkdown({ ...mirrorSendSettings, ...classicSendSettings }),
    '',
    '## Mirror, receiver',
    '',
    toMarkdown(mirrorRecvSettings),
    '',
  ].join('\n')
