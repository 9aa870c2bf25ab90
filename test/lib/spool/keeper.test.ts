import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { expiryOf } from '../../../src/lib/spool/find.js'
import { openSpool } from '../../../src/lib/spool/index.js'
import { Keeper, type KeeperOptions } from '../../../src/lib/spool/keeper.js'
import { Ledger } from '../../../src/lib/spool/ledger.js'
import { noLimits, type SpoolLimits } from '../../../src/lib/spool/limits.js'
import { minuteSeconds } from '../../../src/lib/spool/names.js'
import { reindex } from '../../../src/lib/spool/reindex.js'
import { readMinutes } from '../../../src/lib/spool/usage.js'
import { type Packet, sip, talk } from '../../support/ladder.js'
import { spoolCalls } from '../../support/spool.js'

// The account of the spool and what it takes away, on real directories.

const dir = mkdtempSync(join(tmpdir(), 'earshot-keeper-'))
afterAll(() => rmSync(dir, { recursive: true }))
let dirs = 0
const fresh = (): string => {
  const path = join(dir, `s${dirs++}`)
  mkdirSync(path)
  return path
}

const packets: readonly Packet[] = [
  sip(0, '10.0.0.1:5060', '10.0.0.2:5060', 'INVITE'),
  ...talk(1, '10.0.0.1:4000', '10.0.0.2:6000', 100),
  sip(4, '10.0.0.1:5060', '10.0.0.2:5060', 'BYE'),
]
const DAY = 86_400
const FIRST = '2023-11-14/22/13'
const THIRD = '2023-11-16/22/13'

test('limits that change while it runs', async () => {
  const spool = await threeDays()
  const now = 1_700_000_000_000 + 3 * DAY * 1000
  const keeper = new Keeper({ dir: spool, limits: noLimits, owner: true, nowMs: () => now })
  for (let i = 0; i < 20; i++) keeper.step()
  expect(keeper.stats.deletedFiles).toBe(0)
  keeper.limitTo({ ...noLimits, days: 2 })
  for (let i = 0; i < 20; i++) keeper.step()
  expect(keeper.stats.deletedFiles).toBe(2)
  expect(new Ledger(spool).limits()).toMatchObject({ days: 2 })
  await keeper.close()
})

/** A spool of three days, two calls each. */
async function threeDays(options: Parameters<typeof spoolCalls>[2] = {}): Promise<string> {
  const spool = fresh()
  const calls = [0, 1, 2].flatMap((day) => ['a', 'b'].map((name) => ({ callId: `${name}${day}`, packets, later: day * DAY })))
  await spoolCalls(spool, calls, options)
  return spool
}

const pcaps = (spool: string): string[] =>
  (readdirSync(spool, { recursive: true, encoding: 'utf8' }) as string[]).filter((f) => /\.pcap/.test(f)).sort()
const days = (spool: string): string[] =>
  readdirSync(spool)
    .filter((name) => !name.startsWith('.'))
    .sort()

function keeper(spool: string, limits: Partial<SpoolLimits>, o: Partial<KeeperOptions> = {}): Keeper {
  return new Keeper({
    dir: spool,
    limits: { ...noLimits, ...limits },
    owner: true,
    nowMs: () => (minuteSeconds(THIRD) + 60) * 1000,
    disk: () => ({ bytes: 1e12, free: 9e11 }),
    ...o,
  })
}

/** Steps until nothing is left to do, also in the other thread. */
async function settled(it: Keeper): Promise<void> {
  for (let quiet = 0; quiet < 5; quiet++) {
    const before = JSON.stringify([it.stats, it.minutes.bytes, it.minutes.files])
    it.step()
    await new Promise((resolve) => setTimeout(resolve, 100))
    if (it.minutes.all.some((minute) => minute.busy) || JSON.stringify([it.stats, it.minutes.bytes, it.minutes.files]) !== before)
      quiet = -1
  }
}

