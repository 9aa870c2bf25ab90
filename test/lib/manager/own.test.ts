import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KnownServers, type ServerCertificate, serverCertificate } from '../../../src/lib/access/index.js'
import {
  type Answer,
  AnswerError,
  connectManager,
  type ManagerClient,
  type ServiceChanges,
  type ServiceStats,
} from '../../../src/lib/manager/index.js'
import { frame, kinds, preface } from '../../../src/lib/manager/protocol.js'
import { batchOf, type Packet, sip, talk } from '../../support/ladder.js'
import { clientOptions, type TestManager, testManager } from '../../support/manager.js'
import { pcapOf } from '../../support/pcap-file.js'

const A = '10.0.0.1:5060'
const B = '10.0.0.2:5060'
const callPackets = (callId: string, t = 0): Packet[] => [
  sip(t, A, B, 'INVITE', { callId, sdp: '10.0.0.1:4000' }),
  sip(t + 1, B, A, '200 OK', { callId, toTag: 'b', sdp: '10.0.0.2:6000' }),
  ...talk(t + 1.1, '10.0.0.1:4000', '10.0.0.2:6000', 100),
]

let root: string
let spool: string
let certificate: ServerCertificate
let m: TestManager
let strict: TestManager
/** A pcap by its first bytes: such a file goes out as it lies. */
const big = Buffer.concat([Buffer.from('d4c3b2a1', 'hex'), randomBytes(8_999_997)])
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'earshot-own-'))
  spool = join(root, 'spool')
  mkdirSync(join(spool, '2026-11-24/00/00'), { recursive: true })
  mkdirSync(join(spool, 'd'))
  writeFileSync(join(spool, 'd/big.pcap'), big)
  writeFileSync(join(spool, 'd/call.pcap'), pcapOf(batchOf(callPackets('c'))))
  writeFileSync(join(root, 'secret'), 'secret')
  writeFileSync(join(root, 'secret.pcap'), 'secret')
  symlinkSync(join(root, 'secret'), join(spool, 'd/link.pcap'))
  symlinkSync(root, join(spool, 'up'))
  certificate = await serverCertificate(join(root, 'tls'))
  m = await testManager({
    spool,
    certificate,
    sensorId: 5,
  })
  // One of little patience, for those who try it.
  strict = await testManager({ spool, certificate, limits: { requestMs: 700, stallMs: 700, strangersMax: 20, connectionsMax: 60 } })
  m.feed([...callPackets('one'), ...callPackets('two', 0.2)])
})
afterAll(async () => {
  await m.close()
  await strict.close()
  rmSync(root, { recursive: true, force: true })
})

const local = (): Promise<ManagerClient> =>
  connectManager({ kind: 'tcp', host: '127.0.0.1', port: m.port, tls: false }, clientOptions(m.dir))
/** On a busy machine a hello may take longer than the strict one waits. */
async function patiently(): Promise<ManagerClient> {
  for (let tries = 1; ; tries++) {
    try {
      return await connectManager({ kind: 'tcp', host: '127.0.0.1', port: strict.port, tls: false }, clientOptions(strict.dir))
    } catch (error) {
      if (tries >= 5) throw error
    }
  }
}
const unix = (): Promise<ManagerClient> => connectManager({ kind: 'unix', path: m.socket }, clientOptions(m.dir))
async function gather(
  answers: AsyncGenerator<Answer, Readonly<Record<string, unknown>>, void>,
): Promise<{ items: unknown[]; bytes: Buffer; trailer: Readonly<Record<string, unknown>> }> {
  const items: unknown[] = []
  const chunks: Uint8Array[] = []
  for (;;) {
    const next = await answers.next()
    if (next.done === true) return { items, bytes: Buffer.concat(chunks), trailer: next.value }
    if (next.value.kind === 'item') items.push(next.value.value)
    else chunks.push(next.value.bytes)
  }
}
const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof AnswerError ? error.code : String((error as { code?: string }).code ?? error)),
  )

test('the unix socket is its owner’s alone, takes the place of a dead one, and leaves nothing beside it', async () => {
  const dir = mkdtempSync(join(root, 'socket-'))
  const socket = join(dir, 'x.sock')
  writeFileSync(socket, 'what a killed process left')
  const made = await testManager({ spool, socket })
  const { mode } = statSync(socket)
  expect([(mode & 0o777).toString(8), readdirSync(dir)]).toEqual(['600', ['x.sock']])
  await expect(testManager({ spool, socket })).rejects.toThrow(/Another service listens on unix:.*x\.sock already/)
  await made.close()
  expect(readdirSync(dir)).toEqual([])
})

