import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { fingerprintOf, type ServerCertificate, serverCertificate, Tokens } from '../../../src/lib/access/index.js'
import { parseListenAddress, usualMetricsAddress } from '../../../src/lib/base/listen-address.js'
import type { ServiceStats } from '../../../src/lib/manager/index.js'
import { type MetricsOptions, type MetricsServer, startMetrics } from '../../../src/lib/metrics/server.js'
import { readExposition } from '../../support/exposition.js'
import { statsOf } from '../../support/service-stats.js'

// The endpoint as Prometheus, an administrator and those who mean harm see it.
const dir = mkdtempSync(join(tmpdir(), 'earshot-metrics-'))
const tokens = new Tokens(join(dir, 'tokens.json'))
let certificate: ServerCertificate
let client: ServerCertificate
beforeAll(async () => {
  certificate = await serverCertificate(join(dir, 'server'))
  client = await serverCertificate(join(dir, 'client'))
})
const servers: MetricsServer[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await server.close()
})
afterAll(() => rmSync(dir, { recursive: true }))

let asked = 0
async function serve(options: Partial<MetricsOptions> = {}): Promise<{ server: MetricsServer; port: number }> {
  asked = 0
  const server = await startMetrics({
    host: '127.0.0.1',
    port: 0,
    certificate: undefined,
    tokens,
    versions: {},
    async stats() {
      asked++
      return [statsOf()]
    },
    ...options,
  })
  servers.push(server)
  return { server, port: Number(new URL(server.url).port) }
}

interface Got {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}
function get(
  port: number,
  path: string,
  o: { method?: string; token?: string; tls?: boolean; cert?: ServerCertificate } = {},
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      path,
      method: o.method ?? 'GET',
      agent: false as const,
      headers: o.token === undefined ? {} : { authorization: `Bearer ${o.token}` },
    }
    const tls = {
      ...options,
      ca: certificate.certificate,
      servername: 'localhost',
      ...(o.cert && { cert: o.cert.certificate, key: o.cert.key }),
    }
    const sent = (o.tls === true ? httpsRequest(tls) : httpRequest(options))
      .once('response', (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (chunk) => {
          body += chunk
        })
        response.once('end', () => resolve({ status: response.statusCode, headers: response.headers, body }))
      })
      .once('error', reject)
    sent.end()
  })
}

describe('on loopback', () => {
  test('/metrics: the type, the text, and what any service counts', async () => {
    const { port } = await serve()
    const { status, headers, body } = await get(port, '/metrics')
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
    expect(readExposition(body).get('earshot_packets_received_total')?.type).toBe('counter')
  })

  test.each([
    ['/', 'GET', 200],
    ['/metrics?x=1', 'GET', 200],
    ['/metrics', 'HEAD', 200],
    ['/nothing', 'GET', 404],
    ['/__proto__', 'GET', 404],
    ['/constructor', 'GET', 404],
    ['/metrics', 'POST', 405],
    ['/metrics', 'DELETE', 405],
  ])('%s %s: %i', async (path, method, status) => {
    const { port } = await serve()
    const got = await get(port, path, { method })
    expect(got.status).toBe(status)
    if (method === 'HEAD') expect(got.body).toBe('')
  })

  test('/healthz: 200 while nothing fails, 503 when something does, each check in words', async () => {
    let stats: ServiceStats = statsOf({ records: { stored: 1, dropped: 0, state: 'ok' } })
    const { port } = await serve({ stats: async () => [stats], limits: { sharedMs: 0 } })
    const well = await get(port, '/healthz')
    expect([well.status, well.headers['content-type']]).toEqual([200, 'application/json'])
    expect(JSON.parse(well.body)).toMatchObject({
      status: 'ok',
      services: [{ service: 'sniff', level: 'ok', checks: [{ name: 'records', level: 'ok' }] }],
    })
    stats = statsOf({ records: { stored: 1, dropped: 0, waiting: 5, waitingSeconds: 120, state: 'retrying' } })
    const warned = await get(port, '/healthz')
    expect([warned.status, JSON.parse(warned.body).status]).toEqual([200, 'warning'])
    stats = statsOf({ records: { stored: 1, dropped: 0, waiting: 5, state: 'refused', failure: { message: 'no room', seconds: 9 } } })
    const failing = await get(port, '/healthz')
    expect(failing.status).toBe(503)
    expect(JSON.parse(failing.body).services[0].checks).toEqual([
      { name: 'records', level: 'failing', what: expect.any(String), why: expect.stringContaining('no room'), next: expect.any(String) },
    ])
  })

  test('services that do not answer: told, and waited for within a bound', async () => {
    const { port } = await serve({ stats: () => new Promise(() => {}), limits: { statsMs: 50 } })
    const [metrics, health] = await Promise.all([get(port, '/metrics'), get(port, '/healthz')])
    expect(metrics.status).toBe(503)
    expect([health.status, JSON.parse(health.body).services[0].checks[0].name]).toEqual([503, 'answers'])
    const { port: other } = await serve({ unanswered: () => ['sniff@eth1'] })
    const silent = await get(other, '/healthz')
    expect([silent.status, JSON.parse(silent.body).services[1].service]).toEqual([503, 'sniff@eth1'])
    expect((await get(other, '/metrics')).body).toContain('earshot_services_unanswered 1')
  })

  test('a port that is taken is an error with a next step', async () => {
    const { port } = await serve()
    await expect(serve({ port })).rejects.toMatchObject({
      code: 'IN_USE',
      suggestions: [expect.stringContaining('serve-manager'), expect.any(String)],
    })
  })
})

