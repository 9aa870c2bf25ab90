import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readerSettings, services } from '../../src/lib/settings/services.js'
import { flagName, type SettingTable } from '../../src/lib/settings/table.js'

// Files of settings as an administrator has them, and the built program.

const root = join(import.meta.dirname, '..', '..')
const fixture = join(root, 'test', 'fixtures', 'pbx.pcap')
const theirs = join(root, 'test', 'fixtures', 'settings', 'voipmonitor.conf')
const dir = mkdtempSync(join(tmpdir(), 'earshot-config-'))
const etc = join(dir, 'etc')
afterAll(() => rmSync(dir, { recursive: true }))

const earshot = (args: string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, [join(root, 'bin', 'run.js'), ...args], {
    encoding: 'utf8',
    cwd: dir,
    env: { PATH: process.env['PATH'], HOME: dir, CONFIGURATION_DIRECTORY: etc, XDG_DATA_HOME: join(dir, 'data'), ...env },
  })
const write = (name: string, text: string): string => {
  const path = join(dir, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
  return path
}
const pcapsIn = (path: string): string[] =>
  existsSync(path) ? (readdirSync(path, { recursive: true, encoding: 'utf8' }) as string[]).filter((name) => name.endsWith('.pcap')) : []

test('config show: of an instance by its name, and what the commands of a person take', () => {
  const conf = write('shown/my.conf', '[general]\nstore = sqlite:here.db\n[sniff]\nsnaplen = 300\n[sniff@eth1]\nid_sensor = 8\n')
  const shown = (...words: string[]) => earshot(['config', 'show', ...words, '--changed', '--config', conf]).stdout.replace(/ +/g, ' ')
  expect(shown('sniff@eth1').trim().split('\n').sort()).toEqual(['id_sensor 8', 'snaplen 300', 'store sqlite:here.db'])
  expect(shown('general')).toBe('store sqlite:here.db\n')
})

describe('a run takes its settings', () => {
  test('from a file that is named: store, spool and what goes into it', () => {
    const conf = write('run/my.conf', '[general]\nstore = sqlite:calls-of-file.db\n\n[sniff]\nspooldir = pcaps\nsave = sip\n')
    const ran = earshot(['sniff', '-r', fixture, '--config', conf, '-o', 'json'])
    expect([ran.status, ran.stderr]).toEqual([0, expect.stringMatching(/Stored 7 records[\s\S]*in 7 pcaps/)])
    expect(pcapsIn(join(dir, 'run', 'pcaps'))).toHaveLength(7)
    // The store is a URL, no path: relative to where the program runs.
    expect(earshot(['cdr', 'query', '--config', conf, '-o', 'csv']).stdout.trim().split('\n')).toHaveLength(8)
  })

  test('a flag is stronger', () => {
    const conf = write('strong.conf', 'spooldir = no-such-place\nsave = sip')
    const ran = earshot(['sniff', '-r', fixture, '--config', conf, '--spool', 'none', '-o', 'json'])
    expect([ran.status, existsSync(join(dir, 'no-such-place'))]).toEqual([0, false])
  })

  test('files of the host: a look at a capture neither opens the interface nor fills the store they name', () => {
    write('etc/earshot.conf', `[general]\nstore = sqlite:${join(dir, 'host.db')}\n[sniff]\ninterface = no-such-device\n`)
    write('etc/conf.d/50-more.conf', 'max_dtmf_in_call = 0')
    const ran = earshot(['sniff', '-r', fixture, '-o', 'json'])
    expect([ran.status, existsSync(join(dir, 'host.db'))]).toEqual([0, false])
    // Without -r it is a service of this host.
    const service = earshot(['sniff'])
    expect(service.status).not.toBe(0)
    expect(service.stderr).toMatch(/no-such-device/)
    expect(earshot(['sniff', '--no-config']).stderr).toMatch(/Nothing to listen to/)
  })

  test('what is wrong stops it before anything is opened, all of it told', () => {
    const conf = write('bad.conf', '[sniff]\nsnaplne = 128\nrtptimeout = soon\nstore = mysql://u:topsecret@db/calls')
    const ran = earshot(['sniff', '-r', fixture, '--config', conf], { EARSHOT_SNAPLEN: '7' })
    expect([ran.status, ran.stdout]).toEqual([2, ''])
    expect(ran.stderr).toMatch(/4 settings are wrong/)
    expect(ran.stderr).toMatch(/bad.conf:2: there is no setting snaplne\. Did you mean snaplen\?/)
    expect(ran.stderr).toMatch(/bad.conf:3: rtptimeout: "soon" is not a whole number/)
    expect(ran.stderr).toMatch(/bad.conf:4: store: a password stands in the URL/)
    expect(ran.stderr).toMatch(/EARSHOT_SNAPLEN: "7" is not a whole number from 96/)
    expect(ran.stderr).not.toContain('topsecret')
  })

  test('a file that is named must be there', () => {
    expect(earshot(['sniff', '-r', fixture, '--config', 'nowhere.conf'])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/nowhere.conf.*cannot be read/),
    })
  })
})

