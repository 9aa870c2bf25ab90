/**
 * Does it run for days? `sniff` on one end of a veth pair in a namespace of its own, with records and a spool that has to make
 * room, while calls begin and end at 50,000 packets/s; its memory, descriptors, threads and CPU every ten seconds. As root.
 *
 *   npx tsx bench/soak.ts --minutes 30 [--pps 50000] [--svg FILE] [--state DIR]
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { NetworkNamespace } from '../test/support/netns.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    pps: { type: 'string', default: '50000' },
    svg: { type: 'string' },
    state: { type: 'string' },
  },
})
const SAMPLE_MS = 10_000
const CALL_SECONDS = 20
const minutes = Number(values.minutes)
/** A call has 100 packets/s while it talks. */
const callsPerSecond = Number(values.pps) / 100 / CALL_SECONDS
const calls = Math.round(minutes * 60 * callsPerSecond)

interface Sample {
  readonly minutes: number
  readonly residentMb: number
  readonly descriptors: number
  readonly threads: number
  readonly cpuPercent: number
}

const root = join(import.meta.dirname, '..')
const state = values.state ?? mkdtempSync(join(tmpdir(), 'earshot-soak-'))
const namespace = new NetworkNamespace()
const samples: Sample[] = []
try {
  namespace.veth('va', 'vb')
  const spool = ['--spool', join(state, 'spool'), '--maxpoolsize', '1000', '--autocleanmingb', '1']
  const sniff = namespace.spawn(
    process.execPath,
    join(root, 'bin/run.js'),
    ...['sniff', '-i', 'vb', '--no-config', '--store', `sqlite:${join(state, 'calls.db')}`, '--queue', join(state, 'queue'), ...spool],
  )
  sniff.stdout?.resume()
  let said = ''
  sniff.stderr?.on('data', (chunk) => {
    said += chunk
  })
  await pause(3000)
  const pid = childOf(sniff.pid as number)
  const load = `npx tsx ${join(root, 'bench/make-capture.ts')} --calls ${calls} --per-second ${callsPerSecond} --seconds ${CALL_SECONDS} --out - | tcpreplay -q -T nano --pps ${values.pps} --pps-multi 50 -i va -`
  const traffic = namespace.spawn('sh', '-c', load)
  let sent = ''
  traffic.stdout?.on('data', (chunk) => {
    sent += chunk
  })
  traffic.stderr?.resume()
  const ended = once(traffic, 'exit')
  const startedMs = performance.now()
  let cpuBefore = cpuSeconds(pid)
  for (let n = 1; traffic.exitCode === null; n++) {
    await Promise.race([ended, pause(startedMs + n * SAMPLE_MS - performance.now())])
    const cpu = cpuSeconds(pid)
    const sample = { minutes: (n * SAMPLE_MS) / 60_000, ...look(pid), cpuPercent: (100 * (cpu - cpuBefore)) / (SAMPLE_MS / 1000) }
    cpuBefore = cpu
    if (traffic.exitCode === null) samples.push(sample)
    if (n % 6 === 0)
      console.log(
        `${sample.minutes.toFixed(0)} min: ${sample.residentMb} MB, ${sample.descriptors} descriptors, ${sample.threads} threads, ${sample.cpuPercent.toFixed(1)} % of a core`,
      )
    if (values.svg !== undefined) writeFileSync(values.svg, plot(samples))
  }
  await pause(3000)
  process.kill(pid, 'SIGINT')
  await once(sniff, 'exit')
  console.log(/Actual: .*/.exec(sent)?.[0] ?? sent)
  console.log(said.trim().split('\n').slice(-8).join('\n'))
} finally {
  namespace.destroy()
  if (values.state === undefined) rmSync(state, { recursive: true, force: true })
}

/** `ip netns exec` becomes the program it starts; a shell between would not. */
function childOf(pid: number): number {
  const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' }).stdout.trim()
  return children === '' ? pid : Number(children.split('\n')[0])
}

function cpuSeconds(pid: number): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ').slice(11, 13)
  return (Number(user) + Number(system)) / 100
}

function look(pid: number): Pick<Sample, 'residentMb' | 'descriptors' | 'threads'> {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0)
  return { residentMb: Math.round(field('VmRSS') / 1024), descriptors: readdirSync(`/proc/${pid}/fd`).length, threads: field('Threads') }
}

/** Three panels over the same minutes, each from zero to its own highest value. */
function plot(rows: readonly Sample[]): string {
  const width = 760
  const height = 110
  const panels = [
    ['resident memory, MB', (s: Sample) => s.residentMb, '#0b6e99'],
    ['open descriptors', (s: Sample) => s.descriptors, '#7a4fa3'],
    ['CPU, % of a core', (s: Sample) => s.cpuPercent, '#b3541e'],
  ] as const
  const last = rows.at(-1)?.minutes ?? 1
  const drawn = panels.map(([title, value, colour], i) => {
    const top = 30 + i * (height + 45)
    const most = Math.max(1, ...rows.map(value)) * 1.1
    const points = rows.map(
      (s) => `${(50 + (s.minutes / last) * width).toFixed(1)},${(top + height - (value(s) / most) * height).toFixed(1)}`,
    )
    return `<text x="50" y="${top - 8}">${title}</text>
<text x="44" y="${top + 10}" text-anchor="end">${most.toFixed(0)}</text><text x="44" y="${top + height}" text-anchor="end">0</text>
<rect x="50" y="${top}" width="${width}" height="${height}" fill="none" stroke="#bbb"/>
<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.5"/>`
  })
  const bottom = 30 + panels.length * (height + 45)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width + 70} ${bottom + 5}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
${drawn.join('\n')}
<text x="50" y="${bottom - 12}">0</text><text x="${50 + width}" y="${bottom - 12}" text-anchor="end">${last.toFixed(0)} minutes</text>
</svg>
`
}
