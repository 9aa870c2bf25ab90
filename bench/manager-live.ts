/**
 * What manager clients cost a sniffer: `sniff` on a veth pair in a namespace of its own, tcpreplay at 200,000 packets/s on the
 * other end, and beside it 1,000 clients that are quiet and 100 that ask all the time. As root, after npm run build:
 *
 *   npx tsx bench/make-capture.ts --calls 500 --out load.pcap
 *   npx tsx bench/manager-live.ts load.pcap            (PPS=… for another speed, LOOPS=… for longer)
 *
 * Prints a row for the run without clients and one with them: packets sent, packets received, packets the kernel dropped.
 *
 * Clients are other machines in truth; here they are a process that gets what the cores have left (SCHED_IDLE). What they make the
 * sniffer do has its own priority, and so has tcpreplay: on two cores those three share.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { KnownServers } from '../src/lib/access/index.js'
import { connectManager, type ManagerClient, type ServiceStats, statsOf } from '../src/lib/manager/index.js'
import { NetworkNamespace } from '../test/support/netns.js'

const [file, socketOfClients] = process.argv.slice(2)
if (file === undefined) throw new Error('Say which capture: npx tsx bench/manager-live.ts FILE')
const speed = process.env['PPS'] ?? '200000'
const loops = process.env['LOOPS'] ?? '3'
const IDLE = 1000
/** Clients of each kind that ask all the time: 100 together. */
const BUSY = { listcalls: 30, getfile: 20, calls: 15, stats: 10, fetch: 15, watch: 10 }
const root = join(import.meta.dirname, '..')
const dir = mkdtempSync(join(tmpdir(), 'earshot-bench-live-'))
let socket = socketOfClients ?? ''

if (socketOfClients !== undefined) await beClients()
else await measureBoth()