describe('a voipmonitor.conf as it is', () => {
  test('runs, says so in a line, and shows no password', () => {
    const ran = earshot(['sniff', '-r', fixture, '--config', theirs, '--spool', join(dir, 'vm-spool'), '-v'])
    expect(ran.status).toBe(0)
    expect(ran.stderr.split('\n')[0]).toMatch(/is VoIPmonitor’s: \d+ options honoured, \d+ ignored/)
    expect(ran.stdout + ran.stderr).not.toContain('not-to-be-seen')
    // Its layout: SIP and RTP apart.
    expect(pcapsIn(join(dir, 'vm-spool')).some((name) => name.includes('/SIP/'))).toBe(true)
  })

  test('config import tells each option and writes a file that our check accepts', () => {
    const told = JSON.parse(earshot(['config', 'import', theirs, '-o', 'json']).stdout) as {
      options: { option: string; fate: string; ours: string }[]
    }
    const of = (name: string) => told.options.filter(({ option }) => option === name).map(({ fate, ours }) => [fate, ours])
    expect(of('interface')).toEqual([['same', 'interface = eth0,eth1']])
    expect(of('savertp')).toEqual([['changed', 'save = rtp-headers']])
    expect(of('savegraph')).toEqual([['ignored', '']])
    expect(of('absolut_timeout')).toEqual([['unknown', '']])
    // The included file says it later.
    expect(of('rtptimeout')).toEqual([
      ['ignored', ''],
      ['same', 'rtptimeout = 60'],
    ])

    const ours = join(dir, 'imported', 'earshot.conf')
    const imported = earshot(['config', 'import', theirs, '-w', ours])
    expect(imported.status).toBe(0)
    expect(imported.stdout + imported.stderr + readFileSync(ours, 'utf8')).not.toContain('not-to-be-seen')
    expect(earshot(['config', 'check', ours])).toMatchObject({ status: 0, stdout: '' })
    expect(earshot(['config', 'import', theirs, '-w', ours]).status).toBe(1)
    const show = (path: string): Record<string, string> => {
      const { settings } = JSON.parse(earshot(['config', 'show', 'sniff', '--config', path, '-o', 'json']).stdout) as {
        settings: { key: string; value: string }[]
      }
      return Object.fromEntries(settings.map(({ key, value }) => [key, value]))
    }
    // A path of theirs is relative to its own file.
    expect({ ...show(ours), spooldir: '' }).toEqual({ ...show(theirs), spooldir: '' })
  })

  test('the password goes into a file for its owner alone', () => {
    const conf = write('with-db/voipmonitor.conf', 'mysqlhost = db.example.com\nmysqlpassword = not-to-be-seen\n')
    const ours = join(dir, 'with-db', 'earshot.conf')
    expect(earshot(['config', 'import', conf, '-w', ours]).status).toBe(0)
    const secret = join(dir, 'with-db', 'db-password')
    expect([readFileSync(secret, 'utf8'), statSync(secret).mode & 0o777]).toEqual(['not-to-be-seen\n', 0o600])
    expect(readFileSync(ours, 'utf8')).toContain(`store = mysql://root@db.example.com/voipmonitor?password-file=${secret}`)
  })
})

