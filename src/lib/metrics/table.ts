import type { BucketCounts } from '../base/buckets.js'
import { callHistograms, streamHistograms } from '../call/tally.js'
import { healthOf, type Level, lossesOf, senderStages, stages } from '../health/index.js'
import type { LinkStats, RecordsStats, SenderStats, ServiceStats, SpoolStats } from '../manager/index.js'
import { knownStatuses } from './statuses.js'

/**
 * Every metric, a row each: from which the scrape, docs/metrics.md and the tests come. Names as Prometheus wants them: base units,
 * `_total` for what only grows. Every sample has the labels `service` and `source` besides; none has an address, a number or a
 * name from a call, and each label has a bounded set of values.
 */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

interface PlainRow {
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly labels?: readonly string[]
  /** Nothing where the service does not count this. */
  of(stats: ServiceStats, context: MetricContext): number | undefined | readonly Sample[]
}

interface HistogramRow {
  readonly type: 'histogram'
  readonly help: string
  readonly labels?: readonly string[]
  of(stats: ServiceStats): readonly { readonly labels: Readonly<Record<string, string>>; readonly counts: BucketCounts }[]
}

/** Of the host, not of one of its services: without the labels of services. */
interface HostRow {
  readonly type: 'gauge'
  readonly help: string
  readonly labels?: readonly string[]
  ofHost(context: MetricContext): number
}

export type MetricRow = PlainRow | HistogramRow | HostRow

export interface MetricContext {
  /** Milliseconds since the epoch. */
  readonly nowMs: number
  /** Of the libraries of the process that is asked. */
  readonly versions: { readonly sqlite?: string | undefined; readonly libpcap?: string | undefined }
  /** Services that were asked and did not answer. */
  readonly unanswered: readonly string[]
}

/** Sensors that have a label of their own; the rest are one, `other`. */
export const sendersMax = 100
const REASONS_MAX = 100

const counter = (help: string, of: PlainRow['of'], labels?: readonly string[]): PlainRow => ({
  type: 'counter',
  help,
  of,
  ...(labels && { labels }),
})
const gauge = (help: string, of: PlainRow['of'], labels?: readonly string[]): PlainRow => ({
  type: 'gauge',
  help,
  of,
  ...(labels && { labels }),
})

/** One sample for each entry. */
const each = (label: string, values: Readonly<Record<string, number>> | undefined): Sample[] =>
  Object.entries(values ?? {})
    .slice(0, REASONS_MAX)
    .map(([key, value]) => ({ labels: { [label]: key }, value }))

/** A service that reads no packets counts none. */
const ofSource = (value: (s: ServiceStats) => number | undefined) => (s: ServiceStats) => (s.source === undefined ? undefined : value(s))
const records = (value: (r: RecordsStats) => number | undefined) => (s: ServiceStats) => s.records && value(s.records)
const spool = (value: (s: SpoolStats) => number | undefined) => (s: ServiceStats) => s.spool && value(s.spool)
const link = (value: (l: LinkStats) => number | undefined) => (s: ServiceStats) => s.link && value(s.link)
const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000)

/** Calls by status: class and code, where a code that no RFC names is `other`. */
function byStatus(counts: Readonly<Record<string, number>> | undefined): Sample[] {
  const sums = new Map<string, { labels: Record<string, string>; value: number }>()
  for (const [status, n] of Object.entries(counts ?? {})) {
    const code = knownStatuses.has(Number(status)) ? status : 'other'
    const labels = { class: `${status[0]}xx`, code }
    const key = `${labels.class} ${code}`
    sums.set(key, { labels, value: (sums.get(key)?.value ?? 0) + n })
  }
  return [...sums.values()]
}

/** Of each sensor, in the order in which they came; those beyond the bound together. */
function senders(value: (s: SenderStats) => number | undefined, together: 'sum' | 'max' = 'sum') {
  return ({ senders: all }: ServiceStats): Sample[] => {
    const own = (all ?? []).slice(0, sendersMax)
    const rest = (all ?? []).slice(sendersMax).flatMap((s) => value(s) ?? [])
    const samples = own.flatMap((s) => {
      const n = value(s)
      return n === undefined ? [] : [{ labels: { sensor: sensorLabel(s) }, value: n }]
    })
    const combined = together === 'sum' ? rest.reduce((a, b) => a + b, 0) : Math.max(...rest)
    return [...merged(samples), ...(rest.length > 0 ? [{ labels: { sensor: 'other' }, value: combined }] : [])]
  }
}

