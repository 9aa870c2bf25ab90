import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Counters } from '../../src/lib/base/counters.js'
import { type ReceiverState, readState } from '../../src/lib/mirror/state-file.js'
import { BatchFill } from '../../src/lib/pcap/batch.js'
import { readerFor } from '../../src/lib/pcap/reader.js'
import { writeMedia } from '../fixtures/record/media.js'
import { type Scenario, scenarios, toXml } from '../fixtures/record/scenarios.js'
import { ethernet, ipv4, pcapOf, udp } from './frames.js'
import { until } from './mirror.js'
import { NetworkNamespace } from './netns.js'

/**
 * A PBX and a receiver, each a network namespace with the real program, and between them a link that can be made bad. On the PBX
 * tcpreplay sends numbered packets over a wire of its own; a tcpdump on that wire is the referee.
 *
 *   pbx:  ta ── tb   mirror-send, tcpdump          la ═══ bad link ═══ lb   mirror-recv  :receiver
 */
const program = join(import.meta.dirname, '..', '..', 'bin', 'run.js')
const PORT = 5030
const RECEIVER = '10.9.0.2'

/** A process of ours and what it said on stderr. */
export class Running {
  readonly child: ChildProcess
  said = ''

  constructor(child: ChildProcess) {
    this.child = child
    child.stderr?.on('data', (chunk) => {
      this.said += chunk
    })
  }