describe('config', () => {
  test('show tells where a value comes from', () => {
    const conf = write('show.conf', 'snaplen = 128\n[sniff@b]\nsnaplen = 256')
    const lines = (...args: string[]): string[] =>
      earshot(['config', 'show', 'sniff', '--changed', '--origin', '--config', conf, ...args], { EARSHOT_RTPTIMEOUT: '9' })
        .stdout.trim()
        .split('\n')
        .map((line) => line.replace(/ +/g, ' '))
    expect(lines()).toEqual([`snaplen 128 ${conf}:1`, 'rtptimeout 9 EARSHOT_RTPTIMEOUT'])
    expect(lines('--instance', 'b')).toEqual([`snaplen 256 ${conf}:3`, 'rtptimeout 9 EARSHOT_RTPTIMEOUT'])
  })

  test('init gives a file in which every line, once it is no comment, is right', () => {
    const path = join(dir, 'init', 'earshot.conf')
    expect(earshot(['config', 'init', '-w', path]).status).toBe(0)
    const text = readFileSync(path, 'utf8').replace(/^#([a-z_0-9]+ = .)/gm, '$1')
    expect(text.match(/^[a-z_0-9]+ = /gm)?.length).toBeGreaterThan(50)
    writeFileSync(path, text)
    expect(earshot(['config', 'check', path])).toMatchObject({ status: 0, stdout: '' })
    // All of it is a default: nothing changes.
    const { settings } = JSON.parse(earshot(['config', 'show', 'mirror-recv', '--config', path, '-o', 'json']).stdout) as {
      settings: { key: string; value: string }[]
    }
    const bare = JSON.parse(earshot(['config', 'show', 'mirror-recv', '--no-config', '-o', 'json']).stdout) as {
      settings: { key: string; value: string }[]
    }
    expect(settings.map(({ key, value }) => [key, value])).toEqual(bare.settings.map(({ key, value }) => [key, value]))
  })

  test('check: what a service would refuse; in the environment a hint', () => {
    const conf = write('check.conf', '[mirror-recv]\ntls_cert = /c\n[mirror-recv@x]\nmirror_bind_port = x')
    const ran = earshot(['config', 'check', conf, '-o', 'json'], { EARSHOT_SNAPLN: '1' })
    expect(ran.status).toBe(2)
    const { problems } = JSON.parse(ran.stdout) as { problems: { where: string; message: string }[] }
    expect(problems.map(({ where, message }) => [where, message])).toEqual([
      [`${conf}:4`, expect.stringMatching(/mirror_bind_port/)],
      [`${conf}:2`, expect.stringMatching(/tls_key/)],
    ])
    expect(ran.stderr).toMatch(/EARSHOT_SNAPLN .* did you mean EARSHOT_SNAPLEN\?/)
  })
})

/** Flags of a service that belong to one run, and so to no file. */
const perRun = new Set([
  'read',
  'count',
  'output',
  'json',
  'quiet',
  'verbose',
  'config',
  'no-config',
  'instance',
  'write',
  'write-format',
  'rotate-size',
  'rotate-seconds',
  'files',
  'dry-run',
])

const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as {
  commands: Record<string, { flags: Record<string, unknown> }>
}
test.each(Object.entries<SettingTable>(services))('every flag of %s is a setting, or of one run', (service, table) => {
  const flags = Object.keys(manifest.commands[service.replace('cdr-', 'cdr:')]?.flags ?? {})
  const rows = new Set(Object.entries(table).map(([key, setting]) => flagName(key, setting)))
  expect(flags.filter((name) => !rows.has(name) && !perRun.has(name))).toEqual([])
  // And every row is a flag.
  expect([...rows].filter((name) => !flags.includes(name))).toEqual([])
})

test('what readers take from files are their flags', () => {
  const flags = new Set(['fetch-pcap', 'cdr:show', 'spool:usage'].flatMap((id) => Object.keys(manifest.commands[id]?.flags ?? {})))
  expect(
    Object.entries<SettingTable[string]>(readerSettings)
      .map(([key, setting]) => flagName(key, setting))
      .filter((name) => !flags.has(name)),
  ).toEqual([])
})
