import { Flags } from '@oclif/core'
import { OperatorError } from '../lib/base/errors.js'
import { defaultMetricsPort, parseMetricsAddress } from '../lib/metrics/address.js'
import type { MetricsPlan } from '../lib/sniffer/manager-thread.js'

/** Where a service shows its numbers to Prometheus; off unless asked for. */
export const metricsFlags = {
  metrics: Flags.string({
    env: 'EARSHOT_METRICS',
    helpGroup: 'METRICS',
    helpValue: '[ADDRESS]:PORT',
    summary: `Serve /metrics and /healthz over HTTP; "yes" means 127.0.0.1:${defaultMetricsPort}. Off loopback with TLS, for clients with a token only. serve-manager speaks for all services of the host.`,
  }),
  'metrics-tls-cert': Flags.string({
    aliases: ['metrics_tls_cert'],
    helpGroup: 'METRICS',
    helpValue: 'FILE',
    dependsOn: ['metrics', 'metrics-tls-key'],
    summary: 'Certificate (PEM, with its chain) to show there; one is made when none is given.',
  }),
  'metrics-tls-key': Flags.string({
    aliases: ['metrics_tls_key'],
    helpGroup: 'METRICS',
    helpValue: 'FILE',
    dependsOn: ['metrics', 'metrics-tls-cert'],
    summary: 'Its key.',
  }),
}

export interface MetricsFlags {
  readonly metrics?: string | undefined
  readonly 'metrics-tls-cert'?: string | undefined
  readonly 'metrics-tls-key'?: string | undefined
}

/** Undefined where nobody asked. */
export function metricsPlan(flags: MetricsFlags): MetricsPlan | undefined {
  const address = parseMetricsAddress(flags.metrics ?? 'no')
  if (address === undefined) return undefined
  const { 'metrics-tls-cert': certificate, 'metrics-tls-key': key } = flags
  if ((certificate === undefined) !== (key === undefined))
    throw new OperatorError('METRICS_TLS', 'A certificate for metrics needs its key.', {
      exit: 2,
      suggestions: ['--metrics-tls-cert FILE --metrics-tls-key FILE'],
    })
  return { ...address, certificate: certificate === undefined || key === undefined ? undefined : { certificate, key } }
}
