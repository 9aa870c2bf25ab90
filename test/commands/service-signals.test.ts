import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NetworkNamespace } from '../support/netns.js'
import { NotifySocket } from '../support/notify-socket.js'
import { framesOf } from '../support/pcap-records.js'

/** Services as systemd runs them, on a wire of their own: told by signals, heard through NOTIFY_SOCKET. */
const root = join(import.meta.dirname, '..', '..')
const fixture = join(root, 'test', 'fixtures', 'pbx.pcap')
const dir = mkdtempSync(join(tmpdir(), 'earshot-signals-'))
/** The first call of the fixture has 767 packets: it is in full flow here. */
const PACKETS = 600
const first = join(dir, 'first.pcap')
const second = join(dir, 'second.pcap')
let net: NetworkNamespace

beforeAll(() => {
  net = new NetworkNamespace()
  net.veth('wire0', 'wire1')
  execFileSync('editcap', ['-F', 'pcap', '-r', fixture, first, `1-${PACKETS / 2}`])
  execFileSync('editcap', ['-F', 'pcap', '-r', fixture, second, `${PACKETS / 2 + 1}-${PACKETS}`])
})
afterAll(() => {
  net?.destroy()
  rmSync(dir, { recursive: true })
})

interface Service {
  readonly child: ChildProcess
  readonly notify: NotifySocket
  readonly home: string
  /** What it has said so far. */
  log(): string
  says(what: RegExp): Promise<void>
  end(): Promise<number | null>
}

let homes = 0

