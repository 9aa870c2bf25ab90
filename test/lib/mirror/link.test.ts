import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { PacketBatch } from '../../../src/lib/base/packets.js'
import type { CallRecord } from '../../../src/lib/call/record.js'
import { keyOf } from '../../../src/lib/mirror/auth.js'
import { type Compression, numberBlock, OwnPacker } from '../../../src/lib/mirror/block.js'
import { BlockQueue } from '../../../src/lib/mirror/block-queue.js'
import { Receiver, type ReceiverOptions } from '../../../src/lib/mirror/receiver.js'
import { runSender, type SenderParts, type SenderResult } from '../../../src/lib/mirror/sender.js'
import { SpareBuffers } from '../../../src/lib/mirror/spare-buffers.js'
import { ClassicPacker, classicHandshake } from '../../../src/lib/mirror/voipmonitor.js'
import { Trackers } from '../../../src/lib/sniffer/trackers.js'
import { trackerOptions } from '../../support/analyse.js'
import { text } from '../../support/frames.js'
import { batchOf, datagram, sip, talk } from '../../support/ladder.js'
import { numberedBatch, numberOf, sourceOf, until } from '../../support/mirror.js'

// Sender and receiver of this process over real sockets, often with a proxy between them that cuts the line.

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Got {
  readonly receiver: Receiver
  readonly packets: { sensor: number; number: number; micros: number; linkType: number; name: string | undefined }[]
  readonly notices: string[]
  /** id_sensor of each pipeline that had packets. */
  readonly origins: (number | undefined)[]
  stop(): Promise<void>
}

async function receive(o: Partial<ReceiverOptions> & { eachMs?: number; onBatch?: (batch: PacketBatch) => void } = {}): Promise<Got> {
  const notices: string[] = []
  const receiver = await Receiver.listen({
    bind: { host: '127.0.0.1', port: 0 },
    tls: undefined,
    allowPlain: false,
    secrets: undefined,
    allowClassic: false,
    sensorId: undefined,
    together: [],
    mergeAll: false,
    windowMs: 2000,
    memoryMax: 64 << 20,
    differenceSecondsMax: 2,
    classic: { linkType: 1, connectDifferenceSecondsMax: 2, blockDifferenceSecondsMax: 30 },
    positions: [],
    holdAcks: false,
    onNotice: (text) => notices.push(text),
    ...o,
  })
  const packets: Got['packets'] = []
  const origins = new Map<object, number | undefined>()
  const stopping = new AbortController()
  const done = (async () => {
    for await (const batch of receiver.batches(stopping.signal)) {
      o.onBatch?.(batch)
      if (batch.count > 0) origins.set(batch.origin, batch.origin.sensorId)
      for (let i = 0; i < batch.count; i++)
        packets.push({
          sensor: batch.bytes[batch.at[i]! + 4] as number,
          number: numberOf(batch, i),
          micros: batch.micros[i] as number,
          linkType: batch.linkType,
          name: batch.interfaceName,
        })
      if (o.eachMs !== undefined && batch.count > 0) await new Promise((wake) => setTimeout(wake, o.eachMs))
      batch.release()
    }
  })()
  const stop = async (): Promise<void> => {
    stopping.abort()
    await done
    await receiver.close()
  }
  cleanups.push(stop)
  return {
    receiver,
    packets,
    notices,
    stop,
    get origins() {
      return [...origins.values()]
    },
  }
}

interface SendOptions {
  readonly sensor?: number
  readonly compression?: Compression
  readonly blockBytes?: number
  readonly parts?: Partial<SenderParts>
  readonly live?: boolean
  readonly gate?: () => Promise<void>
  readonly memoryMax?: number
  readonly token?: string
}