test('what a call has in memory is written before its packets go out, in both protocols; a disk that hangs is not waited for', async () => {
  const path = 'd/memory.pcap'
  const head = Buffer.from('d4c3b2a1020004000000000000000000ffff000001000000', 'hex')
  writeFileSync(join(spool, path), head)
  const flushed: string[] = []
  let hangs = false
  const made = await testManager({
    spool,
    flush: async (asked) => {
      flushed.push(asked)
      if (hangs) await new Promise(() => {})
      appendFileSync(join(spool, path), `more${flushed.length}`)
    },
  })
  const client = await connectManager({ kind: 'unix', path: made.socket }, clientOptions(made.dir))
  try {
    const first = await gather(client.ask('fetch', { path }))
    expect(first.bytes.subarray(head.length).toString()).toBe('more1')
    expect((await made.plain(`getfile ${path}`)).slice(head.length)).toBe('more1more2')
    // Who goes on where a fetch broke off gets the file as it was.
    await gather(client.ask('fetch', { path, offset: 1, identity: (first.items[0] as { identity: string }).identity }))
    expect(flushed).toEqual([path, path])
    await client.all('flush', { path })
    expect(flushed.length).toBe(3)
    hangs = true
    expect((await gather(client.ask('fetch', { path }))).bytes.subarray(head.length).toString()).toBe('more1more2more3')
  } finally {
    client.close()
    await made.close()
  }
})

test('what killed processes of its kind left in its directory goes; others’, units’ and what answers stay', async () => {
  const dir = mkdtempSync(join(root, 'left-'))
  const listen = async (name: string): Promise<Server> => {
    const server = createServer()
    await once(server.listen(join(dir, name)), 'listening')
    return server
  }
  const dead = ['sniff-1.sock', 'sniff-22.sock', 'sniff.sock', 'sniff@eth1.sock', 'sniff@a-1.sock', 'mirror-recv-1.sock']
  for (const name of dead) {
    const server = await listen(`${name}.born`)
    // Node unlinks what it listens at when it closes; under another name it stays, as after a kill.
    renameSync(join(dir, `${name}.born`), join(dir, name))
    await new Promise((closed) => server.close(closed))
  }
  const alive = await listen('sniff-333.sock')
  writeFileSync(join(dir, 'sniff-4444.sock'), 'no socket')
  const made = await testManager({ spool, socket: join(dir, 'sniff-5.sock') })
  expect(readdirSync(dir).sort()).toEqual([...dead.slice(2), 'sniff-333.sock', 'sniff-4444.sock', 'sniff-5.sock'].sort())
  await made.close()
  alive.close()
})

