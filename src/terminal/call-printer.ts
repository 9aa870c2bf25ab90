import { printable } from '../lib/base/text-safe.js'
import { type CallJson, schemaVersion } from '../lib/call/json.js'
import { flatFields, tableColumns } from './call-fields.js'
import type { OutputFormat } from './output.js'

/** Prints calls in one of the formats, each as soon as the format allows. */
export interface CallPrinter {
  call(json: CallJson): void
  /** After the last call. `totals` appears in the JSON document only. */
  end(totals?: Readonly<Record<string, unknown>>): Promise<void>
}

/** Rows of one table; a longer result goes on in a further table, so that memory stays bounded. */
const TABLE_ROWS_MAX = 10_000
/** Text is handed to the stream in pieces of this size: 10,000 small writes cost more than the calls. */
const BUFFER_BYTES = 1 << 16

type Out = Pick<NodeJS.WriteStream, 'write'> & { readonly isTTY?: boolean; readonly columns?: number }

export function callPrinter(format: OutputFormat, stream: Out): CallPrinter {
  return printers[format](new Buffered(stream), stream)
}

class Buffered {
  readonly #stream: Out
  #text = ''

  constructor(stream: Out) {
    this.#stream = stream
  }

  write(text: string): void {
    this.#text += text
    // Somebody watches a terminal, or reads a pipe live.
    if (this.#text.length >= BUFFER_BYTES) this.flush()
  }

  flush(): void {
    if (this.#text !== '') this.#stream.write(this.#text)
    this.#text = ''
  }
}

const printers: Readonly<Record<OutputFormat, (out: Buffered, stream: Out) => CallPrinter>> = {
  table: tablePrinter,
  json: jsonPrinter,
  ndjson: (out) => ({
    call: (json) => {
      out.write(`${JSON.stringify(json)}\n`)
      soon(out)
    },
    end: async () => out.flush(),
  }),
  csv: (out) => delimitedPrinter(out, ',', csvCell),
  tsv: (out) => delimitedPrinter(out, '\t', (value) => String(value ?? '').replace(/[\t\r\n]/g, ' ')),
}

/** A live stream shows each call within the same turn of the event loop, and a file's thousands go out in big pieces. */
function soon(out: Buffered): void {
  setImmediate(() => out.flush())
}

function tablePrinter(_out: Buffered, stream: Out): CallPrinter {
  let rows: string[][] = []
  const width = stream.isTTY ? (stream.columns ?? 80) : Number.POSITIVE_INFINITY
  let columns: readonly (typeof tableColumns)[number][] | undefined
  const draw = async (): Promise<void> => {
    if (rows.length === 0 || columns === undefined) return
    const { default: Table } = await import('cli-table3')
    const plain = !stream.isTTY || process.env['NO_COLOR'] !== undefined
    const table = new Table({
      head: columns.map((c) => c.title),
      colAligns: columns.map((c) => (c.right ? 'right' : 'left')),
      chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
      style: plain ? { head: [], border: [] } : { head: ['bold'], border: ['gray'] },
    })
    table.push(...rows)
    stream.write(`${table.toString()}\n`)
    rows = []
  }
  return {
    call(json) {
      columns ??= tableColumns.filter((c) => width >= c.widthMin && (c.title !== 'ID' || json.id !== null))
      if (rows.length < TABLE_ROWS_MAX) rows.push(columns.map((c) => clip(printable(c.value(json)), 32)))
      else {
        void draw()
        rows.push(columns.map((c) => clip(printable(c.value(json)), 32)))
      }
    },
    end: draw,
  }
}

function jsonPrinter(out: Buffered): CallPrinter {
  let first = true
  return {
    call(json) {
      out.write(first ? `{"schema_version":${schemaVersion},"calls":[\n` : ',\n')
      first = false
      out.write(JSON.stringify(json))
    },
    async end(totals) {
      out.write(first ? `{"schema_version":${schemaVersion},"calls":[` : '\n')
      out.write(`],"totals":${JSON.stringify(totals ?? {})}}\n`)
      out.flush()
    },
  }
}

function delimitedPrinter(out: Buffered, separator: string, cell: (value: unknown) => string): CallPrinter {
  let begun = false
  const begin = (): void => {
    if (!begun) out.write(`${flatFields.join(separator)}${separator === ',' ? '\r\n' : '\n'}`)
    begun = true
  }
  return {
    call(json) {
      begin()
      out.write(`${flatFields.map((field) => cell(json[field])).join(separator)}${separator === ',' ? '\r\n' : '\n'}`)
      soon(out)
    },
    async end() {
      begin()
      out.flush()
    },
  }
}

/**
 * RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe before it: display names are
 * written by strangers. Numbers of ours are numbers, and a phone number's plus sign with digits only is harmless.
 */
function csvCell(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number') return String(value)
  const text = String(value)
  const guarded = /^[=@\t\r]|^[+-](?!\d+$)/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded
}

const clip = (text: string, length: number): string => {
  const characters = [...text]
  return characters.length > length ? `${characters.slice(0, length - 1).join('')}…` : text
}
