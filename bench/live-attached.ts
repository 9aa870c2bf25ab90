/**
 * What a screen costs the sniffer that it watches: `sniff` on a veth pair with 10,000 running calls, of which 500 change every second
 * (a packet of RTP each way), for a while without anybody watching and for a while with one `earshot live` in a pseudo-terminal of
 * 120 × 40. As root, after npm run build (needs tcpreplay, iproute2, script):
 *
 *   npx tsx bench/live-attached.ts [seconds]
 *
 * Prints a row: CPU of the sniffer without and with it, the thread of the packets by itself, and the difference.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { KnownServers } from '../src/lib/access/index.js'
import { connectManager, statsOf } from '../src/lib/manager/index.js'
import { batchOf, datagram, type Packet, rtpBytes, sip } from '../test/support/ladder.js'
import { NetworkNamespace } from '../test/support/netns.js'
import { pcapOf } from '../test/support/pcap-file.js'

const CALLS = 10_000
const CHANGES_PER_SECOND = 500
const seconds = Number(process.argv[2] ?? 20)
const root = join(import.meta.dirname, '..')
const dir = mkdtempSync(join(tmpdir(), 'earshot-bench-attached-'))
const namespace = new NetworkNamespace()
const env = {
  ...process.env,
  HOME: dir,
  RUNTIME_DIRECTORY: join(dir, 'run'),
  STATE_DIRECTORY: join(dir, 'state'),
  TERM: 'xterm-256color',
}
const started: ChildProcess[] = []

try {
  namespace.veth('va', 'vb')
  const setup = join(dir, 'setup.pcap')
  const media = join(dir, 'media.pcap')
  writeFileSync(setup, pcapOf(batchOf(Array.from({ length: CALLS }, (_, n) => ladder(n)).flat())))
  writeFileSync(media, pcapOf(batchOf(Array.from({ length: seconds * CHANGES_PER_SECOND }, (_, n) => talkOf(n)).flat())))
  const sniff = run('sniff', '-i', 'vb', '--store', 'none', '--save', 'none', '-q')
  const socket = await socketOf(sniff)
  await replay(setup, 4000)
  await pause(1500)
  const client = await connectManager(
    { kind: 'unix', path: socket },
    { known: new KnownServers(join(dir, 'known')), trust: async () => false },
  )
  const [stats] = await statsOf(client)
  client.close()
  // Both phases have the same traffic, and the compiler's work is done in a first one.
  await replay(media, 2 * CHANGES_PER_SECOND)
  const without = await measured(sniff, () => replay(media, 2 * CHANGES_PER_SECOND))
  const screen = spawn(
    'script',
    ['-qfec', `stty cols 120 rows 40; ${process.execPath} ${join(root, 'bin/run.js')} live --sensor unix:${socket}`, '/dev/null'],
    { env, stdio: ['pipe', 'pipe', 'inherit'] },
  )
  started.push(screen)
  let drawn = 0
  let shown = ''
  screen.stdout.on('data', (chunk: Buffer) => {
    drawn += chunk.length
    shown = (shown + chunk.toString('latin1')).slice(-200_000)
  })
  while (!/10,000/.test(shown)) await pause(100)
  await pause(2000)
  drawn = 0
  const attached = await measured(sniff, () => replay(media, 2 * CHANGES_PER_SECOND))
  const percent = (n: number): string => `${n.toFixed(2)} %`
  const cells = [
    `a screen on a sniffer of ${stats?.open} calls, ${CHANGES_PER_SECOND} of them changing every second, ${seconds} s`,
    `without it ${percent(without.all)} of a core (thread of the packets ${percent(without.main)})`,
    `with it ${percent(attached.all)} (${percent(attached.main)})`,
    `it costs ${percent(attached.all - without.all)} (${percent(attached.main - without.main)})`,
    `${(drawn / 1000 / seconds).toFixed(1)} kB/s drawn`,
  ]
  process.stdout.write(`| ${cells.join(' | ')} |\n`)
} finally {
  for (const child of started) child.kill('SIGKILL')
  namespace.destroy()
  rmSync(dir, { recursive: true, force: true })
}

function run(...words: string[]): ChildProcess {
  const child = spawn('ip', ['netns', 'exec', namespace.name, process.execPath, join(root, 'bin/run.js'), ...words], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  started.push(child)
  return child
}

async function socketOf(service: ChildProcess): Promise<string> {
  for (const directory = join(dir, 'run'); ; await pause(200)) {
    if (service.exitCode !== null) throw new Error(`sniff ended with ${service.exitCode}.`)
    const name = existsSync(directory) ? readdirSync(directory).find((n) => n.endsWith('.sock')) : undefined
    if (name !== undefined) return join(directory, name)
  }
}

async function replay(file: string, packetsPerSecond: number): Promise<void> {
  const sending = namespace.spawn('tcpreplay', '-q', '--pps', `${packetsPerSecond}`, '-i', 'va', file)
  sending.stdout?.resume()
  const [code] = await once(sending, 'exit')
  if (code !== 0) throw new Error(`tcpreplay ended with ${code}.`)
}

/** CPU of all its threads and of the first by itself, % of a core, while something goes on. */
async function measured(child: ChildProcess, during: () => Promise<void>): Promise<{ all: number; main: number }> {
  const tasks = `/proc/${child.pid}/task`
  const nanos = (task: string): number => Number(readFileSync(join(tasks, task, 'schedstat'), 'utf8').split(' ')[0])
  const now = (): { all: number; main: number } => ({
    all: readdirSync(tasks).reduce((sum, task) => sum + nanos(task), 0),
    main: nanos(String(child.pid)),
  })
  const before = now()
  const beganMs = performance.now()
  await during()
  const share = 1e-4 / (performance.now() - beganMs)
  const after = now()
  return { all: (after.all - before.all) * share, main: (after.main - before.main) * share }
}

function endsOf(n: number): { phone: string; audio: string; exchange: string; other: string } {
  const ip = `10.1.${n >> 8}.${n & 255}`
  return { phone: `${ip}:5060`, audio: `${ip}:4000`, exchange: '10.0.0.2:5060', other: `10.0.0.2:${10_000 + 2 * n}` }
}

function ladder(n: number): Packet[] {
  const { phone, audio, exchange, other } = endsOf(n)
  const o = {
    callId: `${n}-4711@bench.example`,
    branch: `z9hG4bK${n}`,
    fromTag: `f${n}`,
    from: `"Caller ${n}" <sip:+1555${String(n).padStart(7, '0')}@example.com>`,
    to: `<sip:+1556${String(n).padStart(7, '0')}@example.net>`,
  }
  const at = n / 1000
  return [
    sip(at, phone, exchange, 'INVITE', { ...o, sdp: audio }),
    sip(at + 0.0001, exchange, phone, '200 OK', { ...o, toTag: 't', sdp: other }),
    sip(at + 0.0002, phone, exchange, 'ACK', { ...o, toTag: 't', cseq: '1 ACK' }),
  ]
}

/** A packet each way of the next call in turn. */
function talkOf(n: number): Packet[] {
  const call = n % CALLS
  const turn = Math.floor(n / CALLS)
  const { audio, other } = endsOf(call)
  const at = n / CHANGES_PER_SECOND
  const packet = { seq: turn + 1, ticks: 160 * (turn + 1) }
  return [
    datagram(at, audio, other, rtpBytes({ ...packet, ssrc: 2 * call + 1 })),
    datagram(at + 0.0001, other, audio, rtpBytes({ ...packet, ssrc: 2 * call + 2 })),
  ]
}
