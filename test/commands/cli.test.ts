import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CallJson } from '../../src/lib/call/json.js'

// The built program as a person types it.

const root = join(import.meta.dirname, '..', '..')
const fixture = join(root, 'test', 'fixtures', 'pbx.pcap')
const dir = mkdtempSync(join(tmpdir(), 'earshot-cli-'))
afterAll(() => rmSync(dir, { recursive: true }))

interface Ran {
  status: number | null
  stdout: string
  stderr: string
}
const earshot = (...args: string[]): Ran =>
  spawnSync(process.execPath, [join(root, 'bin', 'run.js'), ...args], {
    encoding: 'utf8',
    cwd: dir,
    env: { ...process.env, HOME: dir, XDG_DATA_HOME: join(dir, 'data') },
  })
const shell = (command: string): Ran =>
  spawnSync(
    'bash',
    ['-o', 'pipefail', '-c', command.replace(/\bearshot (?=[a-z])/g, `${process.execPath} ${join(root, 'bin', 'run.js')} `)],
    {
      encoding: 'utf8',
      cwd: dir,
    },
  )
const ndjson = (text: string): CallJson[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as CallJson)

const store = `sqlite:${join(dir, 'calls.db')}`
const spool = join(dir, 'spool')
let first: Ran
beforeAll(() => {
  first = earshot('sniff', '-r', fixture, '--store', store, '--spool', spool, '-o', 'ndjson')
})