function send(port: number, batches: Iterable<PacketBatch>, o: SendOptions = {}) {
  const notices: string[] = []
  const stopping = new AbortController()
  const compression = o.compression ?? 'lz4'
  const classic = o.parts?.protocol === 'voipmonitor'
  const memoryMax = o.memoryMax ?? 64 << 20
  const confirm = o.parts?.confirm ?? true
  const memory = classic && confirm ? undefined : new SpareBuffers()
  const spare = (bytes: Uint8Array): void => memory?.give(bytes)
  const queue = new BlockQueue({ memoryMax, disk: undefined, drop: 'oldest', ...(!classic && { seal: numberBlock }), spare })
  const done: Promise<SenderResult> = runSender({
    source: sourceOf(batches, { live: o.live ?? false, ...(o.gate && { gate: o.gate }) }),
    packer: classic
      ? new ClassicPacker(compression, o.blockBytes ?? 4000, o.sensor ?? 7, memory)
      : new OwnPacker(compression, o.blockBytes ?? 4000, memory),
    queue,
    preFilter: undefined,
    destinations: [{ host: '127.0.0.1', port }],
    protocol: 'earshot',
    tls: undefined,
    identity: { sensorId: o.sensor ?? 7, name: 'test', token: o.token, software: 'test' },
    compression,
    memoryMax,
    diskMax: 0,
    confirm: true,
    checksum: true,
    blockMs: 20,
    lingerMs: 2000,
    signal: stopping.signal,
    onNotice: (text) => notices.push(text),
    ...o.parts,
  })
  const stop = (): void => stopping.abort()
  cleanups.push(async () => {
    stop()
    await done
  })
  return { done, notices, stop, queue }
}

const numbers = (got: Got): number[] => got.packets.map((p) => p.number)
const range = (to: number): number[] => Array.from({ length: to }, (_, i) => i)
const batchesOf = (count: number, size: number, o = {}): PacketBatch[] =>
  Array.from({ length: count }, (_, i) => numberedBatch(i * size, (i + 1) * size, o))

/** Lets the first batch through, and the rest when the promise of `open` resolves. */
function gateOf(open: () => Promise<void>): () => Promise<void> {
  let n = 0
  return () => (n++ === 0 ? Promise.resolve() : open())
}

/** A wire that can be cut. */
class Wire {
  readonly #server: Server
  readonly #to: number
  readonly #sockets = new Set<Socket>()
  port = 0
  connections = 0
  /** Bytes towards the receiver, after which the line is cut; again for each connection. */
  cutAfter = Number.POSITIVE_INFINITY
  refusing = false

  constructor(to: number) {
    this.#to = to
    this.#server = createServer((near) => this.#join(near))
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.port = (this.#server.address() as { port: number }).port
    cleanups.push(() => this.close())
    return this
  }

  #join(near: Socket): void {
    if (this.refusing) {
      near.destroy()
      return
    }
    this.connections++
    const far = connect(this.#to, '127.0.0.1')
    let passed = 0
    for (const socket of [near, far]) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        near.destroy()
        far.destroy()
      })
    }
    near.on('data', (chunk) => {
      const rest = this.cutAfter - passed
      passed += chunk.length
      far.write(chunk.subarray(0, Math.max(0, rest)))
      if (passed >= this.cutAfter) setImmediate(() => near.destroy())
    })
    far.on('data', (chunk) => near.write(chunk))
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
  close(): void {
    this.cut()
    this.#server.close()
  }
}

