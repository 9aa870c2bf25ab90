import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serverCertificate } from '../../src/lib/access/index.js'

// The manager's commands as a person types them: tokens, serve-manager, sensor status and trust, a run with --manager.
const root = join(import.meta.dirname, '..', '..')
const fixture = join(root, 'test', 'fixtures', 'pbx.pcap')
const dir = mkdtempSync(join(tmpdir(), 'earshot-manager-cli-'))
const env = {
  ...process.env,
  HOME: dir,
  XDG_CONFIG_HOME: join(dir, 'config'),
  XDG_DATA_HOME: join(dir, 'data'),
  STATE_DIRECTORY: join(dir, 'state'),
  RUNTIME_DIRECTORY: join(dir, 'run'),
}
const earshot = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [join(root, 'bin', 'run.js'), ...args], { encoding: 'utf8', cwd: dir, env })

/** An address of loopback that no other test uses; not 127.0.0.1, so that its port is free. */
const host = `127.${100 + (process.pid % 100)}.${(process.pid >> 8) % 256}.1`
const address = `${host}:5029`
let server: ChildProcess
let said = ''
beforeAll(async () => {
  const { certificate } = await serverCertificate(join(dir, 'made'))
  expect(certificate).toContain('BEGIN CERTIFICATE')
  expect(
    earshot('sniff', '-r', fixture, '--store', `sqlite:${join(dir, 'state', 'calls.db')}`, '--spool', join(dir, 'state', 'spool'), '-q')
      .status,
  ).toBe(0)
  const own = ['--tls-cert', join(dir, 'made', 'server-cert.pem'), '--tls-key', join(dir, 'made', 'server-key.pem')]
  server = spawn(process.execPath, [join(root, 'bin', 'run.js'), 'serve-manager', '--listen', address, ...own], {
    cwd: dir,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await new Promise<void>((resolve, reject) => {
    server.stderr?.on('data', (chunk) => {
      said += chunk
      if (said.includes('Certificate')) resolve()
    })
    server.once('exit', () => reject(new Error(said)))
  })
})
afterAll(() => {
  server?.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

describe('tokens', () => {
  test('added, listed, removed', () => {
    const added = earshot('manager', 'token', 'add', 'laptop', '--role', 'fetch')
    expect(added.stdout).toMatch(/^earshot_[\w-]{43}\n$/)
    expect(added.stderr).not.toContain(added.stdout.trim())
    const listed = earshot('manager', 'token', 'list', '-o', 'ndjson')
    expect(JSON.parse(listed.stdout)).toMatchObject({ name: 'laptop', role: 'fetch', known_by: 'token' })
    expect(earshot('manager', 'token', 'add', 'laptop', '--role', 'view')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('already'),
    })
    expect(earshot('manager', 'token', 'remove', 'laptop').status).toBe(0)
    expect(earshot('manager', 'token', 'remove', 'laptop').status).toBe(3)
    expect(earshot('manager', 'token', 'add', 'x', '--role', 'god').status).toBe(2)
  })
})

describe('serve-manager', () => {
  test('says where it listens and which certificate it shows', () => {
    expect(said).toContain(`Listening on unix:${join(dir, 'run', 'serve-manager.sock')} ${address}`)
    expect(said).toMatch(/^Certificate: sha256:[0-9a-f]{64}$/m)
  })

  test('a record and its packets over TLS, once its certificate is remembered', () => {
    const name = `tls://${address}`
    const refused = earshot('fetch-pcap', '1', '--sensor', name, '-w', 'refused.pcap')
    expect([refused.status, refused.stderr]).toEqual([5, expect.stringContaining('is not known yet')])
    const fingerprint = /sha256:[0-9a-f]{64}/.exec(said)?.[0] as string
    expect(earshot('sensor', 'trust', name, '--fingerprint', `sha256:${'0'.repeat(64)}`)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(fingerprint),
    })
    expect(earshot('sensor', 'trust', name, '--fingerprint', fingerprint)).toMatchObject({
      status: 0,
      stdout: `${address} ${fingerprint}\n`,
    })
    expect(earshot('fetch-pcap', '1', '--sensor', name, '-w', 'call.pcap')).toMatchObject({ status: 0, stderr: '' })
    const spool = join(dir, 'state', 'spool')
    const files = (readdirSync(spool, { recursive: true, encoding: 'utf8' }) as string[]).filter((f) => f.endsWith('.pcap'))
    const got = readFileSync(join(dir, 'call.pcap'))
    expect(files.filter((file) => readFileSync(join(spool, file)).equals(got))).toHaveLength(1)
  })

  test('sensor status: what answers and what does not', () => {
    const { status, stdout, stderr } = earshot('sensor', 'status', address, `unix:${join(dir, 'nothing.sock')}`, '-o', 'ndjson')
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { service?: string; error: string | null })
    expect([status, rows.map((r) => r.error === null)]).toEqual([4, [true, false]])
    expect(stderr).toContain('nothing.sock')
    expect(earshot('sensor', 'status', `unix:${join(dir, 'nothing.sock')}`).status).toBe(5)
  })

  test('sensor status --sensor: a name of the list or an address', () => {
    expect(earshot('sensor', 'add', '3', 'Prague', '--host', host).status).toBe(0)
    expect(earshot('sensor', 'add', '4', 'Brno', '--host', '127.255.0.9').status).toBe(0)
    const asked = earshot('sensor', 'status', '--sensor', 'Prague', '--accept-new', '-o', 'ndjson')
    expect([asked.status, JSON.parse(asked.stdout.split('\n')[0] as string)]).toMatchObject([0, { id: 3, name: 'Prague', error: null }])
    expect(earshot('sensor', 'status', '--sensor', address, '--accept-new').status).toBe(0)
    expect(earshot('sensor', 'trust', 'prague')).toMatchObject({ status: 0, stdout: expect.stringMatching(`^${address} sha256:`) })
    expect(earshot('fetch-pcap', '1', '--sensor', 'prague', '-w', 'named.pcap').status).toBe(0)
  })

  test('a sensor of the list that is away: told with what to do; packets of another are there, but not all could be asked', () => {
    const { status, stdout, stderr } = earshot('sensor', 'status')
    expect([status, stderr]).toEqual([
      4,
      expect.stringMatching(/^Brno: Cannot reach 127\.255\.0\.9:5029: .*\.\n {2}→ Does the service run/),
    ])
    expect(stdout).toMatch(/Brno .*no answer/)
    // Of columns in which nothing stands, people see nothing.
    expect(stdout).not.toContain('lag_s')
    const found = earshot('fetch-pcap', '1', '--all-sensors', '-w', 'any.pcap')
    expect([found.status, found.stderr]).toEqual([
      4,
      expect.stringMatching(/^Cannot reach 127\.255\.0\.9:5029: .*\n1 of 2 sensors could not be asked; these packets are of 127/),
    ])
    expect(existsSync(join(dir, 'any.pcap'))).toBe(true)
    for (const id of ['3', '4']) expect(earshot('sensor', 'remove', id).status).toBe(0)
  })

  test('audit: who had which packets', () => {
    const shown = earshot('manager', 'audit', '-o', 'json')
    const entries = JSON.parse(shown.stdout) as { client: string; request: string; outcome: string; bytes: number }[]
    expect(entries.at(-1)).toMatchObject({ client: 'unnamed', request: 'fetch', outcome: 'complete', bytes: expect.any(Number) })
    expect(JSON.parse(earshot('manager', 'audit', '--client', 'nobody', '-o', 'json').stdout)).toEqual([])
    expect(earshot('manager', 'audit', '--state', join(dir, 'nowhere'), '-o', 'json').stdout).toBe('[]\n')
  })

  test('a second one on the same address is told so', () => {
    expect(earshot('serve-manager', '--listen', address)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('Another service listens on'),
    })
  })

  test('ends when it is asked to, and leaves no socket', async () => {
    server.kill('SIGTERM')
    const code = await new Promise((resolve) => server.once('exit', resolve))
    expect([code, readdirSync(join(dir, 'run')).filter((f) => f.endsWith('.sock'))]).toEqual([0, []])
  })
})

test('a run over a file answers when it is asked to (--manager), and is gone with it', async () => {
  const run = spawn(
    'bash',
    [
      '-c',
      `(cat '${fixture}'; sleep 30) | '${process.execPath}' '${join(root, 'bin', 'run.js')}' sniff -r - --manager --store none -o csv`,
    ],
    { cwd: dir, env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  try {
    let text = ''
    await new Promise<void>((resolve) => {
      run.stderr.on('data', (chunk) => {
        text += chunk
        if (/Manager: .*unix:/.test(text)) resolve()
      })
    })
    const socket = /unix:(\S+\.sock)/.exec(text)?.[1] as string
    const totals = async (): Promise<string> =>
      new Promise((resolve, reject) => {
        const client = connect({ path: socket })
        let answer = ''
        client.on('data', (chunk) => {
          answer += chunk
        })
        client.once('error', reject)
        client.once('close', () => resolve(answer))
        client.write('totalcalls\r\n\r\n')
      })
    // At the end of the fixture one call still rings, and the last one was over less than a minute ago.
    await expect.poll(totals, { timeout: 15_000 }).toMatch(/^[1-7]$/)
  } finally {
    process.kill(-(run.pid as number), 'SIGKILL')
  }
})
