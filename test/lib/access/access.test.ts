import { execFileSync } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { KnownServers, mayDo, type Right, type Role, serverCertificate, Tokens } from '../../../src/lib/access/index.js'

const dir = mkdtempSync(join(tmpdir(), 'earshot-access-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const at = new Date('2026-11-25T12:00:00Z')
let files = 0
const fresh = (): string => join(dir, `f${files++}`, 'tokens.json')

test.each<[Role, Right[]]>([
  ['metrics', ['metrics']],
  ['view', ['view', 'metrics']],
  ['fetch', ['view', 'metrics', 'fetch']],
  ['send', ['send']],
  ['admin', ['view', 'metrics', 'fetch', 'send', 'admin']],
])('%s may %s', (role, rights) => {
  expect((['view', 'metrics', 'fetch', 'send', 'admin'] as const).filter((right) => mayDo(role, right))).toEqual(rights)
})

describe('tokens', () => {
  test('added, found, removed; another process sees it at once', () => {
    const file = fresh()
    const [admin, service] = [new Tokens(file), new Tokens(file)]
    expect(service.byToken('earshot_x')).toBeUndefined()
    const token = admin.addToken('laptop', 'fetch', at)
    expect(service.byToken(token)).toMatchObject({ name: 'laptop', role: 'fetch', created: '2026-11-25T12:00:00.000Z' })
    expect(service.byToken(`${token}x`)).toBeUndefined()
    expect(service.byToken('')).toBeUndefined()
    expect(admin.remove('laptop')).toBe(true)
    expect(admin.remove('laptop')).toBe(false)
    expect(service.byToken(token)).toBeUndefined()
  })

  test('the file holds no token, and only its owner reads it', () => {
    const file = fresh()
    const token = new Tokens(file).addToken('a', 'admin', at)
    expect(readFileSync(file, 'utf8')).not.toContain(token.slice(10))
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test.skipIf(process.getuid?.() !== 0)('what root writes belongs to the service whose directory it is [needs root]', () => {
    const state = mkdtempSync(join(dir, 'state-'))
    chownSync(state, 4711, 4712)
    new Tokens(join(state, 'manager', 'tokens.json')).addToken('a', 'view', at)
    const owners = ['manager', 'manager/tokens.json'].map((name) => statSync(join(state, name)))
    expect(owners.map(({ uid, gid }) => [uid, gid])).toEqual([
      [4711, 4712],
      [4711, 4712],
    ])
  })

  test.each(['', '../x', 'a b', 'ä', '-x', 'x'.repeat(65)])('the name "%s" is refused', (name) => {
    expect(() => new Tokens(fresh()).addToken(name, 'view', at)).toThrow(/no name for a client/)
  })

  test('a name twice is refused; a broken file lets nobody in', () => {
    const file = fresh()
    const tokens = new Tokens(file)
    const token = tokens.addToken('a', 'view', at)
    expect(() => tokens.addToken('a', 'admin', at)).toThrow(/already/)
    writeFileSync(file, '{"clients": [')
    expect(() => tokens.byToken(token)).toThrow(/Cannot read the clients/)
  })
})

describe('certificates', () => {
  test('one is made at the first start and kept; openssl agrees', async () => {
    const home = join(dir, 'tls')
    const first = await serverCertificate(home)
    const second = await serverCertificate(home)
    expect(second).toEqual(first)
    expect(first.selfSigned).toBe(true)
    const said = execFileSync('openssl', [
      'x509',
      '-in',
      join(home, 'server-cert.pem'),
      '-noout',
      '-fingerprint',
      '-sha256',
      '-ext',
      'subjectAltName',
    ])
    expect(said.toString()).toContain((first.fingerprint.slice(7).toUpperCase().match(/../g) as string[]).join(':'))
    expect(said.toString()).toContain('127.0.0.1')
    expect(statSync(join(home, 'server-key.pem')).mode & 0o777).toBe(0o600)
  })

  test('the administrator’s own; a key of another certificate is an error of the start', async () => {
    const [a, b] = [join(dir, 'a'), join(dir, 'b')]
    await serverCertificate(a)
    await serverCertificate(b)
    const own = await serverCertificate(dir, { certificate: join(a, 'server-cert.pem'), key: join(a, 'server-key.pem') })
    expect(own.selfSigned).toBe(false)
    await expect(serverCertificate(dir, { certificate: join(a, 'server-cert.pem'), key: join(b, 'server-key.pem') })).rejects.toThrow(
      /not that of the certificate/,
    )
  })

  test('a client is known by its certificate', async () => {
    const home = join(dir, 'client')
    const { certificate, fingerprint } = await serverCertificate(home)
    const tokens = new Tokens(fresh())
    expect(tokens.addCertificate('central', 'fetch', certificate, at)).toBe(fingerprint)
    expect(tokens.byCertificate(fingerprint)).toMatchObject({ name: 'central', role: 'fetch' })
    expect(tokens.byCertificate(`sha256:${'0'.repeat(64)}`)).toBeUndefined()
    expect(() => tokens.addCertificate('x', 'view', 'nonsense', at)).toThrow(/no certificate/)
  })
})

test('servers are remembered by address', () => {
  const known = new KnownServers(join(dir, 'k', 'known_servers'))
  expect(known.get('a:1')).toBeUndefined()
  known.set('a:1', 'sha256:00')
  known.set('[::1]:2', 'sha256:11')
  known.set('a:1', 'sha256:22')
  expect([known.get('a:1'), known.get('[::1]:2')]).toEqual(['sha256:22', 'sha256:11'])
})
