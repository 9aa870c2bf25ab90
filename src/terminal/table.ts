import { printable } from '../lib/base/text-safe.js'
import type { Out } from './text-out.js'

/** A table for people. Texts of strangers are made harmless here. */
export interface Column<Row> {
  readonly title: string
  readonly right?: boolean | undefined
  readonly value: (row: Row) => string
}

const CELL_LENGTH_MAX = 40

export async function drawTable<Row>(stream: Out, columns: readonly Column<Row>[], rows: readonly Row[]): Promise<void> {
  const { default: Table } = await import('cli-table3')
  const plain = !stream.isTTY || process.env['NO_COLOR'] !== undefined
  const table = new Table({
    head: columns.map((c) => c.title),
    colAligns: columns.map((c) => (c.right ? 'right' : 'left')),
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: plain ? { head: [], border: [] } : { head: ['bold'], border: ['gray'] },
  })
  table.push(...rows.map((row) => columns.map((c) => clip(printable(c.value(row)), CELL_LENGTH_MAX))))
  stream.write(`${table.toString()}\n`)
}

export function clip(text: string, length: number): string {
  if (text.length <= length) return text
  const characters = [...text]
  return characters.length > length ? `${characters.slice(0, length - 1).join('')}…` : text
}
