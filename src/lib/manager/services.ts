import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { KnownServers } from '../access/index.js'
import type {
  About,
  CallSource,
  ManagerBackend,
  RecordSource,
  SenderStats,
  ServiceCall,
  ServiceChanges,
  ServiceStats,
  SpoolSource,
} from './backend.js'
import { mergeCalls } from './call-source.js'
import { connectManager, type ManagerClient } from './client.js'

/**
 * What `serve-manager` speaks for: its own spool and records, and every service of this host, which it finds by their sockets
 * in the run directory.
 */
export interface HostOptions {
  readonly about: About
  /** Where services put their sockets. */
  readonly runDirectory: string
  /** Its own socket there, not to be asked. */
  readonly ownSocket: string
  readonly spool: SpoolSource | undefined
  readonly records: RecordSource | undefined
  readonly known: KnownServers
  readonly startedMs: number
  readonly certificates?: () => ServiceStats['certificates']
}

/** A service that has not said so soon what it counts is left out. */
const STATS_MS = 3000

export function hostBackend(options: HostOptions): ManagerBackend & { askToGiveWay(): Promise<boolean>; close(): void } {
  const services = new Services(options)
  let unanswered: readonly string[] = []
  return {
    about: options.about,
    spool: options.spool,
    records: options.records,
    sipPorts: [],
    calls: mergeCalls(async () => new Map([...(await services.clients())].map(([path, client]) => [path, remoteCalls(client)]))),
    others: async () => [...(await services.clients()).values()],
    // Which of them has the call is quicker asked than known. An older one does not know the question.
    async flush(path) {
      await Promise.allSettled([...(await services.clients()).values()].map((client) => soon(client.all('flush', { path }))))
    },
    async stats() {
      const clients = [...(await services.clients())]
      const silent: string[] = []
      const theirs = await Promise.all(
        clients.map(([path, client]) =>
          soon(statsOf(client)).catch((): ServiceStats[] => {
            silent.push(basename(path, '.sock'))
            return []
          }),
        ),
      )
      unanswered = [...silent, ...services.refused]
      return [{ ...ownStats(options.about, options.startedMs), certificates: options.certificates?.() }, ...theirs.flat()]
    },
    unanswered: () => unanswered,
    /** Asks every service to leave its TCP port; answers whether one did. */
    async askToGiveWay() {
      const asked = [...(await services.clients()).values()].map((client) =>
        client.all('give-way').then(
          () => true,
          () => false,
        ),
      )
      return (await Promise.all(asked)).includes(true)
    },
    close: () => services.close(),
  }
}

function soon<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), STATS_MS)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** A service that captures nothing counts only itself. */
export function ownStats(about: About, startedMs: number): ServiceStats {
  const { rss, heapUsed } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  return {
    service: about.name,
    version: about.version,
    pid: about.pid,
    sensorId: about.sensorId,
    uptimeSeconds: Math.floor((performance.now() - startedMs) / 1000),
    packets: 0,
    rtp: 0,
    rtcp: 0,
    sip: 0,
    filtered: 0,
    calls: 0,
    open: 0,
    odd: {},
    node: process.version,
    cpuSeconds: (user + system) / 1e6,
    rssBytes: rss,
    heapBytes: heapUsed,
  }
}

export async function statsOf(client: ManagerClient): Promise<ServiceStats[]> {
  const { items } = await client.all<{ stats?: ServiceStats[]; service?: string; senders?: SenderStats[] }>('stats')
  // The senders of a large receiver come in several items.
  const more = new Map<string | undefined, SenderStats[]>()
  for (const { service, senders } of items) if (senders !== undefined) more.set(service, [...(more.get(service) ?? []), ...senders])
  return items
    .flatMap(({ stats }) => stats ?? [])
    .map((one) => (more.has(one.service) ? { ...one, senders: [...(one.senders ?? []), ...(more.get(one.service) ?? [])] } : one))
}

/** The running calls of a manager that is asked over a connection. */
export function remoteCalls(client: ManagerClient): CallSource {
  return {
    count: async () => (await statsOf(client)).reduce((sum, { open }) => sum + open, 0),
    async *pages() {
      for await (const answer of client.ask('calls')) {
        if (answer.kind === 'item') yield (answer.value as { calls: ServiceCall[] }).calls
      }
    },
    async *watch(signal) {
      try {
        for await (const answer of client.ask('watch', {}, { signal })) {
          if (answer.kind !== 'item') continue
          yield { reset: false, added: [], changed: [], removed: [], left: 0, ...(answer.value as object) } as unknown as ServiceChanges
        }
      } catch (error) {
        if (!signal.aborted) throw error
      }
    },
  }
}

/** Connections to the sockets of the run directory, opened when needed and kept. */
class Services {
  /** Sockets at which nobody answers: of services that were killed. What a person has started and killed is nobody's concern. */
  refused: readonly string[] = []
  readonly #options: HostOptions
  readonly #clients = new Map<string, ManagerClient>()

  constructor(options: HostOptions) {
    this.#options = options
  }

  async clients(): Promise<ReadonlyMap<string, ManagerClient>> {
    const { runDirectory, ownSocket, known } = this.#options
    const names = await readdir(runDirectory).catch(() => [])
    const paths = names.filter((name) => name.endsWith('.sock')).map((name) => join(runDirectory, name))
    const refused: string[] = []
    await Promise.all(
      paths.map(async (path) => {
        if (path === ownSocket || this.#clients.get(path)?.open === true) return
        this.#clients.delete(path)
        try {
          this.#clients.set(path, await connectManager({ kind: 'unix', path }, { known, trust: async () => false, timeoutMs: 2000 }))
        } catch {
          // A socket that a killed process left behind, or a service that only now begins.
          const name = basename(path, '.sock')
          if (!/-\d+$/.test(name)) refused.push(name)
        }
      }),
    )
    this.refused = refused
    for (const [path, client] of this.#clients) if (!client.open || !paths.includes(path)) this.#clients.delete(path)
    return this.#clients
  }

  close(): void {
    for (const client of this.#clients.values()) client.close()
    this.#clients.clear()
  }
}
