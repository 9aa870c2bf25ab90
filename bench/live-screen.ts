/**
 * The screen, as it is installed (bin/run.js), on a manager with 10,000 running calls of which 500 change every second, in a real
 * pseudo-terminal of 120 × 40. After npm run build:
 *
 *   npx tsx bench/live-screen.ts [seconds]
 *
 * Prints the CPU share and the resident memory of its process (mean of the last half, highest), and the time from a key to the frame
 * that answers it. The manager is this program.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Tokens } from '../src/lib/access/index.js'
import type { Micros } from '../src/lib/base/units.js'
import type { CallView, StreamView } from '../src/lib/live/index.js'
import { type About, type CallSource, type ServiceCall, startManager } from '../src/lib/manager/index.js'
import { ownStats } from '../src/lib/manager/services.js'

const CALLS = 10_000
const CHANGES_PER_SECOND = 500
const TICK_MS = 500
const SERVICE = 'sniff-1'

const seconds = Number(process.argv[2] ?? 40)
const dir = mkdtempSync(join(tmpdir(), 'earshot-bench-'))
const socket = join(dir, 'sniff-1.sock')
const about: About = { service: 'sniff', name: SERVICE, version: '0', pid: process.pid, host: 'bench', sensorId: undefined }
const manager = await startManager({
  backend: {
    about,
    spool: undefined,
    records: undefined,
    sipPorts: [],
    calls: made(),
    stats: async () => [ownStats(about, 0)],
  },
  socket,
  tcp: [],
  certificate: undefined,
  tokens: new Tokens(join(dir, 'tokens.json')),
  audit: () => {},
  plainForEverybody: false,
  givesWay: false,
})
try {
  await watched()
} finally {
  await manager.close()
  rmSync(dir, { recursive: true, force: true })
}

/** Calls in turn change, each every twenty seconds. */
function made(): CallSource {
  const of = (view: CallView): ServiceCall => ({ ...view, service: SERVICE })
  return {
    count: async () => CALLS,
    async *pages() {},
    async *watch(signal) {
      let now = 1_700_000_020e6
      const said = { service: SERVICE, reset: false, added: [], changed: [], removed: [], left: 0 }
      for (let from = 0; from < CALLS; from += 200)
        yield {
          ...said,
          reset: from === 0,
          at: now as Micros,
          added: Array.from({ length: 200 }, (_, i) => of(view(from + i + 1, now, 100))),
        }
      const each = (CHANGES_PER_SECOND * TICK_MS) / 1000
      for (let turn = 0; !signal.aborted; turn++) {
        await pause(TICK_MS, undefined, { signal }).catch(() => {})
        now += TICK_MS * 1000
        const from = (turn * each) % CALLS
        const changed = Array.from({ length: each }, (_, i) => of(view(from + i + 1, now, 150 + turn)))
        yield { ...said, at: now as Micros, changed }
      }
    },
  }
}

function stream(n: number, direction: 'a' | 'b', now: number, packets: number): StreamView {
  const [src, dst] = [
    { ip: `10.1.${n >> 8}.${n & 255}`, port: 4000 },
    { ip: '10.0.0.2', port: 10_000 + n },
  ]
  return {
    ssrc: 2 * n + (direction === 'a' ? 0 : 1),
    src: direction === 'a' ? src : dst,
    dst: direction === 'a' ? dst : src,
    direction,
    codec: 'PCMA',
    payloadType: 8,
    codecId: 8,
    packets,
    expected: packets + 3,
    lost: 3,
    mos: 4.1 + (n % 4) / 10,
    lossPercent: (n % 30) / 10,
    lostRecently: 0,
    mosMin: 3.9,
    mosMean: 4.2,
    jitterMs: 2 + (n % 7),
    jitterMeanMs: 3,
    jitterMaxMs: 9,
    first: now as Micros,
    last: now as Micros,
    srtp: false,
  }
}

