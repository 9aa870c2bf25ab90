import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Counters } from '../../lib/base/counters.js'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import { type HeldPacket, holdPacket } from '../../lib/base/held.js'
import type { BoardCall } from '../../lib/live/index.js'
import {
  addressText,
  type ClientOptions,
  connectManager,
  fetchError,
  fetchPcap,
  type ManagerAddress,
  type ManagerClient,
  parseAddress,
  remoteCalls,
  type ServiceStats,
  type Sink,
  statsOf,
} from '../../lib/manager/index.js'
import { BatchFill } from '../../lib/pcap/batch.js'
import { readerFor } from '../../lib/pcap/reader.js'
import type { SensorStats } from './model.js'
import { stepsOf } from './packets.js'
import type { LiveSource, SourceSink } from './source.js'

/** A running daemon, here or far away, through its manager: nothing is captured twice, and no root is needed. A lost connection is shown, and made again. */
type Address = Exclude<ManagerAddress, { kind: 'voipmonitor' }>

export interface ManagerSourceOptions {
  readonly name: string
  readonly address: Address
  /** Where it may be now: a service that was started again has another socket. */
  readonly find?: (() => Promise<Address | undefined>) | undefined
  readonly client: ClientOptions
  /** The connection that is there already; undefined: it is still to be made. */
  readonly connected: ManagerClient | undefined
}

const STATS_MS = 2000
const RETRY_MS = [500, 1000, 2000, 5000]
/** Packets of one call held in memory to be saved. */
const PCAP_BYTES_MAX = 256 << 20

export function managerSource({ name, address, find, client: options, connected }: ManagerSourceOptions): LiveSource {
  const stop = new AbortController()
  let client = connected
  let done: Promise<void> = Promise.resolve()

  const connect = async (): Promise<ManagerClient> => {
    if (client?.open === true) return client
    // Nobody can be asked while the screen stands.
    const quiet = { ...options, trust: async () => false, timeoutMs: 5000 }
    client = await connectManager(address, quiet).catch(async (error) => {
      const other = await find?.()
      if (other === undefined) throw error
      return connectManager(other, quiet)
    })
    return client
  }
  const fetched = async (call: BoardCall, part: 'sip' | undefined): Promise<HeldPacket[]> => {
    const { pcap } = call.view
    if (pcap === undefined) throw new Error('The sensor keeps no packets of this call.')
    const sink = memorySink()
    try {
      await fetchPcap(connect, sink, { path: pcap, sipOnly: part === 'sip', triesMax: 2 })
    } catch (error) {
      throw fetchError(error, `call ${call.view.callId}`, addressText(address))
    }
    return packetsIn(sink.bytes())
  }
  return {
    name,
    own: false,
    owns: (source) => source === name || source.startsWith(`${name}/`),
    start(sink) {
      done = run(sink)
    },
    messages: async (call) => ({ steps: stepsOf(await fetched(call, 'sip'), [call.view.callId]) }),
    packets: async (call, rtp) => ({ packets: await fetched(call, rtp ? undefined : 'sip') }),
    async close() {
      stop.abort()
      client?.close()
      await done
    },
  }

  async function run(sink: SourceSink): Promise<void> {
    for (let tries = 0; !stop.signal.aborted; ) {
      try {
        const open = await connect()
        tries = 0
        await follow(open, sink)
        throw new Error('the service ended the stream')
      } catch (error) {
        if (stop.signal.aborted) return
        const waitMs = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)] as number
        const why = (error as Error).message.split('\n')[0] as string
        sink.status({ name, state: 'lost', detail: `${why} Trying again.` })
        client?.close()
        await pause(waitMs, undefined, { signal: stop.signal }).catch(() => {})
      }
    }
  }

  async function follow(open: ManagerClient, sink: SourceSink): Promise<void> {
    const rates = new Rates()
    const ask = async (): Promise<void> => {
      try {
        sink.status({ name, state: 'live', services: (await statsOf(open)).map((s) => rates.of(s)) })
      } catch {
        // The stream of calls tells that the connection is gone.
      }
    }
    sink.status({ name, state: 'live' })
    void ask()
    const asking = setInterval(() => void ask(), STATS_MS)
    try {
      for await (const changes of remoteCalls(open).watch(stop.signal)) {
        const service = changes.service === undefined ? name : `${name}/${changes.service}`
        sink.changes({ ...changes, source: service })
      }
    } finally {
      clearInterval(asking)
    }
  }
}

