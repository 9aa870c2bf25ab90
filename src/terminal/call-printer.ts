import { type CallJson, callJson, schemaVersion } from '../lib/call/json.js'
import type { CallRecord } from '../lib/call/record.js'
import { type CallField, cellOf, columnsFor, flatFields, showsLists, type TableColumn, tableColumns } from './call-fields.js'
import { callLine } from './call-line.js'
import { delimiters, jsonText } from './delimited.js'
import type { OutputFormat } from './output.js'
import { drawTable } from './table.js'
import { type Out, TextOut } from './text-out.js'

/** Prints calls in one of the formats, each as soon as the format allows. */
export interface CallPrinter {
  call(json: CallJson): void
  /** Resolves when the reader keeps up: await it in a long result, and memory stays small. */
  drained(): Promise<void>
  /** After the last call. `totals` appears in the JSON document only. */
  end(totals?: Readonly<Record<string, unknown>>): Promise<void>
}

export interface PrinterOptions {
  /** Only these, in this order; nothing given: all of them (the table: those that fit the terminal). */
  readonly fields?: readonly CallField[] | undefined
  /** False leaves out the first line of CSV and TSV. */
  readonly header?: boolean | undefined
}

/** Rows of one table; a longer result goes on in a further table, so that memory stays bounded. */
const TABLE_ROWS_MAX = 10_000

export function callPrinter(format: OutputFormat, stream: Out, options: PrinterOptions = {}): CallPrinter {
  return printers[format](new TextOut(stream), options)
}

/** A printer of calls that have just ended. */
export interface RunPrinter extends Pick<CallPrinter, 'end'> {
  call(record: CallRecord): void
}

/**
 * What `sniff` and `mirror-recv` print their calls with. A table can only be drawn when all its rows are there: a live run prints a
 * line as each call ends instead. A service prints none: its stdout is the journal, which others may read than may read records.
 */
export function runPrinter(
  format: OutputFormat,
  stream: Out,
  { live, service }: { readonly live: boolean; readonly service: boolean },
): RunPrinter {
  if (!live || format !== 'table') {
    const printer = callPrinter(format, stream)
    // The thread of the packets makes no text that no column shows.
    const lists = showsLists(format, undefined)
    return { call: (record) => printer.call(callJson(record, null, lists)), end: (totals) => printer.end(totals) }
  }
  return { call: service ? () => {} : (record) => stream.write(`${callLine(callJson(record, null, false))}\n`), end: async () => {} }
}

const printers: Readonly<Record<OutputFormat, (out: TextOut, options: PrinterOptions) => CallPrinter>> = {
  table: tablePrinter,
  json: jsonPrinter,
  ndjson: (out, { fields }) => ({
    call: (json) => {
      out.write(`${jsonText(picked(json, fields))}\n`)
      out.soon()
    },
    drained: () => out.drained(),
    end: async () => out.flush(),
  }),
  csv: (out, options) => delimitedPrinter(out, 'csv', options),
  tsv: (out, options) => delimitedPrinter(out, 'tsv', options),
}

const picked = (call: CallJson, fields: readonly CallField[] | undefined): unknown =>
  fields === undefined ? call : Object.fromEntries(fields.map((field) => [field, call[field]]))

function tablePrinter({ stream }: TextOut, { fields }: PrinterOptions): CallPrinter {
  let calls: CallJson[] = []
  let columns: readonly TableColumn[] | undefined = fields && columnsFor(fields)
  const width = stream.isTTY ? stream.columns || 80 : Number.POSITIVE_INFINITY
  const draw = async (): Promise<void> => {
    const rows = calls
    calls = []
    if (rows.length > 0 && columns !== undefined) await drawTable(stream, columns, rows)
  }
  return {
    call(json) {
      columns ??= tableColumns.filter((c) => width >= c.widthMin && (c.title !== 'ID' || json.id !== null))
      calls.push(json)
    },
    drained: async () => {
      if (calls.length >= TABLE_ROWS_MAX) await draw()
    },
    end: draw,
  }
}

function jsonPrinter(out: TextOut, { fields }: PrinterOptions): CallPrinter {
  let first = true
  return {
    call(json) {
      out.write(first ? `{"schema_version":${schemaVersion},"calls":[\n` : ',\n')
      first = false
      out.write(jsonText(picked(json, fields)))
    },
    drained: () => out.drained(),
    async end(totals) {
      out.write(first ? `{"schema_version":${schemaVersion},"calls":[` : '\n')
      out.write(`],"totals":${JSON.stringify(totals ?? {})}}\n`)
      out.flush()
    },
  }
}

function delimitedPrinter(out: TextOut, format: 'csv' | 'tsv', { fields = flatFields, header = true }: PrinterOptions): CallPrinter {
  const { separator, end, cell } = delimiters[format]
  let begun = !header
  const begin = (): void => {
    if (!begun) out.write(`${fields.join(separator)}${end}`)
    begun = true
  }
  return {
    call(json) {
      begin()
      out.write(`${fields.map((field) => cell(cellOf(json, field))).join(separator)}${end}`)
      out.soon()
    },
    drained: () => out.drained(),
    async end() {
      begin()
      out.flush()
    },
  }
}
