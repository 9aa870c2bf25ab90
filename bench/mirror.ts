/**
 * The mirror's figures, as rows for RESULTS.md: what the sender costs on a wire of 200,000 packets/s, how well blocks pack beside the lz4
 * program, how much passes between two processes, and what a round trip of 100 ms does to that. As root, after `npm run build`:
 *
 *   npx tsx bench/mirror.ts [wire] [pack] [loopback] [delay]        (needs tcpreplay, lz4, iproute2)
 */
import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { openFiles } from '../src/lib/capture/file-source.js'
import { codecs } from '../src/lib/codec/index.js'
import { blockHeaderLength, OwnPacker } from '../src/lib/mirror/block.js'
import { NetworkNamespace } from '../test/support/netns.js'

const here = import.meta.dirname
const dir = join(here, 'tmp')
const program = join(here, '..', 'bin', 'run.js')
const load = join(dir, '500.pcap')
const wanted = process.argv.slice(2)
const wants = (name: string): boolean => wanted.length === 0 || wanted.includes(name)
const row = (...cells: (string | number)[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`)

mkdirSync(dir, { recursive: true })
if (!existsSync(load)) execFileSync('npx', ['tsx', join(here, 'make-capture.ts'), '--calls', '500', '--out', load], { stdio: 'inherit' })
const namespaces: NetworkNamespace[] = []
const namespace = (): NetworkNamespace => {
  const made = new NetworkNamespace()
  namespaces.push(made)
  return made
}

/** A process of ours in a namespace, and what it said. */
class Program {
  readonly child: ChildProcess
  said = ''
  /**
   * `cpu` binds it to one: the kernel likes to wake who reads from loopback on the core of who writes, and then both share that core and
   * half the rate is measured. On two machines they cannot.
   */
  constructor(where: NetworkNamespace, cpu: number | undefined, ...words: string[]) {
    const bound = cpu === undefined ? [] : ['taskset', '-c', String(cpu)]
    this.child = where.spawn('env', `HOME=${dir}`, `XDG_DATA_HOME=${dir}/state`, ...bound, process.execPath, program, ...words)
    this.child.stderr?.on('data', (chunk) => {
      this.said += chunk
    })
  }
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.said)) {
      if (this.child.exitCode !== null) throw new Error(this.said)
      await new Promise((wake) => setTimeout(wake, 5))
    }
  }
  async end(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
    if (this.child.exitCode !== null) return
    this.child.kill(signal)
    await once(this.child, 'exit')
  }
  /** CPU time of all its threads in µs, and resident memory in MB. `ip netns exec` and `env` have become the program. */
  usage(): { cpuMicros: number; residentMb: number; anonymousMb: number } {
    const tasks = `/proc/${this.child.pid}/task`
    const cpuNanos = readdirSync(tasks).map((task) => Number(readFileSync(join(tasks, task, 'schedstat'), 'utf8').split(' ')[0]))
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'latin1')
    const kb = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0)
    return {
      cpuMicros: cpuNanos.reduce((sum, n) => sum + n, 0) / 1000,
      residentMb: Math.round(kb('VmRSS') / 1024),
      anonymousMb: Math.round(kb('RssAnon') / 1024),
    }
  }
}

async function wire(): Promise<void> {
  const net = namespace()
  net.veth('ta', 'tb')
  const receiver = new Program(net, undefined, 'mirror-recv', '-w', '/dev/null')
  await receiver.says(/Listening/)
  const sender = new Program(net, undefined, 'mirror-send', '-i', 'tb', '--to', '127.0.0.1', '--id-sensor', '7')
  await sender.says(/Connected/)
  const replay = (pps: number, loops: number): Promise<unknown> =>
    once(net.spawn('tcpreplay', '-q', '-K', '-i', 'ta', '--pps', `${pps}`, '--loop', `${loops}`, load), 'exit')
  // The compiler's work is done once.
  await replay(200_000, 1)
  await new Promise((wake) => setTimeout(wake, 1000))
  const idle = sender.usage()
  await new Promise((wake) => setTimeout(wake, 3000))
  const before = sender.usage()
  const started = performance.now()
  await replay(200_000, 3)
  const seconds = (performance.now() - started) / 1000
  await new Promise((wake) => setTimeout(wake, 500))
  const after = sender.usage()
  await sender.end()
  await receiver.end()
  const packets = 3 * packetsOf(load)
  row(
    'sender on a veth pair',
    `${Math.round(packets / seconds).toLocaleString('en-US')} packets/s`,
    `${((after.cpuMicros - before.cpuMicros) / packets).toFixed(2)} µs CPU a packet`,
    `${after.residentMb} MB resident, ${after.anonymousMb} of them its own`,
    `idle ${(((before.cpuMicros - idle.cpuMicros) / 3e6) * 100).toFixed(1)} % of a core`,
  )
  row('', sender.said.trim().split('\n').at(-1) ?? '', receiver.said.trim().split('\n').at(-1) ?? '')
}

const counted = new Map<string, number>()
function packetsOf(file: string): number {
  const known =
    counted.get(file) ?? Number(/Number of packets:\s+(\d+)/.exec(execFileSync('capinfos', ['-c', '-M', file], { encoding: 'utf8' }))?.[1])
  counted.set(file, known)
  return known
}

async function pack(): Promise<void> {
  const sip = process.env['EARSHOT_SHARED'] ?? join(here, '..', '..', 'shared')
  for (const file of [load, join(sip, 'captures', 'pcapApplication__sip.pcap')].filter(existsSync)) {
    const source = await openFiles([file])
    const packer = new OwnPacker('none', 1 << 20)
    let [plain, ours, theirs, blocks] = [0, 0, 0, 0]
    const measure = (until: number): void => {
      const block = packer.take(until as never)
      if (block === undefined || blocks >= 40) return
      const body = block.bytes.subarray(blockHeaderLength)
      blocks++
      plain += body.length
      ours += codecs.lz4.compress(body, new Uint8Array(codecs.lz4.bound(body.length)))
      // A frame of one block: 7 bytes of header, 4 of size, 4 of end mark.
      theirs += spawnSync('lz4', ['-c', '-1', '-B7', '--no-frame-crc'], { input: body, maxBuffer: 1 << 24 }).stdout.length - 15
    }
    for await (const batch of source.batches(new AbortController().signal)) {
      for (let from = 0; from < batch.count; ) {
        from = packer.add(batch, from, undefined)
        if (from < batch.count) measure(batch.until)
      }
      if (blocks >= 40) break
    }
    measure(0)
    row(
      `packing ${file.split('/').at(-1)}, ${blocks} blocks`,
      `${(plain / ours).toFixed(2)} : 1`,
      `lz4 -1: ${(plain / theirs).toFixed(2)} : 1`,
      `ratio ${(theirs / ours).toFixed(3)}`,
    )
  }
}

/** Packets/s from the first block sent to the last acknowledged, over files read `times` times. */
async function throughput(from: NetworkNamespace, to: NetworkNamespace, address: string, times: number): Promise<number> {
  const receiver = new Program(to, 0, 'mirror-recv', '--mirror-bind-ip', address, '--plain', '--anyone', '-w', '/dev/null')
  await receiver.says(/Listening/)
  const files = Array.from({ length: times }, () => ['-r', load]).flat()
  const sender = new Program(from, 1, 'mirror-send', ...files, '--to', address, '--plain', '--id-sensor', '7')
  await sender.says(/Connected/)
  const started = performance.now()
  await sender.says(/packets in/)
  const seconds = (performance.now() - started) / 1000
  await sender.end()
  await receiver.end()
  return (times * packetsOf(load)) / seconds
}

const million = (rate: number): string => `${(rate / 1e6).toFixed(2)} M packets/s`

async function loopback(): Promise<void> {
  const net = namespace()
  const rates: number[] = []
  for (let i = 0; i < 3; i++) rates.push(await throughput(net, net, '127.0.0.1', 5))
  row('loopback, a core each, to -w /dev/null, best of three', million(Math.max(...rates)), rates.map(million).join(', '))
}

async function delay(): Promise<void> {
  const [near, far] = [namespace(), namespace()]
  const relay = near.spawn(process.execPath, '--import', 'tsx', join(here, '..', 'test', 'support', 'bad-wire.ts'), 'la', 'lb')
  relay.stderr?.pipe(process.stderr)
  await once(relay.stdout!, 'data')
  near.ip('link', 'set', 'dev', 'lb', 'netns', far.name)
  for (const [where, name, address] of [
    [near, 'la', '10.9.0.1/24'],
    [far, 'lb', '10.9.0.2/24'],
  ] as const) {
    where.ip('addr', 'add', address, 'dev', name)
    where.ip('link', 'set', 'dev', name, 'mtu', '65000', 'up')
    // A window of 100 ms at this rate is beyond the kernel's default bounds, whatever the program does.
    where.run('sysctl', '-qw', 'net.ipv4.tcp_rmem=4096 131072 134217728', 'net.ipv4.tcp_wmem=4096 131072 134217728')
  }
  // Long enough that connecting and the slow start of TCP, a second at 100 ms, are not what is measured.
  const times = 30
  const without = await throughput(near, far, '10.9.0.2', times)
  relay.stdin?.write('{"delayMs":50}\n')
  const late = await throughput(near, far, '10.9.0.2', times)
  row(
    'over a wire in user space',
    `0 ms: ${million(without)}`,
    `100 ms of round trip: ${million(late)}`,
    `${Math.round((late / without) * 100)} %`,
  )
  relay.stdin?.end()
}

try {
  if (wants('pack')) await pack()
  if (wants('loopback')) await loopback()
  if (wants('delay')) await delay()
  if (wants('wire')) await wire()
} finally {
  for (const made of namespaces) made.destroy()
  rmSync(join(dir, 'state'), { recursive: true, force: true })
}