describe('our protocol', () => {
  test.each(['lz4', 'snappy', 'none'] as const)('every packet once, in order, as it was: %s', async (compression) => {
    const got = await receive()
    const sent = batchesOf(20, 50, { nanos: true, interfaceName: 'eth3', linkType: 113 })
    const result = await send(got.receiver.port, sent, { compression }).done
    expect(result).toMatchObject({ packets: 1000, dropped: [], kept: 0 })
    expect(numbers(got)).toEqual(range(1000))
    expect(got.packets.map((p) => p.micros)).toEqual(sent.flatMap((batch) => [...batch.micros]))
    expect(got.packets.every((p) => p.linkType === 113 && p.name === 'eth3' && p.sensor === 1)).toBe(true)
    expect(got.receiver.sensors()).toMatchObject([
      { sensorId: 7, name: 'test', packets: 1000, gaps: 0, duplicates: 0, protocol: 'earshot', encrypted: false },
    ])
  })

  test('a line that is cut again and again: still each packet once', async () => {
    const got = await receive()
    const proxy = await new Wire(got.receiver.port).listen()
    proxy.cutAfter = 60_000
    const result = await send(proxy.port, batchesOf(60, 100)).done
    expect(proxy.connections).toBeGreaterThan(3)
    expect(result).toMatchObject({ packets: 6000, dropped: [] })
    expect(numbers(got)).toEqual(range(6000))
    expect(got.receiver.sensors()[0]).toMatchObject({ gaps: 0 })
  })

  test('a receiver that is not there yet is waited for; capture goes on', async () => {
    const got = await receive()
    const proxy = await new Wire(got.receiver.port).listen()
    proxy.refusing = true
    const sender = send(proxy.port, batchesOf(10, 100))
    await until('all is captured', () => sender.queue.packets === 1000)
    expect(got.packets).toEqual([])
    proxy.refusing = false
    await sender.done
    expect(numbers(got)).toEqual(range(1000))
  })

  test('another receiver takes over; what the first had not acknowledged goes to the second', async () => {
    const first = await receive()
    const second = await receive()
    const proxy = await new Wire(first.receiver.port).listen()
    let more: () => void = () => {}
    const gate = new Promise<void>((resolve) => {
      more = resolve
    })
    let n = 0
    const sender = send(proxy.port, batchesOf(10, 100), {
      gate: () => (n++ < 5 ? Promise.resolve() : gate),
      parts: {
        destinations: [
          { host: '127.0.0.1', port: proxy.port },
          { host: '127.0.0.1', port: second.receiver.port },
        ],
      },
    })
    await until('the first has its half', () => first.packets.length >= 400)
    proxy.refusing = true
    proxy.cut()
    more()
    await sender.done
    const all = [...numbers(first), ...numbers(second)].sort((a, b) => a - b)
    expect([...new Set(all)]).toEqual(range(1000))
    expect(second.packets.length).toBeGreaterThan(400)
  })

  test('a slow pipeline fills the sender’s buffer, not the receiver’s memory', async () => {
    const got = await receive({ eachMs: 5, memoryMax: 1 << 20 })
    const sender = send(got.receiver.port, batchesOf(60, 1000), { compression: 'none', blockBytes: 100_000 })
    let most = 0
    const watching = setInterval(() => {
      most = Math.max(most, got.receiver.sensors()[0]?.waitingHere.bytes ?? 0)
    }, 2)
    await sender.done
    clearInterval(watching)
    expect(numbers(got)).toEqual(range(60_000))
    // 6 MB were sent; a share of 1 MiB and what one read brings may wait.
    expect(most).toBeGreaterThan(200_000)
    expect(most).toBeLessThan(2 << 20)
  })

  test('senders take turns', async () => {
    const got = await receive({ eachMs: 1 })
    const loud = send(got.receiver.port, batchesOf(100, 40, { sensor: 1 }), { sensor: 1 })
    const quiet = send(got.receiver.port, batchesOf(10, 40, { sensor: 2 }), { sensor: 2 })
    await quiet.done
    expect(got.packets.filter((p) => p.sensor === 1).length).toBeLessThan(4000)
    await loud.done
    for (const sensor of [1, 2])
      expect(got.packets.filter((p) => p.sensor === sensor).map((p) => p.number)).toEqual(range(sensor === 1 ? 4000 : 400))
  })

  test('sixty senders at once', async () => {
    const got = await receive()
    await Promise.all(
      Array.from(
        { length: 60 },
        (_, i) => send(got.receiver.port, batchesOf(4, 25, { sensor: i + 1 }), { sensor: i + 1, blockBytes: 1000 }).done,
      ),
    )
    expect(got.packets).toHaveLength(6000)
    for (let sensor = 1; sensor <= 60; sensor++)
      expect(got.packets.filter((p) => p.sensor === sensor).map((p) => p.number)).toEqual(range(100))
    expect(got.receiver.sensors()).toHaveLength(60)
  })

  test('a second sender with one id is refused and says why; the first goes on', async () => {
    const got = await receive()
    let go: () => void = () => {}
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    let n = 0
    const first = send(got.receiver.port, batchesOf(4, 50), { gate: () => (n++ < 2 ? Promise.resolve() : gate) })
    await until('the first is there', () => got.packets.length > 0)
    const second = send(got.receiver.port, batchesOf(1, 50, { sensor: 9 }))
    await until('the refusal', () => second.notices.some((text) => /already connected/.test(text)))
    expect(got.notices.some((text) => /Refused Sensor 7 test .* id_sensor 7 is connected/.test(text))).toBe(true)
    go()
    await first.done
    expect(got.packets.filter((p) => p.sensor === 1).map((p) => p.number)).toEqual(range(200))
    // Its place is free now.
    await second.done
    expect(got.packets.filter((p) => p.sensor === 9)).toHaveLength(50)
  })

  test('tokens: the right one, a wrong one, none', async () => {
    const got = await receive({ secrets: () => ({ keys: new Map([[7, [keyOf('open sesame')]]]), fingerprints: new Map() }) })
    await send(got.receiver.port, batchesOf(1, 10), { token: 'open sesame' }).done
    expect(got.packets).toHaveLength(10)
    for (const o of [{ token: 'guess' }, {}, { token: 'open sesame', sensor: 8 }]) {
      const refused = send(got.receiver.port, batchesOf(1, 10), o)
      await until('the refusal', () => refused.notices.some((text) => /token is not that of id_sensor/.test(text)))
    }
    expect(got.packets).toHaveLength(10)
  })

  test('tokens that change while it runs: for who connects from then on', async () => {
    const secretsOf = (token: string) => () => ({ keys: new Map([[7, [keyOf(token)]]]), fingerprints: new Map() })
    const got = await receive({ secrets: secretsOf('old') })
    await send(got.receiver.port, batchesOf(1, 10), { token: 'old' }).done
    got.receiver.admitWith({ tls: undefined, secrets: secretsOf('new') })
    const refused = send(got.receiver.port, batchesOf(1, 10), { token: 'old' })
    await until('the refusal', () => refused.notices.some((text) => /token is not that of id_sensor/.test(text)))
    refused.stop()
    await refused.done
    await send(got.receiver.port, batchesOf(1, 10), { token: 'new' }).done
    expect(got.packets).toHaveLength(20)
  })

  test('the end of a live sender whose receiver is away: what is lost is said', async () => {
    const sender = send(1, batchesOf(2, 50), { live: true })
    expect((await sender.done).dropped).toEqual([['never sent', 100]])
  })

  test('status: buffers and losses as the sender tells them', async () => {
    const got = await receive()
    const sender = send(got.receiver.port, batchesOf(2, 50), { live: true, gate: () => new Promise((wake) => setTimeout(wake, 1200)) })
    await until('a status', () => (got.receiver.sensors()[0]?.sender?.packets ?? 0) > 0)
    expect(got.receiver.sensors()[0]).toMatchObject({
      connected: true,
      skewMs: expect.any(Number),
      sender: { memoryMax: 64 << 20, diskMax: 0, dropped: {} },
    })
    await sender.done
  })
})

