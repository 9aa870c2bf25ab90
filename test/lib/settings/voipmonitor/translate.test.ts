import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readIni } from '../../../../src/lib/settings/ini.js'
import { allProblemsOf } from '../../../../src/lib/settings/resolve.js'
import { allSettings } from '../../../../src/lib/settings/services.js'
import { options } from '../../../../src/lib/settings/voipmonitor/options.js'
import { isVoipmonitor, optionNamed, translate } from '../../../../src/lib/settings/voipmonitor/translate.js'
import { sharedDir } from '../../../support/shared.js'

const of = (text: string) => translate([readIni(text)])
/** The keys of ours that come out, without what is assumed. */
const said = (text: string): Record<string, string[]> => {
  const all: Record<string, string[]> = {}
  for (const { key, value, line } of of(text).entries) {
    if (line === 0) continue
    all[key] ??= []
    all[key].push(value)
  }
  return all
}

describe('VoIPmonitor’s options become ours', () => {
  test.each<[name: string, text: string, want: Record<string, string[]>]>([
    ['interfaces with commas', '[general]\ninterface = eth0,eth1', { interface: ['eth0,eth1'] }],
    ['repeated ports and ranges', 'sipport = 5060\nsipport = 5080-5090', { sipport: ['5060', '5080-5090'] }],
    ['lists with semicolons', 'sipport = 5060;5061', { sipport: ['5060,5061'] }],
    ['a repeated single value: the first one, as SimpleIni gives it', 'rtptimeout = 10\nrtptimeout = 20', { rtptimeout: ['10'] }],
    [
      'what stands behind a number or a yes is not seen',
      'rtptimeout = 10 # s\ncleanspool = no ; never\nsipport = 5060 # usual',
      { rtptimeout: ['10'], cleanspool: ['no'], sipport: ['5060'] },
    ],
    ['a text is taken whole', 'filter = port 5060 # or not', { filter: ['port 5060 # or not'] }],
    ['the database', 'mysqlhost = db\nmysqlusername = vm\nmysqldb = calls\nmysqlport = 3307', { store: ['mysql://vm@db:3307/calls'] }],
    ['its defaults, when some of it is said', 'mysqlhost = db', { store: ['mysql://root@db/voipmonitor'] }],
    ['port 0 and 3306 are the usual one', 'mysqlhost = db\nmysqlport = 0', { store: ['mysql://root@db/voipmonitor'] }],
    ['IPv6 and odd names', 'mysqlhost = 2001:db8::1\nmysqlusername = a@b', { store: ['mysql://a%40b@[2001:db8::1]/voipmonitor'] }],
    [
      'TLS, as its client library does',
      'mysqlhost = db\nmysqlsslcacert = /etc/ca.pem',
      { store: ['mysql://root@db/voipmonitor?ssl-mode=verify-ca&ssl-ca=/etc/ca.pem'] },
    ],
    ['no records', 'nocdr = yes\nmysqlhost = db', { store: ['none'] }],
    ['SIP and RTP', 'savesip = yes\nsavertp = yes', { save: ['rtp'] }],
    ['SIP only', 'savesip = 1\nsavertp = no', { save: ['sip'] }],
    ['headers of RTP', 'savesip = yes\nsavertp = header', { save: ['rtp-headers'] }],
    ['payload of zeros', 'savertp = yes\nnull_rtppayload = yes', { save: ['rtp-zeroed'] }],
    ['nothing', 'savesip = no\nsavertp = no', { save: ['none'] }],
    ['compression', 'pcap_dump_zip_rtp = zstd', { pcap_dump_zip: ['gzip'] }],
    ['a cheap one that our layout for its GUI cannot have', 'pcap_dump_zip_rtp = lzo', { pcap_dump_zip: ['no'] }],
    ['no number of the sensor', 'id_sensor = -1', { id_sensor: ['0'] }],
    ['automatic snaplen', 'snaplen = 0', {}],
    ['days of records', 'cleandatabase = 90\ncleandatabase_cdr = 30', { older_than: ['30d'] }],
    ['a value that ours cannot have: our default holds', 'sdp_multiplication = 0\nrtptimeout = soon', {}],
    ['names in any case', 'SpoolDir = /var/spool/vm', { spooldir: ['/var/spool/vm'] }],
    ['another spelling of a name', 'autocleanspoolmingb = 7', { autocleanmingb: ['7'] }],
  ])('%s', (_, text, want) => {
    expect(said(text)).toEqual(want)
  })

  test('of several files the last that has an option counts; a list is that of one file', () => {
    const { entries } = translate([
      readIni('rtptimeout = 10\nsipport = 5060\nsipport = 5061\nid_sensor = 3'),
      readIni('rtptimeout = 20\nsipport = 5070'),
    ])
    const all = entries.filter(({ line }) => line > 0).map(({ key, value }) => [key, value])
    expect(all.sort()).toEqual([
      ['id_sensor', '3'],
      ['rtptimeout', '20'],
      ['sipport', '5070'],
    ])
  })

  test('the password goes its own way', () => {
    const { entries, told, password } = of('mysqlhost = db\nmysqlpassword = s3cret')
    expect(password).toBe('s3cret')
    expect(JSON.stringify({ entries, told })).not.toContain('s3cret')
  })

  test('where silence would surprise, its default is assumed', () => {
    const assumed = (text: string): string[] =>
      of(text)
        .told.filter(({ fate }) => fate === 'assumed')
        .map(({ to }) => to)
    expect(assumed('interface = eth0')).toEqual([
      'spooldir = /var/spool/voipmonitor',
      'save = none',
      'utc = no',
      'spool_layout = voipmonitor',
    ])
    expect(assumed('spooldir = /s\nsavesip = yes')).toEqual(['utc = no', 'spool_layout = voipmonitor'])
    expect(assumed('spooldir = /s\nsavesip = yes\nutc = yes')).toEqual(['spool_layout = voipmonitor'])
    expect(assumed('spooldir = /s\nsavesip = yes\nmirror_destination_ip = 10.0.0.9')).toContain('protocol = voipmonitor')
  })

  test('each option is told once a line: what it is here, or why it is not', () => {
    const { told } = of('rtptimeout = 20\nsavegraph = yes\nabsolut_timeout = 3\nmysqlhos = db\nzzz = 1\nhep = yes\nid_sensor = -1')
    expect(told.filter(({ line }) => line > 0).map(({ name, fate }) => [name, fate])).toEqual([
      ['rtptimeout', 'same'],
      ['savegraph', 'ignored'],
      ['absolut_timeout', 'unknown'],
      ['mysqlhos', 'unknown'],
      ['zzz', 'unknown'],
      ['hep', 'ignored'],
      ['id_sensor', 'changed'],
    ])
    expect(told.every(({ fate, why, to }) => fate === 'same' || why !== '' || to !== '')).toBe(true)
  })
})

