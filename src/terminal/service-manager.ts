import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import type { Notice } from '../lib/base/notice.js'
import { LiveCalls } from '../lib/live/index.js'
import type { RecordsStats, SenderStats, ServiceStats } from '../lib/manager/index.js'
import type { ManagerThread, MetricsPlan } from '../lib/sniffer/manager-thread.js'
import { queueAgeSeconds, type RecordsStatus } from '../lib/sniffer/records-status.js'
import type { SnifferStatus } from '../lib/sniffer/run.js'
import type { Spool } from '../lib/spool/index.js'
import { runDir, stateDir } from './defaults.js'
import { captures } from './service/instance.js'

/** The manager of a service that reads packets: what `sniff`, `mirror-recv` and `mirror-send` start beside it. */
export interface ServiceManagerOptions {
  /** "sniff", "mirror-recv", "mirror-send". */
  readonly service: string
  /** Unique on this host; its socket is named so. */
  readonly name: string
  readonly version: string
  readonly sensorId: number | undefined
  readonly sipPorts: readonly number[]
  readonly spoolDir: string | undefined
  readonly spool: Spool | undefined
  /** Listens on this port of 127.0.0.1 when it is free. */
  readonly tcpPort: number | undefined
  /** Nobody else asks: no socket, no port. */
  readonly metricsOnly?: boolean
  readonly metrics: MetricsPlan | undefined
  /** Somebody wants it by name: then it is an error when it cannot be. */
  readonly asked: boolean
  readonly say: Notice
}

export interface ServiceManager {
  readonly live: LiveCalls
  /** Resolves when it listens, or is known not to. Never rejects: the packets are what the program is for. */
  start(stats: () => ServiceStats): Promise<void>
  /** SIGHUP: the certificate of metrics may be another. */
  renewMetrics(plan: MetricsPlan | undefined): Promise<void>
  close(): Promise<void>
}

export function serviceManager(options: ServiceManagerOptions): ServiceManager {
  const { service, name, version, sensorId, spool, say } = options
  const live = new LiveCalls({ sensorId, pcapOf: spool && ((call) => spool.pathOf(call)) })
  let starting: Promise<ManagerThread | undefined> = Promise.resolve(undefined)
  return {
    live,
    async start(stats) {
      starting = (async () => {
        const { startManagerThread } = await import('../lib/sniffer/manager-thread.js')
        return startManagerThread(
          {
            about: { service, name, version, pid: process.pid, host: hostname(), sensorId },
            spool: options.spoolDir === undefined ? undefined : resolve(options.spoolDir),
            sipPorts: options.sipPorts,
            socket: options.metricsOnly === true ? undefined : join(runDir(), `${name}.sock`),
            tcp: options.tcpPort === undefined || options.metricsOnly === true ? undefined : { host: '127.0.0.1', port: options.tcpPort },
            stateDirectory: stateDir(),
            metrics: options.metrics,
          },
          live,
          stats,
          async (path) => spool?.flush(path),
          (text, level) => say(`Manager: ${text}`, level),
        )
      })()
      try {
        say(`Manager: ${(await starting)?.addresses.join(' ')}`)
        // What a person looks at beside a service is nobody's twin.
        if (captures(name) && !name.endsWith(`-${process.pid}`)) void warnOfTwin(name, say)
      } catch (error) {
        say(`Manager: ${(error as Error).message} The run goes on without it.`, 'error')
        if (options.asked) process.exitCode = 1
      }
    },
    async renewMetrics(plan) {
      const manager = await starting.catch(() => undefined)
      if (options.metrics !== undefined) manager?.renewMetrics(plan?.certificate)
    },
    async close() {
      const manager = await starting.catch(() => undefined)
      await manager?.close()
    },
  }
}

/** Two that write under one number make two calls of one, or one of two: said at the start, and by `service status`. */
async function warnOfTwin(name: string, say: Notice): Promise<void> {
  const { sampleServices, twinProblem } = await import('./service/health.js')
  const samples = await sampleServices([runDir()], 0)
  const own = samples.find((sample) => sample.name === name)
  const problem = own && twinProblem(own, samples)
  if (problem !== undefined) say(`Service ${name}: ${problem}. Give each its own: id_sensor = N in its section.`, 'warning')
}

export interface StatsParts {
  readonly name: string
  readonly version: string
  readonly sensorId: number | undefined
  readonly spool: Spool | undefined
  /** What it listens to. */
  readonly source: string
  /** The sensors that send to this service. */
  readonly senders?: (() => readonly SenderStats[]) | undefined
}

/** What a service of calls counts. */
export function snifferStats({ totals, records, kernel, oddities, bytes, captureTime }: SnifferStatus, parts: StatsParts): ServiceStats {
  const kept = parts.spool?.stats()
  return {
    ...processStats(parts),
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
    records: records && recordsStats(records, Date.now()),
    spool: kept && {
      files: kept.files,
      packets: kept.packets,
      bytes: kept.bytes,
      dropped: kept.dropped.reduce((sum, [, n]) => sum + n, 0),
      droppedFor: Object.fromEntries(kept.dropped),
      ...kept.kept,
      trouble: parts.spool?.trouble,
      waitingBytes: parts.spool?.waitingBytes,
    },
    odd: Object.fromEntries(oddities),
    senders: parts.senders?.(),
  }
}

function recordsStats({ torn: _, damaged: __, found: ___, failure, ...same }: RecordsStatus, nowMs: number): RecordsStats {
  const { oldestMs, ...counts } = same
  return {
    ...counts,
    waitingSeconds: queueAgeSeconds({ oldestMs }, nowMs),
    failure: failure && { message: failure.message, seconds: (nowMs - failure.sinceMs) / 1000 },
  }
}

/** The part of the numbers that any service has. */
export function processStats({ name, version, sensorId, source }: Omit<StatsParts, 'spool'>) {
  const { rss, heapUsed } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  return {
    service: name,
    version,
    pid: process.pid,
    sensorId,
    uptimeSeconds: Math.floor(process.uptime()),
    source,
    cpuSeconds: (user + system) / 1e6,
    rssBytes: rss,
    heapBytes: heapUsed,
  }
}
