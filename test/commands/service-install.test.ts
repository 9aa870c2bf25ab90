import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

/** Installations below another root: what packages and chroots get. */
const root = join(import.meta.dirname, '..', '..')
const dir = mkdtempSync(join(tmpdir(), 'earshot-install-'))
afterAll(() => rmSync(dir, { recursive: true }))

const earshot = (...words: string[]) =>
  spawnSync(process.execPath, [join(root, 'bin', 'run.js'), ...words], {
    encoding: 'utf8',
    cwd: dir,
    env: { ...process.env, HOME: dir, RUNTIME_DIRECTORY: join(dir, 'run'), STATE_DIRECTORY: join(dir, 'state') },
  })
const packaged = (at: string, ...words: string[]) =>
  earshot('service', ...words, '--root', join(dir, at), '--units', '/usr/lib/systemd/system')
const program = ['--program', '/usr/bin/earshot']
const mode = (at: string, path: string): string => (statSync(join(dir, at, path)).mode & 0o777).toString(8)

test('a package: units, user, configuration, empty credentials', () => {
  const ran = packaged('a', 'install', 'all', ...program)
  expect(ran.status, ran.stderr).toBe(0)
  expect(readdirSync(join(dir, 'a', 'usr/lib/systemd/system'))).toHaveLength(12)
  expect(readFileSync(join(dir, 'a', 'usr/lib/systemd/system/earshot-sniff.service'), 'utf8')).toContain(
    'ExecStart=/usr/bin/earshot sniff\n',
  )
  expect([
    mode('a', 'etc/earshot/earshot.conf'),
    mode('a', 'etc/earshot/conf.d'),
    mode('a', 'etc/earshot/credentials'),
    mode('a', 'etc/earshot/credentials/earshot-db-password'),
  ]).toEqual(['640', '755', '700', '600'])
  expect(existsSync(join(dir, 'a', 'usr/lib/sysusers.d/earshot.conf'))).toBe(true)
  expect(ran.stderr).toMatch(/systemctl enable --now earshot-sniff\.service .* earshot-cdr-prune\.timer/)
  // What it begins with has no problem.
  expect(earshot('config', 'check', join(dir, 'a', 'etc/earshot/earshot.conf')).status).toBe(0)
})

test('a second time: units are renewed, what an administrator wrote stays', () => {
  packaged('b', 'install', 'sniff', ...program)
  const conf = join(dir, 'b', 'etc/earshot/earshot.conf')
  const secret = join(dir, 'b', 'etc/earshot/credentials/earshot-db-password')
  writeFileSync(conf, '[sniff]\ninterface = eth7\n')
  writeFileSync(secret, 'geheim')
  const ran = packaged('b', 'install', 'sniff', '--program', '/opt/earshot')
  expect(ran.stderr.match(/^(Wrote|Renewed|Made) \S+/gm)?.map((line) => line.replace(join(dir, 'b'), ''))).toEqual([
    'Renewed /usr/lib/systemd/system/earshot-sniff.service',
    'Renewed /usr/lib/systemd/system/earshot-sniff@.service',
  ])
  expect([readFileSync(conf, 'utf8'), readFileSync(secret, 'utf8')]).toEqual(['[sniff]\ninterface = eth7\n', 'geheim'])
  expect(packaged('b', 'uninstall', 'sniff').status).toBe(0)
  expect(readdirSync(join(dir, 'b', 'usr/lib/systemd/system'))).toEqual([])
  expect(existsSync(conf)).toBe(true)
})

test('not for a package: the user and its state directory are there before anything was started', () => {
  const ran = earshot('service', 'install', 'sniff', '--root', join(dir, 'e'), ...program)
  expect(ran.status, ran.stderr).toBe(0)
  const { uid, gid } = statSync(join(dir, 'e', 'var/lib/earshot'))
  // Otherwise a token that is added before the first start would be kept where no service looks.
  expect(mode('e', 'var/lib/earshot')).toBe('750')
  if (process.getuid?.() !== 0) return
  expect(readFileSync(join(dir, 'e', 'etc/passwd'), 'utf8')).toContain(`earshot:x:${uid}:${gid}:`)
})

test('--dry-run shows everything and changes nothing', () => {
  const ran = packaged('c', 'install', 'sniff@eth1', '--dry-run', ...program)
  expect(ran.status).toBe(0)
  expect(ran.stdout).toMatch(
    /earshot-sniff@\.service \(mode 0644\)\n[\s\S]*Environment=EARSHOT_INSTANCE=%i[\s\S]*# .*earshot\.conf \(mode 0640, unless it is there\)/,
  )
  expect(existsSync(join(dir, 'c'))).toBe(false)
})

test.each<[string, string[], RegExp]>([
  ['a service that there is not', ['install', 'snif', '--dry-run'], /There is no service "snif"\.\n {2}→ One of: sniff, /],
  ['an instance of a job', ['install', 'cdr-prune@x', '--dry-run'], /There is no service "cdr-prune@x"/],
])('%s is a mistake of usage', (_, words, said) => {
  const ran = packaged('d', ...words, ...program)
  expect([ran.status, ran.stderr]).toEqual([2, expect.stringMatching(said)])
})

test('a program that the services’ user cannot reach is refused, and why is said', () => {
  const hidden = join(dir, 'hidden')
  mkdirSync(hidden)
  chmodSync(hidden, 0o700)
  // A checkout in a directory that only its owner may enter.
  spawnSync('cp', ['-r', join(root, 'bin'), join(root, 'package.json'), join(root, 'oclif.manifest.json'), hidden])
  for (const name of ['dist', 'node_modules']) spawnSync('ln', ['-s', join(root, name), join(hidden, name)])
  const ran = spawnSync(process.execPath, [join(hidden, 'bin', 'run.js'), 'service', 'install', 'sniff', '--dry-run'], { encoding: 'utf8' })
  expect([ran.status, ran.stderr]).toEqual([1, expect.stringMatching(/A service cannot run \S+run\.js: others may not enter/)])
})