describe('whose file is it', () => {
  test.each([
    ['by its name', '/etc/voipmonitor.conf', 'interface = eth0', true],
    ['by what is in it', '/etc/vm-backup', '[general]\nmysqlhost = a\nsavesip = yes\nsavertp = yes\nrtptimeout = 9', true],
    ['ours, with a slip', '/etc/earshot.conf', '[general]\nmysqlhost = a\nrtptimeout = 9', false],
    ['ours, by a section', '/etc/x', '[sniff]\nmysqlhost = a\nsavesip = yes\nsavertp = yes', false],
    ['ours, by a key', '/etc/x', 'store = sqlite:a\nmysqlhost = a\nsavesip = yes\nsavertp = yes', false],
  ])('%s', (_, path, text, want) => {
    expect(isVoipmonitor(path, readIni(text))).toBe(want)
  })
})

describe('the table', () => {
  test('every row leads to a setting of ours', () => {
    expect(Object.values(options).flatMap((option) => ('to' in option && allSettings[option.to] === undefined ? [option.to] : []))).toEqual(
      [],
    )
  })

  test('what a usual file becomes, our own checks accept', () => {
    const text = `[general]\ninterface = eth0\nringbuffer = 50\nsipport = 5060\nmysqlhost = db\nmysqlpassword = x\nspooldir = /s\nsavesip = yes
savertp = yes\nmaxpoolsize = 102400\nmanagerip = 127.0.0.1\nmanagerport = 5029\npromisc = yes\ncleanspool = yes\npacketbuffer_compress = yes\nsnaplen = 3200`
    const { entries } = of(text)
    expect(allProblemsOf({ path: '/f', implied: false, text: { entries, sections: [], problems: [] } })).toEqual([])
  })

  const page = join(sharedDir, 'reference', 'voipmonitor', 'config-options.md')
  const there = existsSync(page)
  const rows = there
    ? [...readFileSync(page, 'utf8').matchAll(/^\| `([^`]+)` \| ([★☆]?)/gm)].map((m) => [m[1] as string, m[2] as string] as const)
    : []

  test.skipIf(!there)(`every option that its sample file sets has a row${there ? '' : ' [needs the reference pages]'}`, () => {
    expect(rows.length).toBeGreaterThan(1000)
    expect(rows.filter(([name, mark]) => mark === '★' && !optionNamed(name).own).map(([name]) => name)).toEqual([])
  })

  test.skipIf(!there)(`and every one that a normal deployment touches${there ? '' : ' [needs the reference pages]'}`, () => {
    const [, part = ''] = /## The ~45 options[^\n]*\n([\s\S]*?)\n## /.exec(readFileSync(page, 'utf8')) ?? []
    const names = [...part.matchAll(/`([^`]+)`/g)]
      .flatMap((m) => (m[1] as string).split(/\s+/))
      .map((name) => name.replace('/_port', ''))
      .filter((name) => /^[a-z]/.test(name))
    expect(names.length).toBeGreaterThan(40)
    expect(names.filter((name) => !optionNamed(name).own)).toEqual([])
  })

  test.skipIf(!there)(`every other one has a reason${there ? '' : ' [needs the reference pages]'}`, () => {
    // None of its own is taken for a slip of the pen.
    const { told } = of(rows.map(([name]) => `${name} = 1`).join('\n'))
    expect(told.filter(({ fate }) => fate === 'unknown').map(({ name }) => name)).toEqual([])
    const last = 'no such setting here'
    expect(rows.filter(([name]) => JSON.stringify(optionNamed(name).option).includes(last)).map(([name]) => name)).toEqual([])
    // And no row is for an option that VoIPmonitor does not have.
    const known = new Set(rows.map(([name]) => name))
    expect(Object.keys(options).filter((name) => !known.has(name))).toEqual([])
  })
})
