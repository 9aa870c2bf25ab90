import { readdirSync } from 'node:fs'
import { describe, expect, type TestContext, test } from 'vitest'
import type { CallJson } from '../../src/lib/call/json.js'
import { until } from '../support/mirror.js'
import { MirrorNet } from '../support/mirror-net.js'
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
  await second.end('SIGKILL')
  await traffic
  await expectAll(n)
  expect(receiver.said).toMatch(/Refused Sensor 7 impostor/)
})

describe('the pipeline', () => {
  test.concurrent('calls of sipp while the link is down for a while: each whole, with every packet of its media', {
    timeout: PATIENCE,
  }, async (context) => {
    const n = await net(context)
    const receiver = await n.receiver('--store', 'none', '--spool', 'none', '-o', 'ndjson')
    let records = ''
    receiver.child.stdout?.on('data', (chunk) => {
      records += chunk
    })
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
    await sender.end('SIGINT')
    expect(sender.said).not.toMatch(/lost|dropped|never sent/i)
    await receiver.end('SIGINT')
    const ended = records
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as CallJson)
    expect(ended.map((call) => [call.state, call.sensor_id])).toEqual([1, 2, 3].map(() => ['answered', 7]))
    const port = (address: string): string => address.split(':').at(-1) as string
    const streams = ended.flatMap((call) => call.streams.map((s) => [`${port(s.src)}\t${port(s.dst)}`, s.packets, s.lost] as const))
    expect(seen.size).toBe(6)
    expect(new Map(streams.map(([name, packets]) => [name, packets]))).toEqual(seen)
    expect(streams.every(([, , lost]) => lost === 0)).toBe(true)
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
    await again.says(/The last run was killed .*: [1-9]\d* calls were open then/)
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