describe('what goes', () => {
  test('by age, with its directories; the reader is told since when', async () => {
    const spool = await threeDays()
    const it = keeper(spool, { days: 1 })
    await settled(it)
    await it.close()
    expect(pcaps(spool)).toEqual([`${THIRD}/a2.pcap`, `${THIRD}/b2.pcap`])
    expect(days(spool)).toEqual(['2023-11-16'])
    expect(it.stats.deletedFiles).toBe(4)
    expect(expiryOf(spool, `${FIRST}/a0.pcap`, 'calls')).toMatchObject({ at: '2023-11-16T22:14:00.000Z', why: 'maxpooldays' })
    expect(expiryOf(spool, `${THIRD}/a2.pcap`, 'calls')).toBeUndefined()
    expect(readdirSync(join(spool, '.index')).filter((name) => name.startsWith('2'))).toEqual(['2023-11-16'])
  })

  test('by size, the oldest first, only as much as must', async () => {
    const spool = await threeDays()
    const each = statSync(join(spool, `${FIRST}/a0.pcap`)).blocks * 512
    const it = keeper(spool, { bytes: 5 * each * 1.05 })
    await settled(it)
    expect(pcaps(spool)).toHaveLength(5)
    expect(pcaps(spool)[0]).toMatch(FIRST)
    await it.close()
  })

  test.each(['no', 'gzip', 'lz4'] as const)(
    'media by age (compression %s): the files keep their SIP, whole and valid',
    async (compression) => {
      const spool = await threeDays({ compression })
      const it = keeper(spool, { mediaDays: 1 })
      await settled(it)
      await it.close()
      expect(it.stats).toMatchObject({ deletedFiles: 0, trimmedFiles: 4 })
      const suffix = { no: '', gzip: '.gz', lz4: '.lz4' }[compression]
      expect(pcaps(spool)).toHaveLength(6)
      const unpacked = execFileSync({ no: 'cat', gzip: 'zcat', lz4: 'lz4' }[compression], [
        ...(suffix === '.lz4' ? ['-dc'] : []),
        join(spool, `${FIRST}/a0.pcap${suffix}`),
      ])
      expect(tcpdump(unpacked)).toEqual([
        expect.stringMatching(/^2023-11-14 22:13:20.*5060/),
        expect.stringMatching(/^2023-11-14 22:13:24.*5060/),
      ])
      expect(expiryOf(spool, `${FIRST}/a0.pcap`, 'media')).toMatchObject({ why: 'maxpoolrtpdays' })
      expect(it.minutes.get(FIRST)).toMatchObject({ trimmed: true, mediaBytes: 0, files: 2 })
    },
  )

  test('media that lie apart are deleted, not rewritten', async () => {
    const spool = await threeDays({ layout: 'voipmonitor' })
    const it = keeper(spool, { mediaDays: 1 })
    await settled(it)
    await it.close()
    expect(it.stats).toMatchObject({ deletedFiles: 4, trimmedFiles: 0 })
    expect(pcaps(spool).filter((f) => f.includes('/RTP/'))).toEqual([`${THIRD}/RTP/a2.pcap`, `${THIRD}/RTP/b2.pcap`])
    expect(pcaps(spool).filter((f) => f.includes('/SIP/'))).toHaveLength(6)
  })

  test('a call in progress never does', async () => {
    const spool = await threeDays()
    const it = keeper(spool, { days: 1 })
    const minute = it.opened(`${FIRST}/a0.pcap`)
    await settled(it)
    expect(pcaps(spool)[0]).toBe(`${FIRST}/a0.pcap`)
    expect(pcaps(spool)).not.toContain(`${FIRST}/b0.pcap`)
    it.closed(minute, `${FIRST}/a0.pcap`)
    await settled(it)
    expect(days(spool)).toEqual(['2023-11-16'])
    await it.close()
  })

  test('media of one in progress stay while those of its minute go; told when all have gone', async () => {
    const spool = await threeDays()
    const size = (name: string): number => statSync(join(spool, FIRST, name)).size
    const whole = size('a0.pcap')
    const it = keeper(spool, { mediaDays: 1 })
    const minute = it.opened(`${FIRST}/a0.pcap`)
    await settled(it)
    expect([size('a0.pcap'), size('b0.pcap') < whole / 10]).toEqual([whole, true])
    expect(expiryOf(spool, `${FIRST}/a0.pcap`, 'media')).toBeUndefined()
    it.closed(minute, `${FIRST}/a0.pcap`)
    await settled(it)
    await it.close()
    expect(size('a0.pcap')).toBeLessThan(whole / 10)
    expect(expiryOf(spool, `${FIRST}/a0.pcap`, 'media')).toMatchObject({ why: 'maxpoolrtpdays' })
  })

  test('what others put into the spool stays', async () => {
    const spool = await threeDays()
    writeFileSync(join(spool, FIRST, 'notes.txt'), 'mine')
    mkdirSync(join(spool, 'old'))
    const it = keeper(spool, { days: 1 })
    await settled(it)
    await it.close()
    expect(readFileSync(join(spool, FIRST, 'notes.txt'), 'utf8')).toBe('mine')
    expect(days(spool)).toEqual(['2023-11-14', '2023-11-16', 'old'])
  })

  test('a file that cannot be read is told, and does not stop the rest', async () => {
    const spool = await threeDays()
    appendFileSync(join(spool, `${FIRST}/a0.pcap`), 'rubbish at the end')
    const it = keeper(spool, { mediaDays: 1 })
    const notices: string[] = []
    for (let i = 0; i < 100 && it.stats.trimmedFiles < 3; i++) {
      it.step()
      await new Promise((resolve) => setTimeout(resolve, 100))
      if (it.notice !== undefined) notices.push(it.notice)
      it.notice = undefined
    }
    await it.close()
    expect(it.stats.trimmedFiles).toBe(3)
    expect(notices).toEqual([expect.stringMatching(/could not be read/)])
    expect(statSync(join(spool, `${FIRST}/a0.pcap`)).size).toBeGreaterThan(20_000)
    expect(pcaps(spool).filter((f) => f.endsWith('.part'))).toEqual([])
  })
})