describe('whose calls they are', () => {
  test.each<[string, Partial<ReceiverOptions>, (number | undefined)[]]>([
    ['each sensor has its own pipeline and number', {}, [1, 2, 3]],
    ['the receiver’s number, where it has one', { sensorId: 99 }, [99, 99, 99]],
    ['sensors named together are one, with the first one’s number', { together: [[2, 3]] }, [1, 2]],
  ])('%s', async (_, o, want) => {
    const got = await receive(o)
    for (const sensor of [1, 2, 3]) await send(got.receiver.port, batchesOf(1, 5, { sensor }), { sensor }).done
    expect(got.origins).toEqual(want)
  })

  test.each([
    ['together: one call with its media', [[1, 2]], [{ sensorId: 1, packets: 100 }]],
    ['apart: a call without media', [], [{ sensorId: 1, packets: 0 }]],
  ] as const)('SIP at one sensor, RTP at another; %s', async (_, together, want) => {
    const A = '10.0.0.1:5060'
    const B = '10.0.0.2:5060'
    const signalling = [
      sip(0, A, B, 'INVITE', { sdp: '10.0.0.1:4000' }),
      sip(1, B, A, '200 OK', { toTag: 'b', sdp: '10.0.0.2:6000' }),
      sip(1.1, A, B, 'ACK', { toTag: 'b' }),
      sip(4, A, B, 'BYE', { cseq: '2 BYE', toTag: 'b' }),
      sip(4.1, B, A, '200 OK', { cseq: '2 BYE', toTag: 'b' }),
    ]
    const records: CallRecord[] = []
    const trackers = new Trackers(trackerOptions, { onRecord: (record) => records.push(record) })
    const got = await receive({ together, onBatch: (batch) => trackers.of(batch).accept(batch) })
    // Each says something first, so that both are there before the call begins; and what follows comes in the wrong order.
    const both = until.bind(undefined, 'both are there', () => got.receiver.sensors().length === 2)
    const early = (endpoint: string) => batchOf([datagram(-1, endpoint, '10.0.0.9:9', text('hello'))])
    const media = [early(B), batchOf(talk(1.2, '10.0.0.1:4000', '10.0.0.2:6000', 100))]
    const rtp = send(got.receiver.port, media, { sensor: 2, live: true, gate: gateOf(both) })
    const slow = (): Promise<void> => both().then(() => new Promise((wake) => setTimeout(wake, 300)))
    const signals = send(got.receiver.port, [early(A), batchOf(signalling)], { sensor: 1, live: true, gate: gateOf(slow) })
    await Promise.all([rtp.done, signals.done])
    await until('all is there', () => got.packets.length === signalling.length + 102)
    trackers.finish('forced')
    expect(records.map(({ sensorId, streams }) => ({ sensorId, packets: streams.reduce((sum, s) => sum + s.packets, 0) }))).toEqual(want)
  })

  test('a clock that is an hour ahead: times are put right for calls, and kept for writing', async () => {
    const hour = 3_600_000_000
    const now = Date.now
    for (const mergeAll of [false, true]) {
      const got = await receive({ mergeAll })
      // Only what the sender says of its clock is changed; both live in one process here.
      Date.now = () => now() + (new Error().stack?.includes('own-link') ? 3_600_000 : 0)
      try {
        await send(got.receiver.port, batchesOf(1, 10, { startMicros: 1_700_000_000_000_000 + hour })).done
      } finally {
        Date.now = now
      }
      expect(got.notices.some((text) => /clock is 3[56]\d\d\.\d s ahead of ours/.test(text))).toBe(true)
      const off = got.packets[0]!.micros - 1_700_000_000_000_000
      if (mergeAll) expect(off).toBe(hour)
      else expect(Math.abs(off)).toBeLessThan(1_000_000)
    }
  })
})