/** Two senders without a number may have one name. */
function merged(samples: readonly { labels: { sensor: string }; value: number }[]): Sample[] {
  const sums = new Map<string, number>()
  for (const { labels, value } of samples) sums.set(labels.sensor, (sums.get(labels.sensor) ?? 0) + value)
  return [...sums].map(([sensor, value]) => ({ labels: { sensor }, value }))
}

/** Its number; the name of one that has none. */
const sensorLabel = ({ sensorId, name }: SenderStats): string =>
  sensorId === undefined ? `name:${name.replace(/[^ -~]/g, '?').slice(0, 64)}` : String(sensorId)

function senderLosses({ senders: all }: ServiceStats): Sample[] {
  const sums = new Map<string, Sample>()
  ;(all ?? []).forEach((sender, i) => {
    const sensor = i < sendersMax ? sensorLabel(sender) : 'other'
    for (const [reason, n] of Object.entries(sender.dropped)) {
      const stage = senderStages[reason] ?? 'other'
      const key = `${stage} ${sensor}`
      sums.set(key, { labels: { sensor, stage }, value: (sums.get(key)?.value ?? 0) + n })
    }
  })
  return [...sums.values()]
}

const levels: Readonly<Record<Level, number>> = { ok: 0, warning: 1, failing: 2 }

const callRows = Object.fromEntries(
  Object.entries(callHistograms).map(([name, { help }]): [string, HistogramRow] => [
    `earshot_call_${name}`,
    {
      type: 'histogram',
      help,
      of: ({ ended }) => (ended === undefined ? [] : [{ labels: {}, counts: ended.calls[name as keyof typeof callHistograms] }]),
    },
  ]),
)

const streamRows = Object.fromEntries(
  Object.entries(streamHistograms).map(([name, { help }]): [string, HistogramRow] => [
    `earshot_call_${name}`,
    {
      type: 'histogram',
      help: `${help} One value a direction of an ended call: the media that the party of the label sent.`,
      labels: ['direction'],
      of: ({ ended }) =>
        ended === undefined
          ? []
          : (['caller', 'callee'] as const).map((direction) => ({
              labels: { direction },
              counts: ended[direction][name as keyof typeof streamHistograms],
            })),
    },
  ]),
)

