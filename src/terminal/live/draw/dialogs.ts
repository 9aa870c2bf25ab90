import { columnNames, columnOf } from '../columns.js'
import { askedMethods } from '../filter.js'
import { composed, type FilterForm, type FormRow, type FormText, formRows } from '../filter-form.js'
import { listRows } from '../list.js'
import type { Prompt, Screen } from '../model.js'
import { settingRows } from '../settings-form.js'
import type { Signs } from '../signs.js'
import type { Line, Span } from '../style.js'
import { cellsOf, shown } from '../text.js'
import { padLines, typedSpans } from './parts.js'

/** Dialogs stand in place of the page: the filter, the settings, the choice of columns. */
type Of<K extends Prompt['kind']> = Extract<Prompt, { kind: K }>

export interface Dialog {
  readonly lines: readonly Line[]
  /** Where text goes, within these lines. */
  readonly cursor?: { readonly row: number; readonly column: number } | undefined
}

/** What is under the cursor, in words. */
const formHelp: Readonly<Record<FormRow, string>> = {
  from: 'a piece of the number, name or domain of From: 1001, alice, 1001@example.com',
  to: 'a piece of the number or domain of To: +420*, 2001@example.net',
  source: 'where the first INVITE came from: 192.0.2.1, 192.0.2.0/24, a name that you gave; several with commas',
  destination: 'where INVITEs went, the same',
  payload: 'text in one of its SIP messages, where they are at hand (-i, -r)',
  methods: 'calls with one of these requests; none checked: any',
  expression: 'what else it must be: mos < 3.6 or loss > 1; fields of cdr query --where',
}

const titles: Readonly<Record<FormRow, string>> = {
  from: 'SIP From',
  to: 'SIP To',
  source: 'Source',
  destination: 'Destination',
  payload: 'Payload',
  methods: 'Methods',
  expression: 'Expression',
}
const LABEL = 16
const BOX = 14

export function drawFilterForm({ form }: Of<'form'>, screen: Screen, signs: Signs): Dialog {
  const width = screen.columns - LABEL - 1
  const lines: Line[] = [{ spans: [['title', '  Filter']] }]
  let cursor = { row: 0, column: 0 }
  for (const row of formRows) {
    const current = row === form.row
    const wrong = form.error?.row === row
    const label: Span[] = [
      ['key', current ? ` ${signs.cursor} ` : '   '],
      [wrong ? 'bad' : current ? 'title' : 'dim', titles[row].padEnd(LABEL - 3)],
    ]
    if (row === 'methods') {
      const boxes = methodLines(form, width, signs)
      if (current) cursor = { row: lines.length + boxes.at.row, column: LABEL + boxes.at.column }
      lines.push(
        ...boxes.lines.map((spans, i): Line => ({ spans: [...(i === 0 ? label : [['text', ' '.repeat(LABEL)] as Span]), ...spans] })),
      )
      continue
    }
    const field = typedSpans(form.texts[row satisfies FormText], width, current ? 'input' : 'text', signs)
    if (current) cursor = { row: lines.length, column: LABEL + field.cursor }
    lines.push({ spans: [...label, ...field.spans] })
  }
  const text = composed(form, { nowMs: screen.nowMicros / 1000, aliases: screen.settings.aliases, messagesOf: screen.messagesOf })
  const whole = typeof text === 'string' && text !== '' ? text : ''
  lines.push({ spans: [] }, { spans: [['dim', whole === '' ? '' : '   which is']] })
  for (const piece of pieces(shown(whole), screen.columns - 6)) lines.push({ spans: [['accent', `   ${piece}`]] })
  return fitting(lines, cursor, screen)
}

function methodLines(
  form: FilterForm,
  width: number,
  signs: Signs,
): { readonly lines: readonly Span[][]; readonly at: { readonly row: number; readonly column: number } } {
  const each = Math.max(1, Math.floor(width / BOX))
  const lines: Span[][] = []
  askedMethods.forEach((method, i) => {
    if (i % each === 0) lines.push([])
    const checked = form.methods.includes(method)
    const current = form.row === 'methods' && form.methodAt === i
    lines
      .at(-1)
      ?.push(
        [checked ? 'mark' : 'dim', `[${checked ? signs.marked : ' '}] `],
        [current ? 'key' : checked ? 'text' : 'dim', method.padEnd(BOX - 4)],
      )
  })
  return { lines, at: { row: Math.floor(form.methodAt / each), column: (form.methodAt % each) * BOX + 1 } }
}

