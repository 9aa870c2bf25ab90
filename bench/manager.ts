// How fast a manager gives packets away, what it holds meanwhile, and what many clients cost a sniffer beside it.
// Usage: npx tsx bench/manager.ts [MEGABYTES]   (after npm run build). Prints rows for RESULTS.md. Everything stays on loopback.
import { type ChildProcess, fork } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KnownServers, serverCertificate, Tokens } from '../src/lib/access/index.js'
import { connectManager, fetchPcap, type ManagerClient, parseAddress, type Sink, startManager } from '../src/lib/manager/index.js'
import { spoolSource } from '../src/lib/sniffer/spool-source.js'
import { fileSink } from '../src/terminal/sinks.js'

const megabytes = Number(process.argv[2] ?? 100)
const dir = process.env['EARSHOT_BENCH_DIR'] ?? mkdtempSync(join(tmpdir(), 'earshot-bench-manager-'))

if (process.send !== undefined) await serve()
else await measure()

/** The other process: a manager over a spool with one large file. */
async function serve(): Promise<void> {
  const about = { service: 'bench', name: 'bench', version: '0', pid: process.pid, host: 'bench', sensorId: undefined }
  const manager = await startManager({
    backend: {
      about,
      spool: spoolSource(join(dir, 'spool')),
      records: undefined,
      sipPorts: [],
      calls: { count: async () => 0, pages: async function* () {}, watch: async function* () {} },
      stats: async () => [],
    },
    socket: join(dir, 'manager.sock'),
    tcp: [{ host: '127.0.0.1', port: 0 }],
    certificate: await serverCertificate(join(dir, 'tls')),
    tokens: new Tokens(join(dir, 'tokens.json')),
    audit: () => {},
    plainForEverybody: false,
  })
  let peak = 0
  setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }, 20).unref()
  process.on('message', (what) => {
    if (what === 'peak') process.send?.({ peak, cpu: process.cpuUsage(), connections: manager.connections })
    else process.exit(0)
  })
  process.send?.({ addresses: manager.addresses })
}

async function measure(): Promise<void> {
  mkdirSync(join(dir, 'spool', 'd'), { recursive: true })
  const fd = openSync(join(dir, 'spool', 'd', 'large.pcap'), 'w')
  const block = Buffer.alloc(1 << 20, 0x5a)
  // A pcap by its first bytes: it goes out as it lies.
  block.writeUInt32LE(0xa1b2c3d4, 0)
  for (let i = 0; i < megabytes; i++) writeSync(fd, block)
  closeSync(fd)
  const server = fork(import.meta.filename, [], { env: { ...process.env, EARSHOT_BENCH_DIR: dir }, execArgv: ['--import', 'tsx'] })
  try {
    const { addresses } = await next<{ addresses: string[] }>(server)
    const port = addresses.find((a) => a.startsWith('127.'))?.split(':')[1] as string
    const open = (address: string): Promise<ManagerClient> =>
      connectManager(parseAddress(address), { known: new KnownServers(join(dir, 'known')), trust: async () => true })
    for (const [name, address] of [
      ['unix socket', `unix:${join(dir, 'manager.sock')}`],
      ['TCP, plain', `127.0.0.1:${port}`],
      ['TCP, TLS', `tls://127.0.0.1:${port}`],
    ] as const) {
      const client = await open(address)
      await fetchAll(client)
      for (let i = 0; i < 3; i++) {
        const before = await ask(server)
        const own = process.cpuUsage()
        const startMs = performance.now()
        await fetchAll(client)
        const seconds = (performance.now() - startMs) / 1000
        const after = await ask(server)
        const busy = (a: NodeJS.CpuUsage, b: NodeJS.CpuUsage): string => ((b.user + b.system - a.user - a.system) / 1000).toFixed(0)
        row(
          `fetch of ${megabytes} MB, ${name}`,
          `${((megabytes * 1.048576) / seconds).toFixed(0)} MB/s`,
          `server ${busy(before.cpu, after.cpu)} ms CPU, client ${busy(own, process.cpuUsage())} ms CPU, server ${(after.peak / 1e6).toFixed(0)} MB at most`,
        )
      }
      const file = join(dir, 'fetched')
      const startMs = performance.now()
      const sink = fileSink(file)
      await fetchAll(client, sink)
      await sink.commit()
      row(`the same into a file`, `${((megabytes * 1.048576) / ((performance.now() - startMs) / 1000)).toFixed(0)} MB/s`, '')
      rmSync(file)
      client.close()
    }
    await clients(server, open, `127.0.0.1:${port}`)
  } finally {
    server.kill()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** 1,000 that are connected and quiet, 100 that fetch all the time. */
async function clients(server: ChildProcess, open: (address: string) => Promise<ManagerClient>, address: string): Promise<void> {
  const idle: ManagerClient[] = []
  // A hundred at a time: of more that have not said hello yet, the oldest are let go.
  for (let i = 0; i < 10; i++) idle.push(...(await Promise.all(Array.from({ length: 100 }, () => open(address)))))
  const before = await ask(server)
  await sleep(3000)
  const after = await ask(server)
  row(
    '1,000 idle clients',
    `${((after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system) / 3e4).toFixed(1)} % of a core`,
    `server ${(after.peak / 1e6).toFixed(0)} MB at most`,
  )
  const busy = await Promise.all(Array.from({ length: 100 }, () => open(address)))
  const startMs = performance.now()
  let bytes = 0
  await Promise.all(
    busy.map(async (client) => {
      for await (const answer of client.ask('fetch', { path: 'd/large.pcap' })) {
        if (answer.kind === 'data') bytes += answer.bytes.length
        if (performance.now() - startMs > 5000) break
      }
    }),
  )
  const seconds = (performance.now() - startMs) / 1000
  const { peak } = await ask(server)
  row('and 100 busy ones', `${(bytes / 1e6 / seconds).toFixed(0)} MB/s together`, `server ${(peak / 1e6).toFixed(0)} MB at most`)
  for (const client of [...idle, ...busy]) client.close()
}

/** As fetch-pcap does it; the packets go nowhere unless somebody takes them. */
async function fetchAll(client: ManagerClient, sink: Sink = { write: async () => {} }): Promise<void> {
  const { bytes } = await fetchPcap(async () => client, sink, { path: 'd/large.pcap' })
  if (bytes !== megabytes * 2 ** 20) throw new Error(`${bytes} bytes came`)
}

function ask(server: ChildProcess): Promise<{ peak: number; cpu: NodeJS.CpuUsage; connections: number }> {
  server.send('peak')
  return next(server)
}

function next<T>(server: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null): void => reject(new Error(`The server ended with ${code}.`))
    server.once('exit', gone)
    server.once('message', (message) => {
      server.off('exit', gone)
      resolve(message as T)
    })
  })
}

function row(...cells: string[]): void {
  process.stdout.write(`| ${cells.join(' | ')} |\n`)
}