describe('requests', () => {
  test('who it is, the calls, the statistics', async () => {
    const client = await unix()
    expect(client.greeting).toMatchObject({
      about: { service: 'sniff', sensorId: 5 },
      client: 'unix socket',
      rights: ['view', 'metrics', 'fetch', 'send', 'admin'],
    })
    const { items, trailer } = await client.all<{ calls: { callId: string }[] }>('calls')
    expect([items.flatMap(({ calls }) => calls.map((c) => c.callId)), trailer]).toEqual([['one', 'two'], { count: 2 }])
    const { items: stats } = await client.all<{ stats: ServiceStats[] }>('stats')
    expect(stats[0]?.stats[0]).toMatchObject({ open: 2, packets: 204 })
    client.close()
  })

  test('a file with its checksum, in one go and from the middle on', async () => {
    const client = await local()
    const { items, bytes, trailer } = await gather(client.ask('fetch', { path: 'd/big.pcap' }))
    expect(bytes.equals(big)).toBe(true)
    expect(trailer).toEqual({ sha256: createHash('sha256').update(big).digest('hex') })
    const { size, identity } = items[0] as { size: number; identity: string }
    expect(size).toBe(big.length)
    const rest = await gather(client.ask('fetch', { path: 'd/big.pcap', offset: 8_000_000, identity }))
    expect(rest.bytes.equals(big.subarray(8_000_000))).toBe(true)
    expect(rest.trailer).toEqual({ sha256: createHash('sha256').update(big).digest('hex') })
    expect(m.audited.at(-1)).toMatchObject({
      client: 'unnamed',
      request: 'fetch',
      path: 'd/big.pcap',
      outcome: 'complete',
      bytes: expect.any(Number),
    })
    client.close()
  })

  test.each([
    ['a file that was replaced', { path: 'd/big.pcap', offset: 10, identity: '1-2-3' }, 'changed'],
    ['an offset behind the end', { path: 'd/big.pcap', offset: 1e9 }, 'changed'],
    ['a file that is gone', { path: '2026-11-20/00/00/x.pcap' }, 'expired'],
    ['a way up', { path: '../secret' }, 'denied'],
    ['a link', { path: 'd/link.pcap' }, 'expired'],
    ['a directory that is a link', { path: 'up/secret.pcap' }, 'denied'],
    ['no path', {}, 'bad-request'],
    ['a path that is none', { path: 7 }, 'bad-request'],
    ['a negative offset', { path: 'd/big.pcap', offset: -1 }, 'bad-request'],
  ])('%s: %o is refused as %s', async (_, parameters, want) => {
    const client = await local()
    expect(await code(gather(client.ask('fetch', parameters)))).toBe(want)
    client.close()
  })

  test('compressed, SIP only: put together on the way, and gone on with', async () => {
    writeFileSync(join(spool, 'd/packed.pcap.gz'), gzipSync(readFileSync(join(spool, 'd/call.pcap'))))
    const client = await local()
    const whole = await gather(client.ask('fetch', { path: 'd/packed.pcap.gz' }))
    expect(whole.bytes.equals(readFileSync(join(spool, 'd/call.pcap')))).toBe(true)
    const signalling = await gather(client.ask('fetch', { path: 'd/packed.pcap.gz', sipOnly: true }))
    expect(signalling.trailer).toEqual({ sha256: createHash('sha256').update(signalling.bytes).digest('hex') })
    const { identity } = signalling.items[0] as { identity: string }
    const rest = await gather(client.ask('fetch', { path: 'd/packed.pcap.gz', sipOnly: true, offset: 100, identity }))
    expect([rest.bytes.equals(signalling.bytes.subarray(100)), rest.trailer]).toEqual([true, signalling.trailer])
    expect(await code(gather(client.ask('fetch', { path: 'd/packed.pcap.gz', offset: 100, identity })))).toBe('changed')
    client.close()
  })

  test('what has expired tells where the spool begins', async () => {
    const client = await local()
    const error = (await gather(client.ask('fetch', { path: 'd/x.pcap' })).catch((e: unknown) => e)) as AnswerError
    expect(error.detail).toEqual({ oldest: '2026-11-24' })
    client.close()
  })

  test('many at a time, a slow reader holds up nobody', async () => {
    const client = await local()
    const slow = client.ask('fetch', { path: 'd/big.pcap' })
    await slow.next()
    const others = await Promise.all(Array.from({ length: 5 }, () => gather(client.ask('fetch', { path: 'd/big.pcap' }))))
    expect(others.every(({ bytes }) => bytes.equals(big))).toBe(true)
    expect((await gather(slow)).bytes.length).toBe(big.length)
    client.close()
  })

  test('too many at a time are refused, those that run go on', async () => {
    const client = await local()
    const answers = Array.from({ length: 20 }, () => client.ask('fetch', { path: 'd/big.pcap' }))
    const codes = await Promise.all(answers.map((a) => code(a.next())))
    expect(codes.filter((c) => c === 'too-many')).toHaveLength(4)
    await Promise.all(answers.map((a) => a.return({})))
    expect((await client.all('ping')).trailer).toEqual({})
    client.close()
  })

  test('a reader that takes nothing loses its request, not its connection', async () => {
    const client = await patiently()
    const slow = client.ask('fetch', { path: 'd/big.pcap' })
    await slow.next()
    await sleep(1300)
    expect(await code(gather(slow))).toBe('cancelled')
    expect((await client.all('ping')).trailer).toEqual({})
    client.close()
  })

  test('a port that is lent is left on demand of an administrator; those who are in stay', async () => {
    const lent = await testManager({ givesWay: true })
    const near = await connectManager({ kind: 'tcp', host: '127.0.0.1', port: lent.port, tls: false }, clientOptions(lent.dir))
    expect(await code(near.all('give-way'))).toBe('denied')
    const admin = await connectManager({ kind: 'unix', path: lent.socket }, clientOptions(lent.dir))
    expect(await code(admin.all('give-way'))).toBe('no error')
    expect((await near.all('ping')).trailer).toEqual({})
    expect(await code(connectManager({ kind: 'tcp', host: '127.0.0.1', port: lent.port, tls: false }, clientOptions(lent.dir)))).toBe(
      'UNREACHABLE',
    )
    near.close()
    admin.close()
    await lent.close()
    const own = await unix()
    expect(await code(own.all('give-way'))).toBe('unsupported')
    own.close()
  })

  test('unknown requests, records where there are none', async () => {
    const client = await local()
    expect(await code(client.all('toString'))).toBe('unsupported')
    expect(await code(client.all('record', { id: 1 }))).toBe('unsupported')
    client.close()
  })
})