async function start(instance: string, ...words: string[]): Promise<Service> {
  const home = join(dir, `home${++homes}`)
  mkdirSync(home)
  const notify = await new NotifySocket(join(home, 'notify')).bound()
  const child = spawn('ip', ['netns', 'exec', net.name, process.execPath, join(root, 'bin', 'run.js'), ...words], {
    cwd: home,
    env: {
      ...process.env,
      HOME: home,
      STATE_DIRECTORY: join(home, 'state'),
      RUNTIME_DIRECTORY: join(home, 'run'),
      CONFIGURATION_DIRECTORY: join(dir, 'etc'),
      EARSHOT_INSTANCE: instance,
      NOTIFY_SOCKET: notify.path,
      WATCHDOG_USEC: '900000',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  let wake = (): void => {}
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk
    wake()
  })
  const exited = once(child, 'exit')
  return {
    child,
    notify,
    home,
    log: () => text,
    async says(what) {
      while (!what.test(text)) {
        if (child.exitCode !== null) throw new Error(`ended before it said ${what}: ${text}`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    async end() {
      child.kill('SIGTERM')
      const [code] = await exited
      notify.close()
      return code as number | null
    },
  }
}

function callsOf(home: string): { pcap: string }[] {
  const env = { ...process.env, HOME: home, STATE_DIRECTORY: join(home, 'state') }
  const text = execFileSync(process.execPath, [join(root, 'bin', 'run.js'), 'cdr', 'query', '-o', 'json'], { env, encoding: 'utf8' })
  return (JSON.parse(text) as { calls: { pcap: string }[] }).calls
}

/** `ip netns exec` becomes the program: a signal to the child reaches it. */
const replay = (...files: string[]): void => {
  net.run('tcpreplay', '-q', '-i', 'wire1', '-x', '20', ...files)
}

test('ready when it listens, alive while it does; ended in mid-call it loses neither record nor packet', async () => {
  // A number of its own: another sniffer of this machine, without one, is no twin.
  const sniff = await start('wire0', 'sniff', '--id-sensor', '64999')
  await sniff.notify.until(/^READY=1$/)
  // Everything is open by now: the very next packet counts.
  replay(first)
  expect(existsSync(join(sniff.home, 'run', 'sniff@wire0.sock'))).toBe(true)
  await sniff.notify.until(/^WATCHDOG=1$/)
  sniff.child.kill('SIGUSR2')
  await sniff.says(/^<5>Status: .* packets=\d+ .*open=1\b/m)
  // Without systemd, what has a socket in the run directory is what there is. (Others of this machine may be there, too.)
  const { stdout } = spawnSync(process.execPath, [join(root, 'bin', 'run.js'), 'service', 'status', '-o', 'json'], {
    env: { ...process.env, HOME: sniff.home, RUNTIME_DIRECTORY: join(sniff.home, 'run') },
    encoding: 'utf8',
  })
  const row = (JSON.parse(stdout) as { service: string }[]).find(({ service }) => service === 'sniff@wire0')
  expect(row).toMatchObject({ state: 'running, no unit', calls: 1, dropped: 0, problem: null })
  replay(second)
  // The last packets are in the kernel's ring still.
  const code = await sniff.end()
  expect(code).toBe(0)
  expect(sniff.notify.heard.map(({ text }) => text)).toContain('STOPPING=1')
  expect(sniff.log()).toMatch(/^<6>600 packets in /m)

  const calls = callsOf(sniff.home)
  expect(calls).toHaveLength(1)
  const kept = framesOf(join(sniff.home, 'state', 'spool', calls[0]?.pcap as string))
  expect(kept).toEqual([...framesOf(first), ...framesOf(second)])
})

test('HUP: another filter at once and without a gap; what cannot change is said; what is wrong changes nothing', async () => {
  const etc = join(dir, 'etc')
  mkdirSync(etc)
  const configure = (text: string): void => writeFileSync(join(etc, 'earshot.conf'), text)
  configure('[sniff]\nfilter = udp port 9\n[sniff@wire0]\nsnaplen = 2000\n')
  const sniff = await start('wire0', 'sniff')
  await sniff.notify.until(/^READY=1$/)
  replay(first)

  configure('[sniff]\nfilter = udp\n[sniff@wire0]\nsnaplen = 3000\n')
  sniff.child.kill('SIGHUP')
  await sniff.says(/^<4>Not before the next start: snaplen = 3000 \(.*earshot\.conf:4\)$/m)
  expect(sniff.log()).toMatch(/^<5>Loaded anew: filter = udp \(.*earshot\.conf:2\)$/m)
  await sniff.notify.until(/^RELOADING=1\nMONOTONIC_USEC=\d+$/)
  await sniff.notify.until(
    /^READY=1$/,
    sniff.notify.heard.findIndex(({ text }) => text.startsWith('RELOADING')),
  )

  configure('[sniff]\nfilter = udp port port\n')
  sniff.child.kill('SIGHUP')
  await sniff.says(/^<3>Not loaded anew: filter = udp port port .*libpcap says/m)
  configure('[sniff]\nfliter = udp\n')
  sniff.child.kill('SIGHUP')
  await sniff.says(/^<3>.*earshot\.conf:2: there is no setting fliter\. Did you mean filter\?$/m)

  // Filters that all let the call through take turns while it passes.
  const replaying = net.spawn('tcpreplay', '-q', '-i', 'wire1', '-x', '4', first, second)
  const over = once(replaying, 'exit')
  let passing = true
  void over.then(() => {
    passing = false
  })
  let turns = 0
  for (; passing; turns++) {
    const filter = `udp and not port ${20 + turns}`
    configure(`[sniff]\nfilter = ${filter}\n`)
    sniff.child.kill('SIGHUP')
    await sniff.says(new RegExp(`^<5>Loaded anew: filter = ${filter} `, 'm'))
  }
  expect(turns).toBeGreaterThan(5)
  expect(await sniff.end()).toBe(0)
  const [call] = callsOf(sniff.home)
  expect(framesOf(join(sniff.home, 'state', 'spool', call?.pcap as string))).toEqual([...framesOf(first), ...framesOf(second)])
}, 30_000)

test('USR1: a file that logrotate has moved away is followed by another, and no packet is missing', async () => {
  const file = join(dir, 'wire.pcapng')
  const sender = await start('wire0', 'mirror-send', '-w', file)
  await sender.notify.until(/^READY=1$/)
  replay(first)
  // While the file is in its place there is nothing to do: opened anew it would be emptied.
  sender.child.kill('SIGUSR1')
  await sender.says(/^<5>There is no file to open anew/m)
  renameSync(file, `${file}.1`)
  sender.child.kill('SIGUSR1')
  await sender.says(/^<5>Opened anew: .*wire\.pcapng/m)
  replay(second)
  expect(await sender.end()).toBe(0)
  const numbersIn = (path: string): number =>
    execFileSync('tshark', ['-r', path, '-T', 'fields', '-e', 'frame.number'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .trim()
      .split('\n').length
  // tshark reads both: each has a header of its own. The last packets before it may have been in the kernel's ring still.
  const [before, after] = [numbersIn(`${file}.1`), numbersIn(file)]
  expect(before).toBeGreaterThan(0)
  expect(after).toBeGreaterThanOrEqual(PACKETS / 2)
  expect(before + after).toBe(PACKETS)
})

test('a hang-up of its terminal ends a run that a person started', async () => {
  // `script` gives it a terminal, and takes it away when it is killed.
  const home = join(dir, 'person')
  mkdirSync(home)
  const command = `${process.execPath} ${join(root, 'bin', 'run.js')} sniff -i wire0 --no-manager 2>${home}/log`
  const terminal = net.spawn('env', `HOME=${home}`, `XDG_DATA_HOME=${home}`, 'script', '-qec', command, '/dev/null')
  const log = (): string => (existsSync(join(home, 'log')) ? readFileSync(join(home, 'log'), 'utf8') : '')
  await expect.poll(log, { timeout: 20_000 }).toMatch(/Records: /)
  replay(first)
  terminal.kill('SIGKILL')
  await expect.poll(log, { timeout: 20_000 }).toMatch(/Stored 1 record/)
})
