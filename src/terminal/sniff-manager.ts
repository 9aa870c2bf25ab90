import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { LiveCalls } from '../lib/live/index.js'
import type { SenderStats, ServiceStats } from '../lib/manager/index.js'
import type { ManagerThread } from '../lib/sniffer/manager-thread.js'
import type { SnifferStatus } from '../lib/sniffer/run.js'
import type { Spool } from '../lib/spool/index.js'
import { runDir, stateDir } from './defaults.js'

/** The manager of a run that reads packets: what `sniff` and `mirror-recv` start beside it. */
export interface SniffManagerOptions {
  /** "sniff", "mirror-recv". */
  readonly service?: string
  readonly version: string
  readonly sensorId: number | undefined
  readonly sipPorts: readonly number[]
  readonly spoolDir: string | undefined
  readonly spool: Spool | undefined
  /** What it listens to. */
  readonly source: string
  /** The sensors that send to this service. */
  readonly senders?: () => readonly SenderStats[]
  /** Somebody wants it by name: then it is an error when it cannot be. */
  readonly asked: boolean
  say(text: string): void
}

export interface SniffManager {
  readonly live: LiveCalls
  start(status: () => SnifferStatus): void
  close(): Promise<void>
}

export function sniffManager(options: SniffManagerOptions): SniffManager {
  const { service = 'sniff', version, sensorId, spool, say } = options
  const startedMs = performance.now()
  const live = new LiveCalls({ sensorId, pcapOf: spool && ((call) => spool.pathOf(call)) })
  const about = { service, version, pid: process.pid, host: hostname(), sensorId }
  let starting: Promise<ManagerThread | undefined> = Promise.resolve(undefined)
  return {
    live,
    start(status) {
      starting = (async () => {
        const { startManagerThread } = await import('../lib/sniffer/manager-thread.js')
        return startManagerThread(
          {
            about,
            spool: options.spoolDir === undefined ? undefined : resolve(options.spoolDir),
            sipPorts: options.sipPorts,
            socket: join(runDir(), `${service}-${process.pid}.sock`),
            tcp: { host: '127.0.0.1', port: 5029 },
            stateDirectory: stateDir(),
          },
          live,
          () => statsOf(status(), options, startedMs),
          (text) => say(`Manager: ${text}`),
        )
      })()
      starting.then(
        (manager) => say(`Manager: ${manager?.addresses.join(' ')}`),
        (error: Error & { suggestions?: string[] }) => {
          // The packets are what this program is for.
          say(`Manager: ${error.message} The run goes on without it.`)
          if (options.asked) process.exitCode = 1
        },
      )
    },
    async close() {
      const manager = await starting.catch(() => undefined)
      await manager?.close()
    },
  }
}

function statsOf(
  status: SnifferStatus,
  { service = 'sniff', version, sensorId, source, spool, senders }: SniffManagerOptions,
  startedMs: number,
): ServiceStats {
  const { rss, heapUsed } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  const { totals, records, kernel, oddities, bytes, captureTime } = status
  const kept = spool?.stats()
  return {
    service: `${service}-${process.pid}`,
    version,
    pid: process.pid,
    sensorId,
    uptimeSeconds: Math.floor((performance.now() - startedMs) / 1000),
    source,
    captureTime,
    bytes,
    packets: totals.packets,
    rtp: totals.rtp,
    rtcp: totals.rtcp,
    sip: totals.sip,
    filtered: totals.filtered,
    calls: totals.calls,
    open: totals.open,
    kernel,
    records: records && { stored: records.stored, dropped: records.dropped, waiting: records.waiting },
    spool: kept && {
      files: kept.files,
      packets: kept.packets,
      bytes: kept.bytes,
      dropped: kept.dropped.reduce((sum, [, n]) => sum + n, 0),
    },
    odd: Object.fromEntries(oddities),
    senders: senders?.(),
    cpuSeconds: (user + system) / 1e6,
    rssBytes: rss,
    heapBytes: heapUsed,
  }
}
