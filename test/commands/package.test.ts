import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CallJson } from '../../src/lib/call/json.js'

// The package as npm would lay it out on a clean machine: packed, unpacked, beside its dependencies, and run from there.
const root = join(import.meta.dirname, '..', '..')
const dir = mkdtempSync(join(tmpdir(), 'earshot-package-'))
const home = join(dir, 'lib', 'node_modules', 'earshot')
const fixture = join(root, 'test', 'fixtures', 'pbx.pcap')
let files: { path: string; size: number }[] = []
let packedBytes = 0
beforeAll(() => {
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', dir], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [made] = JSON.parse(packed.slice(packed.indexOf('['))) as [
    { filename: string; size: number; files: { path: string; size: number }[] },
  ]
  files = made.files
  packedBytes = made.size
  mkdirSync(home, { recursive: true })
  execFileSync('tar', ['-xzf', join(dir, made.filename), '-C', home, '--strip-components=1'])
  // The dependencies are those that are installed here, without what is only for developing; what npm fetches is not ours to test.
  for (const path of installedAlong().filter((path) => path.split('node_modules/').length === 2)) {
    mkdirSync(dirname(join(home, path)), { recursive: true })
    symlinkSync(join(root, path), join(home, path))
  }
}, 60_000)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Where npm puts what it installs with the package, by the lock. */
function installedAlong(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>
  }
  return Object.entries(packages)
    .filter(([path, p]) => path !== '' && !p.dev && !p.devOptional)
    .map(([path]) => path)
    .filter((path) => existsSync(join(root, path, 'package.json'))) // What is optional is for other systems.
}

const makeDirectory = (bare: string, name: string): string => {
  const made = join(bare, 'node_modules', name)
  mkdirSync(made)
  return made
}
const program = join(home, 'bin', 'run.js')
const earshot = (...args: string[]) =>
  spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    cwd: dir,
    env: { ...process.env, HOME: dir, XDG_DATA_HOME: join(dir, 'data') },
  })

describe('what is in it', () => {
  test('the program, its manual, completions, docs, licences; nothing that only a developer needs', () => {
    const paths = files.map(({ path }) => path)
    expect(paths).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'CHANGELOG.md',
        'THIRD-PARTY-NOTICES.md',
        'bin/run.js',
        'bin/package.json',
        'dist/program.cjs',
        'oclif.manifest.json',
        'dist/lib/index.d.ts',
        'dist/man/earshot.1',
        'dist/completions/_earshot',
        'docs/metrics.md',
      ]),
    )
    expect(
      paths.filter(
        (path) =>
          /^(src|test|bench|scripts|demo|dist\/commands|dist\/terminal)\/|\.tsx?$|\.tgz$|\.cache$|^bin\/dev/.test(path) &&
          !path.endsWith('.d.ts'),
      ),
    ).toEqual([])
    expect(packedBytes).toBeLessThan(1_500_000)
  })

  test('every file of dist has its source: nothing is left of what was removed', () => {
    const stale = files
      .map(({ path }) => /^dist\/(.*)\.js$/.exec(path)?.[1])
      .filter(
        (name) => name !== undefined && !['.ts', '.tsx'].some((end) => statSync(join(root, 'src', name + end), { throwIfNoEntry: false })),
      )
    expect(stale).toEqual([])
  })

  test('package.json: the program may be run, pages of the manual are there', () => {
    const { bin, man } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { bin: { earshot: string }; man: string[] }
    expect(statSync(join(home, bin.earshot)).mode & 0o111).toBe(0o111)
    expect(man.map((path) => path.replace('./dist/man/', '')).sort()).toEqual(readdirSync(join(home, 'dist', 'man')).sort())
  })

  test('the notices name every package that comes along, with its licence', () => {
    const text = readFileSync(join(home, 'THIRD-PARTY-NOTICES.md'), 'utf8')
    const versionOf = (path: string): string =>
      (JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as { version: string }).version
    // What is built in says above each module where it is from.
    const program = readFileSync(join(home, 'dist', 'program.cjs'), 'latin1')
    const builtIn = new Set([...program.matchAll(/^\/\/ (node_modules\/.*)\/[^/]*\.c?js$/gm)].map(([, directory]) => directory as string))
    const packages = new Set([...builtIn].map((directory) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(directory)?.[0] as string))
    expect([...packages]).toEqual(expect.arrayContaining(['node_modules/@oclif/core', 'node_modules/better-sqlite3']))
    expect(installedAlong().length).toBeGreaterThan(50)
    for (const path of new Set([...installedAlong(), ...packages]))
      expect(text).toContain(`| ${path.split('node_modules/').at(-1)} ${versionOf(path)} |`)
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
    for (const name of Object.keys(dependencies))
      expect(text).toMatch(new RegExp(`^\\| ${name.replace(/[/.]/g, '\\$&')} \\S+ \\| \\S`, 'm'))
    // What is built in and yet brings its native part along (better-sqlite3) must be of one version with it.
    const both = [...packages].filter((path) => path.replace('node_modules/', '') in dependencies)
    expect(both.map((path) => [path, dependencies[path.replace('node_modules/', '')]])).toEqual(both.map((path) => [path, versionOf(path)]))
    expect(both).toEqual(['node_modules/better-sqlite3'])
  })
})

