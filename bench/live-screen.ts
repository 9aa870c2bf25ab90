/**
 * The screen with 10,000 running calls, of which 500 change every second, in a real pseudo-terminal of 120 × 40:
 *   npx tsx bench/live-screen.ts [seconds]
 * Prints its CPU share (the child's own account), resident memory, and the time from a key to the frame that answers it.
 * Changes come as JSON text, as a manager sends them, so reading them is part of the cost.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Micros } from '../src/lib/base/units.js'
import type { CallView, StreamView } from '../src/lib/live/index.js'
import { everyCall } from '../src/terminal/live/filter.js'
import { usualSettings } from '../src/terminal/live/model.js'
import { runSession } from '../src/terminal/live/session.js'
import type { LiveSource } from '../src/terminal/live/source.js'

const CALLS = 10_000
const CHANGES_PER_SECOND = 500
const TICK_MS = 500

if (process.argv[2] === 'child') await child(process.argv[3] as string)
else await parent(Number(process.argv[2] ?? 30))

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

async function child(report: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  let now = 1_700_000_020e6
  let turn = 0
  const source: LiveSource = {
    name: 'made',
    own: false,
    owns: () => true,
    start(sink) {
      const tell = (text: string): void => {
        const { added = [], changed = [] } = JSON.parse(text) as { added?: CallView[]; changed?: CallView[] }
        sink.changes({ source: 'made', reset: false, at: now as Micros, added, changed, removed: [], left: 0 })
      }
      sink.status({ name: 'made', state: 'live' })
      for (let from = 0; from < CALLS; from += 200)
        tell(JSON.stringify({ added: Array.from({ length: 200 }, (_, i) => view(from + i + 1, now, 100)) }))
      // The texts are the sender's cost, not the screen's: made before, and told again and again with other calls.
      const each = (CHANGES_PER_SECOND * TICK_MS) / 1000
      const texts = Array.from({ length: CALLS / each }, (_, t) =>
        JSON.stringify({ changed: Array.from({ length: each }, (_, i) => view(t * each + i + 1, now + 1e6, 150)) }),
      )
      globalThis.gc?.()
      const before = process.cpuUsage()
      const beganMs = performance.now()
      process.on('SIGUSR2', () => {
        const { user, system } = process.cpuUsage(before)
        const cpuPercent = (user + system) / 10 / (performance.now() - beganMs)
        writeFileSync(report, JSON.stringify({ cpuPercent, rssMiB: process.memoryUsage.rss() / 2 ** 20 }))
      })
      timer = setInterval(() => {
        now += TICK_MS * 1000
        tell(
          (texts[turn++ % texts.length] as string)
            .replaceAll('"packets":150', `"packets":${150 + turn}`)
            .replaceAll('"rtpPackets":300', `"rtpPackets":${300 + turn}`),
        )
      }, TICK_MS)
      writeFileSync(`${report}.pid`, String(process.pid))
    },
    messages: async () => ({ steps: [] }),
    packets: async () => ({ packets: [] }),
    close: async () => clearInterval(timer),
  }
  await runSession({
    sources: [source],
    terminal: { env: { LANG: 'C.UTF-8' }, depth: 8 },
    look: {},
    mouse: false,
    filter: everyCall,
    file: { settings: usualSettings, keys: {} },
    settingsPath: `${report}.settings`,
  })
}

async function parent(seconds: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'earshot-bench-'))
  const report = join(dir, 'report')
  const terminal = spawn(
    'script',
    ['-qfec', `stty cols 120 rows 40; ${process.execPath} --import tsx --expose-gc ${process.argv[1]} child ${report}`, '/dev/null'],
    { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, TERM: 'xterm-256color', NODE_ENV: 'production' } },
  )
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
  const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  await wait(6000)
  // Until the keyboard is read; what comes before is start-up.
  await press('G', /10,000 of 10,000/)
  await press('g', /[^0-9]1 of 10,000/)
  const times: number[] = []
  const endMs = performance.now() + seconds * 1000
  bytes = 0
  const beganMs = performance.now()
  for (let n = 2; performance.now() < endMs; n++) {
    times.push(await press('j', new RegExp(`[^0-9]${n.toLocaleString('en-US')} of 10,000`)))
    await wait(300 + Math.random() * 400)
  }
  const rate = bytes / (performance.now() - beganMs)
  process.kill(Number(readFileSync(`${report}.pid`, 'utf8')), 'SIGUSR2')
  await wait(500)
  const { cpuPercent, rssMiB } = JSON.parse(readFileSync(report, 'utf8')) as { cpuPercent: number; rssMiB: number }
  terminal.stdin.write('\u0003')
  await wait(500)
  terminal.kill()
  rmSync(dir, { recursive: true, force: true })
  times.sort((x, y) => x - y)
  const at = (part: number): string => (times[Math.min(times.length - 1, Math.floor(part * times.length))] as number).toFixed(0)
  process.stdout.write(
    `| live screen, ${CALLS} calls, ${CHANGES_PER_SECOND} changes/s | ${cpuPercent.toFixed(1)} % of a core | ${rssMiB.toFixed(0)} MiB | key to screen ${at(0.5)} ms median, ${at(0.99)} ms p99 (${times.length} keys) | ${rate.toFixed(1)} kB/s to the terminal |\n`,
  )
}
