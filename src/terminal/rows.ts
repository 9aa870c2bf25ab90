import { delimiters, jsonText } from './delimited.js'
import type { OutputFormat } from './output.js'
import { type Column, drawTable } from './table.js'
import type { Out } from './text-out.js'

/** A list that is neither calls nor groups of them, in the formats that all commands speak. */
export type Row = Readonly<Record<string, string | number | null>>

export interface RowsOutput<R extends Row> {
  /** Name of the list in the JSON document. */
  readonly name: string
  readonly rows: readonly R[]
  readonly columns: readonly Column<R>[]
  /** Only in the JSON document; the table's reader gets sentences. */
  readonly totals: Readonly<Record<string, unknown>>
}

export async function printRows<R extends Row>(
  format: OutputFormat,
  stream: Out,
  { name, rows, columns, totals }: RowsOutput<R>,
): Promise<void> {
  switch (format) {
    case 'table':
      if (rows.length > 0) await drawTable(stream, columns, rows)
      return
    case 'json':
      stream.write(`${jsonText({ schema_version: 1, [name]: rows, totals })}\n`)
      return
    case 'ndjson':
      for (const row of rows) stream.write(`${jsonText(row)}\n`)
      return
    case 'csv':
    case 'tsv': {
      const { separator, end, cell } = delimiters[format]
      const [first] = rows
      if (first !== undefined) stream.write(`${Object.keys(first).join(separator)}${end}`)
      for (const row of rows) stream.write(`${Object.values(row).map(cell).join(separator)}${end}`)
      return
    }
    default:
      format satisfies never
  }
}
