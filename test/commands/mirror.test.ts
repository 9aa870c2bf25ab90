import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CallJson } from '../../src/lib/call/json.js'
import { Running } from '../support/mirror-net.js'
import { NetworkNamespace, needsRoot } from '../support/netns.js'

// The commands as a person types them; what sniff makes of the same file is the truth.

const root = join(import.meta.dirname, '..', '..')
const program = join(root, 'bin', 'run.js')
const fixture = join(root, 'test', 'fixtures', 'pbx.pcap')
const dir = mkdtempSync(join(tmpdir(), 'earshot-mirror-cli-'))
let namespace: NetworkNamespace
beforeAll(() => {
  needsRoot()
  namespace = new NetworkNamespace()
})
afterAll(() => {
  namespace?.destroy()
  rmSync(dir, { recursive: true })
})

const shell = (command: string) =>
  spawnSync(
    'ip',
    ['netns', 'exec', namespace.name, 'bash', '-o', 'pipefail', '-c', command.replaceAll('earshot ', `${process.execPath} ${program} `)],
    {
      encoding: 'utf8',
      cwd: dir,
      maxBuffer: 1 << 26,
      env: { ...process.env, HOME: dir, XDG_DATA_HOME: join(dir, 'data'), XDG_RUNTIME_DIR: join(dir, 'run') },
    },
  )
const calls = (text: string): CallJson[] =>
  text
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as CallJson)
const bare = (list: CallJson[]): unknown[] =>
  list.map((call) => ({ ...call, sensor_id: null, pcap: null })).sort((a, b) => (a.call_id < b.call_id ? -1 : 1))
const truth = (): CallJson[] => calls(shell(`earshot sniff -r ${fixture} -o ndjson -q`).stdout)

describe('without a network', () => {
  test('-w - is pcapng with every packet', () => {
    const ran = shell(`earshot mirror-send -r ${fixture} -w - > all.pcapng`)
    expect(ran.status).toBe(0)
    const count = (file: string): string => shell(`capinfos -c -M ${file} | tail -1`).stdout
    expect(count('all.pcapng').split(':')[1]).toBe(count(fixture).split(':')[1])
    expect(ran.stderr).toMatch(/packets written/)
  })

  test('the mirror’s stream through a pipe: the calls that sniff makes of the file', () => {
    const ran = shell(
      `earshot mirror-send -q -r ${fixture} -w - --write-format mirror --id-sensor 7 | earshot mirror-recv -q -r - -o ndjson`,
    )
    expect(ran.status).toBe(0)
    expect(bare(calls(ran.stdout))).toEqual(bare(truth()))
    expect(calls(ran.stdout).every((call) => call.sensor_id === 7)).toBe(true)
  })

  test('headers only: the same calls and streams from a stream that is much smaller', () => {
    shell(`earshot mirror-send -q -r ${fixture} -w whole.mirror --write-format mirror --packetbuffer-compress no`)
    const ran = shell(
      `earshot mirror-send -q -r ${fixture} -w cut.mirror --write-format mirror --packetbuffer-compress no --send rtp-headers; earshot mirror-recv -q -r cut.mirror -o ndjson`,
    )
    expect(bare(calls(ran.stdout))).toEqual(bare(truth()))
    expect(statSync(join(dir, 'cut.mirror')).size).toBeLessThan(statSync(join(dir, 'whole.mirror')).size / 2)
  })
})

describe('over a connection', () => {
  const start = async (...words: string[]): Promise<Running> => {
    const child = namespace.spawn(
      'env',
      `HOME=${dir}`,
      `XDG_DATA_HOME=${dir}/data`,
      `XDG_RUNTIME_DIR=${dir}/run`,
      process.execPath,
      program,
      'mirror-recv',
      ...words,
    )
    const running = new Running(child)
    await running.says(/Listening/)
    return running
  }

  test('one stream on stdout; the calls are the same', async () => {
    const receiver = await start('-w', `${dir}/stream.pcapng`)
    const sent = shell(`earshot mirror-send -r ${fixture} --to 127.0.0.1 --id-sensor 3`)
    expect(sent.stderr).toMatch(/Connected to 127\.0\.0\.1:5030/)
    await receiver.end('SIGINT')
    expect(bare(calls(shell('earshot sniff -q -r stream.pcapng -o ndjson').stdout))).toEqual(bare(truth()))
  })

  test('records in the store with the sender’s id, pcaps in the spool', async () => {
    const receiver = await start('--no-manager')
    expect(shell(`earshot mirror-send -q -r ${fixture} --to 127.0.0.1 --id-sensor 3`).status).toBe(0)
    await receiver.end('SIGINT')
    expect(receiver.child.exitCode).toBe(0)
    const stored = calls(shell('earshot cdr query -o ndjson').stdout)
    expect(stored.map((call) => call.call_id).sort()).toEqual(
      truth()
        .map((call) => call.call_id)
        .sort(),
    )
    expect(stored.every((call) => call.sensor_id === 3 && call.pcap !== null)).toBe(true)
  })
})

