import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeMedia } from '../fixtures/record/media.js'
import { type Scenario, toXml } from '../fixtures/record/scenarios.js'
import { haveMariadb, startMariadb, type TestServer } from '../support/mariadb.js'
import { NetworkNamespace } from '../support/netns.js'

/**
 * Two sensors and a centre, each a network namespace of its own, joined by wires. On each sensor sipp calls sipp; records go to a
 * MariaDB that all reach; packets are fetched from the centre and compared with what tcpdump saw on the sensor.
 */
const root = join(import.meta.dirname, '..', '..')
const dir = mkdtempSync(join(tmpdir(), 'earshot-three-'))

interface Sensor {
  readonly id: number
  readonly net: NetworkNamespace
  readonly home: string
  readonly address: string
  readonly truth: string
  sniff: ChildProcess
  manager: ChildProcess
  token: string
}

const environment = (home: string): NodeJS.ProcessEnv => ({
  ...process.env,
  HOME: home,
  XDG_CONFIG_HOME: join(home, 'config'),
  XDG_DATA_HOME: join(home, 'data'),
  STATE_DIRECTORY: join(home, 'state'),
  RUNTIME_DIRECTORY: join(home, 'run'),
})

interface Ran {
  readonly status: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

function start(net: NetworkNamespace, home: string, ...args: string[]): ChildProcess {
  return spawn('ip', ['netns', 'exec', net.name, process.execPath, join(root, 'bin', 'run.js'), ...args], {
    cwd: home,
    env: environment(home),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function run(net: NetworkNamespace, home: string, ...args: string[]): Promise<Ran> {
  const child = start(net, home, ...args)
  const out: Buffer[] = []
  let stderr = ''
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk
  })
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, stdout: Buffer.concat(out), stderr })))
}

