import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KnownServers, type ServerCertificate, Tokens } from '../../src/lib/access/index.js'
import { AddressBook } from '../../src/lib/base/address.js'
import type { Micros } from '../../src/lib/base/units.js'
import { CallTracker } from '../../src/lib/call/tracker.js'
import { LiveCalls } from '../../src/lib/live/index.js'
import { callsOf } from '../../src/lib/manager/call-source.js'
import {
  type About,
  type ClientOptions,
  type Manager,
  type ManagerBackend,
  type ManagerOptions,
  startManager,
} from '../../src/lib/manager/index.js'
import { localLive } from '../../src/lib/manager/live-source.js'
import { ownStats } from '../../src/lib/manager/services.js'
import { spoolSource } from '../../src/lib/sniffer/spool-source.js'
import { trackerOptions } from './analyse.js'
import { batchOf, type Packet } from './ladder.js'

/** A manager on ports and sockets of its own, over a tracker that a test feeds. */
export interface TestManager {
  readonly manager: Manager
  readonly dir: string
  readonly socket: string
  readonly port: number
  readonly tokens: Tokens
  readonly audited: unknown[]
  readonly live: LiveCalls
  readonly tracker: CallTracker
  feed(packets: readonly Packet[]): void
  /** One command of the plain protocol; the answer as latin1. */
  plain(command: string, end?: string): Promise<string>
  close(): Promise<void>
}

export async function testManager(
  options: {
    spool?: string
    /** Of the service, as systemd's have it; else a person's process. */
    name?: string
    socket?: string
    sensorId?: number
    certificate?: ServerCertificate
    pcapOf?: (callId: string) => string
    flush?: (path: string) => Promise<void>
  } & Partial<Pick<ManagerOptions, 'limits' | 'plainForEverybody' | 'givesWay'>> = {},
): Promise<TestManager> {
  const dir = mkdtempSync(join(tmpdir(), 'earshot-manager-'))
  const live = new LiveCalls({ sensorId: options.sensorId, pcapOf: (call) => options.pcapOf?.(call.callId) })
  const tracker = new CallTracker(trackerOptions, new AddressBook(), {
    onRecord: () => {},
    onChange: (call, media) => live.changed(call, media),
    onEnd: (call) => live.ended(call),
  })
  const about: About = {
    service: 'sniff',
    name: options.name ?? `sniff-${process.pid}`,
    version: '9.9.9',
    pid: process.pid,
    host: 'test',
    sensorId: options.sensorId,
  }
  const source = localLive(live, () => ({
    ...ownStats(about, 0),
    source: 'read_from_file',
    open: live.size,
    packets: tracker.totals.packets,
  }))
  const backend: ManagerBackend = {
    about,
    spool: options.spool === undefined ? undefined : spoolSource(options.spool),
    records: undefined,
    sipPorts: [5060],
    calls: callsOf(about.name, source),
    stats: async () => [await source.stats()],
    ...(options.flush && { flush: options.flush }),
  }
  const tokens = new Tokens(join(dir, 'tokens.json'))
  const audited: unknown[] = []
  const socket = options.socket ?? join(dir, 'manager.sock')
  const manager = await startManager({
    backend,
    socket,
    tcp: [{ host: '127.0.0.1', port: 0 }],
    certificate: options.certificate,
    tokens,
    audit: (entry) => audited.push(entry),
    plainForEverybody: options.plainForEverybody ?? false,
    givesWay: options.givesWay ?? false,
    ...(options.limits && { limits: options.limits }),
  })
  const port = Number(manager.addresses.find((a) => a.startsWith('127.'))?.split(':')[1])
  return {
    manager,
    dir,
    socket,
    port,
    tokens,
    audited,
    live,
    tracker,
    feed(packets) {
      const batch = batchOf(packets)
      tracker.accept(batch)
      live.tick(batch.until as Micros)
    },
    plain: (command, end = '\r\n\r\n') => ask(port, `${command}${end}`),
    async close() {
      await manager.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Sends bytes, answers everything that comes until the other side closes. */
export function ask(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.once('error', reject)
    socket.once('close', () => resolve(Buffer.concat(chunks).toString('latin1')))
    socket.write(request)
  })
}

export const clientOptions = (dir: string, more: Partial<ClientOptions> = {}): ClientOptions => ({
  known: new KnownServers(join(dir, 'known_servers')),
  trust: async () => false,
  ...more,
})