test('what it sends over the captured interface is not sent again; its receiver’s manager tells how it is', async () => {
  const start = (...words: string[]): Running =>
    new Running(
      namespace.spawn('env', `HOME=${dir}`, `XDG_DATA_HOME=${dir}/data`, `XDG_RUNTIME_DIR=${dir}/run`, process.execPath, program, ...words),
    )
  const receiver = start('mirror-recv', '--store', 'none', '--spool', 'none')
  await receiver.says(/127\.0\.0\.1:5029/)
  const sender = start('mirror-send', '-i', 'lo', '--to', '127.0.0.1', '--id-sensor', '4', '--name', 'loop')
  await sender.says(/Connected/)
  shell('for i in $(seq 20); do echo x > /dev/udp/127.0.0.1/9; sleep 0.05; done; sleep 1.5')
  const [sensor] = calls(shell('earshot sensor status 127.0.0.1:5029 -o ndjson').stdout).filter(
    (row) => (row as unknown as { id: number }).id === 4,
  )
  await sender.end('SIGINT')
  await receiver.end('SIGINT')
  expect(sensor).toMatchObject({
    name: 'loop',
    service: 'mirror-send',
    dropped: 0,
    buffer_mb: expect.any(Number),
    lost: null,
    error: null,
  })
  // Twenty datagrams, as many answers, and what the manager was asked; an echo of itself would be hundreds by now.
  const sent = Number(/([\d,]+) packets in/.exec(sender.said)![1]!.replaceAll(',', ''))
  expect(sent).toBeGreaterThanOrEqual(20)
  expect(receiver.said).toMatch(/Sensor 4 loop/)
  expect(sent).toBeLessThan(150)
})

test('a sensor comes in with the token that the manager’s list has for it, as long as it has it', async () => {
  const env = `env HOME=${dir} STATE_DIRECTORY=${join(dir, 'tokens')} XDG_RUNTIME_DIR=${join(dir, 'run')}`
  const earshot = `${env} ${process.execPath} ${program}`
  expect(shell(`${earshot} manager token add prague --role send`).stderr).toMatch(/As which sensor/)
  expect(shell(`${earshot} manager token add prague --role send --id-sensor 7 > prague-token`).status).toBe(0)
  const receiver = new Running(namespace.spawn('sh', '-c', `exec ${earshot} mirror-recv --mirror-bind-port 5035 -w /dev/null`))
  await receiver.says(/Listening/)
  const send = (words: string): Running =>
    new Running(namespace.spawn('sh', '-c', `cd ${dir}; exec ${earshot} mirror-send -r ${fixture} --to 127.0.0.1:5035 ${words}`))
  const good = send('--id-sensor 7 --token-file prague-token')
  await good.says(/2,121 packets in/)
  for (const words of ['--id-sensor 7', '--id-sensor 8 --token-file prague-token']) {
    const bad = send(words)
    await bad.says(/the token is not that of id_sensor/)
    await bad.end('SIGKILL')
  }
  expect(shell(`${earshot} manager token remove prague`).status).toBe(0)
  const late = send('--id-sensor 7 --token-file prague-token')
  await late.says(/the token is not that of id_sensor/)
  await late.end('SIGKILL')
  await receiver.end('SIGINT')
})

describe('what cannot be', () => {
  beforeAll(() => {
    writeFileSync(join(dir, 'bad-tokens'), '7\n')
    mkdirSync(join(dir, 'run'), { recursive: true })
  })
  test.each([
    ['nowhere to send', `mirror-send -r ${fixture}`, 2, /Nowhere to send/],
    ['nothing to send', 'mirror-send --to 127.0.0.1', 2, /Nothing to listen to/],
    ['no address', `mirror-send -r ${fixture} --to a:b:c`, 2, /not an address/],
    ['a disk buffer without a size', `mirror-send -r ${fixture} --to 127.0.0.1 --packetbuffer-file-path x`, 2, /needs both/],
    ['VoIPmonitor’s protocol to another machine', `mirror-send -r ${fixture} --to 192.0.2.1 --protocol voipmonitor`, 2, /no encryption/],
    ['a missing token file', `mirror-send -r ${fixture} --to 127.0.0.1 --token-file nope`, 2, /Cannot read "nope"/],
    ['open to other machines without TLS', 'mirror-recv --mirror-bind-ip 0.0.0.0', 2, /without encryption/],
    ['open to anyone', 'mirror-recv --mirror-bind-ip 0.0.0.0 --plain', 2, /Anyone who reaches/],
    ['a wrong line of tokens', 'mirror-recv --tokens bad-tokens', 2, /Line 1 of "bad-tokens"/],
    ['an address that is not here', 'mirror-recv --mirror-bind-ip 192.0.2.1 --plain --anyone', 1, /Cannot listen/],
    ['one sensor together', 'mirror-recv --together 7', 2, /not a list of sensors/],
    ['a stream that is none', `mirror-recv -r ${fixture} -q`, 1, /not a mirror stream/],
  ])('%s: exit code and what to do', (_, command, status, message) => {
    const ran = shell(`earshot ${command}`)
    expect([ran.status, ran.stderr]).toEqual([status, expect.stringMatching(message)])
    expect(ran.stderr).toMatch(/→/)
  })
})
