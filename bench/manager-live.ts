/**
 * What manager clients cost a sniffer: `sniff` on a veth pair in a namespace of its own, tcpreplay at 200,000 packets/s on the
 * other end, and beside it 1,000 clients that are quiet and 100 that ask all the time. As root, after npm run build:
 *
 *   npx tsx bench/make-capture.ts --calls 500 --out load.pcap
 *   npx tsx bench/manager-live.ts load.pcap            (PPS=… for another speed)
 *
 * Prints a row for the run without clients and one with them: packets sent, packets the kernel dropped.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { KnownServers } from '../src/lib/access/index.js'
import { connectManager, type ManagerClient, type ServiceStats, statsOf } from '../src/lib/manager/index.js'
import { NetworkNamespace } from '../test/support/netns.js'

const [file] = process.argv.slice(2)
if (file === undefined) throw new Error('Say which capture: npx tsx bench/manager-live.ts FILE')
const speed = process.env['PPS'] ?? '200000'
const IDLE = 1000
const BUSY = 100
const root = join(import.meta.dirname, '..')
const dir = mkdtempSync(join(tmpdir(), 'earshot-bench-live-'))
const namespace = new NetworkNamespace()
let socket = ''
try {
  namespace.veth('va', 'vb')
  const words = [process.execPath, join(root, 'bin/run.js'), 'sniff', '-i', 'vb', '--store', 'none', '--spool', join(dir, 'spool'), '-q']
  const sniff = spawn('ip', ['netns', 'exec', namespace.name, ...words], {
    env: { ...process.env, RUNTIME_DIRECTORY: join(dir, 'run'), STATE_DIRECTORY: join(dir, 'state') },
    stdio: 'ignore',
  })
  for (const run = join(dir, 'run'); ; await pause(200)) {
    const name = existsSync(run) ? readdirSync(run)[0] : undefined
    if (name !== undefined) {
      socket = join(run, name)
      break
    }
  }
  await pause(2000)
  await measure('no clients', async () => () => {})
  await measure(`${IDLE} idle and ${BUSY} busy clients`, withClients)
  sniff.kill('SIGINT')
  await once(sniff, 'exit')
} finally {
  namespace.destroy()
  rmSync(dir, { recursive: true, force: true })
}

function open(): Promise<ManagerClient> {
  return connectManager({ kind: 'unix', path: socket }, { known: new KnownServers(join(dir, 'known')), trust: async () => false })
}

async function measure(name: string, begin: () => Promise<() => void>): Promise<void> {
  const end = await begin()
  const asker = await open()
  const before = (await statsOf(asker))[0] as ServiceStats
  const replay = spawn('ip', ['netns', 'exec', namespace.name, 'tcpreplay', '--pps', speed, '--preload-pcap', '-i', 'va', file as string], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let said = ''
  replay.stdout.on('data', (chunk) => {
    said += chunk
  })
  await once(replay, 'exit')
  await pause(2000)
  const after = (await statsOf(asker))[0] as ServiceStats
  end()
  asker.close()
  const [, sent = '0'] = /Actual: (\d+) packets/.exec(said) ?? []
  const [, rate = '0'] = /([\d.]+) pps/.exec(said) ?? []
  const dropped = (after.kernel?.dropped ?? 0) - (before.kernel?.dropped ?? 0)
  const cpu = ((1e6 * (after.cpuSeconds - before.cpuSeconds)) / Math.max(1, Number(sent))).toFixed(2)
  process.stdout.write(
    `| ${name} | ${sent} packets at ${Math.round(Number(rate))}/s | ${dropped} dropped by the kernel | ${cpu} µs of CPU a packet, all threads |\n`,
  )
}

/** A hundred at a time: of more that have not said hello yet, a service lets the oldest go. */
async function openMany(count: number): Promise<ManagerClient[]> {
  const clients: ManagerClient[] = []
  while (clients.length < count) clients.push(...(await Promise.all(Array.from({ length: Math.min(100, count - clients.length) }, open))))
  return clients
}

/** The busy ones ask for the running calls, for statistics and for packets, one after the other, as fast as they are answered. */
async function withClients(): Promise<() => void> {
  const idle = await openMany(IDLE)
  const busy = await openMany(BUSY)
  let over = false
  let asked = 0
  for (const client of busy) {
    void (async () => {
      while (!over) {
        for (const what of ['calls', 'stats']) {
          for await (const answer of client.ask(what)) {
            if (over || what !== 'calls' || answer.kind !== 'item') continue
            const path = (answer.value as { calls: { pcap?: string }[] }).calls[asked % 50]?.pcap
            if (path !== undefined) for await (const _ of client.ask('fetch', { path })) if (over) break
          }
          asked++
        }
      }
    })().catch(() => {})
  }
  return () => {
    over = true
    process.stdout.write(`(${asked} questions were answered meanwhile)\n`)
    for (const client of [...idle, ...busy]) client.close()
  }
}
