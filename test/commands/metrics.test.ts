import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ServerCertificate, serverCertificate } from '../../src/lib/access/index.js'
import { type Family, readExposition } from '../support/exposition.js'
import { until } from '../support/mirror.js'
import { Running } from '../support/mirror-net.js'
import { NetworkNamespace } from '../support/netns.js'

// A host with a sniff, a mirror’s receiver and its sender, and serve-manager, which is scraped for all of them.
const root = join(import.meta.dirname, '..', '..')
const program = join(root, 'bin', 'run.js')
const fixture = join(root, 'test', 'fixtures', 'pbx.pcap')
let host: NetworkNamespace
const dir = mkdtempSync(join(tmpdir(), 'earshot-host-'))
const running: Record<string, Running> = {}
const earshot = (...words: string[]): Running =>
  new Running(
    host.spawn('env', `HOME=${dir}`, `STATE_DIRECTORY=${dir}/state`, `RUNTIME_DIRECTORY=${dir}/run`, process.execPath, program, ...words),
  )
const fetch = (path: string): string => host.run('curl', '-s', '--max-time', '20', '-w', '%{http_code}', `http://127.0.0.1:5031${path}`)
const scrape = (): Map<string, Family> => {
  const got = fetch('/metrics')
  expect(got.slice(-3)).toBe('200')
  return readExposition(got.slice(0, -3))
}
const value = (families: Map<string, Family>, name: string, labels: Record<string, string>): number | undefined =>
  families.get(name)?.samples.find((s) => Object.entries(labels).every(([key, text]) => s.labels[key] === text))?.value

beforeAll(async () => {
  host = new NetworkNamespace()
  host.veth('wa', 'wb')
  running['serve-manager'] = earshot('serve-manager', '--metrics', 'yes', '--store', 'none', '--spool', 'none')
  running['mirror-recv'] = earshot('mirror-recv', '--store', 'none', '--spool', `${dir}/mirrored`)
  running['sniff'] = earshot('sniff', '-i', 'wb', '--store', `sqlite:${dir}/calls.db`, '--spool', `${dir}/spool`)
  await running['mirror-recv'].says(/Listening/)
  running['mirror-send'] = earshot('mirror-send', '-i', 'wb', '--to', '127.0.0.1', '--id-sensor', '7')
  await Promise.all([
    running['serve-manager'].says(/http:\/\/127\.0\.0\.1:5031\/metrics/),
    running['sniff'].says(/Manager: unix/),
    running['mirror-send'].says(/Connected to/),
    running['mirror-send'].says(/Manager: unix/),
  ])
  host.run('tcpreplay', '-q', '-i', 'wa', '--mbps', '20', fixture)
}, 60_000)
afterAll(async () => {
  for (const one of Object.values(running)) {
    one.child.kill('SIGCONT')
    await one.end('SIGKILL')
  }
  host?.destroy()
  rmSync(dir, { recursive: true, force: true })
})

