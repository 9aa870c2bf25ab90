import { LEGS_APART_MICROS, relation } from '../../lib/call/legs.js'
import { type BoardCall, type CallBoard, viewJson } from '../../lib/live/index.js'
import { type ColumnContext, type ColumnName, columnOf } from './columns.js'
import { type CallList, namesShown, type Screen, type Settings } from './model.js'
import { signsFor } from './signs.js'

/** The list of calls: which, in which order, and where the cursor is. The cursor stays on its call wherever that goes. */

/** Lines above and below the rows: title, header, bottom. */
export const listRows = (rows: number): number => Math.max(1, rows - 4)

/** The chosen columns; with several sources, whose call it is. */
export const listedColumns = ({ sources, settings: { columns } }: Screen): readonly ColumnName[] =>
  sources.length > 1 && !columns.includes('sensor') ? [...columns, 'sensor'] : columns

/** Makes the rows anew from the board. A frozen list stays as it is. */
export function relist(screen: Screen): Screen {
  const { board, list, settings, nowMicros } = screen
  if (list.frozen || list.made === board.version) return screen
  const rows: BoardCall[] = []
  for (const call of board.calls.values()) if (list.filter.fits(call)) rows.push(call)
  return { ...screen, list: placed({ ...list, rows: sorted(rows, settings, nowMicros), made: board.version }, screen.rows) }
}

/** After a change of order or filter: also a frozen list shows it. */
export function relistNow(screen: Screen): Screen {
  const { list, settings, nowMicros } = screen
  if (!list.frozen) return relist({ ...screen, list: { ...list, made: -1 } })
  return { ...screen, list: placed({ ...list, rows: sorted([...list.rows], settings, nowMicros) }, screen.rows) }
}

export function freeze(screen: Screen): Screen {
  const { list } = screen
  if (list.frozen) return relistNow({ ...screen, list: { ...list, frozen: false } })
  // What is shown stays as it was told: copies, with the views of now.
  return { ...screen, list: { ...list, frozen: true, rows: list.rows.map((call) => ({ ...call })) } }
}

function sorted(rows: BoardCall[], settings: Settings, nowMicros: number): BoardCall[] {
  const { sort, parties } = settings
  const { order } = columnOf(sort.column)
  const context: ColumnContext = { nowMicros, signs: signsFor(false), parties, aliases: namesShown(settings) }
  const turn = sort.descending ? -1 : 1
  const keyed = rows.map((call) => ({ call, key: order(call, context) }))
  keyed.sort((x, y) => {
    if (x.key === y.key) return x.call.order - y.call.order
    if (x.key === undefined) return 1
    if (y.key === undefined) return -1
    return x.key < y.key ? -turn : turn
  })
  return keyed.map(({ call }) => call)
}

/** Cursor and top, so that the cursor is on its call, or near where it was, and can be seen. */
export function placed(list: CallList, screenRows: number): CallList {
  const { rows } = list
  if (rows.length === 0) return { ...list, cursor: undefined, cursorAt: 0, top: 0 }
  let at = list.follow
    ? newest(rows)
    : rows[list.cursorAt]?.key === list.cursor
      ? list.cursorAt
      : rows.findIndex((c) => c.key === list.cursor)
  if (at < 0) at = Math.min(list.cursorAt, rows.length - 1)
  return scrolledTo({ ...list, cursor: (rows[at] as BoardCall).key, cursorAt: at }, screenRows)
}

function newest(rows: readonly BoardCall[]): number {
  let at = 0
  for (let i = 1; i < rows.length; i++) if ((rows[i] as BoardCall).order > (rows[at] as BoardCall).order) at = i
  return at
}

function scrolledTo(list: CallList, screenRows: number): CallList {
  const height = listRows(screenRows)
  const highest = Math.max(0, list.rows.length - height)
  const top = Math.min(Math.max(list.cursorAt - height + 1, Math.min(list.top, list.cursorAt)), highest)
  return top === list.top ? list : { ...list, top }
}

export function moveTo(list: CallList, at: number, screenRows: number): CallList {
  if (list.rows.length === 0) return list
  const cursorAt = Math.max(0, Math.min(list.rows.length - 1, at))
  return scrolledTo({ ...list, cursorAt, cursor: (list.rows[cursorAt] as BoardCall).key, follow: false }, screenRows)
}

export const currentCall = ({ list }: Screen): BoardCall | undefined => list.rows[list.cursorAt]

/** The marked calls, else the one under the cursor. */
export function chosenCalls(screen: Screen): BoardCall[] {
  const { list, board } = screen
  const marked = [...list.marked].map((key) => board.calls.get(key)).filter((call) => call !== undefined)
  const current = currentCall(screen)
  return marked.length > 0 ? marked : current === undefined ? [] : [current]
}

/** Legs in one ladder at most; a board of thousands of calls is looked through once. */
const LEGS_MAX = 16

/** The calls and their other legs, by the rules of `cdr show` (call/legs.ts), in order of their start. */
export function withLegs(calls: readonly BoardCall[], board: CallBoard): BoardCall[] {
  const found = new Set(calls)
  for (const call of calls) {
    const json = viewJson(call.view)
    for (const other of board.calls.values()) {
      if (found.size >= LEGS_MAX) break
      if (found.has(other) || Math.abs(other.view.started - call.view.started) > LEGS_APART_MICROS) continue
      if (relation(json, viewJson(other.view)).length > 0) found.add(other)
    }
  }
  return [...found].sort((a, b) => a.view.started - b.view.started)
}