describe('VoIPmonitor’s protocol', () => {
  test.each(['snappy', 'lz4', 'none'] as const)('to our receiver: %s', async (compression) => {
    const got = await receive()
    const result = await send(got.receiver.port, batchesOf(20, 50), { compression, parts: { protocol: 'voipmonitor' } }).done
    expect(result).toMatchObject({ packets: 1000, dropped: [] })
    expect(numbers(got)).toEqual(range(1000))
    expect(got.receiver.sensors()).toMatchObject([{ sensorId: 7, name: 'test', protocol: 'voipmonitor' }])
  })

  test('the end of the receiver: what was confirmed and waits here is read still', async () => {
    const got = await receive({ eachMs: 100 })
    const sender = send(got.receiver.port, batchesOf(20, 50), { parts: { protocol: 'voipmonitor' } })
    // The sender is done when all is confirmed; the pipeline has hardly begun.
    await sender.done
    const before = got.packets.length
    await got.stop()
    expect(before).toBeLessThan(1000)
    expect(numbers(got)).toEqual(range(1000))
  })

  test('without confirmation', async () => {
    const got = await receive()
    await send(got.receiver.port, batchesOf(20, 50), { parts: { protocol: 'voipmonitor', confirm: false } }).done
    await until('all', () => got.packets.length === 1000)
    expect(numbers(got)).toEqual(range(1000))
  })

  test('a silent wire: its time goes on, so that its last calls end', async () => {
    const classic = { linkType: 1, connectDifferenceSecondsMax: 2, blockDifferenceSecondsMax: 30, quietMs: 300 }
    let time = 0
    const got = await receive({
      classic,
      onBatch: ({ until }) => {
        time = until
      },
    })
    // Open after its only block, as a sender on a wire is.
    let over = (): void => {}
    const end = new Promise<void>((resolve) => {
      over = resolve
    })
    const live = { live: true, gate: gateOf(() => end), parts: { protocol: 'voipmonitor' } } as const
    send(got.receiver.port, batchesOf(2, 50), live)
    cleanups.push(() => over())
    await until('the packets', () => got.packets.length === 50)
    const last = got.packets.at(-1)!.micros
    expect(time).toBe(last)
    await until('three seconds more', () => time > last + 3e6)
    expect(time).toBeLessThan(last + 10e6)
  })

  test('a line that is cut: the same counter again, and nothing twice', async () => {
    const got = await receive()
    const proxy = await new Wire(got.receiver.port).listen()
    proxy.cutAfter = 30_000
    await send(proxy.port, batchesOf(20, 50), { parts: { protocol: 'voipmonitor' } }).done
    expect(proxy.connections).toBeGreaterThan(2)
    expect(numbers(got)).toEqual(range(1000))
  })

  test('a sender that tells local time: its clock is not an hour off', async () => {
    const got = await receive()
    const socket = connect(got.receiver.port, '127.0.0.1')
    cleanups.push(() => void socket.destroy())
    socket.write(classicHandshake(7, 'prague', new Date(Date.now() + 3600_000)))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toBe('ok')
    expect(Math.abs(got.receiver.sensors()[0]!.skewMs as number)).toBeLessThan(2000)
  })

  test('has no token, so it is turned away where tokens are wanted', async () => {
    const got = await receive({ secrets: () => ({ keys: new Map(), fingerprints: new Map() }) })
    const sender = send(got.receiver.port, batchesOf(1, 10), { parts: { protocol: 'voipmonitor' } })
    await until('the refusal', () => got.notices.some((text) => /cannot prove who it is/.test(text)))
    sender.stop()
    expect(got.packets).toEqual([])
  })

  test('a receiver that refuses a block gets it again', async () => {
    let blocks = 0
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write('ok')
        socket.on('data', () => socket.write(blocks++ === 0 ? 'bad checksum' : 'block_ok'))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => void server.close())
    const sender = send((server.address() as { port: number }).port, batchesOf(1, 10), { parts: { protocol: 'voipmonitor' } })
    await sender.done
    expect(blocks).toBe(2)
    expect(sender.notices).toContain('The receiver refused a block: bad checksum')
  })
})