const tshark = (...args: string[]): string[] =>
  execFileSync('tshark', ['-r', fixture, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    .split('\n')
    .filter(Boolean)

test('one scrape tells of all services what tshark tells of the packets', async () => {
  const packets = tshark('-T', 'fields', '-e', 'frame.number').length
  const sip = tshark('-Y', 'sip', '-T', 'fields', '-e', 'frame.number').length
  const calls = new Set(tshark('-Y', 'sip.Method == "INVITE"', '-T', 'fields', '-e', 'sip.Call-ID')).size
  const services = [
    { service: 'sniff', source: 'wb' },
    { service: 'mirror-recv', source: 'mirror' },
    { service: 'mirror-send', source: 'wb' },
  ]
  let found = scrape()
  await until('all have all packets, and calls have ended', () => {
    found = scrape()
    return (
      services.every((labels) => value(found, 'earshot_packets_received_total', labels) === packets) &&
      value(found, 'earshot_calls_ended_total', { service: 'sniff', state: 'answered' }) === 4
    )
  })
  for (const labels of services.slice(0, 2)) {
    expect(value(found, 'earshot_packets_by_kind_total', { ...labels, kind: 'sip' })).toBe(sip)
    expect(value(found, 'earshot_calls_started_total', labels)).toBe(calls)
    expect(value(found, 'earshot_packets_dropped_total', { ...labels, stage: 'parse' })).toBe(0)
  }
  expect(value(found, 'earshot_mirror_sender_packets_total', { sensor: '7' })).toBe(packets)
  expect(value(found, 'earshot_link_connected', { service: 'mirror-send' })).toBe(1)
  const [plain, packed] = ['plain', 'packed'].map((kind) => value(found, `earshot_link_${kind}_bytes_total`, {}) ?? 0) as [number, number]
  const bytes = tshark('-T', 'fields', '-e', 'frame.len').reduce((sum, length) => sum + Number(length), 0)
  expect(plain).toBeGreaterThan(bytes)
  expect(packed).toBeLessThan(plain)
  expect(value(found, 'earshot_store_up', { service: 'sniff' })).toBe(1)
  expect(value(found, 'earshot_spool_disk_size_bytes', { service: 'sniff' })).toBeGreaterThan(0)
  // A service that reads no packets says nothing of packets.
  expect(value(found, 'earshot_build_info', { service: 'serve-manager' })).toBe(1)
  expect(value(found, 'earshot_packets_received_total', { service: 'serve-manager' })).toBeUndefined()
  expect([...new Set(found.get('earshot_build_info')?.samples.map((s) => s.labels['libpcap']))]).toEqual([
    expect.stringMatching(/^\d+\.\d+/),
  ])
}, 60_000)

test('health: all are well; one that hangs is told, and costs the others nothing', async () => {
  const well = fetch('/healthz')
  expect(well.slice(-3)).toBe('200')
  const { status, services } = JSON.parse(well.slice(0, -3)) as {
    status: string
    services: { service: string; checks: { name: string; level: string }[] }[]
  }
  expect(status, well).toBe('ok')
  expect(services.flatMap(({ checks }) => checks.map(({ name }) => name)).sort()).toEqual(
    expect.arrayContaining(['capture', 'disk', 'link', 'packets', 'records', 'senders', 'spool', 'thread']),
  )

  running['sniff']?.child.kill('SIGSTOP')
  let hangs: { status: string; services: { service: string; level: string }[] } = { status: '', services: [] }
  await until('it is missed', () => {
    hangs = JSON.parse(fetch('/healthz').slice(0, -3)) as typeof hangs
    return hangs.status === 'failing'
  })
  expect(hangs.services.filter(({ level }) => level === 'failing').map(({ service }) => service)).toEqual([expect.stringMatching(/^sniff/)])
  const found = scrape()
  expect(value(found, 'earshot_services_unanswered', {})).toBe(1)
  expect(value(found, 'earshot_packets_received_total', { service: 'mirror-recv' })).toBeGreaterThan(0)
  running['sniff']?.child.kill('SIGCONT')
  await until('it is back', () => fetch('/healthz').endsWith('200'))
}, 60_000)

test('a sender that is killed is missed by its receiver', async () => {
  await running['mirror-send']?.end('SIGKILL')
  await until('the receiver says so', () => value(scrape(), 'earshot_mirror_sender_connected', { sensor: '7' }) === 0)
  expect(value(scrape(), 'earshot_health', { service: 'mirror-recv', check: 'senders' })).toBe(1)
}, 60_000)

test('SIGHUP: a new certificate is shown, a broken one is not', async () => {
  const [first, second] = [await serverCertificate(join(dir, 'one')), await serverCertificate(join(dir, 'two'))]
  const files = { certificate: join(dir, 'cert.pem'), key: join(dir, 'key.pem') }
  const put = ({ certificate, key }: ServerCertificate): void => {
    writeFileSync(files.certificate, certificate)
    writeFileSync(files.key, key)
  }
  put(first)
  const own = ['--metrics', ':5032', '--metrics-tls-cert', files.certificate, '--metrics-tls-key', files.key]
  const receiver = earshot('mirror-recv', '--store', 'none', '--spool', 'none', '--mirror-bind-port', '5040', ...own)
  running['second'] = receiver
  await receiver.says(/https:\/\/127\.0\.0\.1:5032\/metrics/)
  const shown = (): string =>
    host
      .run('bash', '-c', 'openssl s_client -connect 127.0.0.1:5032 </dev/null 2>/dev/null | openssl x509 -outform der | sha256sum')
      .split(' ')[0] as string
  expect(`sha256:${shown()}`).toBe(first.fingerprint)
  put(second)
  receiver.child.kill('SIGHUP')
  await until('the second is shown', () => `sha256:${shown()}` === second.fingerprint)
  writeFileSync(files.certificate, 'broken')
  receiver.child.kill('SIGHUP')
  await receiver.says(/Metrics keep their certificate/)
  expect(`sha256:${shown()}`).toBe(second.fingerprint)
}, 60_000)
