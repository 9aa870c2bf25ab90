import { Flags } from '@oclif/core'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import { printable } from '../../lib/base/text-safe.js'
import type { CallJson } from '../../lib/call/json.js'
import type { CdrReader } from '../../lib/store/cdr-store.js'
import { openReader } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { columnsFor, fieldsOf, showsLists } from '../../terminal/call-fields.js'
import { callLine } from '../../terminal/call-line.js'
import { type CallPrinter, callPrinter } from '../../terminal/call-printer.js'
import { readableState } from '../../terminal/defaults.js'
import { follow, newest } from '../../terminal/follow.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { expressionOf, queryFlags } from '../../terminal/query-flags.js'
import { sortOf, sortSummary } from '../../terminal/sort-flag.js'
import { stopOnSignals } from '../../terminal/stop-signals.js'
import { readsStore, storeFlags } from '../../terminal/store-flags.js'

/** Calls that a table shows when nobody says how many, and the most that `--last` holds. */
const LAST_DEFAULT = 50
const LAST_MAX = 100_000
/** Records that `--follow` shows before the new ones. */
const FOLLOW_BEFORE = 10

/** `earshot cdr query`: finds calls in the store. */
export default class CdrQuery extends BaseCommand {
  static override summary = 'Find calls and print or export them.'
  static override description =
    `Everything given must fit; of one flag's several values any. A number is found whole or by its end (5550100 finds +15550100);
* stands for anything (+420*). --where takes any question in the language of docs/queries.md. Times are UTC.
A table shows the last 50 calls unless --last, --limit, --sort or --after say otherwise; the other formats print all.`
  static override usage =
    '<%= command.id %> [--where EXPR] [FILTER FLAGS] [-o FORMAT] [--fields A,B,C] [--sort FIELD] [--last N | --limit N] [--after ID] [--follow]'
  static override examples = [
    { description: 'The last calls', command: '<%= config.bin %> <%= command.id %>' },
    {
      description: 'Bad quality today, worst first',
      command: '<%= config.bin %> <%= command.id %> --since today --mos-below 3.6 --sort mos',
    },
    {
      description: 'All calls of a prefix, for a spreadsheet',
      command: "<%= config.bin %> <%= command.id %> --callee '+420*' -o csv > calls.csv",
    },
    { description: 'Failed calls through one network', command: '<%= config.bin %> <%= command.id %> --ip 192.0.2.0/24 --status 4xx,5xx' },
    {
      description: 'Any question',
      command: "<%= config.bin %> <%= command.id %> --where 'talk > 10m and (loss > 2% or problem = one_way_media) and agent ~ asterisk'",
    },
    {
      description: 'New records as they come, three fields each',
      command: '<%= config.bin %> <%= command.id %> --follow -o tsv --fields started,caller,status',
    },
    { description: 'Page by page', command: '<%= config.bin %> <%= command.id %> --limit 1000 --after 4711 -o ndjson' },
  ]
  static override configurable = () => readsStore
  static override flags = {
    ...storeFlags,
    ...queryFlags,
    fields: Flags.string({ char: 'f', helpGroup: 'OUTPUT', helpValue: 'A,B,C', summary: 'Print these fields of the JSON, in this order.' }),
    sort: Flags.string({ helpGroup: 'OUTPUT', helpValue: 'FIELD', summary: sortSummary }),
    last: Flags.integer({
      min: 1,
      max: LAST_MAX,
      helpGroup: 'OUTPUT',
      helpValue: 'N',
      exclusive: ['limit', 'sort', 'after'],
      summary: 'The latest N, oldest of them first.',
    }),
    limit: Flags.integer({ char: 'l', min: 1, helpGroup: 'OUTPUT', summary: 'Print at most this many calls.' }),
    after: Flags.integer({
      min: 1,
      helpGroup: 'OUTPUT',
      helpValue: 'ID',
      summary: 'Go on after this record, in the same order: the next page.',
    }),
    follow: Flags.boolean({
      char: 'F',
      helpGroup: 'OUTPUT',
      exclusive: ['sort', 'after', 'limit'],
      summary: 'Then print new records as they are stored, until Ctrl-C.',
    }),
    output: outputFlag,
    json: jsonFlag,
    'no-header': Flags.boolean({ helpGroup: 'OUTPUT', summary: 'CSV and TSV without their first line.' }),
    'exit-status': Flags.boolean({ summary: 'Exit with 3 when nothing was found.' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(CdrQuery)
    const format = outputFormat(flags)
    const fields = fieldsOf(flags.fields)
    const where = expressionOf(flags)
    const sort = sortOf(flags.sort)
    if (flags.follow && format === 'json') {
      throw new OperatorError('FOLLOW', 'One JSON document has an end, and --follow has none.', {
        exit: exitCodes.usage,
        suggestions: ['--follow -o ndjson'],
      })
    }
    const lists = showsLists(format, fields)
    const implied = format === 'table' && flags.limit === undefined && flags.sort === undefined && flags.after === undefined
    const last = flags.last ?? (flags.follow ? FOLLOW_BEFORE : implied ? LAST_DEFAULT : undefined)
    const store = await openReader(flags.store ?? readableState().store)
    try {
      const printer = callPrinter(format, process.stdout, { fields, header: !flags['no-header'] })
      const known = flags.follow ? await newest(store) : undefined
      const calls =
        last === undefined
          ? store.find({ where, sort, lists, ...(flags.limit && { limit: flags.limit }), ...(flags.after && { after: flags.after }) })
          : await latest(store, { where, last, lists })
      const { found, lastId } = await print(calls, printer)
      const cut = flags.limit !== undefined && found === flags.limit
      await (flags.follow && format !== 'table' ? undefined : printer.end({ calls: found, ...(cut && { after: lastId }) }))
      if (cut && process.stderr.isTTY) process.stderr.write(`The next page: --after ${lastId}\n`)
      if (implied && flags.last === undefined && found === LAST_DEFAULT) {
        process.stderr.write(`The last ${LAST_DEFAULT} that fit. More: --last N; all: -o ndjson, csv or tsv.\n`)
      }
      if (flags.follow) await this.#follow(store, { where, lists, known, printer: format === 'table' ? linePrinter(fields) : printer })
      else if (found === 0) {
        process.stderr.write('No call fits.\n')
        if (flags['exit-status']) process.exitCode = exitCodes.notFound
      }
    } finally {
      await store.close()
    }
  }

  async #follow(
    store: CdrReader,
    {
      where,
      lists,
      known,
      printer,
    }: {
      where: ReturnType<typeof expressionOf>
      lists: boolean
      known: number | undefined
      printer: Pick<CallPrinter, 'call' | 'drained'>
    },
  ): Promise<void> {
    const stop = stopOnSignals()
    for await (const call of follow(store, { where, lists, known, signal: stop.signal, onAway: (error) => this.printError(error) })) {
      printer.call(call)
      await printer.drained()
    }
    stop.dispose()
  }
}

async function print(
  calls: AsyncIterable<CallJson> | Iterable<CallJson>,
  printer: CallPrinter,
): Promise<{ found: number; lastId: number | null }> {
  let found = 0
  let lastId: number | null = null
  for await (const call of calls) {
    printer.call(call)
    await printer.drained()
    lastId = call.id
    found++
  }
  return { found, lastId }
}

/** The latest, oldest first: asked backwards, held, and turned round. */
async function latest(
  store: CdrReader,
  { where, last, lists }: { where: ReturnType<typeof expressionOf>; last: number; lists: boolean },
): Promise<CallJson[]> {
  const calls: CallJson[] = []
  for await (const call of store.find({ where, lists, limit: last, sort: { column: 'started', descending: true } })) calls.push(call)
  return calls.reverse()
}

/** A table cannot grow: new calls are a line each. */
function linePrinter(fields: ReturnType<typeof fieldsOf>): Pick<CallPrinter, 'call' | 'drained'> {
  const columns = fields && columnsFor(fields)
  return {
    call: (call) => {
      process.stdout.write(`${columns === undefined ? callLine(call) : columns.map((c) => printable(c.value(call))).join('  ')}\n`)
    },
    drained: async () => {},
  }
}