describe('off loopback', () => {
  // 0.0.0.0 is reached by way of 127.0.0.1 here, but is no loopback.
  const far = async (): Promise<number> => (await serve({ host: '0.0.0.0', certificate })).port

  test('needs a certificate', async () => {
    await expect(serve({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'NO_TLS' })
  })

  test('needs TLS, and a token whose role may', async () => {
    const port = await far()
    await expect(get(port, '/metrics')).rejects.toThrow(/hang up|reset|parse/i)
    const stranger = await get(port, '/metrics', { tls: true })
    expect([stranger.status, stranger.headers['www-authenticate']]).toEqual([401, 'Bearer realm="earshot"'])
    expect(stranger.body).not.toContain('earshot_')
    for (const [role, status] of [
      ['metrics', 200],
      ['view', 200],
      ['fetch', 200],
      ['admin', 200],
      ['send', 403],
    ] as const) {
      const token = tokens.addToken(`one-${role}`, role, new Date())
      for (const path of ['/metrics', '/healthz', '/'])
        expect([role, path, (await get(port, path, { tls: true, token })).status]).toEqual([role, path, status])
    }
    expect((await get(port, '/metrics', { tls: true, token: 'earshot_wrong' })).status).toBe(401)
    const gone = tokens.addToken('gone', 'metrics', new Date())
    tokens.remove('gone')
    expect((await get(port, '/metrics', { tls: true, token: gone })).status).toBe(401)
  })

  test('another certificate is shown to clients that come later, and there is no gap', async () => {
    const { server, port } = await serve({ host: '0.0.0.0', certificate })
    const shown = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
          resolve(fingerprintOf(socket.getPeerCertificate().raw))
          socket.destroy()
        }).once('error', reject)
      })
    expect(await shown()).toBe(certificate.fingerprint)
    server.show(client)
    expect(await shown()).toBe(client.fingerprint)
    server.show(certificate)
  })

  test('or a certificate that is known', async () => {
    const port = await far()
    expect((await get(port, '/metrics', { tls: true, cert: client })).status).toBe(401)
    tokens.addCertificate('by-certificate', 'metrics', client.certificate, new Date())
    expect((await get(port, '/metrics', { tls: true, cert: client })).status).toBe(200)
  })
})

describe('whoever means harm', () => {
  const open = (port: number): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port })
      sockets.push(socket)
      socket.once('connect', () => resolve(socket))
      socket.on('error', reject)
    })
  const ended = (socket: Socket): Promise<string> =>
    new Promise((resolve) => {
      let text = ''
      socket.removeAllListeners('error')
      socket.on('error', () => {})
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.once('close', () => resolve(text))
    })

  test('a flood of requests asks the services once', async () => {
    const { port } = await serve()
    const all = await Promise.all(Array.from({ length: 200 }, () => get(port, '/metrics')))
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([200]))
    expect(asked).toBeLessThanOrEqual(2)
  })

  test('those who open many connections and say nothing go first; a scrape gets through', async () => {
    const { server, port } = await serve({ limits: { connectionsMax: 8 } })
    const silent = await Promise.all(Array.from({ length: 50 }, () => open(port)))
    const closed = silent.map(ended)
    expect((await get(port, '/metrics')).status).toBe(200)
    await Promise.all(closed.slice(0, 42))
    expect(server.counters.get('too many connections')).toBeGreaterThanOrEqual(42)
  })

  test('a request that never gets whole, and an answer that nobody takes, end in time', async () => {
    const { port } = await serve({ limits: { requestMs: 300 } })
    const slow = await open(port)
    slow.write('GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ')
    const drip = setInterval(() => slow.writable && slow.write('y'), 50)
    expect(await ended(slow)).not.toContain('earshot_')
    clearInterval(drip)
    const deaf = await open(port)
    deaf.pause()
    deaf.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(500))
    await new Promise((resolve) => setTimeout(resolve, 900))
    deaf.resume()
    await ended(deaf)
    expect((await get(port, '/metrics')).status).toBe(200)
  })

  test.each([
    ['no HTTP', '\x16\x03\x01\x02\x00\x01'],
    ['a header without end', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`],
    [
      'a body that nobody reads',
      `GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n${'z'.repeat(200_000)}`,
    ],
    ['two lengths', 'GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ])('%s: the connection ends, the service does not', async (_, bytes) => {
    const { port } = await serve({ limits: { requestMs: 500 } })
    const socket = await open(port)
    const end = ended(socket)
    socket.write(bytes, 'latin1')
    await end
    expect((await get(port, '/metrics')).status).toBe(200)
  })
})

test.each<[string, unknown]>([
  ['yes', { host: '127.0.0.1', port: 5031 }],
  ['no', undefined],
  [':9000', { host: '127.0.0.1', port: 9000 }],
  ['9000', { host: '127.0.0.1', port: 9000 }],
  ['0.0.0.0:9000', { host: '0.0.0.0', port: 9000 }],
  ['[::1]:9000', { host: '::1', port: 9000 }],
  ['sensor.example:9000', { host: 'sensor.example', port: 9000 }],
  ...['', 'on', 'host', ':99999', '1.2.3.4', '::1:9000', 'a b:1', ':-1'].map((text): [string, unknown] => [text, 'wrong']),
])('--metrics "%s"', (text, want) => expect(parseListenAddress(text, usualMetricsAddress)).toEqual(want))
