import { describe, expect, test } from 'vitest'
import { readIni } from '../../../src/lib/settings/ini.js'
import { allProblemsOf, changesBetween, type Request, resolve, type SettingsFile } from '../../../src/lib/settings/resolve.js'
import { type ServiceName, services } from '../../../src/lib/settings/services.js'

const file = (path: string, text: string, implied = true): SettingsFile => ({ path, implied, text: readIni(text) })
const ask = (service: ServiceName, files: SettingsFile[], more: Partial<Request> = {}) =>
  resolve({ service, table: services[service], files, environment: {}, ...more })

interface Case {
  name: string
  service?: ServiceName
  files?: SettingsFile[]
  more?: Partial<Request>
  /** key → value and origin */
  want: Record<string, readonly [value: unknown, origin: string]>
}

const main = (text: string): SettingsFile => file('/etc/earshot/earshot.conf', text)
const named = (text: string): SettingsFile => file('/x/my.conf', text, false)

const cases: Case[] = [
  { name: 'nobody says', want: { snaplen: [65_535, 'default'], store: [undefined, 'default'], ringbuffer: [64 * 2 ** 20, 'default'] } },
  { name: 'the file says', files: [main('[general]\nsnaplen = 128')], want: { snaplen: [128, '/etc/earshot/earshot.conf:2'] } },
  {
    name: 'the narrower section wins, wherever it stands',
    files: [main('[sniff]\nsnaplen = 128\n[general]\nsnaplen = 256')],
    want: { snaplen: [128, '/etc/earshot/earshot.conf:2'] },
  },
  {
    name: 'the section of an instance is for it',
    files: [main('[sniff]\ninterface = eth0\n[sniff@b]\ninterface = eth1')],
    more: { instance: 'b' },
    want: { interface: [['eth1'], '/etc/earshot/earshot.conf:4'] },
  },
  {
    name: 'and for no other',
    files: [main('[sniff]\nsnaplen = 128\n[sniff@b]\nsnaplen = 256')],
    more: { instance: 'c' },
    want: { snaplen: [128, '/etc/earshot/earshot.conf:2'] },
  },
  {
    name: 'an instance has no interface but its own: it is named after one',
    files: [main('[sniff]\ninterface = any\n[sniff@b]\ninterface = eth1')],
    more: { instance: 'eth2' },
    want: { interface: [[], 'default'] },
  },
  {
    name: 'the later file wins, also over a narrower section of the earlier one',
    files: [main('[sniff]\nsnaplen = 128'), file('/etc/earshot/conf.d/9.conf', 'snaplen = 256')],
    want: { snaplen: [256, '/etc/earshot/conf.d/9.conf:1'] },
  },
  {
    name: 'repeated keys make a list, which a later file replaces as a whole',
    files: [main('sipport = 5060\nsipport = 5080-5081'), file('/b', 'interface = eth0\ninterface = eth1,eth2')],
    want: { sipport: [[5060, 5080, 5081], '/etc/earshot/earshot.conf:2'], interface: [['eth0', 'eth1', 'eth2'], '/b:2'] },
  },
  {
    name: 'the environment beats files',
    files: [main('snaplen = 128')],
    more: { environment: { EARSHOT_SNAPLEN: '512', EARSHOT_SIPPORT: '5060,5070' } },
    want: { snaplen: [512, 'EARSHOT_SNAPLEN'], sipport: [[5060, 5070], 'EARSHOT_SIPPORT'] },
  },
  { name: 'an empty variable says nothing', more: { environment: { EARSHOT_SNAPLEN: '' } }, want: { snaplen: [65_535, 'default'] } },
  {
    name: 'a flag beats all',
    files: [main('snaplen = 128')],
    more: { environment: { EARSHOT_SNAPLEN: '512' }, flags: { snaplen: 96 } },
    want: { snaplen: [96, '--snaplen'] },
  },
  {
    name: 'a flag that says the opposite of its key',
    files: [main('promisc = yes')],
    more: { flags: { 'no-promiscuous': true } },
    want: { promisc: [false, '--no-promiscuous'] },
  },
  {
    name: 'other spellings of a key',
    files: [main('sip_port = 5060\nspool = /a\nRing-Size = 8MiB')],
    want: {
      sipport: [[5060], '/etc/earshot/earshot.conf:1'],
      spooldir: ['/a', '/etc/earshot/earshot.conf:2'],
      ringbuffer: [8 * 2 ** 20, '/etc/earshot/earshot.conf:3'],
    },
  },
  {
    name: 'a path is relative to its file, ~ is the home, none is none',
    files: [main('queue = q\n[sniff]\nspooldir = none'), file('/etc/earshot/conf.d/a', 'spooldir = ~/pcaps')],
    more: { home: '/home/ann' },
    want: { queue: ['/etc/earshot/q', '/etc/earshot/earshot.conf:1'], spooldir: ['/home/ann/pcaps', '/etc/earshot/conf.d/a:1'] },
  },
  {
    name: '-r beats the interface of a file, and of the environment',
    files: [main('interface = eth0\nsnaplen = 128')],
    more: { flags: { read: ['a.pcap'] }, environment: { EARSHOT_INTERFACE: 'eth1' } },
    want: { interface: [[], 'default'], snaplen: [128, '/etc/earshot/earshot.conf:2'] },
  },
  {
    name: 'a look at a capture stores nothing in the database of the service',
    files: [main('store = mysql://e@db/calls\nspooldir = /s\nfilter = port 5060')],
    more: { flags: { read: ['a.pcap'] } },
    want: { store: [undefined, 'default'], spooldir: [undefined, 'default'], filter: [undefined, 'default'] },
  },
  {
    name: 'unless a file is named',
    files: [named('store = sqlite:/a.db')],
    more: { flags: { read: ['a.pcap'] } },
    want: { store: ['sqlite:/a.db', '/x/my.conf:1'] },
  },
  {
    name: 'a credential is taken when nobody says otherwise',
    service: 'mirror-recv',
    more: { credentials: { directory: '/run/credentials/x', names: ['earshot-tls-cert', 'earshot-tls-key'] } },
    want: { tls_cert: ['/run/credentials/x/earshot-tls-cert', 'earshot-tls-cert'] },
  },
  {
    name: 'a file says otherwise',
    service: 'mirror-recv',
    files: [main('tls_cert = /c\ntls_key = /k')],
    more: { credentials: { directory: '/run/credentials/x', names: ['earshot-tls-cert', 'earshot-tls-key'] } },
    want: { tls_cert: ['/c', '/etc/earshot/earshot.conf:1'] },
  },
]