/** Sums of two moments as rates. */
export class Rates {
  readonly #before = new Map<string, { readonly atMs: number; readonly packets: number; readonly cpuSeconds: number }>()

  of(stats: ServiceStats): SensorStats {
    const key = `${stats.service} ${stats.pid}`
    const atMs = performance.now()
    const before = this.#before.get(key)
    if (this.#before.size > 1000) this.#before.clear()
    this.#before.set(key, { atMs, packets: stats.packets, cpuSeconds: stats.cpuSeconds })
    if (before === undefined || atMs - before.atMs < 100) return stats
    const seconds = (atMs - before.atMs) / 1000
    return {
      ...stats,
      packetsPerSecond: Math.max(0, (stats.packets - before.packets) / seconds),
      cpuPercent: Math.max(0, (100 * (stats.cpuSeconds - before.cpuSeconds)) / seconds),
    }
  }
}

/** The managers of this host: serve-manager, which speaks for all its services, else each service's own socket. */
export async function localManagers(runDirectory: string): Promise<Address[]> {
  const names = (await readdir(runDirectory).catch(() => [] as string[])).filter((name) => name.endsWith('.sock'))
  const chosen = names.includes('serve-manager.sock') ? ['serve-manager.sock'] : names
  if (chosen.length > 0) return chosen.map((name) => ({ kind: 'unix', path: join(runDirectory, name) }))
  return [parseAddress('127.0.0.1') as Address]
}

/** The same service after a new start: `sniff-4711.sock` has become `sniff-4712.sock`, and what a killed one left may be there still. */
export async function startedAgain(runDirectory: string, address: Address): Promise<Address | undefined> {
  if (address.kind !== 'unix') return undefined
  const kind = (path: string): string => path.replace(/-\d+\.sock$/, '')
  const paths = (await localManagers(runDirectory)).flatMap((a) =>
    a.kind === 'unix' && kind(a.path) === kind(address.path) ? [a.path] : [],
  )
  const born = await Promise.all(paths.map(async (path) => ({ path, ms: (await stat(path)).mtimeMs })))
  const path = born.sort((a, b) => b.ms - a.ms)[0]?.path
  return path === undefined ? undefined : { kind: 'unix', path }
}

/** What is connected to before the screen stands: then a person can still be asked whether to believe a service. */
export async function openManagers(
  wanted: readonly { readonly name: string; readonly address: ManagerAddress; readonly find?: () => Promise<Address | undefined> }[],
  clientFor: (address: string) => ClientOptions,
  silent: 'show' | 'leave out',
): Promise<LiveSource[]> {
  const tried = await Promise.all(
    wanted.map(async ({ name, address, find }) => {
      if (address.kind === 'voipmonitor')
        throw new OperatorError('VOIPMONITOR', `${name} is a VoIPmonitor sensor: it tells of no changes.`, {
          exit: exitCodes.usage,
          suggestions: ['Ask it for its calls: earshot sensor status voipmonitor://HOST'],
        })
      const client = clientFor(addressText(address))
      try {
        return { name, address, find, client, connected: await connectManager(address, client) }
      } catch (error) {
        return { name, address, find, client, connected: undefined, error: error as Error }
      }
    }),
  )
  // A sensor that does not answer is shown as lost and tried again, a socket that a killed service left is nothing; when
  // none answers, there is nothing to show.
  const failed = tried.find((t) => t.connected === undefined)
  if (tried.every((t) => t.connected === undefined) && failed?.error !== undefined) throw failed.error
  return (silent === 'show' ? tried : tried.filter((t) => t.connected !== undefined)).map(managerSource)
}

export function memorySink(): Sink & { bytes(): Uint8Array } {
  let pieces: Uint8Array[] = []
  let size = 0
  return {
    async write(bytes) {
      size += bytes.length
      if (size > PCAP_BYTES_MAX)
        throw new OperatorError('TOO_LARGE', 'The call is too large for this screen.', {
          suggestions: ['Fetch it to a file: earshot fetch-pcap'],
        })
      pieces.push(bytes.slice())
    },
    async restart() {
      pieces = []
      size = 0
    },
    bytes: () => Buffer.concat(pieces),
  }
}

/** The packets of a pcap, each a copy. */
export function packetsIn(pcap: Uint8Array): HeldPacket[] {
  const packets: HeldPacket[] = []
  const reader = readerFor(pcap, new BatchFill(pcap), new Counters())
  for (const batch of reader?.read(pcap, 0, pcap.length) ?? []) for (let i = 0; i < batch.count; i++) packets.push(holdPacket(batch, i))
  return packets
}
