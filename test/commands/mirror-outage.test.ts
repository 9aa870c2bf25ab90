import { readdirSync } from 'node:fs'
import { describe, expect, type TestContext, test } from 'vitest'
import type { CallJson } from '../../src/lib/call/json.js'
import { until } from '../support/mirror.js'
import { MirrorNet, type Running } from '../support/mirror-net.js'
import { needsRoot } from '../support/netns.js'

// The link fails in every way, with the real programs in network namespaces; what the receiver has is compared with what a
// tcpdump beside the sender saw. EARSHOT_LONG=1 makes each outage a minute long, and the traffic a minute and a half.

const long = process.env['EARSHOT_LONG'] === '1'
const OUTAGE_MS = long ? 60_000 : 1500
const PACKETS = long ? 90_000 : 3500
const RATE = long ? 1000 : 2000
const PATIENCE = long ? 400_000 : 120_000

/** Ends with the test that made it. */
const net = async ({ onTestFinished }: Pick<TestContext, 'onTestFinished'>, o: { late?: boolean } = {}): Promise<MirrorNet> => {
  needsRoot()
  const made = await MirrorNet.make(o)
  onTestFinished(() => made.destroy(), 30_000)
  return made
}
const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms))

/** The receiver has, in order and once, just what the referee saw. */
async function expectAll(n: MirrorNet): Promise<void> {
  const seen = await n.seen(PACKETS)
  await n.has(seen.length, PATIENCE)
  // Time for what should not come.
  await pause(200)
  const got = n.got()
  expect(seen.length).toBe(PACKETS)
  expect(got.length).toBe(seen.length)
  expect(got.findIndex((frame, i) => frame !== seen[i])).toBe(-1)
}

test.concurrent('the receiver is killed and comes back', { timeout: PATIENCE }, async (context) => {
  const n = await net(context)
  const receiver = await n.receiver()
  const sender = await n.sender()
  await sender.says(/Connected/)
  await n.referee()
  const traffic = n.traffic(0, PACKETS, RATE)
  await n.has(100, PATIENCE)
  await receiver.end('SIGKILL')
  await pause(OUTAGE_MS / 2)
  const again = await n.receiver()
  await traffic
  await expectAll(n)
  await sender.end('SIGINT')
  expect(sender.said).toMatch(/Lost 10\.9\.0\.2:5030/)
  await again.end('SIGINT')
  expect(again.child.exitCode).toBe(0)
})

test.concurrent('the link is down', { timeout: PATIENCE }, async (context) => {
  const n = await net(context)
  await n.receiver()
  const sender = await n.sender()
  await sender.says(/Connected/)
  await n.referee()
  const traffic = n.traffic(0, PACKETS, RATE)
  await pause(300)
  n.link('down')
  await pause(OUTAGE_MS)
  n.link('up')
  await traffic
  await expectAll(n)
})

test.concurrent('the link is late, loses and changes the order', { timeout: PATIENCE }, async (context) => {
  const n = await net(context, { late: true })
  n.late({ delayMs: 20, jitterMs: 10, loss: 0.05 })
  await n.receiver()
  const sender = await n.sender()
  await sender.says(/Connected/)
  await n.referee()
  await n.traffic(0, PACKETS, RATE)
  await expectAll(n)
})

test.concurrent('the link is far too slow, memory is full, then the disk is used', { timeout: PATIENCE }, async (context) => {
  const n = await net(context)
  await n.receiver()
  const sender = await n.sender(
    ...['--packetbuffer-total-maxheap', '1', '--packetbuffer-file-path', `${n.dir}/buffer`, '--packetbuffer-file-totalmaxsize', '500'],
  )
  await sender.says(/Connected/)
  await n.referee()
  // In the long form a tenth of the traffic; in the short one so little that all of it waits.
  n.rate(long ? '350kbit' : '100kbit')
  const traffic = n.traffic(0, PACKETS, RATE)
  await pause(OUTAGE_MS)
  await traffic
  expect(readdirSync(`${n.dir}/buffer`).some((name) => name.endsWith('.blocks'))).toBe(true)
  n.rate(undefined)
  await expectAll(n)
  await sender.end('SIGINT')
  expect(sender.said).toMatch(/packets in .* sent$/m)
})

test.concurrent('the sender is killed while the receiver is away: what was on disk comes, once', { timeout: PATIENCE }, async (context) => {
  const n = await net(context)
  const buffer = [
    '--packetbuffer-total-maxheap',
    '1',
    '--packetbuffer-file-path',
    `${n.dir}/buffer`,
    '--packetbuffer-file-totalmaxsize',
    '500',
  ]
  const first = await n.sender(...buffer)
  await n.referee()
  await n.traffic(0, PACKETS, RATE)
  await pause(300)
  await first.end('SIGKILL')
  const seen = await n.seen(PACKETS)
  const receiver = await n.receiver()
  const second = await n.sender(...buffer)
  await second.says(/packets of the last run wait on disk/)
  const waiting = Number(/([\d,]+) packets of the last run/.exec(second.said)![1]!.replaceAll(',', ''))
  await n.has(waiting, PATIENCE)
  await pause(200)
  // The first megabyte was in memory, and is gone with the process; the rest is whole and in order.
  expect(n.got()).toEqual(seen.slice(-waiting))
  expect(waiting).toBeGreaterThan(PACKETS - 2 ** 20 / 400 - 250)
  await second.end('SIGINT')
  await receiver.end('SIGINT')
})

