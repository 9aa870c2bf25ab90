/**
 * What a live packet costs: `sniff` on one end of a veth pair in a namespace of its own, tcpreplay on the other, as root.
 * Two captures without a call in common are sent one after the other (bench/make-capture.ts --first): the first compiles the
 * JavaScript, and both are shown.
 *
 *   npx tsx bench/live.ts FILE FILE [words for sniff, such as --spool DIR]
 *   PPS=200000 npx tsx bench/live.ts …      at this speed; without it as fast as tcpreplay can
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { NetworkNamespace } from '../test/support/netns.js'

const [first, second, ...words] = process.argv.slice(2)
if (first === undefined || second === undefined) throw new Error('Say which captures: npx tsx bench/live.ts FILE FILE')
const speed = process.env['PPS'] === undefined ? ['--topspeed'] : ['--pps', process.env['PPS']]
const root = join(import.meta.dirname, '..')
const namespace = new NetworkNamespace()
try {
  namespace.veth('va', 'vb')
  const quiet = words.some((word) => word === '--spool') ? [] : ['--save', 'none']
  const store = words.some((word) => word === '--store') ? [] : ['--store', 'none']
  const sniff = namespace.spawn(
    process.execPath,
    join(root, 'bin/run.js'),
    'sniff',
    '-i',
    'vb',
    '-B',
    '256MiB',
    ...quiet,
    ...store,
    ...words,
  )
  sniff.stdout?.resume()
  let said = ''
  sniff.stderr?.on('data', (chunk) => {
    said += chunk
  })
  await pause(2000)
  const pid = childOf(sniff.pid as number)
  for (const [pass, file] of Object.entries({ first, second })) {
    const before = cpuSeconds(pid)
    const report = namespace.run('tcpreplay', ...speed, '--preload-pcap', '-i', 'va', file)
    await pause(1500)
    const used = cpuSeconds(pid) - before
    const [, sent = '0'] = /Actual: (\d+) packets/.exec(report) ?? []
    const [, rate = '0'] = /([\d.]+) pps/.exec(report) ?? []
    console.log(
      `${pass} time: ${sent} packets at ${Math.round(Number(rate))}/s, ${((used * 1e6) / Number(sent)).toFixed(2)} µs of CPU a packet, ${residentMegabytes(pid)} MB resident`,
    )
  }
  process.kill(pid, 'SIGINT')
  await once(sniff, 'exit')
  console.log(said.trim().split('\n').slice(-6).join('\n'))
} finally {
  namespace.destroy()
}

/** `ip netns exec` becomes the program it starts; a shell between would not. */
function childOf(pid: number): number {
  const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' }).stdout.trim()
  return children === '' ? pid : Number(children.split('\n')[0])
}

/** Of all threads that live, to the nanosecond. */
function cpuSeconds(pid: number): number {
  const tasks = `/proc/${pid}/task`
  return readdirSync(tasks).reduce((sum, task) => sum + Number(readFileSync(join(tasks, task, 'schedstat'), 'utf8').split(' ')[0]) / 1e9, 0)
}

function residentMegabytes(pid: number): number {
  const [, kilobytes = '0'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kilobytes) / 1024)
}
