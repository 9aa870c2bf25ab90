import { delimiters, jsonText } from './delimited.js'
import type { OutputFormat } from './output.js'
import { drawTable } from './table.js'
import type { Out } from './text-out.js'

/** Prints a short list of plain rows in one of the formats: what is neither a call nor a statistic. */
export type PlainRow = Readonly<Record<string, string | number | null>>

/** Those that say something in at least one row: for people, a column of nothing only makes the table wide. */
export const columnsWithValues = <T extends string>(columns: readonly T[], rows: readonly PlainRow[]): T[] =>
  columns.filter((name) => rows.some((row) => (row[name] ?? '') !== ''))

export async function printRows(format: OutputFormat, out: Out, columns: readonly string[], rows: readonly PlainRow[]): Promise<void> {
  switch (format) {
    case 'table':
      await drawTable(
        out,
        columns.map((title) => ({ title, value: (row: PlainRow) => String(row[title] ?? '') })),
        rows,
      )
      return
    case 'json':
      out.write(`${jsonText(rows)}\n`)
      return
    case 'ndjson':
      for (const row of rows) out.write(`${jsonText(row)}\n`)
      return
    case 'csv':
    case 'tsv': {
      const { separator, end, cell } = delimiters[format]
      const lines = [columns.map(cell), ...rows.map((row) => columns.map((name) => cell(row[name] ?? null)))]
      out.write(lines.map((line) => line.join(separator) + end).join(''))
      return
    }
    default:
      format satisfies never
  }
}