describe('watching', () => {
  test('everything once, then what changes; cancelled, it ends', async () => {
    const client = await local()
    const stop = new AbortController()
    const seen: ServiceChanges[] = []
    const watching = (async () => {
      for await (const answer of client.ask('watch', {}, { signal: stop.signal }))
        if (answer.kind === 'item') seen.push(answer.value as ServiceChanges)
    })()
    await expect.poll(() => seen.flatMap(({ added }) => added ?? []).map((c) => c.callId), { timeout: 15_000 }).toEqual(['one', 'two'])
    expect(seen[0]).toMatchObject({ reset: true })
    m.feed(callPackets('three', 3))
    await expect
      .poll(() => seen.flatMap(({ added }) => added ?? []).map((c) => c.callId), { timeout: 15_000 })
      .toEqual(['one', 'two', 'three'])
    m.feed([
      sip(9, A, B, 'BYE', { callId: 'three', cseq: '2 BYE', toTag: 'b' }),
      sip(9.1, B, A, '200 OK', { callId: 'three', cseq: '2 BYE', toTag: 'b' }),
    ])
    await expect
      .poll(() => seen.flatMap(({ changed }) => changed ?? []).find((c) => c.state === 'ended')?.callId, { timeout: 15_000 })
      .toBe('three')
    m.feed([sip(40, A, B, 'OPTIONS', { callId: 'x' })])
    await expect.poll(() => seen.flatMap(({ removed }) => removed ?? []).map((c) => c.callId), { timeout: 15_000 }).toEqual(['three'])
    stop.abort()
    expect(await code(watching)).toBe('cancelled')
    client.close()
  })

  test('a pcap of a call while it runs: what is appended comes after', async () => {
    const own = await testManager({ spool, pcapOf: () => 'd/growing.pcap' })
    own.feed(callPackets('g'))
    writeFileSync(join(spool, 'd/growing.pcap'), Buffer.from('d4c3b2a1', 'hex'))
    appendFileSync(join(spool, 'd/growing.pcap'), 'first ')
    const client = await connectManager({ kind: 'unix', path: own.socket }, clientOptions(own.dir))
    const chunks: string[] = []
    const done = (async () => {
      for await (const answer of client.ask('fetch', { path: 'd/growing.pcap', follow: true }))
        if (answer.kind === 'data') chunks.push(Buffer.from(answer.bytes).toString('latin1'))
    })()
    await expect.poll(() => chunks.join('').slice(4), { timeout: 15_000 }).toBe('first ')
    appendFileSync(join(spool, 'd/growing.pcap'), 'second')
    await expect.poll(() => chunks.join('').slice(4), { timeout: 15_000 }).toBe('first second')
    // The call ends: so does the following, by itself.
    own.tracker.finish('forced')
    await done
    client.close()
    await own.close()
  }, 20_000)
})