describe('strangers', () => {
  const say = (port: number, bytes: Uint8Array | string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
      let heard = ''
      socket.on('data', (chunk) => {
        heard += chunk.toString('latin1')
      })
      socket.on('error', () => {})
      socket.on('close', () => resolve(heard))
    })

  test.each([
    ['HTTP', 'GET / HTTP/1.1\r\n\r\n', 'connection that speaks neither protocol'],
    ['a wrong preamble', 'earshot-mirrow\r\n', 'connection with a wrong beginning'],
    ['TLS without a certificate here', Uint8Array.of(0x16, 3, 1, 0, 5), 'TLS connection, but this receiver has no certificate'],
    ['a block before the handshake', 'earshot-mirror\r\n\x10\0\0\0\x08\0\0\0', 'connection broken: protocol'],
    ['a hello that is none', 'earshot-mirror\r\n\x01\0\0\0\x02\0\0\0{}', 'connection broken: protocol'],
    ['text without a sensor', `sensor${'x'.repeat(5000)}`, 'connection broken: protocol'],
  ])('%s costs its own connection', async (_, bytes, reason) => {
    const got = await receive()
    await say(got.receiver.port, bytes)
    expect(got.receiver.oddities.get(reason)).toBe(1)
    await send(got.receiver.port, batchesOf(1, 10)).done
    expect(got.packets).toHaveLength(10)
  })
})

