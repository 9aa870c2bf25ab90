import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { HeldPacket } from '../../../src/lib/base/held.js'
import type { PacketBatch } from '../../../src/lib/base/packets.js'
import type { Micros } from '../../../src/lib/base/units.js'
import type { CallHandle } from '../../../src/lib/call/outputs.js'
import { callFiles, spoolFile } from '../../../src/lib/spool/find.js'
import { openSpool, type SpoolOptions, safeName, spoolPath } from '../../../src/lib/spool/index.js'
import { packetsOf } from '../../../src/lib/spool/packets.js'
import { batchOf, type Packet, sip, talk } from '../../support/ladder.js'
import { needsRoot } from '../../support/netns.js'

const dir = mkdtempSync(join(tmpdir(), 'earshot-spool-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
let dirs = 0
const fresh = (): string => {
  const path = join(dir, `s${dirs++}`)
  mkdirSync(path)
  return path
}

const A = '10.0.0.1:5060'
const B = '10.0.0.2:5060'
const started = 1_700_000_000_000_000 as Micros
let numbers = 0
const handle = (callId = 'call-1', at = started): CallHandle => ({ number: ++numbers, callId, started: at, tag: -1 })
const packets: readonly Packet[] = [sip(0, A, B, 'INVITE'), ...talk(1, '10.0.0.1:4000', '10.0.0.2:6000', 100), sip(4, A, B, 'BYE')]
const notices: string[] = []
const open = (path: string, o: Partial<SpoolOptions> = {}): ReturnType<typeof openSpool> =>
  openSpool({ dir: path, save: 'rtp', canWait: true, onNotice: (text) => notices.push(text), ...o })

test('an end that is bounded: a disk that hangs is not waited for, and what it did not take is counted', async () => {
  const path = fresh()
  const file = join(path, spoolPath('call-1', started, 'earshot', 'no'))
  mkdirSync(join(file, '..'), { recursive: true })
  // Whoever opens it for writing waits until somebody reads: as good as a disk that does not answer.
  execFileSync('mkfifo', [file])
  const spool = await open(path, { closeMs: 200 })
  const batch = batchOf(packets)
  const call = handle()
  for (let i = 0; i < batch.count; i++) spool.packet(call, batch, i, 'rtp', (batch.at[i] as number) + 54)
  spool.settle(batch, batch.until)
  const { dropped, packets: kept } = await spool.close()
  expect(dropped).toEqual([['disk too slow at the end', batch.count]])
  expect(notices.at(-1)).toMatch(/did not take the last \d+ packets within 0 s: they are lost/)
  expect(kept).toBe(0)
  // Lets the thread go.
  closeSync(openSync(file, constants.O_RDONLY | constants.O_NONBLOCK))
})

test('flush: what was seen of a call is in its file, while the call runs and when it has just ended', async () => {
  for (const layout of ['earshot', 'voipmonitor'] as const) {
    const path = fresh()
    const spool = await open(path, { layout })
    const batch = batchOf(packets)
    const call = handle()
    const onDisk = async (): Promise<number> => {
      const file = spool.pathOf(call) ?? name
      await spool.flush(file)
      let bytes = 0
      for await (const piece of packetsOf(callFiles(path, file, { media: true }))) bytes += piece.length
      // A header of 16 bytes each, behind one of 24.
      return bytes - 24
    }
    let name = ''
    const size = (count: number): number => batch.captured.slice(0, count).reduce((sum, n) => sum + n + 16, 0)
    const give = (from: number, to: number): void => {
      for (let i = from; i < to; i++) {
        const isSip = batch.captured[i] !== 214
        spool.packet(call, batch, i, isSip ? 'sip' : 'rtp', (batch.at[i] as number) + 54)
      }
      // Capture time stands: nothing goes out because it is old.
      spool.settle(batch, started)
    }
    give(0, 3)
    expect(await onDisk()).toBe(size(3))
    give(3, batch.count)
    name = spool.pathOf(call) as string
    spool.ended(call)
    expect(await onDisk()).toBe(size(batch.count))
    await spool.flush('no/such/call.pcap')
    await spool.close()
    await spool.flush(name)
  }
})

/** Gives a whole batch to one call. */
async function spoolBatch(path: string, batch: PacketBatch, o: Partial<SpoolOptions> = {}, call = handle()): Promise<string | undefined> {
  const spool = await open(path, o)
  for (let i = 0; i < batch.count; i++) {
    const isSip = batch.captured[i] !== 214
    spool.packet(call, batch, i, isSip ? 'sip' : 'rtp', (batch.at[i] as number) + 54)
  }
  spool.settle(batch, batch.until)
  const name = spool.pathOf(call)
  spool.ended(call)
  await spool.close()
  return name
}

const all = (path: string): string[] =>
  (readdirSync(path, { recursive: true, encoding: 'utf8' }) as string[]).filter((f) => f.endsWith('.pcap')).sort()
/** Times and lengths as tshark sees them. */
const tshark = (file: string): { time: string; length: number; captured: number }[] =>
  execFileSync('tshark', ['-r', file, '-T', 'fields', '-e', 'frame.time_epoch', '-e', 'frame.len', '-e', 'frame.cap_len'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
    .trim()
    .split('\n')
    .map((line) => line.split('\t'))
    .map(([time, length, captured]) => ({ time: time as string, length: Number(length), captured: Number(captured) }))

describe('names', () => {
  test.each([
    ['a84b4c76e66710@pc33.example.com', 'a84b4c76e66710@pc33.example.com'],
    ['1-12@[::1]', /^1-12@_::1_~[0-9a-f]{12}$/],
    ['../../etc/passwd', /^_[a-z_./]*~[0-9a-f]{12}$/],
    ['.hidden', /^_hidden~/],
    ['-rf', /^_rf~/],
    ['a/b', /^a_b~/],
    ['a\u0000b\u001b[31m', /^a_b__31m~/],
    ['', /^~[0-9a-f]{12}$/],
    ['Žofie', /^_ofie~/],
  ])('%j', (callId, want) => {
    const name = safeName(callId)
    if (typeof want === 'string') expect(name).toBe(want)
    else expect(name).toMatch(want)
    expect(name).not.toMatch(/\/|^\.|^-/)
  })

  test('300 characters are cut, and two that begin alike stay apart', () => {
    const [a, b] = ['x', 'y'].map((end) => safeName('c'.repeat(300) + end))
    expect([a?.length, a === b]).toEqual([113, false])
  })

  test('what the change makes equal, the hash tells apart', () => expect(new Set(['a/b', 'a\\b', 'a_b', 'a b'].map(safeName)).size).toBe(4))
  test('the directory is the minute of the INVITE, UTC', () => expect(spoolPath('x', started)).toBe('2023-11-14/22/13/x.pcap'))
  test('a stored path cannot lead out', () => {
    expect(spoolFile('/spool', '2023/x.pcap')).toBe('/spool/2023/x.pcap')
    for (const path of ['../x', '/etc/passwd', '2023/../../x', '']) expect(() => spoolFile('/spool', path)).toThrow(/outside/)
  })
})

describe('what is written', () => {
  test('every packet, in order, as tshark reads it', async () => {
    const path = fresh()
    const name = await spoolBatch(path, batchOf(packets))
    const seen = tshark(join(path, name as string))
    expect(seen).toHaveLength(packets.length)
    expect(seen[0]?.time).toBe('1700000000.000000000')
    expect(seen.map((p) => p.time)).toEqual(seen.map((p) => p.time).sort())
  })

  test.each<[SpoolOptions['save'], number, number]>([
    ['sip', 2, 2],
    ['rtp', 102, 0],
    ['rtp-headers', 102, 100],
  ])('save %s', async (save, count, cut) => {
    const path = fresh()
    const seen = tshark(join(path, (await spoolBatch(path, batchOf(packets), { save })) as string))
    expect(seen).toHaveLength(count)
    if (save === 'rtp-headers') expect(seen.filter((p) => p.captured === 54 && p.length === 214)).toHaveLength(cut)
  })

  test('nanoseconds are kept', async () => {
    const path = fresh()
    const batch = { ...batchOf(packets), nanos: Uint16Array.from(packets, (_, i) => i) }
    const seen = tshark(join(path, (await spoolBatch(path, batch)) as string))
    expect(seen[57]?.time.slice(-3)).toBe('057')
  })

  test('packets that come late are put in order: held ones, and disordered captures', async () => {
    const path = fresh()
    const spool = await open(path)
    const call = handle()
    const batch = batchOf(packets)
    for (let i = 1; i < batch.count; i++) spool.packet(call, batch, i, 'rtp', 0)
    spool.settle(batch, batch.until)
    const held: HeldPacket = { bytes: (packets[0] as Packet).frame, length: 400, micros: started, nanos: 0, linkType: 1 }
    spool.held(call, held, 'sip')
    spool.ended(call)
    await spool.close()
    const times = tshark(join(path, all(path)[0] as string)).map((p) => p.time)
    expect(times).toHaveLength(102)
    expect(times).toEqual([...times].sort())
  })

  test('a long call crosses many chunks and stays in order', async () => {
    const path = fresh()
    const long = talk(0, '10.0.0.1:4000', '10.0.0.2:6000', 5000).map((p, i) => ({ ...p, at: p.at - (i % 50 === 0 ? 0.15 : 0) }))
    const name = await spoolBatch(path, { ...batchOf(long) })
    const times = tshark(join(path, name as string)).map((p) => p.time)
    expect(times).toHaveLength(5000)
    expect(times).toEqual([...times].sort())
  })

  test('two link types go to two files, each valid', async () => {
    const path = fresh()
    const spool = await open(path)
    const call = handle()
    for (const [index, linkType] of [1, 276].entries()) {
      const batch = { ...batchOf(packets), linkType }
      spool.packet(call, batch, index, 'sip', 0)
      spool.settle(batch, batch.until)
    }
    spool.ended(call)
    await spool.close()
    expect(all(path)).toEqual(['2023-11-14/22/13/call-1.pcap', '2023-11-14/22/13/call-1~linktype276.pcap'])
  })

  test('the same Call-ID again in the same minute gets a file of its own', async () => {
    const path = fresh()
    const spool = await open(path)
    for (const at of [started, (started + 5_000_000) as Micros]) {
      const call = handle('again', at)
      spool.packet(call, batchOf(packets), 0, 'sip', 0)
      spool.settle(batchOf(packets), at)
      spool.ended(call)
    }
    await spool.close()
    expect(all(path)).toHaveLength(2)
  })

  test('the same input twice leaves the same bytes', async () => {
    const path = fresh()
    const name = join(path, (await spoolBatch(path, batchOf(packets))) as string)
    const first = readFileSync(name)
    await spoolBatch(path, batchOf(packets))
    expect(readFileSync(name).equals(first)).toBe(true)
  })

  test('while a call runs, its file can be opened: what is older than two seconds is there', async () => {
    const path = fresh()
    const spool = await open(path)
    const call = handle()
    const batch = batchOf(talk(0, '10.0.0.1:4000', '10.0.0.2:6000', 200))
    for (let i = 0; i < 200; i++) spool.packet(call, batch, i, 'rtp', 0)
    spool.settle(batch, (started + 4e6) as Micros)
    const seen = (): number => (all(path)[0] === undefined ? 0 : tshark(join(path, all(path)[0] as string)).length)
    await expect.poll(seen, { timeout: 4000 }).toBeGreaterThan(100)
    await spool.close()
  })

  test('a link planted in the spool leads nowhere', async () => {
    const path = fresh()
    const victim = join(dir, 'victim')
    writeFileSync(victim, 'precious')
    mkdirSync(join(path, '2023-11-14/22/13'), { recursive: true })
    symlinkSync(victim, join(path, '2023-11-14/22/13/call-1.pcap'))
    await spoolBatch(path, batchOf(packets))
    expect(readFileSync(victim, 'utf8')).toBe('precious')
    expect(lstatSync(join(path, '2023-11-14/22/13/call-1.pcap')).isSymbolicLink()).toBe(true)
  })
})

describe('when the disk does not', () => {
  test('a directory that cannot be written is told at once', async () => {
    const file = join(dir, 'a-file')
    writeFileSync(file, '')
    chmodSync(file, 0o600)
    await expect(open(join(file, 'below'))).rejects.toMatchObject({
      code: 'SPOOL_OPEN',
      suggestions: expect.arrayContaining([expect.stringContaining('--save none')]),
    })
  })

  test('a full disk: one notice, counted, whole records, and the run goes on', async () => {
    needsRoot()
    const path = fresh()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', path])
    try {
      notices.length = 0
      const spool = await open(path)
      const calls = Array.from({ length: 8 }, (_, i) => handle(`full-${i}`))
      const batch = batchOf(talk(0, '10.0.0.1:4000', '10.0.0.2:6000', 400))
      for (const call of calls) {
        for (let i = 0; i < batch.count; i++) spool.packet(call, batch, i, 'rtp', 0)
        spool.settle(batch, batch.until)
        spool.ended(call)
        await spool.drained()
      }
      const stats = await spool.close()
      expect(notices).toHaveLength(1)
      expect(notices[0]).toMatch(/disk is full/)
      expect(stats.dropped.reduce((sum, [, n]) => sum + n, 0)).toBeGreaterThan(0)
      for (const file of all(path)) {
        if (statSync(join(path, file)).size === 0) continue
        expect(spawnSync('tshark', ['-r', join(path, file), '-c', '10000'], { encoding: 'utf8' }).stderr).not.toMatch(/cut short|damaged/)
      }
    } finally {
      execFileSync('umount', [path])
    }
  })

  test('memory is bounded: a live source loses packets, counted; it does not grow', async () => {
    const path = fresh()
    const spool = await open(path, { canWait: false, shipmentBytes: 4 << 20 })
    const batch = batchOf(talk(0, '10.0.0.1:4000', '10.0.0.2:6000', 500))
    // No turn of the event loop in between: the writing thread's answers cannot come.
    for (let c = 0; c < 100; c++) {
      const call = handle(`flood-${c}`)
      for (let i = 0; i < batch.count; i++) spool.packet(call, batch, i, 'rtp', 0)
      spool.settle(batch, batch.until)
    }
    const stats = await spool.close()
    const dropped = stats.dropped.reduce((sum, [, n]) => sum + n, 0)
    expect(dropped).toBeGreaterThan(0)
    expect(stats.packets + dropped).toBe(100 * 500)
  })
})

test('killed in mid-run: every file opens', async () => {
  const root = join(import.meta.dirname, '..', '..', '..')
  const path = fresh()
  const script = join(dir, 'endless.mjs')
  writeFileSync(
    script,
    `import { openSpool } from ${JSON.stringify(join(root, 'dist/lib/spool/index.js'))}
const spool = await openSpool({ dir: ${JSON.stringify(path)}, save: 'rtp', canWait: true, onNotice: () => {} })
const bytes = new Uint8Array(214).fill(7)
const calls = Array.from({ length: 40 }, (_, i) => ({ number: i, callId: 'k' + i, started: 1.7e15, tag: -1 }))
for (let n = 0; ; n++) {
  const batch = { bytes, count: 1, at: Uint32Array.of(0), captured: Uint32Array.of(214), length: Uint32Array.of(214), micros: Float64Array.of(1.7e15 + n * 500), linkType: 1, until: 0, release() {} }
  spool.packet(calls[n % 40], batch, 0, 'rtp', 54)
  spool.settle(batch, 1.7e15 + n * 500)
  if (n % 1000 === 0) { await spool.drained(); await new Promise(setImmediate); if (n === 60000) process.stdout.write('going') }
}`,
  )
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('exit', resolve))
  const files = all(path)
  expect(files).toHaveLength(40)
  const capinfos = (paths: readonly string[]): string => spawnSync('capinfos', ['-c', ...paths], { encoding: 'utf8' }).stderr
  // The kernel breaks off a write of a process that is killed, between two pages: of the one file that was being written to.
  const troubles = capinfos(files.map((file) => join(path, file)))
  expect(troubles.match(/cut short/g)?.length ?? 0).toBeLessThanOrEqual(1)
  expect(troubles).not.toMatch(/isn't a capture file|bad/)
  // What is fetched is whole in any case.
  const fetched = await Promise.all(
    files.map(async (file, i) => {
      const target = join(dir, `fetched-${i}.pcap`)
      for await (const piece of packetsOf([join(path, file)])) appendFileSync(target, piece)
      return target
    }),
  )
  expect(capinfos(fetched)).toBe('')
})

test('a record that is cut is left out of what is fetched, wherever it is cut', async () => {
  const path = fresh()
  const full = join(path, (await spoolBatch(path, batchOf(packets))) as string)
  const whole = readFileSync(full)
  for (const cut of [1, 200, 214, 215, 229, 230]) {
    writeFileSync(full, whole.subarray(0, whole.length - (packets.at(-1) as Packet).frame.length - 16 - cut))
    const pieces: Uint8Array[] = []
    for await (const piece of packetsOf([full])) pieces.push(piece)
    // 214 bytes and the header of a record each.
    expect([cut, Buffer.concat(pieces).length]).toEqual([cut, whole.length - (packets.at(-1) as Packet).frame.length - 16 - 230])
  }
})
