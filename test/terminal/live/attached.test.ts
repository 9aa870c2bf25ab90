import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serverCertificate, Tokens } from '../../../src/lib/access/index.js'
import { openAdmin, openWriter } from '../../../src/lib/store/index.js'
import { sampleRecords } from '../../contract/records.js'
import { batchOf, sip, talk } from '../../support/ladder.js'
import { haveMariadb, startMariadb, type TestServer } from '../../support/mariadb.js'
import { NetworkNamespace } from '../../support/netns.js'
import { pcapOf } from '../../support/pcap-file.js'
import { removeDirectory } from '../../support/remove.js'
import { TestTerminal } from '../../support/tmux.js'

// The screen on sensors far away: two hosts in one namespace, each with a sniffer and a manager over TLS; and on a database.

const program = join(import.meta.dirname, '..', '..', '..', 'bin', 'run.js')
const work = mkdtempSync(join(tmpdir(), 'earshot-attached-'))
const list = `sqlite:${join(work, 'list.db')}`
let network: NetworkNamespace
let terminal: TestTerminal

/** A sensor: its wire is a veth pair, its state a directory. */
interface Sensor {
  readonly name: string
  readonly ip: string
  readonly wire: string
}
const prague: Sensor = { name: 'Prague', ip: '192.0.2.1', wire: 'p' }
const brno: Sensor = { name: 'Brno', ip: '192.0.2.2', wire: 'b' }
const dirOf = ({ name }: Sensor): string => join(work, name)

const earshot = (home: string, ...words: string[]): string[] => [
  'env',
  `HOME=${home}`,
  `XDG_CONFIG_HOME=${home}`,
  `RUNTIME_DIRECTORY=${join(home, 'run')}`,
  `STATE_DIRECTORY=${join(home, 'state')}`,
  process.execPath,
  program,
  ...words,
]

/** Starts it, and waits for what it says when it is ready. */
async function start(home: string, ready: string, ...words: string[]): Promise<ChildProcess> {
  const [command, ...rest] = earshot(home, ...words) as [string, ...string[]]
  const child = network.spawn(command, ...rest)
  child.stdout?.resume()
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (chunk) => {
      said += String(chunk)
      if (said.includes(ready)) resolve()
    })
    child.once('exit', () => reject(new Error(`${words.join(' ')}: ${said}`)))
  })
  return child
}

const manager = (sensor: Sensor, ...words: string[]): Promise<ChildProcess> =>
  start(dirOf(sensor), 'Certificate', 'serve-manager', '--listen', `${sensor.ip}:5029`, ...words)

/** A call that goes on, with a second of RTP, on the wire of a sensor. */
function call(sensor: Sensor, callId: string, caller: string): void {
  const [a, b] = ['10.0.0.1:5060', '10.0.0.2:5060']
  const o = { callId, branch: `z9hG4bK${callId}`, from: `"${sensor.name}" <sip:${caller}@example.com>`, to: '<sip:2000@example.net>' }
  const packets = [
    sip(0, a, b, 'INVITE', { ...o, sdp: '10.0.0.1:4000' }),
    sip(0.01, b, a, '200 OK', { ...o, toTag: 't', sdp: '10.0.0.2:6000' }),
    sip(0.02, a, b, 'ACK', { ...o, toTag: 't', cseq: '1 ACK' }),
    ...talk(0.03, '10.0.0.1:4000', '10.0.0.2:6000', 25, { ssrc: 77 }),
  ]
  const path = join(work, `${callId}.pcap`)
  writeFileSync(path, pcapOf(batchOf(packets)))
  network.run('tcpreplay', '-q', '-i', `${sensor.wire}0`, path)
}

let server: TestServer | undefined
let writer: Awaited<ReturnType<typeof openWriter>> | undefined
/** All sample records but the last. */
async function prepareDatabase(): Promise<void> {
  server = await startMariadb()
  writer = await openWriter(server.url('earshot', 'ipv6=yes'))
  await writer.insert(sampleRecords().slice(0, -1))
}

beforeAll(async () => {
  network = new NetworkNamespace()
  for (const sensor of [prague, brno]) {
    network.ip('address', 'add', `${sensor.ip}/32`, 'dev', 'lo')
    network.veth(`${sensor.wire}0`, `${sensor.wire}1`)
    mkdirSync(dirOf(sensor))
  }
  await (await openWriter(list)).close()
  const admin = await openAdmin(list)
  for (const [i, { name, ip }] of [prague, brno].entries()) await admin.setSensor({ id: i + 3, name, host: ip, port: null })
  await admin.close()
  await Promise.all([
    ...[prague, brno].map((s) => start(dirOf(s), 'Manager: ', 'sniff', '-i', `${s.wire}1`, '--store', 'none')),
    ...(haveMariadb ? [prepareDatabase()] : []),
  ])
  // A token for each host, both in one file; managers listen away from loopback, so they ask for them.
  const lines = [prague, brno].map((s) => {
    const tokens = new Tokens(join(dirOf(s), 'state', 'manager', 'tokens.json'))
    return `${s.ip}:5029 ${tokens.addToken('laptop', 'fetch', new Date())}`
  })
  writeFileSync(join(work, 'tokens'), `${lines.join('\n')}\n`, { mode: 0o600 })
  terminal = new TestTerminal(network, { home: work, columns: 140 })
  terminal.run(`cd ${work}; alias earshot='${process.execPath} ${program}'`)
})
afterAll(async () => {
  try {
    terminal?.close()
    await writer?.close()
    await server?.dispose()
  } finally {
    network.destroy()
    await removeDirectory(work)
  }
})