test.concurrent('the sender is killed while the receiver is there: only what was not sent yet is lost', {
  timeout: PATIENCE,
}, async (context) => {
  const n = await net(context)
  await n.receiver()
  const first = await n.sender()
  await first.says(/Connected/)
  await n.referee()
  const half = PACKETS / 2
  await n.traffic(0, half, RATE)
  await n.has(half, PATIENCE)
  const traffic = n.traffic(half, PACKETS, RATE)
  await n.has(half + 200, PATIENCE)
  // Sizes count remarks as well; this counts packets.
  await until('they are there', () => n.got().length >= half + 200, PATIENCE)
  await first.end('SIGKILL')
  await traffic
  const second = await n.sender()
  await second.says(/Connected/)
  await n.traffic(PACKETS, PACKETS + 500, RATE)
  const seen = await n.seen(PACKETS + 500)
  await until('the last packet is there', () => n.got().at(-1) === seen.at(-1), PATIENCE)
  const got = n.got()
  // One gap, from the last block that went out to the start of the second sender; none when all had gone out before the kill.
  const firstMissing = got.findIndex((frame, i) => frame !== seen[i])
  const gapAt = firstMissing < 0 ? seen.length - 500 : firstMissing
  expect(gapAt).toBeGreaterThanOrEqual(half + 200)
  expect(got).toEqual([...seen.slice(0, gapAt), ...seen.slice(-500)])
  await second.end('SIGINT')
})

test.concurrent('the sender ends in order while the receiver is away, and goes on where it was', { timeout: PATIENCE }, async (context) => {
  const n = await net(context)
  const buffer = ['--packetbuffer-file-path', `${n.dir}/buffer`, '--packetbuffer-file-totalmaxsize', '500']
  const first = await n.sender(...buffer)
  await n.referee()
  await n.traffic(0, PACKETS, RATE)
  await pause(300)
  await first.end('SIGTERM')
  expect(first.said).toMatch(/packets wait on disk for the next run/)
  await n.receiver()
  await n.sender(...buffer)
  await expectAll(n)
})

test.concurrent('memory and disk are full: what is lost is counted, the rest comes', { timeout: PATIENCE }, async (context) => {
  const n = await net(context)
  const disk = n.smallDisk(1)
  // The disk says "full" before its limit does.
  const sender = await n.sender(
    ...[
      '--packetbuffer-total-maxheap',
      '1',
      '--packetbuffer-file-path',
      disk,
      '--packetbuffer-file-totalmaxsize',
      '500',
      '--packetbuffer-drop',
      'newest',
    ],
  )
  await n.referee()
  const sent = long ? PACKETS : 8000
  await n.traffic(0, sent, RATE * 2)
  await sender.says(/takes no more: ENOSPC/)
  await n.receiver()
  await sender.says(/Connected/)
  const seen = await n.seen(sent)
  await pause(1500)
  await sender.end('SIGINT')
  const lost = Number(/write failed ([\d,]+)/.exec(sender.said)![1]!.replaceAll(',', ''))
  const got = n.got()
  expect(got.length + lost).toBe(seen.length)
  expect(got.length).toBeGreaterThan(3000)
  // In order, each once.
  const places = got.map((frame) => seen.indexOf(frame))
  expect(places.every((place, i) => place >= 0 && (i === 0 || place > places[i - 1]!))).toBe(true)
  expect(sender.child.exitCode).toBe(4)
})

test.concurrent('a second sender with the same id changes nothing for the first', { timeout: PATIENCE }, async (context) => {
  const n = await net(context)
  const receiver = await n.receiver()
  const sender = await n.sender()
  await sender.says(/Connected/)
  await n.referee()
  const traffic = n.traffic(0, PACKETS, RATE)
  await pause(200)
  const second = await n.sender('--name', 'impostor')
  await second.says(/id_sensor 7 is already connected/)
  // It goes on trying, and sees the same packets.
  if (long) await pause(OUTAGE_MS)
  await second.end('SIGKILL')
  await traffic
  await sender.end('SIGINT')
  expect(sender.said).not.toMatch(/Lost 10\.9\.0\.2/)
  await expectAll(n)
  expect(receiver.said).toMatch(/Refused Sensor 7 impostor/)
})

