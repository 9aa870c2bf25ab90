import type { BoardCall } from '../../../lib/live/index.js'
import { keysOn } from '../bindings.js'
import { type ColumnContext, LIST_MARGIN, type PlacedColumn, placeColumns, sidewaysMax } from '../columns.js'
import { listedColumns, listRows } from '../list.js'
import { namesShown, type Screen } from '../model.js'
import type { Signs } from '../signs.js'
import type { Line, Span } from '../style.js'
import { cellsOf, fitted } from '../text.js'
import { count, keyTitle, padLines } from './parts.js'

/** The list of calls: a header, then only the rows that are on the screen, however many there are. */
export function drawCalls(screen: Screen, signs: Signs): Line[] {
  const { list, settings, columns, rows } = screen
  const names = listedColumns(screen)
  const placed = placeColumns(names, columns - LIST_MARGIN, Math.min(list.side, sidewaysMax(names, columns)))
  const context: ColumnContext = { nowMicros: screen.nowMicros, signs, aliases: namesShown(settings), parties: settings.parties }
  const height = listRows(rows)
  const shown = list.rows.slice(list.top, list.top + height)
  const body =
    shown.length === 0
      ? emptyLines(screen)
      : shown.map((call, i) => row(call, placed, context, list.top + i === list.cursorAt, list.marked))
  return [header(placed, screen, signs), ...padLines(body, height)]
}

function header(placed: readonly PlacedColumn[], screen: Screen, signs: Signs): Line {
  const {
    settings: { sort },
    list,
  } = screen
  // Where more columns are than have room.
  const more = placed.length + list.side < listedColumns(screen).length
  const spans: Span[] = [['accent', `${list.side > 0 ? signs.left : ' '}${more ? signs.right : ' '}`]]
  for (const { name, column, width } of placed) {
    const sorted = name === sort.column
    const arrow = sorted ? (sort.descending ? signs.down : signs.up) : ''
    const room = width - cellsOf(arrow)
    const title = column.right === true ? arrow + column.title : column.title + arrow
    spans.push([
      sorted ? 'accent' : 'dim',
      fitted(room < column.title.length ? column.title.slice(0, room) + arrow : title, width, column.right),
    ])
    spans.push(['dim', ' '])
  }
  return { spans }
}

function row(
  call: BoardCall,
  placed: readonly PlacedColumn[],
  context: ColumnContext,
  current: boolean,
  marked: ReadonlySet<string>,
): Line {
  const { signs } = context
  const spans: Span[] = [
    ['key', current ? signs.cursor : ' '],
    ['mark', marked.has(call.key) ? signs.marked : ' '],
  ]
  for (const { column, width } of placed) {
    const role = column.role?.(call, context) ?? 'text'
    // What a call was when its source ended is no state that it is in.
    const calm = call.over && (role === 'accent' || role === 'good') ? 'dim' : role
    spans.push([calm, fitted(column.value(call, context, width), width, column.right, signs.ellipsis)])
    spans.push(['text', ' '])
  }
  return { spans, on: current ? 'cursor' : undefined }
}

function emptyLines({ board, list, sources, keymap }: Screen): Line[] {
  const say = (text: string): Line => ({ spans: [['dim', `  ${text}`]] })
  if (list.filter.text !== '' && board.calls.size > 0) {
    const key = keysOn(keymap, 'calls').get('filter')?.[0]
    const how = key === undefined ? '' : ` ${keyTitle(key)} changes it.`
    return [{ spans: [] }, say(`None of ${count(board.calls.size)} calls fits the filter.${how}`)]
  }
  const where = sources.map((s) => s.name).join(', ')
  return [{ spans: [] }, say(`Waiting for calls${where === '' ? '' : ` on ${where}`} …`)]
}