async function measureBoth(): Promise<void> {
  const namespace = new NetworkNamespace()
  const env = { ...process.env, RUNTIME_DIRECTORY: join(dir, 'run'), STATE_DIRECTORY: join(dir, 'state') }
  const words = [process.execPath, join(root, 'bin/run.js'), 'sniff', '-i', 'vb', '--store', 'none', '--spool', join(dir, 'spool'), '-q']
  try {
    namespace.veth('va', 'vb')
    const sniff = spawn('ip', ['netns', 'exec', namespace.name, ...words], { env, stdio: 'ignore' })
    for (const run = join(dir, 'run'); ; await pause(200)) {
      if (sniff.exitCode !== null) throw new Error(`sniff ended with ${sniff.exitCode}.`)
      const name = existsSync(run) ? readdirSync(run).find((n) => n.endsWith('.sock')) : undefined
      if (name !== undefined) {
        socket = join(run, name)
        break
      }
    }
    await pause(1000)
    // The compiler's work is done once.
    await replay(namespace, '1')
    await measure(namespace, 'no clients', sniff)
    const clients = spawn('chrt', ['-i', '0', process.execPath, '--import', 'tsx', import.meta.filename, file as string, socket], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await once(clients.stdout, 'data')
    await measure(namespace, `${IDLE} idle and ${Object.values(BUSY).reduce((a, b) => a + b)} busy clients`, sniff)
    let said = ''
    clients.stdout.on('data', (chunk) => {
      said += chunk
    })
    clients.stdin.end()
    await once(clients, 'exit')
    process.stdout.write(said)
    sniff.kill('SIGINT')
    await once(sniff, 'exit')
  } finally {
    namespace.destroy()
    rmSync(dir, { recursive: true, force: true })
  }
}

function open(): Promise<ManagerClient> {
  return connectManager(
    { kind: 'unix', path: socket },
    { known: new KnownServers(join(dir, 'known')), trust: async () => false, timeoutMs: 60_000 },
  )
}

async function replay(namespace: NetworkNamespace, times: string): Promise<{ sent: number; rate: number }> {
  const words = ['netns', 'exec', namespace.name, 'tcpreplay', '-q', '--pps', speed, '--loop', times, '--preload-pcap', '-i', 'va']
  const sending = spawn('ip', [...words, file as string], { stdio: ['ignore', 'pipe', 'ignore'] })
  let said = ''
  sending.stdout.on('data', (chunk) => {
    said += chunk
  })
  await once(sending, 'exit')
  await pause(2000)
  return { sent: Number(/Actual: (\d+) packets/.exec(said)?.[1]), rate: Number(/([\d.]+) pps/.exec(said)?.[1]) }
}

async function measure(namespace: NetworkNamespace, name: string, sniff: ChildProcess): Promise<void> {
  const asker = await open()
  const stats = async (): Promise<ServiceStats> => (await statsOf(asker))[0] as ServiceStats
  const before = await stats()
  const { sent, rate } = await replay(namespace, loops)
  const after = await stats()
  asker.close()
  if (sniff.exitCode !== null) throw new Error(`sniff ended with ${sniff.exitCode}.`)
  const count = (what: 'received' | 'dropped'): number => (after.kernel?.[what] ?? 0) - (before.kernel?.[what] ?? 0)
  const cpu = ((1e6 * (after.cpuSeconds - before.cpuSeconds)) / sent).toFixed(2)
  const cells = [
    name,
    `${sent} sent at ${Math.round(rate)}/s`,
    `${count('received')} received`,
    `${count('dropped')} dropped by the kernel`,
    `${(after.spool?.dropped ?? 0) - (before.spool?.dropped ?? 0)} by the spool`,
    `${cpu} µs of CPU a packet, all threads`,
    `${Math.round(after.rssBytes / 1e6)} MB resident`,
  ]
  process.stdout.write(`| ${cells.join(' | ')} |\n`)
}

/** The clients: begin, say so, ask until stdin ends, say how often they were answered. */
async function beClients(): Promise<void> {
  const idle = await openMany(IDLE)
  const busy = await openMany(BUSY.calls + BUSY.stats + BUSY.fetch + BUSY.watch)
  const answered = { listcalls: 0, getfile: 0, calls: 0, stats: 0, fetch: 0, watch: 0 }
  let bytes = 0
  let over = false
  process.stdin.resume().once('end', () => {
    over = true
  })
  const paths = new Set<string>()
  const pathOf = (n: number): string | undefined => [...paths][n % Math.max(1, paths.size)]
  const repeat = (kind: keyof typeof BUSY, once: (n: number) => Promise<void>): Promise<void>[] =>
    Array.from({ length: BUSY[kind] }, async (_, n) => {
      while (!over) {
        await once(n + answered[kind])
        answered[kind]++
      }
    })
  const client = (): ManagerClient => busy.pop() as ManagerClient
  const own = (kind: 'calls' | 'stats' | 'fetch' | 'watch'): Promise<void>[] => {
    const each = Array.from({ length: BUSY[kind] }, client)
    let turn = 0
    return repeat(kind, async () => {
      const path = kind === 'fetch' ? pathOf(turn) : undefined
      if (kind === 'fetch' && path === undefined) return void (await pause(200))
      const signal = kind === 'watch' ? AbortSignal.timeout(5000) : undefined
      try {
        for await (const answer of (each[turn++ % each.length] as ManagerClient).ask(kind, path === undefined ? {} : { path }, {
          signal,
        })) {
          if (over) break
          if (answer.kind === 'data') bytes += answer.bytes.length
          else if (kind === 'calls')
            for (const { pcap } of (answer.value as { calls: { pcap?: string }[] }).calls) if (pcap !== undefined) paths.add(pcap)
        }
      } catch {
        // A watch that was ended, a call whose packets are not written yet.
      }
    })
  }
  const plain = (kind: 'listcalls' | 'getfile'): Promise<void>[] =>
    repeat(kind, async (n) => {
      const path = pathOf(n)
      if (kind === 'getfile' && path === undefined) return void (await pause(200))
      bytes += await ask(kind === 'listcalls' ? 'listcalls {}' : `getfile ${path}`)
    })
  process.stdout.write('asking\n')
  await Promise.all([...plain('listcalls'), ...plain('getfile'), ...own('calls'), ...own('stats'), ...own('fetch'), ...own('watch')])
  const sums = Object.entries(answered).map(([kind, n]) => `${n} ${kind}`)
  process.stdout.write(`(answered meanwhile: ${sums.join(', ')}; ${Math.round(bytes / 1e6)} MB)\n`)
  for (const one of idle) one.close()
  process.exit(0)
}

/** A hundred at a time: of more that have not said hello yet, a service lets the oldest go. */
async function openMany(count: number): Promise<ManagerClient[]> {
  const clients: ManagerClient[] = []
  while (clients.length < count) clients.push(...(await Promise.all(Array.from({ length: Math.min(100, count - clients.length) }, open))))
  return clients
}

/** A command of VoIPmonitor's protocol; answers how many bytes came. */
function ask(command: string): Promise<number> {
  return new Promise((resolve) => {
    let bytes = 0
    const asking = connect({ path: socket }, () => asking.write(`${command}\r\n\r\n`))
    asking.on('data', (chunk) => {
      bytes += chunk.length
    })
    asking.on('error', () => {})
    asking.once('close', () => resolve(bytes))
  })
}