/** Resolves when the process has said this. */
function says(child: ChildProcess, what: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const look = (chunk: Buffer): void => {
      text += chunk
      if (what.test(text)) resolve(text)
    }
    child.stderr?.on('data', look)
    child.stdout?.on('data', look)
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it said ${what}: ${text}`)))
  })
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => (child.exitCode === null && child.signalCode === null ? child.once('exit', () => resolve()) : resolve()))

/** Times and bytes of all records, read here and not with the code under test. */
function records(pcap: Buffer): { seconds: number; bytes: string }[] {
  const list: { seconds: number; bytes: string }[] = []
  const nanos = pcap.readUInt32LE(0) === 0xa1b23c4d
  for (let at = 24; at + 16 <= pcap.length; ) {
    const length = pcap.readUInt32LE(at + 8)
    list.push({
      seconds: pcap.readUInt32LE(at) + pcap.readUInt32LE(at + 4) / (nanos ? 1e9 : 1e6),
      bytes: pcap.subarray(at + 16, at + 16 + length).toString('hex'),
    })
    at += 16 + length
  }
  return list
}

const call = (id: number): Scenario => ({
  name: `sensor${id}`,
  from: ['Alice Sample', `+1555010${id}`],
  to: `+1555012${id}`,
  media: 'good',
  uac: [['s', 'INVITE'], ['r', '100'], ['r', '180'], ['r', '200'], ['s', 'ACK'], ['play'], ['pause', 1500], ['s', 'BYE'], ['r', '200']],
  uas: [
    ['r', 'INVITE'],
    ['s', '100 Trying'],
    ['s', '180 Ringing'],
    ['pause', 200],
    ['s', '200 OK', 'sdp'],
    ['r', 'ACK'],
    ['r', 'BYE'],
    ['s', '200 OK'],
  ],
})

describe.skipIf(!haveMariadb)(`three hosts${haveMariadb ? '' : ' [needs mariadbd]'}`, () => {
  const centreHome = join(dir, 'centre')
  const flagsOfCentre = (): string[] => ['--store', store, '--token-file', join(centreHome, 'tokens'), '--accept-new']
  let db: TestServer
  let store: string
  let centre: NetworkNamespace
  let sensors: Sensor[]
  /** All that were made and started, also when the set-up fails half way. */
  const nets: NetworkNamespace[] = []
  const children: ChildProcess[] = []

  beforeAll(async () => {
    db = await startMariadb()
    store = db.url('voipmonitor')
    await db.sql('CREATE DATABASE voipmonitor')
    mkdirSync(centreHome)
    centre = new NetworkNamespace()
    nets.push(centre)
    sensors = await Promise.all([1, 2].map(makeSensor))
    writeFileSync(join(centreHome, 'tokens'), sensors.map((s) => `${s.address} ${s.token}\n`).join(''))
    await Promise.all(sensors.map(makeCall))
    for (const { id, address } of sensors)
      expect(
        (
          await run(
            centre,
            centreHome,
            'sensor',
            'add',
            String(id),
            `Sensor ${id}`,
            '--host',
            address.split(':')[0] as string,
            '--store',
            store,
          )
        ).status,
      ).toBe(0)
  }, 120_000)

  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL')
    for (const net of nets) net.destroy()
    await db?.dispose()
    rmSync(dir, { recursive: true, force: true })
  })

  async function makeSensor(id: number): Promise<Sensor> {
    const net = new NetworkNamespace()
    nets.push(net)
    const home = join(dir, `sensor${id}`)
    mkdirSync(home)
    execFileSync('ip', ['link', 'add', `s${id}`, 'netns', centre.name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', net.name])
    centre.ip('address', 'add', `10.77.${id}.1/24`, 'dev', `s${id}`)
    centre.ip('link', 'set', `s${id}`, 'up')
    net.ip('address', 'add', `10.77.${id}.2/24`, 'dev', 'eth0')
    net.ip('link', 'set', 'dev', 'eth0', 'up')
    const address = `10.77.${id}.2:5029`
    const token = (await run(net, home, 'manager', 'token', 'add', 'centre', '--role', 'fetch')).stdout.toString().trim()
    const spool = join(home, 'spool')
    const sniff = start(net, home, 'sniff', '-i', 'lo', '-p', '--id-sensor', String(id), '--store', store, '--spool', spool)
    children.push(sniff)
    await says(sniff, /Manager: .*127\.0\.0\.1:5029|on unix:/)
    const manager = start(net, home, 'serve-manager', '--listen', `10.77.${id}.2:5029`, '--spool', spool, '--store', 'none')
    children.push(manager)
    await says(manager, /Certificate/)
    return { id, net, home, address, truth: join(home, 'truth.pcap'), sniff, manager, token }
  }

  /** sipp calls sipp over the sensor's loopback, tcpdump listens. */
  async function makeCall({ id, net, home, truth }: Sensor): Promise<void> {
    const scenario = call(id)
    const media = join(home, 'media.pcap')
    writeMedia(media, { packets: 60 })
    for (const side of ['uac', 'uas'] as const) writeFileSync(join(home, `${side}.xml`), toXml(scenario, side, media))
    const inside = (command: string, ...args: string[]): ChildProcess =>
      spawn('ip', ['netns', 'exec', net.name, command, ...args], { stdio: ['ignore', 'ignore', 'pipe'], cwd: home })
    const dump = inside('tcpdump', '-i', 'lo', '-U', '-w', truth, 'udp')
    await says(dump, /listening/)
    const common = ['-m', '1', '-timeout', '30', '-nostdin', '-mp', '6000', '-p', '5060']
    const callee = inside('sipp', '-sf', 'uas.xml', '-i', '127.0.0.20', ...common, '-rtp_echo')
    await sleep(400)
    const caller = inside('sipp', '-sf', 'uac.xml', '-i', '127.0.0.10', ...common, '127.0.0.20:5060')
    await Promise.all([ended(caller), ended(callee)])
    await sleep(1500)
    dump.kill('SIGTERM')
    await ended(dump)
  }

  const spooled = ({ home }: Sensor): string => {
    const spool = join(home, 'spool')
    const name = (readdirSync(spool, { recursive: true, encoding: 'utf8' }) as string[]).find((f) => f.endsWith('.pcap')) as string
    return join(spool, name)
  }
  const idOf = async (sensor: number): Promise<number> =>
    (await db.sql<{ ID: number }>(`SELECT ID FROM cdr WHERE id_sensor = ${sensor}`, 'voipmonitor'))[0]?.ID as number

  test('records of both sensors are in the database', async () => {
    await expect
      .poll(
        async () =>
          (await db.sql<{ id_sensor: number }>('SELECT id_sensor FROM cdr ORDER BY id_sensor', 'voipmonitor')).map((r) => r.id_sensor),
        { timeout: 20_000 },
      )
      .toEqual([1, 2])
  })

  test.each([1, 2])(
    'sensor %i: its call, fetched from the centre, is what tcpdump saw',
    async (n) => {
      const sensor = sensors[n - 1] as Sensor
      const truth = records(readFileSync(sensor.truth))
      // The file grows until the spool has written the last packets.
      await expect.poll(() => records(readFileSync(spooled(sensor))).length, { timeout: 20_000 }).toBe(truth.length)
      const file = join(centreHome, `call${n}.pcap`)
      const { status, stderr } = await run(centre, centreHome, 'fetch-pcap', String(await idOf(n)), '-w', file, ...flagsOfCentre())
      expect([status, stderr]).toEqual([0, ''])
      const got = records(readFileSync(file))
      expect(truth.length).toBeGreaterThan(60)
      expect(got.map((r) => r.bytes)).toEqual(truth.map((r) => r.bytes))
      // Each listener has its own stamp of the same moment.
      expect(Math.max(...got.map((r, i) => Math.abs(r.seconds - (truth[i] as { seconds: number }).seconds)))).toBeLessThan(0.01)
      expect(readFileSync(join(sensor.home, 'state', 'manager', 'audit.log'), 'utf8')).toContain('"client":"centre"')
    },
    60_000,
  )

  test('both at once: one capture in order of time, which tshark reads', async () => {
    const file = join(centreHome, 'both.pcap')
    const { status, stderr } = await run(
      centre,
      centreHome,
      'fetch-pcap',
      '--where',
      'sensor = 1 or sensor = 2',
      '-w',
      file,
      ...flagsOfCentre(),
    )
    expect([status, stderr]).toEqual([0, ''])
    const got = records(readFileSync(file))
    const truths = sensors.map((s) => records(readFileSync(s.truth)))
    expect(got.map((r) => r.bytes).sort()).toEqual(
      truths
        .flat()
        .map((r) => r.bytes)
        .sort(),
    )
    expect(got.every((r, i) => i === 0 || r.seconds >= (got[i - 1] as { seconds: number }).seconds)).toBe(true)
    const calls = execFileSync('tshark', ['-r', file, '-T', 'fields', '-e', 'sip.Call-ID'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    expect(new Set(calls.split('\n').filter((line) => line !== '')).size).toBe(2)
  }, 60_000)

  test('cdr show at the centre: the ladder of packets that only the sensor has, and no trace of them here', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('earshot-show-'))
    const { status, stdout, stderr } = await run(centre, centreHome, 'cdr', 'show', String(await idOf(1)), ...flagsOfCentre())
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout.toString()).toMatch(/─ INVITE \[SDP\] ─[\s\S]*Quality over time[\s\S]*Spool {2}\d+\.\d+\.\d+\.\d+:5029\/2/)
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('earshot-show-') && !before.includes(name))).toEqual([])
  }, 60_000)

  test('the centre sees both sensors, and every service on them', async () => {
    const { status, stdout } = await run(centre, centreHome, 'sensor', 'status', ...flagsOfCentre(), '-o', 'ndjson')
    const rows = stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: number; service: string })
    expect([status, rows.map((r) => `${r.id} ${r.service.replace(/-\d+$/, '')}`).sort()]).toEqual([
      0,
      ['1 serve-manager', '1 sniff', '2 serve-manager', '2 sniff'],
    ])
  }, 60_000)

  test('all sensors are asked at once when nobody says which: the one that has it gives it', async () => {
    const file = join(centreHome, 'found.pcap')
    const { status, stderr } = await run(
      centre,
      centreHome,
      'fetch-pcap',
      String(await idOf(2)),
      '--all-sensors',
      '-w',
      file,
      ...flagsOfCentre(),
    )
    expect([status, stderr]).toEqual([0, ''])
    expect(readFileSync(file).equals(readFileSync(spooled(sensors[1] as Sensor)))).toBe(true)
  }, 60_000)

  test('a stranger gets nothing', async () => {
    const [sensor] = sensors as [Sensor, Sensor]
    const { status, stderr } = await run(
      centre,
      centreHome,
      'fetch-pcap',
      String(await idOf(1)),
      '-w',
      join(centreHome, 'no.pcap'),
      '--store',
      store,
      '--accept-new',
    )
    expect([status, existsSync(join(centreHome, 'no.pcap'))]).toEqual([1, false])
    expect(stderr).toContain('token')
    const plain = execFileSync(
      'ip',
      [
        'netns',
        'exec',
        centre.name,
        'bash',
        '-c',
        `exec 3<>/dev/tcp/${sensor.address.replace(':', '/')}; printf 'listcalls\\r\\n\\r\\n' >&3; cat <&3`,
      ],
      { encoding: 'utf8' },
    )
    expect(plain).toMatch(/^access denied/)
  }, 60_000)

  test('a sensor that dies in the middle of a fetch and comes back: the fetch goes on and ends whole', async () => {
    const sensor = sensors[1] as Sensor
    await enlarge(sensor)
    const file = join(centreHome, 'resumed.pcap')
    const fetching = run(centre, centreHome, 'fetch-pcap', String(await idOf(2)), '-w', file, ...flagsOfCentre())
    await partThere()
    await killManager(sensor)
    sensor.manager = start(
      sensor.net,
      sensor.home,
      'serve-manager',
      '--listen',
      sensor.address,
      '--spool',
      join(sensor.home, 'spool'),
      '--store',
      'none',
    )
    children.push(sensor.manager)
    await says(sensor.manager, /Certificate/)
    const { status, stderr } = await fetching
    expect([status, stderr]).toEqual([0, expect.stringMatching(/broke.*Going on at byte [1-9]/s)])
    const hash = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')
    expect(hash(file)).toBe(hash(spooled(sensor)))
  }, 90_000)

  test('a sensor that dies and stays away: exit code 5, no half a file; of several calls the others come, exit code 4', async () => {
    const sensor = sensors[1] as Sensor
    const file = join(centreHome, 'lost.pcap')
    const fetching = run(centre, centreHome, 'fetch-pcap', String(await idOf(2)), '--tries', '3', '-w', file, ...flagsOfCentre())
    await partThere()
    await killManager(sensor)
    const { status, stderr } = await fetching
    expect([status, stderr]).toEqual([5, expect.stringContaining('could not be fetched to its end')])
    expect(readdirSync(centreHome).filter((name) => name.startsWith('lost'))).toEqual([])
    const archive = join(centreHome, 'some.tar')
    const some = await run(
      centre,
      centreHome,
      'fetch-pcap',
      String(await idOf(1)),
      String(await idOf(2)),
      '-w',
      archive,
      ...flagsOfCentre(),
    )
    expect([some.status, some.stderr]).toEqual([4, expect.stringContaining('Packets of 1 of 2 calls.')])
    expect(execFileSync('tar', ['tf', archive], { encoding: 'utf8' }).trim().split('\n')).toHaveLength(1)
    const { status: asked } = await run(centre, centreHome, 'sensor', 'status', ...flagsOfCentre())
    expect(asked).toBe(4)
  }, 90_000)

  /** So large, over so slow a wire, that a fetch takes seconds. */
  async function enlarge(sensor: Sensor): Promise<void> {
    sensor.net.run('tc', 'qdisc', 'add', 'dev', 'eth0', 'root', 'tbf', 'rate', '80mbit', 'burst', '64k', 'latency', '50ms')
    const fd = openSync(spooled(sensor), 'a')
    for (let i = 0; i < 20; i++) writeSync(fd, Buffer.alloc(1 << 20, i))
  }

  async function partThere(): Promise<void> {
    const partial = (): number =>
      readdirSync(centreHome)
        .filter((name) => name.includes('.part-'))
        .map((name) => readFileSync(join(centreHome, name)).length)[0] ?? 0
    await expect.poll(partial, { timeout: 30_000, interval: 50 }).toBeGreaterThan(1 << 20)
  }

  /** The process itself: `ip netns exec` becomes it. */
  async function killManager(sensor: Sensor): Promise<void> {
    sensor.manager.kill('SIGKILL')
    await ended(sensor.manager)
  }
})
