import { Args, Flags } from '@oclif/core'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import { openReader } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { fieldsOf, showsLists } from '../../terminal/call-fields.js'
import { callPrinter } from '../../terminal/call-printer.js'
import { readableState } from '../../terminal/defaults.js'
import { FileOut } from '../../terminal/file-out.js'
import { type OutputFormat, outputFormats } from '../../terminal/output.js'
import { counted, workLine } from '../../terminal/progress.js'
import { expressionOf, queryFlags } from '../../terminal/query-flags.js'
import { sortOf, sortSummary } from '../../terminal/sort-flag.js'
import { stopOnSignals } from '../../terminal/stop-signals.js'
import { readsStore, storeFlags } from '../../terminal/store-flags.js'

/** `earshot cdr export -w FILE`: a whole result to a file that is there complete or not at all. */
export default class CdrExport extends BaseCommand {
  static override summary = 'Write all calls that fit to a file.'
  static override description =
    `The same flags as cdr query choose the calls. The format is that of the name (.csv, .tsv, .json, .ndjson; .gz behind it
compresses), or -o says it. The file appears when it is complete; a run that is stopped leaves nothing behind.`
  static override usage = '<%= command.id %> -w FILE [--where EXPR] [FILTER FLAGS] [--fields A,B,C] [--sort FIELD] [--limit N] [--force]'
  static override examples = [
    {
      description: 'A month for a spreadsheet',
      command: '<%= config.bin %> <%= command.id %> -w calls.csv --between 2026-10-01..2026-11-01',
    },
    { description: 'Everything, compressed', command: '<%= config.bin %> <%= command.id %> -w calls.ndjson.gz' },
    {
      description: 'What a carrier wants to see',
      command: '<%= config.bin %> <%= command.id %> -w bad.tsv --ip 192.0.2.0/24 --mos-below 3.6 --fields started,call_id,mos,loss_pct',
    },
  ]
  static override args = { file: Args.string({ description: 'Where to; the same as -w FILE.' }) }
  static override configurable = () => readsStore
  static override flags = {
    ...storeFlags,
    ...queryFlags,
    fields: Flags.string({ char: 'f', helpGroup: 'OUTPUT', helpValue: 'A,B,C', summary: 'Write these fields of the JSON, in this order.' }),
    sort: Flags.string({ helpGroup: 'OUTPUT', helpValue: 'FIELD', summary: sortSummary }),
    limit: Flags.integer({ char: 'l', min: 1, helpGroup: 'OUTPUT', summary: 'Write at most this many calls.' }),
    output: Flags.option({ options: outputFormats })({
      char: 'o',
      helpGroup: 'OUTPUT',
      summary: 'The format, when the name does not say it.',
    }),
    write: Flags.string({ char: 'w', helpGroup: 'OUTPUT', helpValue: 'FILE', summary: 'Where to.' }),
    force: Flags.boolean({ helpGroup: 'OUTPUT', summary: 'Replace FILE when it exists.' }),
    quiet: Flags.boolean({ char: 'q', helpGroup: 'OUTPUT', summary: 'No progress on stderr.' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(CdrExport)
    const name = nameOf(flags.write, args.file)
    const format = flags.output ?? formatOf(name)
    const fields = fieldsOf(flags.fields)
    const lists = showsLists(format, fields)
    const query = { where: expressionOf(flags), sort: sortOf(flags.sort), lists, ...(flags.limit && { limit: flags.limit }) }
    const store = await openReader(flags.store ?? readableState().store)
    const stop = stopOnSignals()
    try {
      const file = FileOut.create(name, { force: flags.force })
      const progress = workLine(process.stderr, flags.quiet)
      try {
        const printer = callPrinter(format, file.stream, { fields })
        let found = 0
        for await (const call of store.find(query)) {
          printer.call(call)
          await printer.drained()
          file.check()
          if (stop.signal.aborted)
            throw new OperatorError('STOPPED', `Stopped after ${counted(found, 'call')}: nothing was written.`, {
              suggestions: ['Choose fewer calls: --since, --limit.'],
            })
          progress.update(++found, 'calls')
        }
        await printer.end({ calls: found })
        await file.commit()
        progress.clear()
        if (!flags.quiet) process.stderr.write(`${counted(found, 'call')} in ${name}\n`)
      } catch (error) {
        progress.clear()
        file.discard()
        throw error
      }
    } finally {
      stop.dispose()
      await store.close()
    }
  }
}

function formatOf(file: string): OutputFormat {
  const extension = /\.(csv|tsv|json|ndjson|jsonl|txt)(\.gz)?$/i.exec(file)?.[1]?.toLowerCase()
  const format = ({ csv: 'csv', tsv: 'tsv', json: 'json', ndjson: 'ndjson', jsonl: 'ndjson', txt: 'table' } as const)[extension ?? '']
  if (format !== undefined) return format
  throw new OperatorError('FORMAT', `The name "${file}" does not say which format it is to be.`, {
    exit: exitCodes.usage,
    suggestions: ['calls.csv, calls.ndjson, calls.csv.gz', 'or -o csv'],
  })
}

function nameOf(written: string | undefined, named: string | undefined): string {
  const name = written ?? named
  if (name !== undefined && (written === undefined || named === undefined)) return name
  throw new OperatorError('EXPORT_FILE', name === undefined ? 'No file to write to.' : 'Two files to write to: one is enough.', {
    exit: exitCodes.usage,
    suggestions: ['Name it: earshot cdr export -w calls.csv'],
  })
}