function view(n: number, now: number, packets: number): CallView {
  return {
    number: n,
    callId: `${n}-4711@10.1.${n >> 8}.${n & 255}`,
    state: 'answered',
    status: 200,
    statusText: 'OK',
    caller: `+1555${String(n).padStart(7, '0')}`,
    callee: `+1556${String(n).padStart(7, '0')}`,
    callerName: `Caller ${n}`,
    callerDomain: 'example.com',
    calleeDomain: 'example.net',
    callerAgent: 'Phone 1.0',
    calleeAgent: 'PBX 7',
    callerAddr: { ip: `10.1.${n >> 8}.${n & 255}`, port: 5060 },
    calleeAddr: { ip: '10.0.0.2', port: 5060 },
    lastHopAddr: { ip: '10.0.0.2', port: 5060 },
    proxies: [],
    started: (1_700_000_000e6 + n * 1000) as Micros,
    answered: (1_700_000_000e6 + n * 1000 + 2e6) as Micros,
    byeConfirmed: false,
    lastPacket: now as Micros,
    asOf: now as Micros,
    pddMs: 800,
    durationMs: (now - 1_700_000_000e6) / 1000,
    talkMs: (now - 1_700_000_000e6) / 1000,
    codec: 'PCMA',
    mos: 4.1 + (n % 4) / 10,
    mosMin: 3.9,
    lossPercent: (n % 30) / 10,
    jitterMs: 2 + (n % 7),
    sipMessages: 5,
    rtpPackets: 2 * packets,
    digits: 0,
    streams: [stream(n, 'a', now, packets), stream(n, 'b', now, packets)],
    streamCount: 2,
  }
}

async function watched(): Promise<void> {
  const run = `echo $$ > ${dir}/pid; stty cols 120 rows 40; exec ${process.execPath} ${join(import.meta.dirname, '..', 'bin', 'run.js')} live --sensor unix:${socket}`
  const terminal = spawn('script', ['-qfec', run, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, HOME: dir, XDG_CONFIG_HOME: dir, TERM: 'xterm-256color', LANG: 'C.UTF-8' },
  })
  let wanted: RegExp | undefined
  let seen = ''
  let answer: (() => void) | undefined
  let bytes = 0
  terminal.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    seen = (seen + chunk.toString('utf8')).slice(-20_000)
    if (wanted?.test(seen) === true) answer?.()
  })
  const press = (key: string, expected: RegExp): Promise<number> =>
    new Promise((resolve, reject) => {
      const beganMs = performance.now()
      const late = setTimeout(() => reject(new Error(`no answer to ${JSON.stringify(key)}`)), 60_000)
      seen = ''
      wanted = expected
      answer = () => {
        clearTimeout(late)
        answer = undefined
        resolve(performance.now() - beganMs)
      }
      terminal.stdin.write(key)
    })
  while (!/of 10,000/.test(seen)) await pause(100)
  await pause(3000)
  // Until the keyboard is read; what comes before is start-up.
  await press('G', /10,000 of 10,000/)
  await press('g', /[^0-9]1 of 10,000/)
  const pid = Number(readFileSync(join(dir, 'pid'), 'utf8'))
  const times: number[] = []
  const memory: number[] = []
  const beganMs = performance.now()
  const endMs = beganMs + seconds * 1000
  const cpu = cpuSeconds(pid)
  bytes = 0
  for (let n = 2; performance.now() < endMs; n++) {
    times.push(await press('j', new RegExp(`[^0-9]${n.toLocaleString('en-US')} of 10,000`)))
    memory.push(statusMiB(pid, 'VmRSS'))
    await pause(300 + Math.random() * 400)
  }
  const took = (performance.now() - beganMs) / 1000
  const cpuPercent = (100 * (cpuSeconds(pid) - cpu)) / took
  const later = memory.slice(Math.floor(memory.length / 2))
  const mean = later.reduce((sum, n) => sum + n, 0) / later.length
  const highest = statusMiB(pid, 'VmHWM')
  terminal.stdin.write('\u0003')
  await pause(500)
  terminal.kill()
  times.sort((x, y) => x - y)
  const at = (part: number): string => (times[Math.min(times.length - 1, Math.floor(part * times.length))] as number).toFixed(0)
  process.stdout.write(
    `| live screen (built), ${CALLS} calls, ${CHANGES_PER_SECOND} changes/s, ${took.toFixed(0)} s | ${cpuPercent.toFixed(1)} % of a core | ${mean.toFixed(0)} MiB, highest ${highest.toFixed(0)} MiB | key to screen ${at(0.5)} ms median, ${at(0.99)} ms p99 (${times.length} keys) | ${(bytes / 1000 / took).toFixed(1)} kB/s to the terminal |\n`,
  )
}

/** utime and stime of all its threads, in ticks of 10 ms (proc(5)). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function statusMiB(pid: number, name: string): number {
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
