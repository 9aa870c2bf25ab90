import type { ServiceStats } from '../../lib/manager/index.js'
import { count } from '../progress.js'
import type { ServiceStatus } from './run.js'

/** What a manager is told, in a few words and as fields of one line of the log. Rates are those since it was asked last. */
export function statusTeller(stats: () => ServiceStats): () => ServiceStatus {
  let before = { packets: 0, atMs: performance.now() }
  let rate = 0
  return () => {
    const now = stats()
    const atMs = performance.now()
    // Asked twice in a moment: the rate of the longer time is the better one.
    if (atMs - before.atMs >= 500) {
      rate = Math.round((1000 * (now.packets - before.packets)) / (atMs - before.atMs))
      before = { packets: now.packets, atMs }
    }
    return { line: statusLine(now, rate), fields: { ...fieldsOf(now), packets_per_second: rate } }
  }
}

export const statusLine = (s: ServiceStats, packetsPerSecond: number): string =>
  [
    `${count(packetsPerSecond)} packets/s`,
    ...(s.link === undefined
      ? [`${count(s.open)} calls`]
      : [s.link.connected ? 'connected' : 'NOT connected', `${count(s.link.waitingPackets)} packets wait`]),
    ...(s.kernel === undefined ? [] : [`${count(s.kernel.dropped)} dropped by kernel`]),
    ...(s.records === undefined ? [] : [`${count(s.records.stored)} records stored`, `${count(s.records.waiting ?? 0)} waiting`]),
    ...(s.records === undefined || s.records.dropped === 0 ? [] : [`${count(s.records.dropped)} records lost`]),
    ...(s.spool === undefined || s.spool.dropped === 0 ? [] : [`${count(s.spool.dropped)} packets not kept`]),
    ...(s.senders === undefined ? [] : [`${s.senders.filter(({ connected }) => connected).length} sensors connected`]),
  ].join(', ')

const fieldsOf = (s: ServiceStats): Readonly<Record<string, unknown>> => ({
  uptime_s: s.uptimeSeconds,
  packets: s.packets,
  sip: s.sip,
  rtp: s.rtp,
  rtcp: s.rtcp,
  filtered: s.filtered,
  calls: s.calls,
  open: s.open,
  kernel_received: s.kernel?.received,
  kernel_dropped: s.kernel?.dropped,
  records_stored: s.records?.stored,
  records_waiting: s.records?.waiting,
  records_dropped: s.records?.dropped,
  spool_files: s.spool?.files,
  spool_packets: s.spool?.packets,
  spool_bytes: s.spool?.bytes,
  spool_dropped: s.spool?.dropped,
  buffer_packets: s.link?.waitingPackets,
  buffer_bytes: s.link && s.link.memoryBytes + s.link.diskBytes,
  connected: s.link?.connected,
  sensors_connected: s.senders?.filter(({ connected }) => connected).length,
  cpu_s: Math.round(s.cpuSeconds * 100) / 100,
  rss_bytes: s.rssBytes,
  ...Object.fromEntries(Object.entries(s.odd).map(([reason, n]) => [`odd_${reason.replace(/[^A-Za-z0-9]+/g, '_')}`, n])),
})
