import { services } from './services.js'
import { defaultText, meaningOf, type Setting, type SettingTable } from './table.js'

/** An earshot.conf to begin with, written from the tables: every setting, commented out, with its meaning and its default. */
export function exampleFile(): string {
  const sections = new Map<string, Map<string, Setting>>([['general', new Map()]])
  const holders = (key: string, setting: Setting): string[] =>
    Object.entries<SettingTable>(services)
      .filter(([, table]) => table[key]?.help === setting.help)
      .map(([name]) => name)
  for (const [service, table] of Object.entries<SettingTable>(services)) {
    for (const [key, setting] of Object.entries(table)) {
      const section = holders(key, setting).length > 1 ? 'general' : service
      const rows = sections.get(section) ?? new Map<string, Setting>()
      sections.set(section, rows)
      if (!rows.has(key)) rows.set(key, setting)
    }
  }
  const lines = [
    '# Settings of earshot. One "key = value" a line; comments have lines of their own.',
    '# [general] is for every service; a section like [sniff] for one, and stronger; [sniff@NAME] for one of several (--instance NAME).',
    '# Flags and the environment (EARSHOT_KEY) are stronger than files. A key that is repeated makes a list.',
    '# What holds, and why: earshot config show SERVICE --origin. Is it right? earshot config check.',
  ]
  for (const [section, rows] of sections) {
    lines.push('', `[${section}]`)
    for (const [key, setting] of rows) lines.push('', ...wrapped(setting), `#${key} = ${exampleValue(setting)}`.trimEnd())
  }
  return `${lines.join('\n')}\n`
}

const WIDTH = 110

function wrapped(setting: Setting): string[] {
  const unit = 'unit' in setting && setting.unit !== '' ? ` Unit: ${setting.unit}.` : ''
  const options = setting.type === 'choice' ? ` One of ${setting.options.join(', ')}.` : ''
  const fallback = defaultText(setting).startsWith('(') ? ` Default: ${defaultText(setting).slice(1, -1)}.` : ''
  const lines: string[] = []
  let line = '#'
  for (const word of `${meaningOf(setting)}${unit}${options}${/Default[: ]/.test(setting.help) ? '' : fallback}`.split(' ')) {
    if (line.length + word.length + 1 > WIDTH) {
      lines.push(line)
      line = '#'
    }
    line += ` ${word}`
  }
  return [...lines, line]
}

function exampleValue(setting: Setting): string {
  switch (setting.type) {
    case 'integer':
    case 'choice':
    case 'size':
      return String(setting.default)
    case 'integers':
      return setting.default.join(',')
    case 'list':
      return setting.default.join(',')
    case 'switch':
      return setting.default === undefined ? '' : setting.default ? 'yes' : 'no'
    case 'text':
    case 'path':
      return setting.default ?? ''
  }
}
