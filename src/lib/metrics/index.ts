// What services count, for Prometheus and for whoever watches them: /metrics and /healthz.
export { defaultMetricsPort, parseMetricsAddress } from './address.js'
export { type MetricsOptions, type MetricsServer, startMetrics } from './server.js'
