import { printable } from '../lib/base/text-safe.js'
import type { Micros } from '../lib/base/units.js'
import { isoTime } from '../lib/call/json.js'
import type { DimensionName, Group, Key } from '../lib/query/groups.js'
import { type KpiName, type KpiValues, kpiNames } from '../lib/query/kpi.js'
import { delimiters, jsonText } from './delimited.js'
import type { OutputFormat } from './output.js'
import { type Column, drawTable } from './table.js'
import type { Out } from './text-out.js'

/** Groups of calls with their key figures, in the formats that all commands speak; the table has bars. */
export interface StatsOutput {
  readonly by: readonly DimensionName[]
  readonly groups: readonly Group[]
  readonly total: KpiValues
  /** Figures asked for with --fields; undefined: all, and in the table those that fit. */
  readonly figures: readonly KpiName[] | undefined
  /** What the bars show. */
  readonly bar: KpiName
}

export async function printStats(format: OutputFormat, stream: Out, output: StatsOutput): Promise<void> {
  const { by, groups, figures = kpiNames } = output
  const object = ({ keys, values }: Group): Record<string, unknown> => ({
    ...Object.fromEntries(by.map((name, i) => [name, keyValue(name, keys[i] ?? null)])),
    ...Object.fromEntries(figures.map((name) => [name, values[name]])),
  })
  switch (format) {
    case 'table':
      return table(stream, output)
    case 'json':
      stream.write(`${jsonText({ schema_version: 1, groups: groups.map(object), totals: output.total })}\n`)
      return
    case 'ndjson':
      for (const group of groups) stream.write(`${jsonText(object(group))}\n`)
      return
    case 'csv':
    case 'tsv': {
      const { separator, end, cell } = delimiters[format]
      stream.write(`${[...by, ...figures].join(separator)}${end}`)
      for (const group of groups)
        stream.write(
          `${Object.values(object(group))
            .map((v) => cell(v as string | number | null))
            .join(separator)}${end}`,
        )
      return
    }
    default:
      format satisfies never
  }
}

/** A time as the start of its step. */
const keyValue = (name: DimensionName, key: Key): Key =>
  name === 'time' && typeof key === 'number' ? isoTime(key as Micros).replace('.000000Z', 'Z') : key
const shown = (name: DimensionName, key: Key): string => {
  const value = keyValue(name, key)
  return value === null ? '–' : name === 'time' ? String(value).slice(0, 16).replace('T', ' ') : printable(String(value))
}

interface Figure {
  readonly name: KpiName
  readonly title: string
  readonly digits: number
  /** Width of the terminal from which it is shown. */
  readonly widthMin: number
  readonly scale?: number
}
const shownFigures: readonly Figure[] = [
  { name: 'calls', title: 'Calls', digits: 0, widthMin: 0 },
  { name: 'asr_pct', title: 'ASR %', digits: 1, widthMin: 0 },
  { name: 'ner_pct', title: 'NER %', digits: 1, widthMin: 0 },
  { name: 'ser_pct', title: 'SER %', digits: 1, widthMin: 130 },
  { name: 'seer_pct', title: 'SEER %', digits: 1, widthMin: 110 },
  { name: 'acd_s', title: 'ACD s', digits: 0, widthMin: 0 },
  { name: 'pdd_mean_ms', title: 'PDD s', digits: 2, widthMin: 90, scale: 0.001 },
  { name: 'mos_mean', title: 'MOS', digits: 2, widthMin: 0 },
  { name: 'loss_p50_pct', title: 'Loss 50', digits: 1, widthMin: 140 },
  { name: 'loss_p95_pct', title: 'Loss 95', digits: 1, widthMin: 100 },
  { name: 'jitter_p95_ms', title: 'Jitter 95', digits: 1, widthMin: 140 },
]

const BAR_LENGTH = 20

async function table(stream: Out, { by, groups, total, figures, bar }: StatsOutput): Promise<void> {
  const width = stream.isTTY ? stream.columns || 80 : Number.POSITIVE_INFINITY
  const chosen: readonly Figure[] =
    figures === undefined
      ? shownFigures.filter((f) => width >= f.widthMin)
      : figures.map(
          (name) => shownFigures.find((f) => f.name === name && f.scale === undefined) ?? { name, title: name, digits: 2, widthMin: 0 },
        )
  const most = Math.max(...groups.map(({ values }) => values[bar] ?? 0))
  const rows = [...groups, ...(groups.length > 1 ? [{ keys: by.map(() => null), values: total, last: true }] : [])]
  const columns: Column<(typeof rows)[number]>[] = [
    ...by.map((name, i) => ({
      title: name,
      value: (row: (typeof rows)[number]) => ('last' in row ? (i === 0 ? 'all' : '') : shown(name, row.keys[i] ?? null)),
    })),
    ...chosen.map(({ name, title, digits, scale = 1 }) => ({
      title,
      right: true,
      value: ({ values }: (typeof rows)[number]) => {
        const value = values[name]
        return value === null ? '' : digits === 0 ? Math.round(value * scale).toLocaleString('en-US') : (value * scale).toFixed(digits)
      },
    })),
    ...(groups.length > 1
      ? [
          {
            title: shownFigures.find((f) => f.name === bar)?.title ?? bar,
            value: (row: (typeof rows)[number]) => ('last' in row ? '' : barText(row.values[bar], most)),
          },
        ]
      : []),
  ]
  await drawTable(stream, columns, rows)
}

/** A bar in eighths of a character. */
export function barText(value: number | null, most: number, length = BAR_LENGTH): string {
  if (value === null || most <= 0 || value <= 0) return ''
  const eighths = Math.max(1, Math.round((value / most) * length * 8))
  const rest = eighths % 8
  return '█'.repeat(Math.floor(eighths / 8)) + (rest === 0 ? '' : ' ▏▎▍▌▋▊▉'[rest])
}
