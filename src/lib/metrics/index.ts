// What services count, for Prometheus and for whoever watches them: /metrics and /healthz.
export { type MetricsOptions, type MetricsServer, startMetrics } from './server.js'