  async says(pattern: RegExp, withinMs = 30_000): Promise<void> {
    await until(`${pattern} in: ${this.said}`, () => pattern.test(this.said) || this.ended, withinMs)
    if (!pattern.test(this.said)) throw new Error(`it ended without saying ${pattern}: ${this.said}`)
  }
  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }
  /** Kills it as a power cut would, or asks it to end; waits until it has, and its last words are here. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.ended) return
    const over = once(this.child, 'close')
    this.child.kill(signal)
    await over
  }
}

export class MirrorNet {
  readonly pbx = new NetworkNamespace()
  readonly far = new NetworkNamespace()
  readonly dir: string
  readonly received: string
  readonly #running: Running[] = []
  readonly #mounts: string[] = []
  #referee: Running | undefined
  #wire: ChildProcess | undefined

  private constructor() {
    this.dir = mkdtempSync(join(tmpdir(), 'earshot-mirror-'))
    this.received = join(this.dir, 'received')
    mkdirSync(this.received)
    this.pbx.veth('ta', 'tb')
  }

  /** `late` puts a process between the ends that can delay and lose packets, as netem would; else it is a veth pair. */
  static async make({ late = false } = {}): Promise<MirrorNet> {
    const net = new MirrorNet()
    if (late) await net.#lateWire()
    else net.pbx.ip('link', 'add', 'la', 'type', 'veth', 'peer', 'name', 'lb', 'netns', net.far.name)
    net.#address()
    return net
  }

  async #lateWire(): Promise<void> {
    const script = join(import.meta.dirname, 'bad-wire.ts')
    this.#wire = this.pbx.spawn(process.execPath, '--import', 'tsx', script, 'la', 'lb')
    this.#wire.stderr?.pipe(process.stderr)
    await once(this.#wire.stdout!, 'data')
    this.pbx.ip('link', 'set', 'dev', 'lb', 'netns', this.far.name)
  }

  #address(): void {
    this.pbx.ip('addr', 'add', '10.9.0.1/24', 'dev', 'la')
    this.far.ip('addr', 'add', `${RECEIVER}/24`, 'dev', 'lb')
    this.pbx.ip('link', 'set', 'dev', 'la', 'up')
    this.far.ip('link', 'set', 'dev', 'lb', 'up')
  }

  #start(namespace: NetworkNamespace, command: string, ...words: string[]): Running {
    const running = new Running(
      namespace.spawn(
        'env',
        `PATH=${sbinPath()}`,
        `HOME=${this.dir}`,
        `XDG_DATA_HOME=${this.dir}/state`,
        `RUNTIME_DIRECTORY=${this.dir}/run`,
        command,
        ...words,
      ),
    )
    this.#running.push(running)
    return running
  }

  /** A receiver that writes into `received`, or what the words say. */
  async receiver(...words: string[]): Promise<Running> {
    const output = words.length > 0 ? words : ['-w', `${this.received}/`]
    const running = this.#start(
      this.far,
      process.execPath,
      program,
      'mirror-recv',
      '--mirror-bind-ip',
      RECEIVER,
      '--plain',
      '--anyone',
      ...output,
    )
    await running.says(/Listening/)
    return running
  }

  /** What the receiver last said of itself in its state directory. */
  receiverState(): ReceiverState | undefined {
    return readState(join(this.dir, 'state', 'earshot', 'mirror-recv.json'))
  }

  /** A sender on the traffic's wire. */
  async sender(...words: string[]): Promise<Running> {
    const running = this.#start(
      this.pbx,
      process.execPath,
      program,
      ...['mirror-send', '-i', 'tb', '--to', `${RECEIVER}:${PORT}`, '--plain', '--id-sensor', '7', ...words],
    )
    await running.says(/Sending to/)
    return running
  }

  async referee(wire = 'tb'): Promise<void> {
    this.#referee = this.#start(this.pbx, 'tcpdump', '-i', wire, '-U', '-s', '0', '-B', '32768', '-w', join(this.dir, 'referee.pcap'))
    await this.#referee.says(/listening on/)
  }

  /** A call of sipp to sipp over the PBX's loopback, with 200 packets of RTP each way; resolves when it is over. */
  async call(number: number): Promise<void> {
    const [scenario] = scenarios.filter(({ name }) => name === 'answered')
    const media = join(this.dir, 'media.pcap')
    writeMedia(media, { packets: 200 })
    const side = (name: 'uas' | 'uac', port: number, ...words: string[]): Running => {
      const file = join(this.dir, `${name}-${number}.xml`)
      writeFileSync(file, toXml(scenario as Scenario, name, media).replace('milliseconds="8000"', 'milliseconds="4200"'))
      const own = ['-i', '127.0.0.1', '-p', `${port}`, '-mp', `${port + 2000}`]
      return this.#start(this.pbx, 'sipp', '-sf', file, ...own, '-m', '1', '-nostdin', '-timeout', '60', ...words)
    }
    side('uas', 5100 + 20 * number, '-rtp_echo')
    await until('sipp listens', () => this.pbx.run('ss', '-Huln', `sport = :${5100 + 20 * number}`).trim() !== '')
    const caller = side('uac', 5110 + 20 * number, `127.0.0.1:${5100 + 20 * number}`)
    await until('the call is over', () => caller.ended, 60_000)
    if (caller.child.exitCode !== 0) throw new Error(`sipp ended with ${caller.child.exitCode}: ${caller.said}`)
  }

  /** When the referee has so many packets it is ended, and tshark counts those between media ports: "from port\tto port" → packets. */
  async mediaSeen(packets: number): Promise<Map<string, number>> {
    const file = join(this.dir, 'referee.pcap')
    // A file that is being written may end in the middle of a packet: then it answers nothing this time.
    const count = (): number =>
      Number(/(\d+)\s*$/.exec(spawnSync('capinfos', ['-c', '-M', '-T', '-r', file], { encoding: 'utf8' }).stdout)?.[1] ?? 0)
    // Ended sooner, tcpdump would not read what the kernel still holds for it.
    await until('the referee sees all', () => count() >= packets, 30_000)
    await this.#referee?.end('SIGINT')
    const fields = ['-T', 'fields', '-e', 'udp.srcport', '-e', 'udp.dstport']
    const lines = this.pbx.run('tshark', '-r', file, '-Y', 'udp.dstport >= 7000', ...fields)
    const seen = new Map<string, number>()
    for (const line of lines.trim().split('\n')) seen.set(line, (seen.get(line) ?? 0) + 1)
    return seen
  }

  /** Frames `from` … `to - 1`, each with 400 bytes of noise of its own, at a pace. */
  traffic(from: number, to: number, packetsPerSecond: number): Promise<void> {
    const frames = Array.from({ length: to - from }, (_, i) => numberedFrame(from + i))
    const file = join(this.dir, `traffic-${from}.pcap`)
    writeFileSync(file, pcapOf(1, frames))
    const child = this.pbx.spawn('tcpreplay', '-q', '-i', 'ta', '--pps', `${packetsPerSecond}`, file)
    return new Promise((resolve, reject) =>
      child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`tcpreplay ended with ${code}`)))),
    )
  }

  /** The rate of the way to the receiver, "700kbit"; undefined lifts it. */
  rate(rate: string | undefined): void {
    spawnSync('ip', ['netns', 'exec', this.pbx.name, 'tc', 'qdisc', 'del', 'dev', 'la', 'root'], { stdio: 'ignore', env: withSbin() })
    if (rate !== undefined)
      this.pbx.run('tc', 'qdisc', 'add', 'dev', 'la', 'root', 'tbf', 'rate', rate, 'burst', '16kb', 'latency', '100ms')
  }
  /** Both ways, for a link that was made `late`. */
  late(bad: { delayMs?: number; jitterMs?: number; loss?: number }): void {
    this.#wire?.stdin?.write(`${JSON.stringify(bad)}\n`)
  }
  link(state: 'up' | 'down'): void {
    this.far.ip('link', 'set', 'dev', 'lb', state)
  }

  /** A small disk of its own. */
  smallDisk(megabytes: number): string {
    const at = join(this.dir, 'disk')
    mkdirSync(at)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', at])
    this.#mounts.push(at)
    return at
  }

  /** What the referee saw, as digests of frames, in order. It is given time to see all that was sent. */
  async seen(sent: number): Promise<string[]> {
    const file = join(this.dir, 'referee.pcap')
    await until('the referee sees all', () => statSync(file).size >= 24 + sent * (16 + FRAME_LENGTH), 20_000)
    await this.#referee?.end('SIGINT')
    return framesOf([join(this.dir, 'referee.pcap')])
  }

  /** What was received, likewise. */
  got(): string[] {
    return framesOf(this.files())
  }
  /** Waits until so many packets have been written; looks at sizes only, which costs nothing. */
  async has(packets: number, withinMs: number): Promise<void> {
    const size = (): number => this.files().reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0)
    await until(`${packets} packets written`, () => size() >= packets * (32 + ((FRAME_LENGTH + 3) & ~3)), withinMs)
  }
  files(): string[] {
    return readdirSync(this.received)
      .sort()
      .map((name) => join(this.received, name))
  }

  async destroy(): Promise<void> {
    for (const running of this.#running) await running.end('SIGKILL')
    for (const mount of this.#mounts) spawnSync('umount', ['-l', mount])
    this.pbx.destroy()
    this.far.destroy()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** System programs live where a person's path does not always look. */
const sbinPath = (): string => `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
const withSbin = (): NodeJS.ProcessEnv => ({ ...process.env, PATH: sbinPath() })

const NOISE_LENGTH = 384
const FRAME_LENGTH = 14 + 20 + 8 + 4 + NOISE_LENGTH

function numberedFrame(n: number): Uint8Array {
  const noise = randomBytes(NOISE_LENGTH)
  const payload = new Uint8Array(4 + noise.length)
  new DataView(payload.buffer).setUint32(0, n)
  payload.set(noise, 4)
  return ethernet(0x0800, ipv4(17, udp(4000, 4001, payload), { id: n & 0xffff }))
}

function framesOf(paths: readonly string[]): string[] {
  const frames: string[] = []
  for (const path of paths) {
    const bytes = new Uint8Array(readFileSync(path))
    // A file is made before its first bytes are in it.
    if (bytes.length < 28) continue
    const reader = readerFor(bytes, new BatchFill(bytes), new Counters())
    if (reader === undefined) throw new Error(`${path} is no capture`)
    for (const batch of reader.read(bytes, 0, bytes.length))
      for (let i = 0; i < batch.count; i++) {
        const at = batch.at[i] as number
        frames.push(
          createHash('sha1')
            .update(bytes.subarray(at, at + (batch.captured[i] as number)))
            .digest('base64'),
        )
      }
  }
  return frames
}