describe('run from where it was unpacked', () => {
  test('--version: Earshot, Node, SQLite, libpcap', () => {
    for (const flag of ['--version', '-V', 'version']) {
      const { status, stdout } = earshot(flag)
      expect([status, stdout]).toEqual([
        0,
        expect.stringMatching(
          /^earshot\/\d+\.\d+\.\d+ linux-\S+ node-v\d+\.\d+\.\d+\nSQLite: 3\.\d+\.\d+\nlibpcap: (\d+\.\d+\S*|not found.*)\n$/,
        ),
      ])
    }
    // Truth: SQLite's library says so itself, tcpdump says which libpcap it uses.
    const said = spawnSync('tcpdump', ['--version'], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
    })
    const libpcap = /libpcap version (\S+)/.exec(said.stdout + said.stderr)?.[1]
    expect(earshot('--version').stdout).toContain(`libpcap: ${libpcap}`)
  })

  test('sniff -r: the calls of a capture, into a store, with pcaps', () => {
    const { status, stdout, stderr } = earshot('sniff', '-r', fixture, '-o', 'json', '--store', 'sqlite:calls.db', '--spool', 'spool')
    expect([status, stderr]).toEqual([0, expect.stringContaining('7 calls')])
    const { calls } = JSON.parse(stdout) as { calls: CallJson[] }
    expect(calls.map(({ state }) => state).sort()).toEqual([
      'answered',
      'answered',
      'answered',
      'answered',
      'cancelled',
      'failed',
      'no_final_response',
    ])
    expect(JSON.parse(earshot('cdr', 'query', '--store', 'sqlite:calls.db', '-o', 'json').stdout)).toMatchObject({ calls: { length: 7 } })
  })

  test('every command helps', () => {
    expect(earshot('mirror-send', '--help').stdout).toContain('--metrics')
  })

  test('alone it shows examples, and all of them are commands and flags that there are', () => {
    const { status, stdout } = earshot()
    expect(status).toBe(0)
    expect(stdout.split('\n').length).toBeLessThan(20)
    const { commands } = JSON.parse(readFileSync(join(home, 'oclif.manifest.json'), 'utf8')) as {
      commands: Record<string, { flags: Record<string, { char?: string }> }>
    }
    const examples = [...stdout.matchAll(/^ {2}(?:sudo )?earshot (.+?) {2,}/gm)].map(([, words]) => (words as string).split(' '))
    expect(examples.length).toBeGreaterThan(5)
    for (const words of examples) {
      const command = commands[`${words[0]}:${words[1]}`] ?? commands[words[0] as string]
      expect(command, words.join(' ')).toBeDefined()
      const flags = Object.entries(command?.flags ?? {}).flatMap(([name, { char }]) => [`--${name}`, `-${char}`])
      expect(flags).toEqual(expect.arrayContaining(words.filter((word) => /^--?[a-z]/.test(word))))
    }
  })

  test.each([
    [['snif'], 'sniff'],
    [['cdr', 'qurey'], 'cdr query'],
    [['fetch', 'pcap', '12'], 'fetch-pcap'],
    [['manager', 'tokne', 'list'], 'manager token list'],
  ])('%s: a slip is told, with what was meant', (words, meant) => {
    const { status, stderr } = earshot(...words)
    expect([status, stderr]).toEqual([2, expect.stringContaining(`Did you mean: earshot ${meant}\n`)])
  })

  test('a slip in a flag, too; without the whole help', () => {
    const { status, stdout, stderr } = earshot('cdr', 'query', '--mos-belwo', '3')
    expect([status, stdout, stderr]).toEqual([
      2,
      '',
      'Error: earshot cdr query has no flag --mos-belwo.\n  → Did you mean --mos-below?\n  → Its flags: earshot cdr query --help\n',
    ])
  })

  test('a native part that was not built is told with what to type', () => {
    // As npm leaves it where install scripts are not allowed: its files are there, what they compile is not.
    const bare = join(dir, 'bare')
    mkdirSync(join(bare, 'node_modules'), { recursive: true })
    for (const name of ['bin', 'dist', 'package.json', 'oclif.manifest.json']) symlinkSync(join(home, name), join(bare, name))
    for (const name of readdirSync(join(root, 'node_modules')))
      if (!['lz4', 'better-sqlite3'].includes(name)) symlinkSync(join(root, 'node_modules', name), join(bare, 'node_modules', name))
    for (const name of ['lz4', 'better-sqlite3'])
      execFileSync('cp', [
        '-r',
        join(root, 'node_modules', name, 'package.json'),
        join(root, 'node_modules', name, 'lib'),
        join(makeDirectory(bare, name)),
      ])
    const run = (...args: string[]) =>
      spawnSync(process.execPath, ['--preserve-symlinks', '--preserve-symlinks-main', join(bare, 'bin', 'run.js'), ...args], {
        encoding: 'utf8',
        cwd: dir,
      })
    expect(run('--version')).toMatchObject({ status: 0, stdout: expect.stringContaining('SQLite: not usable') })
    expect(run('cdr', 'query', '--store', 'sqlite:calls.db')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('--allow-scripts='),
    })
    expect(run('sniff', '-r', fixture)).toMatchObject({ status: 1, stderr: expect.stringContaining('(lz4)') })
  })

  test('help COMMAND is its --help; what is no command is no riddle', () => {
    expect(earshot('help', 'cdr', 'query').stdout).toBe(earshot('cdr', 'query', '--help').stdout)
    expect(earshot('xyzzy')).toMatchObject({ status: 2, stderr: expect.not.stringContaining('Did you mean') })
  })
})

describe('the manual', () => {
  test('renders without a warning, and names every command and flag', () => {
    const manual = join(home, 'dist', 'man')
    const { commands } = JSON.parse(readFileSync(join(home, 'oclif.manifest.json'), 'utf8')) as {
      commands: Record<string, { id: string; hidden?: boolean; flags: Record<string, { hidden?: boolean }> }>
    }
    const text = (name: string): string => {
      const { status, stdout, stderr } = spawnSync('groff', ['-man', '-ww', '-Tutf8', '-P-cbou', join(manual, name)], { encoding: 'utf8' })
      expect([name, status, stderr]).toEqual([name, 0, ''])
      return stdout
    }
    const overview = text('earshot.1')
    for (const { id, hidden, flags } of Object.values(commands)) {
      if (hidden) continue
      expect(overview).toContain(id.replaceAll(':', ' '))
      const page = text(`earshot-${id.replaceAll(':', '-')}.1`).replaceAll('‐', '-')
      for (const [name, flag] of Object.entries(flags)) if (!flag.hidden) expect(page).toContain(`--${name}`)
    }
  }, 30_000)
})
