import { printable } from '../lib/base/text-safe.js'
import type { Out } from './text-out.js'

/** A table for people. Texts of strangers are made harmless here, and it is no wider than the terminal where that can be helped. */
export interface Column<Row> {
  readonly title: string
  readonly right?: boolean | undefined
  /** Where the terminal is narrow, its texts may be shortened, but not below so many cells. */
  readonly leastCells?: number | undefined
  readonly value: (row: Row) => string
}

const CELLS_MAX = 40
/** What the frame takes of a line: a bar and two spaces a column, and the last bar. */
const frameCells = (columns: number): number => 3 * columns + 1

export async function drawTable<Row>(stream: Out, columns: readonly Column<Row>[], rows: readonly Row[]): Promise<void> {
  const [{ default: Table }, { cellsOf, clip }] = await Promise.all([import('cli-table3'), import('./live/text.js')])
  const plain = !stream.isTTY || process.env['NO_COLOR'] !== undefined
  const texts = rows.map((row) => columns.map((c) => clip(printable(c.value(row)), CELLS_MAX)))
  const widths = columns.map((c, i) => texts.reduce((width, cells) => Math.max(width, cellsOf(cells[i] as string)), cellsOf(c.title)))
  const room = stream.isTTY ? (stream.columns || 80) - frameCells(columns.length) : Number.POSITIVE_INFINITY
  const limits = narrowed(widths, columns, room)
  const table = new Table({
    head: columns.map((c) => c.title),
    colAligns: columns.map((c) => (c.right ? 'right' : 'left')),
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: plain ? { head: [], border: [] } : { head: ['bold'], border: ['gray'] },
  })
  table.push(...texts.map((cells) => cells.map((text, i) => clip(text, limits[i] as number))))
  stream.write(`${table.toString()}\n`)
}

/** The widths that fit into `room`: of the columns that may, the widest gives way first. */
function narrowed(widths: readonly number[], columns: readonly Pick<Column<never>, 'leastCells'>[], room: number): number[] {
  const limits = [...widths]
  for (let over = limits.reduce((sum, width) => sum + width, -room); over > 0; over--) {
    let widest = -1
    for (let i = 0; i < limits.length; i++) {
      if (limits[i]! > (columns[i]?.leastCells ?? Number.POSITIVE_INFINITY) && (widest < 0 || limits[i]! > limits[widest]!)) widest = i
    }
    if (widest < 0) break
    limits[widest]!--
  }
  return limits
}
