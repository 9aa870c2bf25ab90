import { Flags } from '@oclif/core'
import { OperatorError } from '../../lib/base/errors.js'
import { type CdrFilter, sortColumns } from '../../lib/store/cdr-store.js'
import { openReader } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { callPrinter } from '../../terminal/call-printer.js'
import { readableState } from '../../terminal/defaults.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { parseDuration, parseTime } from '../../terminal/time-span.js'

const states = ['answered', 'failed', 'cancelled', 'redirected', 'cancelled_no_final', 'no_final_response'] as const

/** `earshot cdr query`: finds calls in the store. */
export default class CdrQuery extends BaseCommand {
  static override summary = 'Find calls and print or export them.'
  static override description =
    `Everything given must fit. A number is found whole or by its end (5550100 finds +15550100); * stands for anything.
Times are UTC: 2026-11-24, 2026-11-24T09:00, -1h, 7d, today.`
  static override examples = [
    { description: 'The last hour', command: '<%= config.bin %> <%= command.id %> --since -1h' },
    {
      description: 'Bad quality today, worst first',
      command: '<%= config.bin %> <%= command.id %> --since today --mos-below 3.6 --sort mos',
    },
    { description: 'One number, for a spreadsheet', command: '<%= config.bin %> <%= command.id %> --number 5550100 -o csv > calls.csv' },
    { description: 'Failed calls through one address', command: '<%= config.bin %> <%= command.id %> --ip 192.0.2.10 --status 4xx,5xx' },
  ]
  static override flags = {
    store: Flags.string({ helpValue: 'URL', summary: 'Where records are: sqlite:PATH. Default: your own database, else the service’s.' }),
    since: Flags.string({ helpGroup: 'FILTER', helpValue: 'TIME', summary: 'Calls that began at this time or later.' }),
    until: Flags.string({ helpGroup: 'FILTER', helpValue: 'TIME', summary: 'Calls that began before this time.' }),
    number: Flags.string({ char: 'n', helpGroup: 'FILTER', summary: 'Caller or callee.' }),
    caller: Flags.string({ aliases: ['from'], helpGroup: 'FILTER', summary: 'Caller.' }),
    callee: Flags.string({ aliases: ['to'], helpGroup: 'FILTER', summary: 'Callee.' }),
    ip: Flags.string({ helpGroup: 'FILTER', helpValue: 'ADDRESS', summary: 'An end of the signalling or of the media.' }),
    'call-id': Flags.string({ helpGroup: 'FILTER', summary: 'Call-ID; * stands for anything.' }),
    status: Flags.string({ multiple: true, delimiter: ',', helpGroup: 'FILTER', summary: 'Final status: 486, 4xx, 0 for none.' }),
    state: Flags.option({ options: states, multiple: true, delimiter: ',' })({ helpGroup: 'FILTER', summary: 'How the call went.' }),
    'mos-below': Flags.string({ helpGroup: 'FILTER', helpValue: 'MOS', summary: 'Calls whose worse direction is below this.' }),
    longer: Flags.string({ helpGroup: 'FILTER', helpValue: 'TIME', summary: 'Talk time at least this: 30s, 5m.' }),
    shorter: Flags.string({ helpGroup: 'FILTER', helpValue: 'TIME', summary: 'Talk time at most this.' }),
    limit: Flags.integer({ char: 'l', min: 1, helpGroup: 'OUTPUT', summary: 'Print at most this many calls.' }),
    sort: Flags.string({
      helpGroup: 'OUTPUT',
      helpValue: 'FIELD',
      default: 'started',
      summary: `Order: ${sortColumns.join(', ')}; with a dash before it (-mos) the other way.`,
    }),
    output: outputFlag,
    json: jsonFlag,
    'exit-status': Flags.boolean({ summary: 'Exit with 3 when nothing was found.' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(CdrQuery)
    const filter: CdrFilter = {
      ...(flags.since && { sinceMicros: parseTime(flags.since) }),
      ...(flags.until && { untilMicros: parseTime(flags.until) }),
      ...(flags.number && { number: flags.number }),
      ...(flags.caller && { caller: flags.caller }),
      ...(flags.callee && { callee: flags.callee }),
      ...(flags.ip && { ip: flags.ip }),
      ...(flags['call-id'] && { callId: flags['call-id'] }),
      ...(flags.status && { status: flags.status.map(checkedStatus) }),
      ...(flags.state && { state: flags.state }),
      ...(flags['mos-below'] && { mosBelow: checkedNumber('--mos-below', flags['mos-below']) }),
      ...(flags.longer && { durationMinMs: parseDuration(flags.longer) }),
      ...(flags.shorter && { durationMaxMs: parseDuration(flags.shorter) }),
      ...(flags.limit && { limit: flags.limit }),
      sort: checkedSort(flags.sort),
    }
    const store = await openReader(flags.store ?? readableState().store)
    const printer = callPrinter(outputFormat(flags), process.stdout)
    let found = 0
    for await (const call of store.find(filter)) {
      printer.call(call)
      found++
    }
    await printer.end({ calls: found })
    await store.close()
    if (found === 0) {
      process.stderr.write('No call fits.\n')
      if (flags['exit-status']) process.exitCode = 3
    }
  }
}

function checkedStatus(text: string): string {
  if (/^(\d{3}|0|[1-6]xx)$/i.test(text)) return text
  throw new OperatorError('STATUS', `"${text}" is not a status.`, {
    exit: 2,
    suggestions: ['Write 486, 4xx, several with commas, or 0 for calls without a final response.'],
  })
}

function checkedNumber(flag: string, text: string): number {
  const value = Number(text)
  if (Number.isFinite(value)) return value
  throw new OperatorError('NUMBER', `${flag} wants a number, not "${text}".`, { exit: 2, suggestions: [`${flag} 3.6`] })
}

function checkedSort(text: string): NonNullable<CdrFilter['sort']> {
  const descending = text.startsWith('-')
  const column = sortColumns.find((name) => name === text.replace(/^[+-]/, ''))
  if (column !== undefined) return { column, descending }
  throw new OperatorError('SORT', `Cannot sort by "${text}".`, { exit: 2, suggestions: [`Fields: ${sortColumns.join(', ')}`] })
}
