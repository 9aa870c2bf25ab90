import { parseListenAddress, usualMetricsAddress } from '../base/listen-address.js'
import type { SettingTable } from './table.js'

/** Where a service shows its numbers to Prometheus. */
const { host, port } = usualMetricsAddress

export const metricsSettings = {
  metrics: {
    type: 'text',
    live: true,
    fallback: 'no',
    helpGroup: 'METRICS',
    helpValue: '[ADDRESS]:PORT',
    check: (text) =>
      parseListenAddress(text, usualMetricsAddress) === 'wrong'
        ? {
            message: `"${text}" is no address to serve metrics on`,
            next: `This host only: :${port}. Others too, with TLS and tokens: 0.0.0.0:${port}`,
          }
        : undefined,
    help: `Serve /metrics and /healthz over HTTP; "yes" means ${host}:${port}. Off loopback with TLS, for clients with a token only. serve-manager speaks for all services of the host.`,
  },
  metrics_tls_cert: {
    type: 'path',
    helpGroup: 'METRICS',
    helpValue: 'FILE',
    reload: true,
    needs: ['metrics_tls_key'],
    help: 'Certificate (PEM, with its chain) to show there; one is made when none is given.',
  },
  metrics_tls_key: { type: 'path', reload: true, helpGroup: 'METRICS', helpValue: 'FILE', needs: ['metrics_tls_cert'], help: 'Its key.' },
} as const satisfies SettingTable
