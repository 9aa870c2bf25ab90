import { parseListenAddress, usualMetricsAddress } from '../lib/base/listen-address.js'
import type { metricsSettings } from '../lib/settings/metrics.js'
import type { ValuesOf } from '../lib/settings/table.js'
import type { MetricsPlan } from '../lib/sniffer/manager-thread.js'

/** Where metrics are served, from the settings; undefined where nobody asked. Their texts have been checked. */
export function metricsPlan(settings: ValuesOf<typeof metricsSettings>): MetricsPlan | undefined {
  const address = parseListenAddress(settings.metrics ?? 'no', usualMetricsAddress)
  if (address === undefined || address === 'wrong') return undefined
  const { metrics_tls_cert: certificate, metrics_tls_key: key } = settings
  return { ...address, certificate: certificate === undefined || key === undefined ? undefined : { certificate, key } }
}