describe('TLS', () => {
  let dir: string
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'earshot-tls-'))
    for (const name of ['receiver', 'sensor'])
      execFileSync(
        'openssl',
        ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`].concat([
          '-addext',
          'subjectAltName=IP:127.0.0.1',
          '-keyout',
          join(dir, `${name}.key`),
          '-out',
          join(dir, `${name}.pem`),
        ]),
        { stdio: 'ignore' },
      )
  })
  afterAll(() => rmSync(dir, { recursive: true }))
  const file = (name: string): Buffer => readFileSync(join(dir, name))
  const server = () => ({ cert: file('receiver.pem'), key: file('receiver.key') })

  test('the receiver’s own certificate, trusted by the sender', async () => {
    const got = await receive({ tls: server() })
    await send(got.receiver.port, batchesOf(5, 50), { parts: { tls: { ca: file('receiver.pem') } } }).done
    expect(numbers(got)).toEqual(range(250))
    expect(got.receiver.sensors()).toMatchObject([{ encrypted: true }])
  })

  test('a renewed certificate is shown to who connects from then on', async () => {
    const got = await receive({ tls: server() })
    got.receiver.admitWith({ tls: { cert: file('sensor.pem'), key: file('sensor.key') }, secrets: undefined })
    expect(() => got.receiver.admitWith({ tls: { cert: file('sensor.pem'), key: file('receiver.key') }, secrets: undefined })).toThrow()
    await send(got.receiver.port, batchesOf(1, 10), { parts: { tls: { ca: file('sensor.pem') } } }).done
    expect(got.packets).toHaveLength(10)
  })

  test('a receiver that is not trusted gets nothing', async () => {
    const got = await receive({ tls: server() })
    const sender = send(got.receiver.port, batchesOf(1, 10), { parts: { tls: { ca: file('sensor.pem') } } })
    await until('the complaint', () => sender.notices.some((text) => /Cannot reach .*(self-signed|certificate)/.test(text)))
    sender.stop()
    expect(got.packets).toEqual([])
  })

  test('a certificate instead of a token, bound to its sensor', async () => {
    const fingerprint = execFileSync('openssl', ['x509', '-in', join(dir, 'sensor.pem'), '-noout', '-fingerprint', '-sha256'], {
      encoding: 'utf8',
    })
      .split('=')[1]!
      .trim()
      .replaceAll(':', '')
      .toLowerCase()
    const got = await receive({ tls: server(), secrets: () => ({ keys: new Map(), fingerprints: new Map([[7, [fingerprint]]]) }) })
    const tls = { ca: file('receiver.pem'), cert: file('sensor.pem'), key: file('sensor.key') }
    await send(got.receiver.port, batchesOf(1, 10), { parts: { tls } }).done
    expect(got.packets).toHaveLength(10)
    const other = send(got.receiver.port, batchesOf(1, 10), { sensor: 8, parts: { tls } })
    await until('the refusal', () => other.notices.some((text) => /token is not that of id_sensor 8/.test(text)))
    other.stop()
    expect(got.packets).toHaveLength(10)
  })
})