describe('the pipeline', () => {
  /** The records that a receiver with `-o ndjson` has printed so far. */
  const recordsOf = (receiver: Running): (() => CallJson[]) => {
    let text = ''
    receiver.child.stdout?.on('data', (chunk) => {
      text += chunk
    })
    return () =>
      text
        .split('\n')
        .filter((line) => line.endsWith('}'))
        .map((line) => JSON.parse(line) as CallJson)
  }
  const port = (address: string): string => address.split(':').at(-1) as string
  /** "from port\tto port" → packets received. */
  const streamsOf = (calls: readonly CallJson[]): Map<string, number> =>
    new Map(calls.flatMap((call) => call.streams.map((s) => [`${port(s.src)}\t${port(s.dst)}`, s.packets] as const)))

  test.concurrent('the receiver is killed with a call open: calls that begin while it is away come whole', {
    timeout: PATIENCE,
  }, async (context) => {
    const n = await net(context)
    const words = ['--store', 'none', '--spool', 'none', '-o', 'ndjson']
    const receiver = await n.receiver(...words)
    const sender = await n.sender('-i', 'lo')
    await sender.says(/Connected/)
    await n.referee('lo')
    const calls = [n.call(0)]
    await until('a call is open', () => n.receiverState()?.open_calls === 1)
    await receiver.end('SIGKILL')
    calls.push(n.call(1), n.call(2))
    await pause(OUTAGE_MS)
    const again = await n.receiver(...words)
    const records = recordsOf(again)
    await again.says(/The last run was killed .*: calls open then: 1\./)
    await Promise.all(calls)
    const seen = await n.mediaSeen(3 * (7 + 400))
    await until('the records are there', () => records().filter(({ state }) => state === 'answered').length >= 2, PATIENCE)
    await sender.end('SIGINT')
    expect(sender.said).not.toMatch(/left out or lost/)
    await again.end('SIGINT')
    const whole = records().filter(({ state }) => state === 'answered')
    // The ports of call 0 lie below those of the others.
    const later = new Map([...seen].filter(([ports]) => ports.split('\t').every((one) => Number(one) >= 7120)))
    expect(later.size).toBe(4)
    expect(streamsOf(whole)).toEqual(later)
  })

  test.concurrent('calls of sipp while the link is down for a while: each whole, with every packet of its media', {
    timeout: PATIENCE,
  }, async (context) => {
    const n = await net(context)
    const receiver = await n.receiver('--store', 'none', '--spool', 'none', '-o', 'ndjson')
    const records = recordsOf(receiver)
    const sender = await n.sender('-i', 'lo')
    await sender.says(/Connected/)
    await n.referee('lo')
    const calls = Promise.all([0, 1, 2].map((number) => n.call(number)))
    await pause(1000)
    n.link('down')
    await pause(OUTAGE_MS)
    n.link('up')
    await calls
    // Seven messages a call, 200 packets of RTP each way.
    const seen = await n.mediaSeen(3 * (7 + 400))
    // After a long outage the sender has to find its receiver again; what it cannot deliver at its end would count as lost.
    await until('the records are there', () => records().length >= 3, PATIENCE)
    await sender.end('SIGINT')
    expect(sender.said).not.toMatch(/left out or lost/)
    await receiver.end('SIGINT')
    const ended = records()
    expect(ended.map((call) => [call.state, call.sensor_id])).toEqual([1, 2, 3].map(() => ['answered', 7]))
    expect(seen.size).toBe(6)
    expect(streamsOf(ended)).toEqual(seen)
    expect(ended.flatMap(({ streams }) => streams).every(({ lost }) => lost === 0)).toBe(true)
  })

  test.concurrent('a killed receiver says how many calls were open; a clock an hour ahead is corrected', {
    timeout: PATIENCE,
  }, async (context) => {
    const n = await net(context)
    const fixture = new URL('../fixtures/pbx.pcap', import.meta.url).pathname
    // The file of a machine whose clock is an hour ahead, which says the same to the receiver.
    n.pbx.run('editcap', '-t', '3600', fixture, `${n.dir}/ahead.pcap`)
    const receiver = await n.receiver('--store', 'none', '--spool', 'none', '-o', 'ndjson')
    let records = ''
    receiver.child.stdout?.on('data', (chunk) => {
      records += chunk
    })
    const clock = `data:text/javascript,${encodeURIComponent('const now = Date.now; Date.now = () => now() + 3600000')}`
    n.pbx.run(
      ...([
        process.execPath,
        '--import',
        clock,
        new URL('../../bin/run.js', import.meta.url).pathname,
        'mirror-send',
        '-r',
        `${n.dir}/ahead.pcap`,
      ] as [string, ...string[]]),
      ...['--to', '10.9.0.2', '--plain', '--id-sensor', '9'],
    )
    await until('calls are open', () => /clock is 3[56]\d\d\.\d s ahead of ours/.test(receiver.said) && records.split('\n').length > 3)
    await pause(1200)
    await receiver.end('SIGKILL')
    const again = await n.receiver('--store', 'none', '--spool', 'none')
    await again.says(/The last run was killed .*: calls open then: [1-9]/)
    const truth = JSON.parse(
      n.pbx.run(process.execPath, new URL('../../bin/run.js', import.meta.url).pathname, 'sniff', '-r', fixture, '--json', '-q'),
    ) as { calls: { call_id: string; started: string }[] }
    const started = new Map(truth.calls.map((call) => [call.call_id, Date.parse(call.started)]))
    const ended = records
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { call_id: string; started: string; sensor: number })
    for (const call of ended) expect(Math.abs(Date.parse(call.started) - started.get(call.call_id)!)).toBeLessThan(1000)
  })
})