describe('sniff', () => {
  test('alone with a file it stores nothing', () => {
    const ran = earshot('sniff', '-r', fixture)
    expect(ran.status).toBe(0)
    expect(ran.stdout).toMatch(/\+15550125.*486 Busy Here/)
    expect(existsSync(join(dir, 'data'))).toBe(false)
  })

  test('stores, spools, and names the pcap in the record', () => {
    expect(first.status).toBe(0)
    const calls = ndjson(first.stdout)
    expect(calls).toHaveLength(7)
    for (const call of calls) expect(existsSync(join(spool, call.pcap as string))).toBe(true)
    expect(first.stderr).toMatch(/Stored 7 records/)
  })

  test('the same file again: the same rows once', () => {
    const again = earshot('sniff', '-r', fixture, '--store', store, '--spool', spool)
    expect(again.stderr).toMatch(/Stored 0 records, 7 were there already/)
    expect(ndjson(earshot('cdr', 'query', '--store', store, '-o', 'ndjson').stdout)).toHaveLength(7)
  })

  test('query prints the very objects that sniff printed, with their numbers', () => {
    const stored = ndjson(earshot('cdr', 'query', '--store', store, '-o', 'ndjson').stdout)
    const bare = (calls: CallJson[]): unknown[] => calls.map((c) => ({ ...c, id: null })).sort((a, b) => (a.call_id < b.call_id ? -1 : 1))
    expect(bare(stored)).toEqual(bare(ndjson(first.stdout)))
    expect(stored.every((c) => typeof c.id === 'number')).toBe(true)
  })

  test.each([
    ['table', /│ Start \(UTC\)/],
    ['csv', /^id,call_id,state,/],
    ['tsv', /^id\tcall_id\tstate\t/],
    ['json', /^\{"schema_version":1,"calls":\[/],
  ])('-o %s', (format, want) => {
    const ran = earshot('sniff', '-r', fixture, '-o', format, '-q')
    expect([ran.status, ran.stderr]).toEqual([0, ''])
    expect(ran.stdout).toMatch(want)
    expect(ran.stdout).not.toContain('\u001b')
    if (format === 'json')
      expect(JSON.parse(ran.stdout)).toMatchObject({ schema_version: 1, totals: { packets: expect.any(Number), calls: 7 } })
  })

  test('| head ends quietly', () =>
    expect(shell(`earshot sniff -r ${fixture} -o ndjson -q | head -n 1 > /dev/null`)).toMatchObject({ status: 0, stderr: '' }))

  test.each([
    ['a wrong flag', ['sniff', '--nonsense'], 2, /nonsense/i],
    ['nothing to listen to', ['sniff'], 2, /neither -i nor -r/],
    ['a missing file', ['sniff', '-r', 'nosuch.pcap'], 1, /no such file/],
    ['no capture', ['sniff', '-r', join(root, 'package.json')], 1, /looks like text/],
    ['a broken BPF expression', ['sniff', '-r', fixture, 'prt', '5060'], 2, /prt/],
    ['an unknown interface', ['sniff', '-i', 'nosuch0', '--store', 'none', '--spool', 'none'], 2, /Interfaces here: .*lo/],
    [
      'an impossible store',
      ['sniff', '-r', fixture, '--store', 'sqlite:/proc/nope/x.db'],
      1,
      /^(?![\s\S]*Records:)[\s\S]*Cannot write the record database/,
    ],
    ['an impossible spool', ['sniff', '-r', fixture, '--spool', '/proc/nope'], 1, /Cannot write pcaps/],
    ['not a store', ['sniff', '-r', fixture, '--store', 'calls.db'], 2, /not a store/],
    ['a wrong size', ['sniff', '-i', 'lo', '-B', 'big'], 2, /not a size/],
    ['an unknown command', ['snif'], 2, /snif/],
  ])('%s: exit code and what to do', (_, args, status, message) => {
    const ran = earshot(...args)
    expect([ran.status, ran.stderr]).toEqual([status, expect.stringMatching(message)])
  })
})

describe('the BPF expression on a file', () => {
  const calls = (...words: string[]): number => ndjson(earshot('sniff', '-r', fixture, '-q', '-o', 'ndjson', ...words).stdout || '').length
  test('narrows as tcpdump would', () => {
    expect(calls('udp', 'port', '5060')).toBe(7)
    expect(calls('host', '192.0.2.10')).toBe(7)
    const none = earshot('sniff', '-r', fixture, '-o', 'ndjson', 'host', '192.0.2.99')
    expect([none.stdout, none.status]).toEqual(['', 0])
    expect(none.stderr).toMatch(/did not match the filter/)
  })
})

describe('cdr and fetch-pcap', () => {
  const idOf = (status: string): string =>
    String(ndjson(earshot('cdr', 'query', '--store', store, '-o', 'ndjson', '--status', status).stdout)[0]?.id)

  test('show: the ladder is read back from the spool', () => {
    const ran = earshot('cdr', 'show', idOf('486'), '--store', store, '--spool', spool)
    expect(ran.status).toBe(0)
    expect(ran.stdout).toMatch(/486 Busy Here/)
    expect(ran.stdout).toMatch(/INVITE \[SDP\].*▶/)
    expect(ran.stdout).toMatch(/◀.*486 Busy Here \(INVITE\)/)
    expect(ran.stdout).toMatch(/Q\.850 17 User busy/)
  })

  test('fetch-pcap: a whole pcap with SIP and RTP, as tshark reads it', () => {
    const file = join(dir, 'one.pcap')
    expect(earshot('fetch-pcap', idOf('200'), '--store', store, '--spool', spool, '-w', file).status).toBe(0)
    const protocols = execFileSync('tshark', ['-r', file, '-q', '-z', 'io,phs'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    expect(protocols).toMatch(/sip/)
    expect(protocols).toMatch(/rtp/)
    expect(shell(`earshot fetch-pcap ${idOf('200')} --store ${store} --spool ${spool} | cmp - ${file}`).status).toBe(0)
  })

  test.each([
    ['no such call', ['cdr', 'show', '99999', '--store', store], 3, /no call "99999"/],
    ['no such call to fetch', ['fetch-pcap', 'x@y', '--store', store], 3, /no call/],
    ['packets that are gone', ['fetch-pcap', '1', '--store', store, '--spool', join(dir, 'other')], 6, /are gone/],
    ['no database', ['cdr', 'query', '--store', 'sqlite:nosuch.db'], 1, /no record database/],
    ['a wrong time', ['cdr', 'query', '--store', store, '--since', 'soon'], 2, /not a time/],
    ['a wrong status', ['cdr', 'query', '--store', store, '--status', '4x'], 2, /--status cannot be "4x"/],
    ['a wrong order', ['cdr', 'query', '--store', store, '--sort', 'beauty'], 2, /Cannot sort/],
    ['nothing found, asked to say so', ['cdr', 'query', '--store', store, '--number', '999', '--exit-status'], 3, /No call fits/],
  ])('%s', (_, args, status, message) => {
    const ran = earshot(...args)
    expect([ran.status, ran.stderr]).toEqual([status, expect.stringMatching(message)])
  })

  test('fetch-pcap replaces nothing unasked', () => {
    const file = join(dir, 'mine.pcap')
    writeFileSync(file, 'mine')
    expect(earshot('fetch-pcap', '1', '--store', store, '--spool', spool, '-w', file)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/exists already/),
    })
    expect(readFileSync(file, 'utf8')).toBe('mine')
    expect(earshot('fetch-pcap', '1', '--store', store, '--spool', spool, '-w', file, '--force').status).toBe(0)
  })

  test('a spreadsheet gets no formulas', () => {
    const csv = earshot('cdr', 'query', '--store', store, '-o', 'csv').stdout
    expect(csv).toMatch(/,\+15550100,/)
    for (const cell of csv.split(/,|\r\n/)) expect(cell).not.toMatch(/^[=@]/)
  })
})

test('killed in mid-run: the database and the pcaps that are there open', async () => {
  const path = join(dir, 'killed')
  const child = spawn(
    'bash',
    [
      '-c',
      `(cat ${fixture}; sleep 20) | exec ${process.execPath} ${join(root, 'bin', 'run.js')} sniff -r - --store sqlite:${path}/calls.db --spool ${path}/spool -q -o ndjson`,
    ],
    { detached: true, stdio: ['ignore', 'pipe', 'ignore'] },
  )
  await new Promise((resolve) => child.stdout.once('data', resolve))
  await new Promise((resolve) => setTimeout(resolve, 1500))
  process.kill(-(child.pid as number), 'SIGKILL')
  await new Promise((resolve) => child.once('exit', resolve))
  const calls = ndjson(earshot('cdr', 'query', '--store', `sqlite:${path}/calls.db`, '-o', 'ndjson').stdout)
  expect(calls.length).toBeGreaterThan(0)
  for (const call of calls) expect(spawnSync('capinfos', [join(path, 'spool', call.pcap as string)]).status).toBe(0)
})