describe('who may come in', () => {
  const tls = (port: number, more: Parameters<typeof clientOptions>[1] = {}): Promise<ManagerClient> =>
    connectManager({ kind: 'tcp', host: '127.0.0.1', port, tls: true }, clientOptions(m.dir, more))

  test('the fingerprint is asked for once and remembered', async () => {
    const known = new KnownServers(join(root, 'k1'))
    const asked: string[] = []
    const trust = async (address: string, fingerprint: string): Promise<boolean> => {
      asked.push(`${address} ${fingerprint}`)
      return true
    }
    for (let i = 0; i < 2; i++) (await tls(m.port, { known, trust })).close()
    expect(asked).toEqual([`127.0.0.1:${m.port} ${certificate.fingerprint}`])
  })

  test('an unknown one is not spoken to, a changed one is a warning; neither gets the token', async () => {
    expect(await code(tls(m.port, { known: new KnownServers(join(root, 'k2')), trust: async () => false, token: 't' }))).toBe(
      'UNKNOWN_SERVER',
    )
    const known = new KnownServers(join(root, 'k3'))
    known.set(`127.0.0.1:${m.port}`, `sha256:${'0'.repeat(64)}`)
    expect(await code(tls(m.port, { known, token: 't' }))).toBe('FINGERPRINT')
  })

  test('a token gives its role; a wrong or removed one gives nothing', async () => {
    const known = new KnownServers(join(root, 'k4'))
    known.set(`127.0.0.1:${m.port}`, certificate.fingerprint)
    const token = m.tokens.addToken('screen', 'view', new Date())
    const client = await tls(m.port, { known, token })
    expect(client.greeting).toMatchObject({ client: 'screen', rights: ['view', 'metrics'] })
    expect(await code(client.all('fetch', { path: 'd/big.pcap' }))).toBe('denied')
    expect(m.audited.at(-1)).toMatchObject({ client: 'screen', request: 'fetch', path: 'd/big.pcap', bytes: 0, outcome: 'denied' })
    expect((await client.all('calls')).trailer).toMatchObject({ count: expect.any(Number) })
    expect(await code(tls(m.port, { known, token: `${token}x` }))).toBe('DENIED')
    m.tokens.remove('screen')
    expect(await code(client.all('calls'))).toBe('denied')
    client.close()
    expect(await code(tls(m.port, { known, token }))).toBe('DENIED')
  })

  test('a client certificate gives its role', async () => {
    const own = await serverCertificate(join(root, 'client'))
    m.tokens.addCertificate('central', 'admin', own.certificate, new Date())
    const known = new KnownServers(join(root, 'k5'))
    known.set(`127.0.0.1:${m.port}`, certificate.fingerprint)
    const client = await tls(m.port, { known, certificate: own })
    expect(client.greeting).toMatchObject({ client: 'central', rights: ['view', 'metrics', 'fetch', 'send', 'admin'] })
    const { bytes } = await gather(client.ask('fetch', { path: 'd/big.pcap' }))
    expect(bytes.equals(big)).toBe(true)
    client.close()
  })

  test('a renewed certificate is shown to who connects from then on; who is in stays', async () => {
    const known = new KnownServers(join(root, 'renewed'))
    const address = `127.0.0.1:${strict.port}`
    known.set(address, certificate.fingerprint)
    const before = await tls(strict.port, { known, token: strict.tokens.addToken('renewer', 'view', new Date()) })
    const renewed = await serverCertificate(join(root, 'tls-renewed'))
    strict.manager.show(renewed)
    await expect(tls(strict.port, { known })).rejects.toThrow()
    expect((await gather(before.ask('stats'))).items).toHaveLength(1)
    before.close()
    strict.manager.show(certificate)
  })

  test('an OpenSSL client sees TLS 1.2 or newer, and the certificate', async () => {
    const socket = connectTls({ host: '127.0.0.1', port: m.port, rejectUnauthorized: false, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' })
    expect(await new Promise((resolve) => socket.once('error', (e) => resolve((e as NodeJS.ErrnoException).code)))).toMatch(
      /ERR_SSL|ECONNRESET|EPROTO/,
    )
  })
})

describe('what strangers do', () => {
  const raw = (): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: strict.port }, () => resolve(socket))
      socket.on('error', () => {})
    })
  const ends = (socket: Socket): Promise<number> => {
    const start = performance.now()
    socket.resume()
    return new Promise((resolve) => socket.once('close', () => resolve(performance.now() - start)))
  }
  const well = async (): Promise<void> => {
    const client = await patiently()
    expect((await client.all('ping')).trailer).toEqual({})
    client.close()
  }

  test('says nothing: sent away', async () => {
    expect(await ends(await raw())).toBeLessThan(8000)
    await well()
  })

  test('one byte at a time (slow loris), in each protocol: sent away', async () => {
    const drip = async (bytes: Uint8Array): Promise<number> => {
      const socket = await raw()
      let at = 0
      const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 100)
      return ends(socket).finally(() => clearInterval(timer))
    }
    const [own, plain, tls] = await Promise.all([
      drip(Buffer.concat([preface(), frame(kinds.request, 1, Buffer.from('{"do":"hello"}'))])),
      drip(Buffer.from('getfile aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')),
      drip(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, ...Array<number>(100).fill(0)])),
    ])
    for (const ms of [own, plain, tls]) expect(ms).toBeLessThan(8000)
    await well()
  })

  test('goes on sending after its answer: sent away', async () => {
    const socket = connect({ host: '127.0.0.1', port: strict.port, allowHalfOpen: true })
    const closed = new Promise<number>((resolve) => {
      const begun = performance.now()
      socket.once('error', () => {})
      socket.once('close', () => resolve(performance.now() - begun))
    })
    socket.resume()
    socket.write('totalcalls\r\n\r\n')
    const timer = setInterval(() => socket.write('x'), 100)
    expect(await closed.finally(() => clearInterval(timer))).toBeLessThan(8000)
    await well()
  })

  test('giant requests: refused at the announcement, or cut off', async () => {
    const giant = frame(kinds.request, 1, new Uint8Array(0))
    new DataView(giant.buffer).setUint32(0, 2 ** 31, true)
    const own = await raw()
    own.write(Buffer.concat([preface(), giant]))
    await ends(own)
    const plain = await raw()
    plain.on('error', () => {})
    const block = Buffer.alloc(1 << 20, 97)
    for (let i = 0; i < 3; i++) plain.write(block)
    await ends(plain)
    await well()
  })

  test.each([
    ['a request before hello', Buffer.concat([preface(), frame(kinds.request, 1, Buffer.from('{"do":"calls"}'))])],
    ['no JSON', Buffer.concat([preface(), frame(kinds.request, 1, Buffer.from('nonsense'))])],
    ['a frame of another kind', Buffer.concat([preface(), frame(kinds.data, 1, Buffer.from('x'))])],
    ['another version', Uint8Array.of(0xe5, 0x45, 0x41, 0x52, 0x53, 0x48, 9, 0)],
    ['noise after the first byte', Uint8Array.of(0xe5, 1, 2, 3)],
    ['a TLS record of noise', Uint8Array.of(0x16, 3, 3, 0, 5, 1, 2, 3, 4, 5)],
  ])('%s: sent away', async (_, bytes) => {
    const socket = await raw()
    socket.write(bytes)
    expect(await ends(socket)).toBeLessThan(8000)
    await well()
  })

  test('a flood of connections: the oldest silent ones go, a client gets in at any time', async () => {
    const flood = await Promise.all(Array.from({ length: 200 }, raw))
    await well()
    expect(strict.manager.connections).toBeLessThanOrEqual(60)
    for (const socket of flood) socket.destroy()
    await expect.poll(() => strict.manager.connections, { timeout: 15_000 }).toBe(0)
    await well()
  })

  test('goes away in the middle of an answer, again and again: no file stays open, nothing is left', async () => {
    const open = (): number => readdirSync('/proc/self/fd').length
    const before = open()
    for (let i = 0; i < 30; i++) {
      const client = await patiently()
      const answers = client.ask('fetch', { path: 'd/big.pcap' })
      await answers.next()
      await answers.next()
      client.close()
      await answers.return({}).catch(() => {})
    }
    await expect.poll(() => strict.manager.connections, { timeout: 15_000 }).toBe(0)
    await expect.poll(open, { timeout: 15_000 }).toBeLessThanOrEqual(before + 2)
    await well()
  })

  test('reads nothing of what it asked for: sent away, memory stays', async () => {
    const socket = await raw()
    socket.pause()
    socket.write(
      Buffer.concat([
        preface(),
        frame(kinds.request, 1, Buffer.from('{"do":"hello"}')),
        ...Array.from({ length: 10 }, (_, i) => frame(kinds.request, 2 + i, Buffer.from('{"do":"fetch","path":"d/big.pcap"}'))),
      ]),
    )
    await sleep(1300)
    await ends(socket)
    await well()
  })
})
