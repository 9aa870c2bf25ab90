import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Keeper } from '../../src/lib/spool/keeper.js'
import { noLimits } from '../../src/lib/spool/limits.js'

// Looking after the spool, and fetching from it, as a person types it.

const root = join(import.meta.dirname, '..', '..')
const fixture = join(root, 'test', 'fixtures', 'pbx.pcap')
const dir = mkdtempSync(join(tmpdir(), 'earshot-spool-cli-'))
const spool = join(dir, 'spool')
const where = ['--store', `sqlite:${join(dir, 'calls.db')}`, '--spool', spool]
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
/** What a sniffer with these limits would have done by then. */
async function clean(limits: Partial<typeof noLimits>): Promise<void> {
  const keeper = new Keeper({
    dir: spool,
    limits: { ...noLimits, ...limits },
    owner: true,
    nowMs: () => Date.parse('2027-01-01T00:00:00Z'),
  })
  for (let quiet = 0; quiet < 10; quiet++) {
    keeper.step()
    await new Promise((resolve) => setTimeout(resolve, 50))
    if (keeper.minutes.withMedia.some((minute) => minute.busy)) quiet = -1
  }
  await keeper.close()
}

let first: Ran
beforeAll(() => {
  first = earshot('sniff', '-r', fixture, ...where)
})

test('sniff says what was kept', () => expect(first.stderr).toMatch(/Kept 2,121 packets in 7 pcaps \(\d+ KiB\)/))

describe('spool usage', () => {
  test('a line a day, and the sum', () => {
    const ran = earshot('spool', 'usage', '--spool', spool)
    expect(ran.status).toBe(0)
    expect(ran.stdout).toMatch(/2026-11-24 │\s+7 │/)
    expect(ran.stdout).toMatch(/KiB in 7 files \(SIP .*RTP .*\); .* are free on its disk/)
  })
  test('for programs', () => {
    expect(JSON.parse(earshot('spool', 'usage', '--spool', spool, '--json').stdout)).toMatchObject({
      schema_version: 1,
      days: [{ day: '2026-11-24', files: 7, sip_bytes: expect.any(Number), rtp_bytes: expect.any(Number), bytes: expect.any(Number) }],
      totals: { files: 7 },
    })
  })
  test('where there is none', () =>
    expect(earshot('spool', 'usage', '--spool', join(dir, 'nope'))).toMatchObject({ status: 1, stderr: expect.stringMatching(/no spool/) }))
})

describe('spool plan', () => {
  test('nothing has to go: no writer had limits, so what a live one would have', () =>
    expect(earshot('spool', 'plan', '--spool', spool).stdout).toMatch(
      /nothing has to go now\. Limits: autocleanspoolminpercent 1 %, autocleanmingb 5\.0 GiB/,
    ))
  test('what would go, were there limits; and nothing does', () => {
    const ran = earshot(
      'spool',
      'plan',
      '--spool',
      spool,
      '--maxpooldays',
      '0',
      '--autocleanmingb',
      '0',
      '--autocleanspoolminpercent',
      '0',
      '--maxpoolsipdays',
      '1',
      '-o',
      'json',
    )
    const { steps, totals } = JSON.parse(ran.stdout)
    // The fixture was recorded on 2026-11-24: by now that is more than a day ago.
    expect(steps).toEqual([
      { what: 'calls', why: 'maxpoolsipdays', from: '2026-11-24/17/01', to: '2026-11-24/17/01', files: 7, bytes: totals.bytes_before },
    ])
    expect(totals.bytes_after).toBe(0)
    expect(readdirSync(join(spool, '2026-11-24/17/01'))).toHaveLength(7)
  })
})

test('spool reindex', () => {
  rmSync(join(spool, '.index'), { recursive: true })
  expect(earshot('spool', 'reindex', '--spool', spool)).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/^7 files in 1 minute: SIP .*RTP/),
  })
  expect(readFileSync(join(spool, '.index/2026-11-24'), 'utf8')).toMatch(/^17\/01\tdone\t7\t\d+\t\d+\n$/)
})

describe('fetch-pcap', () => {
  const out = (name: string): string => join(dir, name)
  test('signalling only', () => {
    expect(earshot('fetch-pcap', '1', ...where, '--sip-only', '-w', out('sip.pcap')).status).toBe(0)
    expect(readFileSync(out('sip.pcap')).length).toBeLessThan(8000)
  })
  test('when the media are gone: the rest, exit code 4, and since when', async () => {
    await clean({ mediaDays: 1 })
    const ran = earshot('fetch-pcap', '1', ...where, '-w', out('rest.pcap'))
    expect(ran).toMatchObject({ status: 4, stderr: expect.stringMatching(/media are gone since 2027-01-01T00:00:0.*maxpoolrtpdays/) })
    expect(readFileSync(out('rest.pcap')).equals(readFileSync(out('sip.pcap')))).toBe(true)
    expect(earshot('fetch-pcap', '1', ...where, '--sip-only', '-w', out('again.pcap')).status).toBe(0)
    expect(earshot('cdr', 'show', '1', ...where).stdout).toMatch(/INVITE/)
  })
  test('when the call is gone: exit code 6, and since when', async () => {
    await clean({ days: 1 })
    expect(earshot('fetch-pcap', '1', ...where, '-w', out('none.pcap'))).toMatchObject({
      status: 6,
      stderr: expect.stringMatching(/gone since 2027-01-01T00:00:0.*maxpooldays/),
    })
    expect(earshot('cdr', 'show', '1', ...where).stdout).toMatch(/packets are gone since 2027-01-01/)
    expect(readdirSync(spool)).toEqual(['.index'])
  })
})

describe('sniff', () => {
  test('masks digits in the records, too', () => {
    const digits = (...args: string[]): string =>
      earshot('sniff', '-r', fixture, '-o', 'ndjson', '-q', ...args)
        .stdout.trim()
        .split('\n')
        .flatMap((text) => JSON.parse(text).dtmf.map((press: { digit: string }) => press.digit))
        .join('')
    expect(digits()).toMatch(/^[0-9*#]+$/)
    expect(digits('--mask-dtmf', 'yes')).toMatch(/^X+$/)
  })
  test('lz4 for VoIPmonitor’s layout is a usage error', () =>
    expect(
      earshot('sniff', '-r', fixture, '--spool', join(dir, 'x'), '--spool-layout', 'voipmonitor', '--pcap-dump-zip', 'lz4'),
    ).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/gzip/),
    }))
})

// /var/lib is another one for this process alone.
const root0 = process.getuid?.() === 0
test.skipIf(!root0)('the spool of a host’s services, when their records are on a server [needs root]', () => {
  const varLib = join(dir, 'var-lib')
  earshot('sniff', '-r', fixture, '--spool', join(varLib, 'earshot', 'spool'))
  const within = ['-m', '--propagation', 'private', 'sh', '-c', 'mount --bind "$0" /var/lib && exec "$@"', varLib]
  const { status, stdout } = spawnSync(
    'unshare',
    [...within, process.execPath, join(root, 'bin', 'run.js'), 'spool', 'usage', '-o', 'json'],
    {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: join(dir, 'nobody') },
    },
  )
  expect([status, (JSON.parse(stdout) as { totals: unknown }).totals]).toMatchObject([0, { files: 7 }])
})
