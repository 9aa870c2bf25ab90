import { usualMetricsAddress } from '../base/listen-address.js'
import { checks, healthLimits } from '../health/index.js'
import { type MetricRow, metricGroups } from './table.js'

/** docs/metrics.md, from the tables of metrics and of checks. */
export function metricsMarkdown(): string {
  const group = ([title, rows]: [string, Readonly<Record<string, MetricRow>>]): string[] => [
    `### ${title}`,
    '',
    '| name | type | labels | meaning |',
    '|---|---|---|---|',
    ...Object.entries(rows).map(
      ([name, { type, labels = [], help }]) => `| \`${name}\` | ${type} | ${labels.map((l) => `\`${l}\``).join(' ')} | ${cell(help)} |`,
    ),
    '',
  ]
  return [
    '# Metrics and health',
    '',
    'Generated from src/lib/metrics and src/lib/health by `npx tsx scripts/docs.ts`; a test fails when it is stale.',
    '',
    introduction,
    '## Health',
    '',
    '`/healthz` answers JSON: 200 while no check is failing, else 503. Each check says what is so; when it is not ok, why, and what to do next. A warning is no failure: the service does its work, and somebody should look.',
    '',
    '| check | is about |',
    '|---|---|',
    ...Object.entries(checks).map(([name, { help }]) => `| \`${name}\` | ${help} |`),
    '',
    `Limits (a number beyond the first is a warning, beyond the second a failure): ${Object.entries(healthLimits)
      .map(([name, limits]) => `\`${name}\` ${Object.values(limits).join(' and ')}`)
      .join('; ')}.`,
    '',
    '## Metrics',
    '',
    'Every sample has the labels `service` (`sniff`, `mirror-recv`, `mirror-send`, `serve-manager`) and `source` (the interfaces, `mirror`, `read_from_file`). Of two services that would look alike, one has its process in the label too.',
    'A service tells only what it has: a sensor without a spool has no `earshot_spool_…`. Counters begin at 0 with the service; `rate()` and `increase()` take care of that.',
    '',
    ...Object.entries(metricGroups).flatMap(group),
    questions,
  ].join('\n')
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

const introduction = `Off unless asked for: \`--metrics [ADDRESS]:PORT\` (or \`EARSHOT_METRICS\`, or \`metrics = …\`) of \`sniff\`, \`mirror-recv\`, \`mirror-send\` and \`serve-manager\`; \`--metrics yes\` means 127.0.0.1:${usualMetricsAddress.port}.
\`serve-manager\` speaks for all services of its host, which it finds by their sockets: one address to scrape a host. The page is made in the thread of the manager, from what the thread of the packets counts anyway; it is asked once a second at most, however many ask.

\`\`\`
earshot serve-manager --metrics yes
curl -s http://127.0.0.1:${usualMetricsAddress.port}/metrics
curl -s http://127.0.0.1:${usualMetricsAddress.port}/healthz
\`\`\`

On loopback everybody on the host may read them: they are numbers, no calls. On other addresses only TLS 1.2 or newer is answered, and a client needs a token (or a certificate) whose role has the right \`metrics\`:
the role \`metrics\` has nothing else, \`view\`, \`fetch\` and \`admin\` have it too. The certificate is that of the manager: yours (\`--metrics-tls-cert\`, \`--metrics-tls-key\`), or one made at the first start and kept as \`manager/server-cert.pem\` in the state directory.

\`\`\`
earshot serve-manager --metrics 0.0.0.0:${usualMetricsAddress.port}
earshot manager token add prometheus --role metrics > /etc/prometheus/earshot.token
\`\`\`

\`\`\`yaml
scrape_configs:
  - job_name: earshot
    scheme: https
    authorization: { credentials_file: /etc/prometheus/earshot.token }
    tls_config: { ca_file: /etc/prometheus/earshot-sensor1.pem }   # its manager/server-cert.pem
    static_configs:
      - targets: ['sensor1:${usualMetricsAddress.port}']
\`\`\`

Bounds: 64 connections (the oldest goes first), 8 KiB of header, 10 s for a request and for taking its answer, 5 s for the services to say what they count. Reaching one costs that client its connection, nobody else anything.
`

/** What to do with it; the test gives the rules to promtool where there is one. */
export const alertRules = `groups:
  - name: earshot
    rules:
      - alert: EarshotLosesPackets
        expr: sum by (instance, service, source, stage) (rate(earshot_packets_dropped_total[5m])) > 0
        for: 5m
        labels: { severity: warning }
        annotations:
          summary: '{{ $labels.service }} on {{ $labels.instance }} loses {{ $value | humanize }} packets a second ({{ $labels.stage }})'
          description: 'Quality and pcaps of calls in this time are not to be trusted. /healthz says what to do.'
      - alert: EarshotFailing
        expr: max by (instance, service, source, check) (earshot_health) == 2
        for: 2m
        labels: { severity: critical }
        annotations:
          summary: '{{ $labels.service }} on {{ $labels.instance }}: the check "{{ $labels.check }}" fails'
      - alert: CallsFail
        expr: |
          sum by (instance) (rate(earshot_call_final_responses_total{class=~"5xx|6xx"}[10m]))
            / sum by (instance) (rate(earshot_calls_ended_total[10m])) > 0.1
        for: 10m
        labels: { severity: critical }
        annotations:
          summary: '{{ $value | humanizePercentage }} of the calls at {{ $labels.instance }} end in a server failure'
`

/** Question, PromQL. */
export const promqlExamples: readonly (readonly [question: string, query: string])[] = [
  ['Calls a second (CPS)', 'sum(rate(earshot_calls_started_total[5m]))'],
  ['Calls in progress, by host', 'sum by (instance) (earshot_calls_in_progress)'],
  ['ASR of the last hour', 'sum(increase(earshot_calls_ended_total{state="answered"}[1h])) / sum(increase(earshot_calls_ended_total[1h]))'],
  ['Post-dial delay, 95th percentile', 'histogram_quantile(0.95, sum by (le) (rate(earshot_call_pdd_seconds_bucket[10m])))'],
  ['Mean talk time (ACD), seconds', 'sum(rate(earshot_call_talk_seconds_sum[1h])) / sum(rate(earshot_call_talk_seconds_count[1h]))'],
  ['Part of media with a MOS of at most 3.6', 'sum(rate(earshot_call_mos_bucket{le="3.6"}[15m])) / sum(rate(earshot_call_mos_count[15m]))'],
  ['Calls with media in one direction only, a minute', '60 * sum(rate(earshot_call_problems_total{problem="one_way_media"}[10m]))'],
  ['Busiest causes of failure', 'topk(5, sum by (code) (increase(earshot_call_final_responses_total{code!~"2.."}[1h])))'],
  ['How far the database is behind', 'max by (instance) (earshot_records_lag_seconds)'],
  ['Days until a certificate expires', 'min by (instance, use) (earshot_certificate_expiry_timestamp_seconds - time()) / 86400'],
]

const questions = `## Alerts

Three to begin with, as a rule file of Prometheus:

\`\`\`yaml
${alertRules.trimEnd()}
\`\`\`

## Questions

No dashboard is needed: Prometheus' own page, or \`promtool query instant http://localhost:9090 'QUERY'\`.

| question | PromQL |
|---|---|
${promqlExamples.map(([question, query]) => `| ${question} | \`${cell(query)}\` |`).join('\n')}

Key figures by trunk, prefix, codec or customer come from the records, not from metrics: \`earshot cdr stats --by trunk\` (docs/queries.md). A label for each of them would be a time series for each.
`
