import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KnownServers, Tokens } from '../../../src/lib/access/index.js'
import type { Micros } from '../../../src/lib/base/units.js'
import {
  connectManager,
  fetchFromVoipmonitor,
  hostBackend,
  type Manager,
  type ServiceChanges,
  type Sink,
  startManager,
} from '../../../src/lib/manager/index.js'
import { batchOf, type Packet, sip, talk } from '../../support/ladder.js'
import { ask, clientOptions, type TestManager, testManager } from '../../support/manager.js'
import { pcapOf } from '../../support/pcap-file.js'

/** Two services of one host, and the one that speaks for both. */
const A = '10.0.0.1:5060'
const B = '10.0.0.2:5060'
const call = (callId: string): Packet[] => [
  sip(0, A, B, 'INVITE', { callId, sdp: '10.0.0.1:4000' }),
  sip(1, B, A, '200 OK', { callId, toTag: 'b', sdp: '10.0.0.2:6000' }),
  ...talk(1.1, '10.0.0.1:4000', '10.0.0.2:6000', 20),
]

let root: string
let run: string
let first: TestManager
let second: TestManager
let host: Manager
let port: number
let backend: ReturnType<typeof hostBackend>
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'earshot-host-'))
  run = join(root, 'run')
  mkdirSync(run)
  for (const name of ['one', 'two', 'own']) mkdirSync(join(root, name, '2023-11-14', '22', '13'), { recursive: true })
  writeFileSync(join(root, 'two', '2023-11-14/22/13/b.pcap'), pcapOf(batchOf(call('b'))))
  // What a process that was killed leaves behind.
  writeFileSync(join(run, 'dead.sock'), '')
  first = await testManager({ spool: join(root, 'one'), sensorId: 1 })
  second = await testManager({ spool: join(root, 'two'), sensorId: 2 })
  symlinkSync(first.socket, join(run, 'first.sock'))
  first.feed(call('a'))
  second.feed([...call('b'), ...call('c')])
  const about = { service: 'serve-manager', name: 'serve-manager', version: '1', pid: process.pid, host: 'h', sensorId: undefined }
  const socket = join(run, 'serve-manager.sock')
  backend = hostBackend({
    about,
    runDirectory: run,
    ownSocket: socket,
    spool: undefined,
    records: undefined,
    known: new KnownServers(join(root, 'known')),
    startedMs: 0,
  })
  host = await startManager({
    backend,
    socket,
    tcp: [{ host: '127.0.0.1', port: 0 }],
    certificate: undefined,
    tokens: new Tokens(join(root, 'tokens.json')),
    audit: () => {},
    plainForEverybody: false,
  })
  port = Number(host.addresses.at(-1)?.split(':')[1])
})
afterAll(async () => {
  await host.close()
  backend.close()
  await first.close()
  await second.close()
  rmSync(root, { recursive: true, force: true })
})

describe('one that speaks for all services of the host', () => {
  test('calls of all, also of a service that begins later', async () => {
    expect(await ask(port, 'totalcalls\r\n\r\n')).toBe('1')
    symlinkSync(second.socket, join(run, 'second.sock'))
    expect(await ask(port, 'totalcalls\r\n\r\n')).toBe('3')
    const rows = JSON.parse(await ask(port, 'listcalls\r\n\r\n')) as string[][]
    expect(
      rows
        .slice(1)
        .map((row) => row[1])
        .sort(),
    ).toEqual(['a', 'b', 'c'])
  })

  test('statistics of all', async () => {
    const client = await connectManager({ kind: 'tcp', host: '127.0.0.1', port, tls: false }, clientOptions(root))
    const { items } = await client.all<{ stats: { service: string; open: number }[] }>('stats')
    expect(items.flatMap(({ stats }) => stats.map((s) => s.open))).toEqual([0, 1, 2])
    client.close()
  })

  test('a service that was killed is missed; what a person killed is not', async () => {
    writeFileSync(join(run, 'sniff-4711.sock'), '')
    await backend.stats()
    expect(backend.unanswered?.()).toEqual(['dead'])
  })

  test('packets that another service keeps in a spool of its own', async () => {
    const client = await connectManager({ kind: 'tcp', host: '127.0.0.1', port, tls: false }, clientOptions(root))
    const chunks: Uint8Array[] = []
    for await (const answer of client.ask('fetch', { path: '2023-11-14/22/13/b.pcap' }))
      if (answer.kind === 'data') chunks.push(answer.bytes)
    expect(Buffer.concat(chunks).equals(readFileSync(join(root, 'two', '2023-11-14/22/13/b.pcap')))).toBe(true)
    client.close()
  })

  test('watching all; a service that ends takes its calls along', async () => {
    const client = await connectManager({ kind: 'tcp', host: '127.0.0.1', port, tls: false }, clientOptions(root))
    const table = new Map<string, string[]>()
    const stop = new AbortController()
    const watching = (async () => {
      for await (const answer of client.ask('watch', {}, { signal: stop.signal })) {
        if (answer.kind !== 'item') continue
        const { service, reset, added = [], removed = [] } = answer.value as Partial<ServiceChanges> & { service: string }
        if (reset) table.set(service, [])
        table.set(
          service,
          [...(table.get(service) ?? []), ...added.map((v) => v.callId)].filter((id) => !removed.some((v) => v.callId === id)),
        )
      }
    })().catch(() => {})
    const all = (): string[] => [...table.values()].flat().sort()
    // Both test services have one name here, so the later snapshot takes the place of the earlier.
    await expect.poll(all, { timeout: 15_000 }).toContain('c')
    first.feed([sip(30, A, B, 'INVITE', { callId: 'late' })])
    await expect.poll(all, { timeout: 15_000 }).toContain('late')
    await second.manager.close()
    await expect.poll(() => all().includes('c'), { timeout: 15_000 }).toBe(false)
    stop.abort()
    await watching
    client.close()
  })
})

test('our own plain protocol, asked as a VoIPmonitor is asked', async () => {
  const started = (1_700_000_000 * 1e6) as Micros
  const own = await testManager({ spool: join(root, 'two') })
  const got = new Map<string, Buffer>()
  const sinkOf = (kind: string): Sink => ({
    write: async (bytes) => {
      got.set(kind, Buffer.concat([got.get(kind) ?? Buffer.alloc(0), bytes]))
    },
  })
  const kinds = await fetchFromVoipmonitor(
    { host: '127.0.0.1', port: own.port },
    { callId: 'b', started, id: 1 },
    ['SIP', 'RTP'],
    sinkOf,
    () => {},
  )
  // Everything is in one file here: the client takes it for VoIPmonitor's pcapsplit = no.
  expect(kinds).toEqual(['ALL'])
  expect(got.get('ALL')?.equals(readFileSync(join(root, 'two', '2023-11-14/22/13/b.pcap')))).toBe(true)
  expect(
    await fetchFromVoipmonitor({ host: '127.0.0.1', port: own.port }, { callId: 'none', started, id: 1 }, ['SIP', 'RTP'], sinkOf, () => {}),
  ).toEqual([])
  await own.close()
})
