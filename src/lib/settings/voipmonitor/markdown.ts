import { aliases, families, type Option, options } from './options.js'

/** docs/voipmonitor-options.md, from the table of VoIPmonitor's options. */
export function voipmonitorOptionsMarkdown(): string {
  const rows = Object.entries(options)
  const others = (name: string): string =>
    Object.entries(aliases)
      .filter(([, key]) => key === name)
      .map(([alias]) => `, \`${alias}\``)
      .join('')
  const honoured = rows.filter(([, option]) => !('ignored' in option))
  const ignored = rows.filter(([, option]) => 'ignored' in option)
  return [
    '# VoIPmonitor’s options here',
    '',
    'Generated from src/lib/settings/voipmonitor by `npx tsx scripts/docs.ts`; a test fails when it is stale. `earshot config import FILE` tells the same of one file,',
    'line by line; docs/configuration.md tells how such a file is used.',
    '',
    '## Honoured',
    '',
    '| option | setting here | how |',
    '|---|---|---|',
    ...honoured.map(([name, option]) => `| \`${name}\`${others(name)} | \`${settingOf(option)}\` | ${howOf(option)} |`),
    '',
    '## Ignored, and why',
    '',
    '| option | why |',
    '|---|---|',
    ...ignored.map(([name, option]) => `| \`${name}\`${others(name)} | ${'ignored' in option ? option.ignored : ''} |`),
    '',
    '## Groups that are ignored',
    '',
    'Every other option falls into the first group that fits its name.',
    '',
    '| names | why |',
    '|---|---|',
    ...families.slice(0, -1).map(([pattern, why]) => `| \`${pattern.source.replaceAll('|', '\\|')}\` | ${why} |`),
    '',
  ].join('\n')
}

const settingOf = (option: Option): string => ('to' in option ? option.to : 'part' in option ? option.part : '')
const howOf = (option: Option): string => ('part' in option ? option.note : 'to' in option ? (option.changed ?? 'the same') : '')
