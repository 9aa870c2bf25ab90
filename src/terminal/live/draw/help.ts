import { actions, bindingOf, keysOn, type PageName, screenNames } from '../bindings.js'
import { listRows } from '../list.js'
import type { Screen } from '../model.js'
import type { Signs } from '../signs.js'
import type { Line, Span } from '../style.js'
import { keyTitle, padSpans, scrolled } from './parts.js'

/** The help: every key of the page one came from, then those of the others, from the table that the keys come from. */
export const drawHelp = (screen: Screen, signs: Signs): Line[] =>
  scrolled(helpLines(screen, signs), screen.scroll.help, listRows(screen.rows) + 1)

export function helpLines(screen: Screen, signs: Signs): Line[] {
  const from = screen.behind.at(-1) ?? 'calls'
  const pages = [from, ...screenNames.filter((p) => p !== from && p !== 'help')]
  const everywhere = actions.filter((a) => bindingOf(a).on === 'all' || (bindingOf(a).on as readonly PageName[]).length > 5)
  const lines: Line[] = []
  for (const page of pages) {
    const rows = [...keysOn(screen.keymap, page)].filter(([action]) => !everywhere.includes(action))
    if (rows.length === 0) continue
    lines.push({ spans: [['title', `  ${titles[page]}`]] }, ...inColumns(rows.map(entry), screen.columns, signs), { spans: [] })
  }
  const common = [...keysOn(screen.keymap, from)].filter(([action]) => everywhere.includes(action))
  lines.push({ spans: [['title', '  Everywhere']] }, ...inColumns(common.map(entry), screen.columns, signs), { spans: [] })
  lines.push(
    { spans: [['title', '  Signs']] },
    ...inColumns(
      Object.entries(signs.states).map(([state, sign]): Span[] => [
        ['accent', `${sign}  `.padStart(14)],
        ['text', state],
      ]),
      screen.columns,
      signs,
    ),
    { spans: [] },
    { spans: [['dim', '  MOS below 3.6 is orange, below 3.1 bold vermilion; loss from 1 and 3 %, jitter from 20 and 40 ms.']] },
    { spans: [['dim', '  Times are UTC. The filter is the language of cdr query --where, or any piece of a call.']] },
  )
  return lines
}

const titles: Readonly<Record<PageName, string>> = {
  calls: 'Calls',
  call: 'A call',
  streams: 'Streams',
  statistics: 'Statistics',
  sensors: 'Sensors',
  help: 'Help',
  raw: 'Messages',
  diff: 'Differences',
}

const entry = ([action, keys]: [keyof typeof import('../bindings.js').bindings, string[]]): Span[] => [
  ['accent', `  ${keys.map(keyTitle).join(' ').padStart(14)}  `],
  ['text', bindingOf(action).help],
]

function inColumns(entries: readonly Span[][], width: number, signs: Signs): Line[] {
  const columns = width >= 110 ? 2 : 1
  const each = Math.floor(width / columns)
  const height = Math.ceil(entries.length / columns)
  return Array.from({ length: height }, (_, row) => ({
    spans: Array.from({ length: columns }, (_, column) => entries[column * height + row] ?? []).flatMap((spans) =>
      padSpans(spans, each, signs.ellipsis),
    ),
  }))
}