test.each(cases)('$name', ({ service = 'sniff', files = [], more = {}, want }) => {
  const { settings, problems } = ask(service, files, more)
  expect(problems).toEqual([])
  const got = Object.fromEntries(Object.keys(want).map((key) => [key, [settings.get(key)?.value, settings.get(key)?.origin.text]]))
  expect(got).toEqual(want)
})

describe('what is wrong', () => {
  const wrong: [name: string, text: string, where: string, message: RegExp, next: RegExp][] = [
    ['a key that nobody has', '\nsnaplne = 4', '/f:2', /no setting snaplne/, /Did you mean snaplen\?/],
    ['a key of nothing near', 'colour = red', '/f:1', /no setting colour/, /docs\/settings.md/],
    ['a key of another service', '[sniff]\ntogether = 7,8', '/f:2', /together is no setting of sniff/, /\[mirror-recv\]/],
    ['a section that is none', '[snif]\nsnaplen = 128', '/f:1', /no section \[snif\]/, /Did you mean \[sniff\]/],
    ['a bad value', '\n\nsnaplen = ten', '/f:3', /^snaplen: "ten" is not a whole number/, /bytes/],
    ['the same twice', 'snaplen = 128\nsnaplen = 256', '/f:2', /was given in line 1/, /Keep one/],
    ['the same twice, in two spellings', 'spooldir = /a\nspool = /b', '/f:2', /was given in line 1/, /Keep one/],
    ['a line that is none', 'snaplen 128', '/f:1', /neither a section nor/, /#/],
  ]
  test.each(wrong)('%s', (_, text, where, message, next) => {
    const { problems } = ask('sniff', [file('/f', text)])
    expect(problems).toEqual([{ where, message: expect.stringMatching(message), next: expect.stringMatching(next) }])
  })

  test('in the environment: its name', () => {
    expect(ask('sniff', [], { environment: { EARSHOT_SNAPLEN: 'ten' } }).problems).toMatchObject([{ where: 'EARSHOT_SNAPLEN' }])
  })

  test('a certificate without its key', () => {
    expect(ask('serve-manager', [file('/f', '\ntls_cert = /c')]).problems).toEqual([
      { where: '/f:2', message: 'tls_cert means nothing without tls_key', next: 'Give tls_key too.' },
    ])
    expect(ask('serve-manager', [file('/f', 'tls_key = /k')], { flags: { 'tls-cert': '/c' } }).problems).toEqual([])
  })

  test('a section of another service is its own affair; a check of the file sees it', () => {
    const other = file('/f', '[mirror-recv]\nmirror_bind_port = x')
    expect(ask('sniff', [other]).problems).toEqual([])
    expect(allProblemsOf(other)).toMatchObject([{ where: '/f:2' }])
  })
})

test('what changed, with who said it and whether it can be taken at once', () => {
  const before = ask('sniff', [main('maxpooldays = 3\nsnaplen = 128\nrtptimeout = 60')])
  const after = ask('sniff', [main('maxpooldays = 5\nsnaplen = 256\nrtptimeout = 60')])
  expect(changesBetween(before, after)).toEqual([
    { key: 'snaplen', old: 128, new: 256, text: '256', origin: { kind: 'file', text: '/etc/earshot/earshot.conf:2' }, reload: false },
    { key: 'maxpooldays', old: 3, new: 5, text: '5', origin: { kind: 'file', text: '/etc/earshot/earshot.conf:1' }, reload: true },
  ])
  expect(changesBetween(before, before)).toEqual([])
})
