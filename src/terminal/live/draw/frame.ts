import { type Binding, bindingOf, keysOn } from '../bindings.js'
import { clock } from '../columns.js'
import type { Typed } from '../edit.js'
import { currentCall, listRows } from '../list.js'
import type { Prompt, Screen, SourceStatus } from '../model.js'
import { type Signs, signsFor } from '../signs.js'
import type { Line, Span } from '../style.js'
import { shown } from '../text.js'
import { drawCall } from './call.js'
import { drawCalls } from './calls.js'
import { type Dialog, dialogHelp, drawColumns, drawFilterForm, drawSettings } from './dialogs.js'
import { drawHelp } from './help.js'
import { between, clipSpans, count, keyTitle, padLines, typedSpans } from './parts.js'
import { drawDiff, drawRaw } from './raw.js'
import { drawSensors } from './sensors.js'
import { drawStatistics, successPercent } from './statistics.js'
import { drawStreams } from './streams.js'

/**
 * The whole screen as lines, a pure function of its state:
 *
 *   title      where calls come from, what they do, the time
 *   body       the page
 *   status     filter, notice, or what the prompt wants
 *   keys       what the F-keys do, or what is being typed
 */
export interface Frame {
  readonly lines: readonly Line[]
  /** Where the terminal's cursor belongs while something is typed. */
  readonly cursor: { readonly row: number; readonly column: number } | undefined
}

/** Smaller than this nothing can be shown. */
const COLUMNS_MIN = 40
const ROWS_MIN = 8

export function drawFrame(screen: Screen, unicode: boolean): Frame {
  const { columns, rows } = screen
  const signs = signsFor(unicode)
  if (columns < COLUMNS_MIN || rows < ROWS_MIN) {
    const lines = padLines([{ spans: [['text', `${COLUMNS_MIN}x${ROWS_MIN} at least`.slice(0, columns)]] }], rows)
    return { lines, cursor: undefined }
  }
  const dialog = drawDialog(screen, signs)
  const body = padLines(dialog?.lines ?? drawPage(screen, signs), listRows(rows) + 1)
  const typed = typedLine(screen, signs)
  const bottom: Line = typed === undefined ? keyBar(screen) : { spans: typed.spans, on: 'bar' }
  return {
    lines: [title(screen, signs), ...body, { spans: status(screen, signs) }, bottom].map(({ spans, on }) => ({
      spans: clipSpans(spans, columns, signs.ellipsis),
      on,
    })),
    cursor:
      typed !== undefined
        ? { row: rows - 1, column: Math.min(columns - 1, typed.cursor) }
        : dialog?.cursor && { row: dialog.cursor.row + 1, column: Math.min(columns - 1, dialog.cursor.column) },
  }
}

function drawDialog(screen: Screen, signs: Signs): Dialog | undefined {
  switch (screen.prompt?.kind) {
    case 'columns':
      return drawColumns(screen.prompt, screen, signs)
    case 'form':
      return drawFilterForm(screen.prompt, screen, signs)
    case 'settings':
      return drawSettings(screen.prompt, screen, signs)
    default:
      return undefined
  }
}

function drawPage(screen: Screen, signs: Signs): Line[] {
  switch (screen.page) {
    case 'calls':
      return drawCalls(screen, signs)
    case 'call':
      return drawCall(screen, signs)
    case 'streams':
      return drawStreams(screen, signs)
    case 'statistics':
      return drawStatistics(screen, signs)
    case 'sensors':
      return drawSensors(screen, signs)
    case 'help':
      return drawHelp(screen, signs)
    case 'raw':
      return drawRaw(screen, signs)
    case 'diff':
      return drawDiff(screen, signs)
    default:
      return screen.page satisfies never
  }
}

function title(screen: Screen, signs: Signs): Line {
  const { board, sources, columns, list } = screen
  const left: Span[] = [
    ['key', ' earshot '],
    ...sources.slice(0, 3).flatMap((source): Span[] => [...sourceSpans(source, signs), ['bar', ' ']]),
    ...(sources.length > 3 ? ([['bar', `+${sources.length - 3} `]] as Span[]) : []),
  ]
  if (list.frozen) left.push(['fair', `${signs.paused} frozen `])
  const { running } = board
  const asr = successPercent(board.totals)
  const numbers = [
    `${count(running)} running`,
    `${count(board.calls.size - running)} over`,
    ...(columns >= 100 ? [`${callsPerSecond(screen).toFixed(1)}/s`] : []),
    ...(asr === undefined ? [] : [`ASR ${asr.toFixed(0)}%`]),
  ].join(` ${signs.dot} `)
  const time = screen.nowMicros > 0 ? clock(screen.nowMicros) : ''
  return {
    spans: between(
      left,
      [
        ['bar', `${numbers}  `],
        ['key', `${time} `],
      ],
      columns,
      signs.ellipsis,
    ),
    on: 'bar',
  }
}

function sourceSpans({ name, state, detail }: SourceStatus, signs: Signs): Span[] {
  const sign: Record<SourceStatus['state'], Span> = {
    live: ['good', signs.live],
    reading: ['accent', signs.live],
    done: ['dim', signs.dot],
    connecting: ['fair', signs.live],
    lost: ['bad', signs.broken],
  }
  const words =
    state === 'lost' ? 'lost, trying again' : state === 'live' || state === 'done' ? (detail ?? '') : `${state} ${detail ?? ''}`.trim()
  return [sign[state], ['bar', ` ${shown(name)}${words === '' ? '' : ` (${shown(words)})`}`]]
}