/** A text cut into lines where it has spaces. */
function pieces(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && cellsOf(line) + 1 + cellsOf(word) > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

export function drawSettings({ row }: Of<'settings'>, screen: Screen, signs: Signs): Dialog {
  const widest = Math.max(...settingRows.map((s) => s.title.length))
  const lines: Line[] = [
    { spans: [['title', '  Settings']] },
    ...settingRows.map(
      ({ title, value }, i): Line => ({
        on: i === row ? 'cursor' : undefined,
        spans: [
          ['key', i === row ? ` ${signs.cursor} ` : '   '],
          [i === row ? 'title' : 'dim', title.padEnd(widest + 2)],
          ['text', i === row && i > 0 ? `${signs.left} ` : '  '],
          ['text', value(screen)],
          ['text', i === row && i > 0 ? ` ${signs.right}` : ''],
        ],
      }),
    ),
  ]
  return { lines: fitting(lines, { row: row + 1, column: 0 }, screen).lines }
}

export function drawColumns(prompt: Of<'columns'>, screen: Screen, signs: Signs): Dialog {
  const widest = Math.max(...columnNames.map((name) => columnOf(name).title.length))
  const lines = prompt.order.map((name, i): Line => {
    const { title, help } = columnOf(name)
    const chosen = prompt.chosen.includes(name)
    return {
      on: i === prompt.cursor ? 'cursor' : undefined,
      spans: [
        ['key', i === prompt.cursor ? ` ${signs.cursor} ` : '   '],
        ['mark', chosen ? `[${signs.marked}] ` : '[ ] '],
        [chosen ? 'text' : 'dim', title.padEnd(widest + 2)],
        ['dim', help],
      ],
    }
  })
  return { lines: fitting([{ spans: [['title', '  Columns']] }, ...lines], { row: prompt.cursor + 1, column: 0 }, screen).lines }
}

/** The part of a long dialog that has the cursor, below its title. */
function fitting(lines: readonly Line[], cursor: { readonly row: number; readonly column: number }, { rows }: Screen): Dialog {
  const height = listRows(rows) + 1
  const [title, ...rest] = lines
  const room = height - 1
  const top = Math.max(0, Math.min(cursor.row - 1 - Math.floor(room / 2), rest.length - room))
  return {
    lines: padLines([title as Line, ...rest.slice(top, top + room)], height),
    cursor: { row: cursor.row - top, column: cursor.column },
  }
}

/** The keys of a dialog for the bottom line, and what the row under the cursor means. */
export function dialogHelp(
  prompt: Prompt,
): { readonly keys: readonly (readonly [key: string, does: string])[]; readonly hint: string } | undefined {
  switch (prompt.kind) {
    case 'form':
      return {
        keys: [
          ['Enter', 'Apply'],
          ['Esc', 'Leave'],
          ['Up', ''],
          ['Down', 'Row'],
          ['Space', 'Check'],
          ['Ctrl-U', 'Empty'],
          ['Ctrl-L', 'All'],
        ],
        hint: formHelp[prompt.form.row],
      }
    case 'settings':
      return {
        keys: [
          ['Up', ''],
          ['Down', 'Setting'],
          ['Left', ''],
          ['Right', 'Change'],
          ['Enter', 'Done'],
          ['Esc', 'Leave'],
        ],
        hint: settingRows[prompt.row]?.help ?? '',
      }
    case 'columns':
      return {
        keys: [
          ['Space', 'Show or hide'],
          ['+', ''],
          ['-', 'Move'],
          ['Enter', 'Done'],
          ['Esc', 'Leave'],
        ],
        hint: '',
      }
    default:
      return undefined
  }
}