/** In groups, for the page of documentation. */
export const metricGroups: Readonly<Record<string, Readonly<Record<string, MetricRow>>>> = {
  Service: {
    earshot_build_info: gauge(
      'Versions, as labels; always 1. SQLite and libpcap are those of the process that is asked.',
      (s, { versions }) => [
        { labels: { version: s.version, node: s.node ?? '', sqlite: versions.sqlite ?? '', libpcap: versions.libpcap ?? '' }, value: 1 },
      ],
      ['version', 'node', 'sqlite', 'libpcap'],
    ),
    earshot_health: gauge(
      'The verdict of each check of /healthz: 0 ok, 1 warning, 2 failing.',
      (s, { nowMs }) => healthOf(s, nowMs).checks.map(({ name, level }) => ({ labels: { check: name }, value: levels[level] })),
      ['check'],
    ),
    earshot_services_unanswered: {
      type: 'gauge',
      help: 'Services of this host that did not say what they count when they were asked; without the labels of services.',
      ofHost: ({ unanswered }) => unanswered.length,
    },
    earshot_start_timestamp_seconds: gauge('When the service started.', (s, { nowMs }) => Math.round(nowMs / 1000 - s.uptimeSeconds)),
    earshot_process_cpu_seconds_total: counter('CPU time of the process, all threads, user and system.', (s) => s.cpuSeconds),
    earshot_process_resident_memory_bytes: gauge('Resident memory of the process.', (s) => s.rssBytes),
    earshot_process_heap_bytes: gauge('JavaScript heap in use, in the thread of the packets.', (s) => s.heapBytes),
    earshot_event_loop_delay_p99_seconds: gauge(
      'How late the thread of the packets came to its timers, 99th percentile of the last half minute to minute.',
      (s) => seconds(s.loopDelay?.p99Ms),
    ),
    earshot_event_loop_delay_max_seconds: gauge('The same, the worst.', (s) => seconds(s.loopDelay?.maxMs)),
    earshot_certificate_expiry_timestamp_seconds: gauge(
      'When a certificate in use expires.',
      (s) => (s.certificates ?? []).map(({ use, notAfterMs }) => ({ labels: { use }, value: notAfterMs / 1000 })),
      ['use'],
    ),
  },
  Packets: {
    earshot_packets_received_total: counter(
      'Packets read from the source.',
      ofSource((s) => s.packets),
    ),
    earshot_received_bytes_total: counter('Bytes read from the source.', (s) => s.bytes),
    earshot_packets_by_kind_total: counter(
      'Packets of calls by kind: sip counts messages.',
      ({ source, sip, rtp, rtcp, link: sends }) => (source !== undefined && sends === undefined ? each('kind', { sip, rtp, rtcp }) : []),
      ['kind'],
    ),
    earshot_packets_filtered_total: counter(
      'Packets left out because the operator said so: an expression, SIP only, a cap of the rate.',
      ofSource((s) => s.filtered + Object.values(s.link?.leftOut ?? {}).reduce((sum, n) => sum + n, 0)),
    ),
    earshot_packets_dropped_total: counter(
      `Packets lost, by stage: ${Object.entries(stages)
        .map(([stage, where]) => `${stage} (${where})`)
        .join(', ')}.`,
      (s) => (s.source === undefined ? [] : each('stage', lossesOf(s) as Record<string, number>)),
      ['stage'],
    ),
    earshot_packets_odd_total: counter(
      'Packets and messages that were odd, ignored or given up, by reason (fixed phrases; “not IP” and “other UDP” are usual).',
      (s) => each('reason', s.odd),
      ['reason'],
    ),
    earshot_kernel_packets_total: counter(
      'Packets that the kernel’s filter let through, those that it dropped among them.',
      (s) => s.kernel?.received,
    ),
    earshot_last_packet_timestamp_seconds: gauge('When the last packet came.', (s) => seconds(s.lastPacketMs)),
    earshot_capture_timestamp_seconds: gauge('How far capture time has come.', (s) =>
      s.captureTime === undefined || s.captureTime === 0 ? undefined : s.captureTime / 1e6,
    ),
  },
  Calls: {
    earshot_calls_in_progress: gauge('Calls that run now.', (s) => (s.ended === undefined ? undefined : s.open)),
    earshot_calls_started_total: counter('Calls begun: rate() of it is CPS.', (s) => (s.ended === undefined ? undefined : s.calls)),
    earshot_calls_ended_total: counter('Calls ended, by state (docs/records.md).', (s) => each('state', s.ended?.states), ['state']),
    earshot_call_final_responses_total: counter(
      'Ended calls by the status in their record: the 2xx, else the last response of 300 or more.',
      (s) => byStatus(s.ended?.finals),
      ['class', 'code'],
    ),
    earshot_call_responses_total: counter(
      'Ended calls with this response, to whichever of their requests; a call counts a status once.',
      (s) => byStatus(s.ended?.responses),
      ['class', 'code'],
    ),
    earshot_call_problems_total: counter('Ended calls with this problem (docs/records.md).', (s) => each('problem', s.ended?.problems), [
      'problem',
    ]),
    ...callRows,
    ...streamRows,
  },
  Records: {
    earshot_store_up: gauge(
      '1 while the store takes records, 0 while it is away or refuses them.',
      records((r) => (r.state === undefined ? undefined : r.state === 'ok' ? 1 : 0)),
    ),
    earshot_records_stored_total: counter(
      'Records in the store.',
      records((r) => r.stored),
    ),
    earshot_records_updated_total: counter(
      'Later words on calls that were stored already.',
      records((r) => r.updated),
    ),
    earshot_records_duplicate_total: counter(
      'Records that were in the store already.',
      records((r) => r.duplicates),
    ),
    earshot_records_dropped_total: counter(
      'Records lost: their queue was full.',
      records((r) => r.dropped),
    ),
    earshot_records_refused_total: counter(
      'Records that the store refused for what they hold.',
      records((r) => r.refused),
    ),
    earshot_store_failures_total: counter(
      'Attempts to store that failed.',
      records((r) => r.failures),
    ),
    earshot_records_waiting: gauge(
      'Records that are not in the store yet, on disk or in memory.',
      records((r) => r.waiting),
    ),
    earshot_records_waiting_in_memory: gauge(
      'Those of them in memory.',
      records((r) => r.waitingInMemory),
    ),
    earshot_records_waiting_bytes: gauge(
      'What they take.',
      records((r) => r.waitingBytes),
    ),
    earshot_records_lag_seconds: gauge(
      'Age of the oldest record that is not in the store: how far the database is behind.',
      records((r) => r.waitingSeconds),
    ),
  },
  Spool: {
    earshot_spool_files_written_total: counter(
      'Pcaps begun.',
      spool((s) => s.files),
    ),
    earshot_spool_packets_written_total: counter(
      'Packets written to pcaps.',
      spool((s) => s.packets),
    ),
    earshot_spool_written_bytes_total: counter(
      'Bytes written to pcaps.',
      spool((s) => s.bytes),
    ),
    earshot_spool_packets_dropped_total: counter(
      'Packets missing from their pcaps, by reason.',
      (s) => each('reason', s.spool?.droppedFor),
      ['reason'],
    ),
    earshot_spool_waiting_bytes: gauge(
      'Memory with packets that the writing thread has not taken yet.',
      spool((s) => s.waitingBytes),
    ),
    earshot_spool_deleted_files_total: counter(
      'Old pcaps deleted to keep the limits.',
      spool((s) => s.deletedFiles),
    ),
    earshot_spool_deleted_bytes_total: counter(
      'What that freed.',
      spool((s) => s.deletedBytes),
    ),
    earshot_spool_trimmed_files_total: counter(
      'Old pcaps that lost their media and kept their SIP.',
      spool((s) => s.trimmedFiles),
    ),
    earshot_spool_disk_free_bytes: gauge(
      'Free on the disk of the spool.',
      spool((s) => s.disk?.free),
    ),
    earshot_spool_disk_size_bytes: gauge(
      'Size of that disk.',
      spool((s) => s.disk?.bytes),
    ),
  },
  'Mirror, receiver': {
    earshot_mirror_senders: gauge('Sensors that were here since the start.', (s) => s.senders?.length),
    earshot_mirror_sender_connected: gauge(
      `1 while the sensor is connected. The label is its id_sensor; sensors beyond the first ${sendersMax} are one, “other”.`,
      senders((s) => (s.connected ? 1 : 0)),
      ['sensor'],
    ),
    earshot_mirror_sender_packets_total: counter(
      'Packets that came from it.',
      senders((s) => s.packets),
      ['sensor'],
    ),
    earshot_mirror_sender_bytes_total: counter(
      'Bytes of them, unpacked.',
      senders((s) => s.bytes),
      ['sensor'],
    ),
    earshot_mirror_sender_lag_seconds: gauge(
      'Age of the oldest packet that it has not got rid of.',
      senders((s) => seconds(s.lagMs), 'max'),
      ['sensor'],
    ),
    earshot_mirror_sender_clock_skew_seconds: gauge(
      'Our clock minus its clock.',
      senders((s) => seconds(s.skewMs), 'max'),
      ['sensor'],
    ),
    earshot_mirror_sender_buffer_bytes: gauge(
      'What waits at its side.',
      senders((s) => s.bufferBytes),
      ['sensor'],
    ),
    earshot_mirror_sender_waiting_bytes: gauge(
      'What has come from it and waits here.',
      senders((s) => s.waitingBytes),
      ['sensor'],
    ),
    earshot_mirror_sender_lost_blocks_total: counter(
      'Blocks that never came: given up at its side.',
      senders((s) => s.gaps),
      ['sensor'],
    ),
    earshot_mirror_sender_duplicate_blocks_total: counter(
      'Blocks that came twice, and were used once.',
      senders((s) => s.duplicates),
      ['sensor'],
    ),
    earshot_mirror_sender_packets_dropped_total: counter(
      'Packets that it says it has lost (kernel, link) or left out (filter).',
      senderLosses,
      ['sensor', 'stage'],
    ),
  },
  'Mirror, sender': {
    earshot_link_connected: gauge(
      '1 while the receiver takes packets.',
      link((l) => (l.connected ? 1 : 0)),
    ),
    earshot_link_reconnects_total: counter(
      'Connections made again after one was lost.',
      link((l) => l.reconnects),
    ),
    earshot_link_waiting_packets: gauge(
      'Packets that wait to be sent or acknowledged.',
      link((l) => l.waitingPackets),
    ),
    earshot_link_lag_seconds: gauge(
      'Age of the oldest of them.',
      link((l) => seconds(l.lagMs)),
    ),
    earshot_link_memory_bytes: gauge(
      'Memory they take.',
      link((l) => l.memoryBytes),
    ),
    earshot_link_memory_limit_bytes: gauge(
      'What they may take.',
      link((l) => l.memoryMax),
    ),
    earshot_link_disk_bytes: gauge(
      'What they take on disk.',
      link((l) => l.diskBytes),
    ),
    earshot_link_disk_limit_bytes: gauge(
      'What they may take there.',
      link((l) => l.diskMax),
    ),
    earshot_link_blocks_total: counter(
      'Blocks packed.',
      link((l) => l.blocks),
    ),
    earshot_link_plain_bytes_total: counter(
      'Bytes of blocks before they were compressed.',
      link((l) => l.plainBytes),
    ),
    earshot_link_packed_bytes_total: counter(
      'Bytes of them after.',
      link((l) => l.packedBytes),
    ),
    earshot_link_sent_bytes_total: counter(
      'Bytes of blocks sent, what had to be sent again among them.',
      link((l) => l.sentBytes),
    ),
  },
}

export const metrics: Readonly<Record<string, MetricRow>> = Object.assign({}, ...Object.values(metricGroups))