/** Calls that began, a second, over the last ten seconds. */
export function callsPerSecond({ board: { history } }: Screen): number {
  const last = Math.min(10, Math.max(1, history.length))
  let sum = 0
  for (let back = 0; back < last; back++) sum += history.at(back, 1) ?? 0
  return sum / last
}

/** The line above the bottom: what is wrong or new, what the prompt wants, the filter and the place in the list. */
function status(screen: Screen, signs: Signs): Span[] {
  const { prompt, notice, list, page, columns } = screen
  const one = (role: Span[0], content: string): Span[] =>
    between(
      [
        ['text', ' '],
        [role, shown(content)],
      ],
      [],
      columns,
      signs.ellipsis,
    )
  if (prompt !== undefined) return promptHint(prompt, one)
  if (notice !== undefined) return one(notice.bad ? 'bad' : 'accent', notice.text)
  if (page === 'calls') {
    const left: Span[] = [['text', ' ']]
    if (list.filter.text !== '') left.push(['dim', 'filter '], ['accent', shown(list.filter.text)], ['text', '  '])
    if (list.marked.size > 0) left.push(['mark', `${list.marked.size} marked`], ['text', '  '])
    if (list.follow) left.push(['dim', 'following'], ['text', '  '])
    const place = list.rows.length === 0 ? '' : `${count(list.cursorAt + 1)} of ${count(list.rows.length)} `
    return between(left, [['dim', place]], columns, signs.ellipsis)
  }
  const call = screen.flow.calls[0] ?? currentCall(screen)
  if (call === undefined || page === 'help' || page === 'statistics' || page === 'sensors') return []
  const more = screen.flow.calls.length > 1 ? ` and ${screen.flow.calls.length - 1} more` : ''
  return between([['dim', ` ${shown(call.view.callId)}${more}`]], [['dim', `${screen.flow.note ?? ''} `]], columns, signs.ellipsis)
}

const filterHint = 'mos < 3.6 and caller ~ 555 · status = 4xx · or any piece of a call'

function promptHint(prompt: Prompt, one: (role: Span[0], content: string) => Span[]): Span[] {
  switch (prompt.kind) {
    case 'filter':
      return prompt.error === undefined ? one('dim', filterHint) : one('bad', prompt.error)
    case 'alias':
      return one('dim', `A name for ${prompt.ip}; empty takes it away.`)
    case 'save': {
      const what = { marked: 'the marked calls', current: 'this call', shown: 'every call of the list' }[prompt.which]
      const as = { rtp: 'pcap with RTP', sip: 'pcap, SIP only', text: 'ladder as text' }[prompt.format]
      return one('dim', `${what} as ${as} · Tab changes the form, Up and Down the calls`)
    }
    case 'form':
      return prompt.form.error === undefined ? one('dim', dialogHelp(prompt)?.hint ?? '') : one('bad', prompt.form.error.text)
    case 'settings':
    case 'columns':
      return one('dim', dialogHelp(prompt)?.hint ?? '')
    case 'quit':
      return []
    default:
      return prompt satisfies never
  }
}

/** What is being typed, and where the cursor is in it. */
function typedLine({ prompt, columns }: Screen, signs: Signs): { spans: Span[]; cursor: number } | undefined {
  const field = (name: string, typed: Typed): { spans: Span[]; cursor: number } => {
    const { spans, cursor } = typedSpans(typed, columns - name.length - 2, 'key', signs)
    return { spans: [['bar', ` ${name} `], ...spans], cursor: name.length + 2 + cursor }
  }
  switch (prompt?.kind) {
    case 'filter':
      return field('Filter:', prompt)
    case 'alias':
      return field('Name:', prompt)
    case 'save':
      return field('Save to:', prompt)
    case 'quit':
      return {
        spans: [
          ['key', ' Quit? '],
          ['bar', 'y or Enter quits, any other key stays'],
        ],
        cursor: 7,
      }
    default:
      return undefined
  }
}

/** ` F1 Help  F2 Save …`: as many as fit. In a dialog, what its keys do. */
function keyBar(screen: Screen): Line {
  const spans: Span[] = [['bar', ' ']]
  const help = screen.prompt && dialogHelp(screen.prompt)
  if (help !== undefined) {
    for (const [key, does] of help.keys) spans.push(['key', key], ['bar', does === '' ? ' ' : ` ${does}  `])
    return { spans, on: 'bar' }
  }
  let left = screen.columns - 1
  const labelled = [...keysOn(screen.keymap, screen.page)]
    .map(([action, keys]) => ({ binding: bindingOf(action) as Binding, key: firstKey(keys) }))
    .filter(({ binding }) => binding.label !== undefined)
    .sort((a, b) => rank(a.key) - rank(b.key))
  for (const { binding, key } of labelled) {
    const label = binding.label as string
    const width = key.length + label.length + 3
    if (width > left) break
    spans.push(['key', key], ['bar', ` ${label}  `])
    left -= width
  }

  return { spans, on: 'bar' }
}

const rank = (key: string): number => (/^F\d+$/.test(key) ? Number(key.slice(1)) : key === 'Esc' ? -1 : 50)

function firstKey(keys: readonly string[]): string {
  return keyTitle(keys.find((k) => /^f\d+$/.test(k)) ?? (keys[0] as string))
}