describe('the account', () => {
  const sums = (spool: string): (string | number | boolean)[][] =>
    readMinutes(spool).all.map(({ key, files, sipBytes, mediaBytes }) => [key, files, Math.round(sipBytes + mediaBytes)])
  const byDisk = (spool: string): (string | number)[][] =>
    [...new Set(pcaps(spool).map((path) => path.slice(0, 16)))].map((key) => {
      const files = pcaps(spool).filter((path) => path.startsWith(key))
      return [key, files.length, files.reduce((sum, path) => sum + statSync(join(spool, path)).blocks * 512, 0)]
    })

  test.each(['earshot', 'voipmonitor'] as const)('is what the disk says (layout %s)', async (layout) => {
    const spool = await threeDays({ layout })
    expect(sums(spool)).toEqual(byDisk(spool))
  })

  test('stays right when the same input comes again', async () => {
    const spool = await threeDays()
    const calls = ['a0', 'c0'].map((callId) => ({ callId, packets }))
    await spoolCalls(spool, calls)
    expect(sums(spool)).toEqual(byDisk(spool))
  })

  test('after a crash, what was being written is counted on the disk', async () => {
    const spool = await threeDays()
    // As a kill leaves it: the minute is open, its sums are of earlier.
    appendFileSync(join(spool, '.index/2023-11-14'), '22/13\topen\t1\t10\t90\n22/1')
    writeFileSync(join(spool, FIRST, 'late.pcap'), new Uint8Array(5000))
    const it = keeper(spool, {})
    await settled(it)
    await it.close()
    expect(sums(spool)).toEqual(byDisk(spool))
    expect(it.minutes.get(FIRST)?.files).toBe(3)
  })

  test('an index that is lost is made anew, in steps, and limits hold again', async () => {
    const spool = await threeDays()
    rmSync(join(spool, '.index'), { recursive: true })
    const it = keeper(spool, { days: 1 })
    await settled(it)
    await it.close()
    expect(days(spool)).toEqual(['2023-11-16'])
    expect(sums(spool)).toEqual(byDisk(spool))
  })

  test('reindex tells signalling from media by reading', async () => {
    const spool = await threeDays()
    const before = readMinutes(spool).get(FIRST)
    rmSync(join(spool, '.index'), { recursive: true })
    const { minutes, unreadable } = await reindex(spool, () => {})
    expect(unreadable).toEqual([])
    expect(minutes.get(FIRST)).toMatchObject({ files: 2 })
    expect(minutes.get(FIRST)?.mediaBytes).toBeCloseTo(before?.mediaBytes as number, -3)
    expect(sums(spool)).toEqual(byDisk(spool))
    expect(new Ledger(spool).minutes().get(FIRST)).toMatchObject({ files: 2, unsure: false })
  })

  test('not while a sniffer writes there, and only one of two sniffers deletes', async () => {
    const spool = fresh()
    const notices: string[] = []
    const limits = { ...noLimits, days: 1 }
    const first = await openSpool({ dir: spool, save: 'rtp', canWait: true, limits, onNotice: (t) => notices.push(`first ${t}`) })
    const second = await openSpool({ dir: spool, save: 'rtp', canWait: true, limits, onNotice: (t) => notices.push(`second ${t}`) })
    await expect(reindex(spool, () => {})).rejects.toMatchObject({ code: 'SPOOL_BUSY' })
    expect(notices).toEqual([expect.stringMatching(/^second Another process/)])
    await first.close()
    await second.close()
    await expect(reindex(spool, () => {})).resolves.toBeDefined()
  })

  test('what expired is kept short: one line an hour', async () => {
    const spool = await threeDays()
    const ledger = new Ledger(spool)
    for (let i = 0; i < 50; i++) ledger.expired(`2023-10-01/10/${String(i).padStart(2, '0')}`, 'calls', 'maxpooldays', 1.7e12 + i * 1000)
    ledger.tidy(ledger.minutes())
    expect(ledger.expiries()).toEqual([
      { from: '2023-10-01/10/00', to: '2023-10-01/10/49', what: 'calls', at: '2023-11-14T22:13:20.000Z', why: 'maxpooldays' },
    ])
    expect(expiryOf(spool, '2023-10-01/10/30/x.pcap', 'calls')?.why).toBe('maxpooldays')
    expect(existsSync(join(spool, '.index/expired.part'))).toBe(false)
  })
})

function tcpdump(pcap: Buffer): string[] {
  return execFileSync('tcpdump', ['-nn', '-tttt', '-r', '-'], {
    input: pcap,
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC' },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
    .trim()
    .split('\n')
    .filter((line) => /^\d{4}-/.test(line))
}
