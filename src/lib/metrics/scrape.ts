import { Registry } from 'prom-client'
import type { ServiceStats } from '../manager/index.js'
import { type MetricContext, type MetricRow, metrics } from './table.js'

/**
 * What services count → the text that Prometheus reads (exposition format 0.0.4). Made anew for each scrape from what the services
 * say at that moment: a service that is gone leaves nothing behind.
 */
export const contentType = Registry.PROMETHEUS_CONTENT_TYPE

interface Value {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  /** Where it differs from the metric’s: `…_bucket`, `…_sum`, `…_count`. */
  readonly metricName?: string
}

export async function scrape(services: readonly ServiceStats[], context: MetricContext): Promise<string> {
  const registry = new Registry()
  const labelled = withLabels(services)
  for (const [name, row] of Object.entries(metrics)) {
    const values =
      'ofHost' in row
        ? [{ labels: {}, value: row.ofHost(context) }]
        : labelled.flatMap(({ stats, labels }) =>
            valuesOf(name, row, stats, context).map((v) => ({ ...v, labels: { ...labels, ...v.labels } })),
          )
    // A metric without a sample is none.
    if (values.length > 0) register(registry, name, row, values)
  }
  return registry.metrics()
}

/** The registry asks a metric only for what it has; our metrics have their counts already, so none of its own kinds fits. */
function register(registry: Registry, name: string, { type, help }: Pick<MetricRow, 'type' | 'help'>, values: readonly Value[]): void {
  const metric = { name, help, type, get: async () => ({ name, help, type, values, aggregator: 'sum' }) }
  registry.registerMetric(metric as unknown as Parameters<Registry['registerMetric']>[0])
}

/** Two services that would look alike have their process in the label, too. */
function withLabels(services: readonly ServiceStats[]): { stats: ServiceStats; labels: Record<string, string> }[] {
  const kind = ({ service, pid }: ServiceStats): string => (service.endsWith(`-${pid}`) ? service.slice(0, -`-${pid}`.length) : service)
  const seen = new Set<string>()
  return services.map((stats) => {
    const source = stats.source ?? ''
    const key = `${kind(stats)} ${source}`
    const service = seen.has(key) ? stats.service : kind(stats)
    seen.add(key)
    return { stats, labels: { service, source } }
  })
}

function valuesOf(
  name: string,
  row: Exclude<MetricRow, { readonly ofHost: unknown }>,
  stats: ServiceStats,
  context: MetricContext,
): Value[] {
  if (row.type === 'histogram') return row.of(stats).flatMap(({ labels, counts }) => histogramValues(name, labels, counts))
  const found = row.of(stats, context)
  return (typeof found === 'object' ? found : found === undefined ? [] : [{ labels: {}, value: found }]).filter(({ value }) =>
    Number.isFinite(value),
  )
}

function histogramValues(
  name: string,
  labels: Readonly<Record<string, string>>,
  { bounds, counts, sum }: { readonly bounds: readonly number[]; readonly counts: readonly number[]; readonly sum: number },
): Value[] {
  let below = 0
  const buckets = counts.map((count, i) => {
    below += count
    return { metricName: `${name}_bucket`, labels: { ...labels, le: i < bounds.length ? String(bounds[i]) : '+Inf' }, value: below }
  })
  return [...buckets, { metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: below }]
}
