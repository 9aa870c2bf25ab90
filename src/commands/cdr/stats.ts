import { Flags } from '@oclif/core'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import { type DimensionName, dimensionNames, dimensions, GROUPS_MAX, type Grouping, Groups, type Trunk } from '../../lib/query/groups.js'
import { type KpiName, kpiNames } from '../../lib/query/kpi.js'
import { nearest } from '../../lib/query/nearest.js'
import { type Network, parseNetwork } from '../../lib/query/network.js'
import { openReader } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { readableState } from '../../terminal/defaults.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { count } from '../../terminal/progress.js'
import { expressionOf, queryFlags } from '../../terminal/query-flags.js'
import { printStats } from '../../terminal/stats-printer.js'
import { readsStore, storeFlags } from '../../terminal/store-flags.js'
import { parseDuration } from '../../terminal/time-span.js'

const TRUNKS_MAX = 1000

/** `earshot cdr stats`: key figures of calls, by time, trunk, prefix and more. */
export default class CdrStats extends BaseCommand {
  static override summary = 'Key figures of calls: ASR, NER, SER, SEER, ACD, PDD, MOS, loss; by time, trunk, prefix, sensor, codec.'
  static override description =
    `The same flags as cdr query choose the calls. Definitions and the lists of responses behind the ratios: docs/queries.md.
A call is of the first trunk whose networks it came from or went to. Times are UTC, and steps begin on round ones.`
  static override usage = '<%= command.id %> [--where EXPR] [FILTER FLAGS] [--every TIME] [--by GROUP,…] [--trunk NAME=CIDR,…] [-o FORMAT]'
  static override examples = [
    { description: 'Today, hour by hour', command: '<%= config.bin %> <%= command.id %> --since today --every 1h' },
    {
      description: 'Two carriers, what came from each and went to each',
      command:
        '<%= config.bin %> <%= command.id %> --since 7d --trunk carrier=192.0.2.0/24 --trunk backup=198.51.100.7,2001:db8::/32 --by trunk,direction',
    },
    { description: 'Where calls go, by prefix', command: '<%= config.bin %> <%= command.id %> --since 30d --prefix +420,+421,+49 -o csv' },
    {
      description: 'Quality by codec and sensor',
      command: '<%= config.bin %> <%= command.id %> --by codec,sensor --fields calls,mos_mean,mos_p5,loss_p95_pct --bar mos_mean',
    },
  ]
  static override configurable = () => readsStore
  static override flags = {
    ...storeFlags,
    ...queryFlags,
    every: Flags.string({ helpGroup: 'GROUPS', helpValue: 'TIME', summary: 'A row for each step of time: 5m, 1h, 1d, 1w.' }),
    by: Flags.option({ options: dimensionNames, multiple: true, multipleNonGreedy: true, delimiter: ',' })({
      helpGroup: 'GROUPS',
      summary: 'A row for each of these, in this order.',
    }),
    trunk: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpGroup: 'GROUPS',
      helpValue: 'NAME=CIDR,…',
      summary: 'A trunk by its networks; repeatable.',
    }),
    prefix: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
      helpGroup: 'GROUPS',
      summary: 'Prefixes of called numbers; the longest that fits counts.',
    }),
    'prefix-length': Flags.integer({
      min: 1,
      max: 20,
      helpGroup: 'GROUPS',
      helpValue: 'N',
      summary: 'Without --prefix: the first N signs of the called number. Default 4.',
    }),
    limit: Flags.integer({ char: 'l', min: 1, helpGroup: 'OUTPUT', summary: 'Print at most this many rows.' }),
    fields: Flags.string({ char: 'f', helpGroup: 'OUTPUT', helpValue: 'A,B,C', summary: `Figures: ${kpiNames.join(', ')}.` }),
    bar: Flags.string({ default: 'calls', helpGroup: 'OUTPUT', helpValue: 'FIGURE', summary: 'What the bars of the table show.' }),
    output: outputFlag,
    json: jsonFlag,
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(CdrStats)
    const trunks = trunksOf(flags.trunk ?? [])
    const by: DimensionName[] = [
      ...(flags.every !== undefined && !(flags.by ?? []).includes('time') ? (['time'] as const) : []),
      ...(flags.by ?? [
        ...(trunks.length > 0 ? (['trunk'] as const) : []),
        ...(flags.prefix === undefined && flags['prefix-length'] === undefined ? [] : (['prefix'] as const)),
      ]),
    ]
    if ((by.includes('trunk') || by.includes('direction')) && trunks.length === 0) {
      throw new OperatorError('TRUNK', 'No trunk was named.', { exit: exitCodes.usage, suggestions: ['--trunk carrier=192.0.2.0/24'] })
    }
    const grouping: Grouping = {
      by,
      everyMicros: everyMicros(flags.every ?? '1h'),
      trunks,
      ...(flags.prefix && { prefixes: flags.prefix }),
      ...(flags['prefix-length'] && { prefixLength: flags['prefix-length'] }),
    }
    const where = expressionOf(flags)
    const figures = flags.fields?.split(',').map(figureOf)
    const bar = figureOf(flags.bar)
    const groups = new Groups(grouping)
    const store = await openReader(flags.store ?? readableState().store)
    try {
      await store.facts({ where, needs: [...new Set(by.flatMap((name) => dimensions[name].needs))] }, (call) => groups.add(call))
    } finally {
      await store.close()
    }
    const all = groups.groups()
    await printStats(outputFormat(flags), process.stdout, {
      by,
      groups: all.slice(0, flags.limit),
      total: groups.total.values(),
      figures,
      bar,
    })
    if (groups.total.calls === 0) process.stderr.write('No call fits.\n')
    if (groups.overflowed > 0) {
      process.stderr.write(
        `More than ${count(GROUPS_MAX)} groups: ${count(groups.overflowed)} calls are counted as "other". Group by less, or choose fewer calls.\n`,
      )
    }
    if (flags.limit !== undefined && all.length > flags.limit) process.stderr.write(`${count(all.length - flags.limit)} more rows.\n`)
  }
}

/** `carrier=192.0.2.0/24,198.51.100.7`. */
function trunksOf(texts: readonly string[]): Trunk[] {
  if (texts.length > TRUNKS_MAX)
    throw new OperatorError('TRUNK', `More than ${TRUNKS_MAX} trunks.`, { exit: exitCodes.usage, suggestions: ['Ask in parts.'] })
  return texts.map((text) => {
    const [name, list] = [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]
    const networks = list.split(',').map((one) => parseNetwork(one.trim()))
    if (!text.includes('=') || name === '' || networks.includes(undefined)) {
      throw new OperatorError('TRUNK', `"${text}" is not a trunk.`, {
        exit: exitCodes.usage,
        suggestions: ['--trunk carrier=192.0.2.0/24', '--trunk carrier=198.51.100.7,2001:db8::/32'],
      })
    }
    return { name, networks: networks as Network[] }
  })
}

function everyMicros(text: string): number {
  const micros = parseDuration(text) * 1000
  if (micros >= 1e6) return micros
  throw new OperatorError('EVERY', 'A step of time lasts a second at least.', {
    exit: exitCodes.usage,
    suggestions: ['--every 5m', '--every 1h'],
  })
}

function figureOf(text: string): KpiName {
  const name = kpiNames.find((one) => one === text.trim())
  if (name !== undefined) return name
  const close = nearest(text, kpiNames)
  throw new OperatorError('FIGURE', `There is no figure "${text}".`, {
    exit: exitCodes.usage,
    suggestions: [...(close === undefined ? [] : [`Did you mean ${close}?`]), `Figures: ${kpiNames.join(', ')}`],
  })
}