async function quit(): Promise<void> {
  terminal.keys('C-c')
  await terminal.back()
}

describe('a sensor over TLS', () => {
  let serving: ChildProcess
  beforeAll(async () => {
    serving = await manager(prague)
  })
  afterAll(() => serving.kill('SIGKILL'))

  test('asks whether to believe a certificate never seen, wants the token, shows its calls and their packets, and refuses another certificate', async () => {
    terminal.run(`earshot live --sensor ${prague.ip}`)
    await terminal.until('Believe it from now on')
    terminal.run('no')
    await terminal.until(/is not known yet/)
    expect(existsSync(join(work, 'earshot', 'known_servers'))).toBe(false)
    await terminal.back()

    terminal.run(`earshot live --sensor ${prague.ip}`)
    const asked = await terminal.until('Believe it from now on')
    terminal.run('yes')
    // It is believed now; but it does not know us.
    await terminal.until(/token/i)
    const fingerprint = /sha256:[0-9a-f]{64}/.exec(asked.replaceAll('\n', ''))?.[0] as string
    expect(readFileSync(join(work, 'earshot', 'known_servers'), 'utf8')).toContain(fingerprint)
    await quit()

    terminal.run(`earshot live --sensor ${prague.ip} --token-file tokens`)
    await terminal.until(`● ${prague.ip}`)
    call(prague, 'first', '1001')
    await terminal.until(/answered +1001 +2000/)
    terminal.keys('Enter')
    // The ladder is read from the pcap that the sensor writes.
    await terminal.until(/INVITE \(SDP\)[\s\S]*200 OK \(SDP\)[\s\S]*ACK[\s\S]*PCMA/, 30)
    terminal.keys('q')

    // Somebody else shows another certificate: nothing goes there, and the screen says why; what was seen stays.
    serving.kill('SIGKILL')
    await terminal.until(/✕ 192\.0\.2\.1 \(lost/)
    await serverCertificate(join(work, 'other'))
    const [certificate, key] = ['cert', 'key'].map((part) => join(work, 'other', `server-${part}.pem`)) as [string, string]
    serving = await manager(prague, '--tls-cert', certificate, '--tls-key', key)
    terminal.keys('5')
    await terminal.until(/✕ 192\.0\.2\.1 [^\n]*certificate/)
    terminal.keys('1')
    expect(await terminal.until(/answered +1001 +2000/)).toContain('lost, trying again')
    await quit()
  })
})

test('all sensors of the list in one screen, whose call it is beside it; one that is lost is said, the other goes on', async () => {
  const [first, second] = await Promise.all([manager(prague), manager(brno)])
  try {
    terminal.run(`earshot live --all-sensors --store ${list} --token-file tokens --accept-new`)
    await terminal.until(/● Brno[^\n]*● Prague/)
    call(prague, 'third', '1003')
    call(brno, 'fourth', '1004')
    await terminal.until(/answered +1003 +2000 .*Prague/)
    await terminal.until(/answered +1004 +2000 .*Brno/)
    first.kill('SIGKILL')
    await terminal.until(/● Brno[^\n]*✕ Prague \(lost, trying again\)/)
    call(brno, 'fifth', '1005')
    await terminal.until(/answered +1005 +2000 .*Brno/)
    terminal.keys('5')
    await terminal.until(/● Brno[\s\S]*✕ Prague/)
    await quit()
  } finally {
    first.kill('SIGKILL')
    second.kill('SIGKILL')
  }
})

describe.skipIf(!haveMariadb)('records of a MariaDB [needs mariadb-server]', () => {
  test('the same screens over records, those that fit, and new ones as they come', async () => {
    const url = (server as TestServer).url('earshot', 'ipv6=yes')
    terminal.run(`earshot live --store '${url}' --where 'caller = +155501*'`)
    const chosen = await terminal.until(/failed +\+15550102/)
    expect(chosen).toMatch(/● localhost\/earshot \(records\).* 3 over[\s\S]*ended +\+15550100 .* PCMA/)
    terminal.type('/')
    terminal.keys('C-u')
    terminal.type('mos < 4')
    terminal.keys('Enter')
    expect(await terminal.until(/1 of 1/)).toMatch(/ended +\+15550101/)
    terminal.keys('F7')
    await terminal.until(/Expression +mos < 4/)
    terminal.keys('C-l', 'Enter')
    await terminal.until(/failed +\+15550102/)
    await writer?.insert(sampleRecords().slice(-1))
    await terminal.until(/\+15550100 .*\[2001:db8::1\]/)
    await quit()
  })
})
