import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const run = join(root, 'bin', 'run.js')
const dir = mkdtempSync(join(tmpdir(), 'earshot-start-up-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('oclif.manifest.json says what the commands say', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'manifest.mjs'), '--check'], {
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([0, ''])
})

/** What one run had loaded when it ended: files by require, and Node's own modules. `--require` makes it no plain start, so it keeps no cache. */
function loadedBy(...words: string[]): { status: number | null; stdout: string; files: string[]; builtin: string[] } {
  const spy = join(dir, 'spy.cjs')
  const told = join(dir, 'loaded.json')
  writeFileSync(
    spy,
    `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(told)},
      JSON.stringify({ files: Object.keys(require.cache), builtin: process.moduleLoadList })))`,
  )
  const { status, stdout } = spawnSync(process.execPath, ['--require', spy, run, ...words], { encoding: 'utf8' })
  const { files, builtin } = JSON.parse(readFileSync(told, 'utf8')) as { files: string[]; builtin: string[] }
  return {
    status,
    stdout,
    files: files.filter((file) => file !== spy).map((file) => relative(root, file)),
    builtin: builtin.filter((name) => /^NativeModule [a-z_]+$/.test(name)).map((name) => name.replace('NativeModule ', '')),
  }
}

/** Modules of Node that take a millisecond or more, and that no question to SQLite needs. */
const slowBuiltin = ['cluster', 'crypto', 'dns', 'http', 'https', 'http2', 'inspector', 'repl', 'tls', 'worker_threads']

test('cdr query loads the program and SQLite, and nothing else: neither a package nor a slow part of Node', () => {
  const store = `sqlite:${join(dir, 'calls.db')}`
  const made = spawnSync(process.execPath, [run, 'sniff', '-r', join(root, 'test', 'fixtures', 'pbx.pcap'), '--store', store, '-q'])
  expect(made.status).toBe(0)
  const { status, stdout, files, builtin } = loadedBy('cdr', 'query', '--number', '15550100', '-o', 'csv', '--store', store, '--no-config')
  expect([status, stdout.split('\n').length > 2]).toEqual([0, true])
  expect(files.sort()).toEqual(['bin/run.js', 'dist/program.cjs', 'node_modules/better-sqlite3/build/Release/better_sqlite3.node'])
  expect(builtin.filter((name) => slowBuiltin.includes(name))).toEqual([])
})

test.each(['--help', 'cdr query --help', 'sniff --help', 'live --help', 'completion bash', 'sniff --no-such-flag'])(
  '%s loads the program, and no package',
  (words) => {
    expect(loadedBy(...words.split(' ')).files.sort()).toEqual(['bin/run.js', 'dist/program.cjs'])
  },
)

test('a current directory that is gone is told, and no more', () => {
  const gone = `mkdir ${dir}/gone; cd ${dir}/gone; rmdir ${dir}/gone; exec ${process.execPath} ${run} completion bash`
  const { status, stdout, stderr } = spawnSync('sh', ['-c', gone], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, 'WARNING: current directory does not exist\n'])
  expect(stdout).toContain('complete')
})

test('what a command imports at its top leaves out what only some of its runs use', () => {
  const reached = (file: string, seen = new Set<string>()): Set<string> => {
    if (seen.has(file)) return seen
    seen.add(file)
    for (const [, target] of readFileSync(join(root, 'dist', file), 'utf8').matchAll(/^(?:import|export)\b[^;]*?from '(\.[^']+)';$/gm))
      reached(join(dirname(file), target as string), seen)
    return seen
  }
  const heavy = {
    'commands/cdr/query.js':
      /lib\/(store\/(sqlite|mysql)|settings\/voipmonitor|capture|spool|mirror|manager|metrics|sniffer|journal|access|pcap|dissect)\//,
    'commands/sniff/index.js': /lib\/(capture\/(native|live-source|bpf-compile)|store\/(sqlite|mysql)|spool\/spool|metrics)|cli-table3/,
    'commands/live/index.js':
      /lib\/(capture\/(native|live-source|bpf-compile)|store\/(sqlite|mysql))|terminal\/live\/(session|host|keyboard)/,
  }
  for (const [command, wrong] of Object.entries(heavy)) {
    const files = [...reached(command)]
    expect(files.length).toBeGreaterThan(20)
    expect(files.filter((file) => wrong.test(file)).map((file) => `${command} loads ${file}`)).toEqual([])
  }
})

describe('the code cache', () => {
  test('what is none, what is damaged or of another program or of other options costs time, and nothing else', () => {
    const home = join(dir, 'program')
    for (const name of ['bin', 'dist']) mkdirSync(join(home, name), { recursive: true })
    for (const name of ['bin/run.js', 'bin/package.json', 'dist/program.cjs', 'package.json', 'oclif.manifest.json'])
      copyFileSync(join(root, name), join(home, name))
    const start = (...options: string[]): string =>
      execFileSync(process.execPath, [...options, join(home, 'bin', 'run.js'), 'cdr', 'query', '--help'], { encoding: 'utf8' })
    const caches = (): string[] => readdirSync(join(home, 'dist')).filter((name) => name !== 'program.cjs')
    const kept = `program.cjs.${process.version}-${process.arch}.cache`
    const help = start('--max-semi-space-size=1')
    expect(help).toContain('--mos-below')
    // Other options make another program of it for V8: such a run keeps none.
    expect(caches()).toEqual([])
    expect(start()).toBe(help)
    expect(caches()).toEqual([kept])
    const good = readFileSync(join(home, 'dist', kept))
    expect(good.length).toBeGreaterThan(100_000)
    expect(start('--max-semi-space-size=1')).toBe(help)
    // V8 believes what is in it: a page of it lost would be the end of the process.
    const damaged = Buffer.from(good).fill(0, 100_000, 104_096)
    for (const bad of [Buffer.alloc(0), Buffer.from('no cache at all'), good.subarray(0, 5000), Buffer.alloc(good.length), damaged]) {
      writeFileSync(join(home, 'dist', kept), bad)
      expect(start()).toBe(help)
      expect(readFileSync(join(home, 'dist', kept)).length).toBeGreaterThan(100_000)
    }
    // What the next runs use comes to it, for all who may read the program; after eight it is left alone.
    const grown = (...words: string[]): number => {
      execFileSync(process.execPath, [join(home, 'bin', 'run.js'), ...words], { encoding: 'utf8' })
      return statSync(join(home, 'dist', kept)).size
    }
    const before = grown('--version')
    const more = grown('mirror-recv', '--help')
    expect(more).toBeGreaterThan(before)
    expect(statSync(join(home, 'dist', kept)).mode & 0o777).toBe(0o644)
    for (let i = 0; i < 8; i++) grown('--version')
    expect(grown('sniff', '--help')).toBe(grown('--version'))
    // Another program of the same length: V8 would run the old one.
    const program = readFileSync(join(home, 'dist', 'program.cjs'), 'latin1')
    const words = 'has no flag'
    expect(program).toContain(words)
    writeFileSync(join(home, 'dist', 'program.cjs'), program.replace(words, words.toUpperCase()), 'latin1')
    const { stderr } = spawnSync(process.execPath, [join(home, 'bin', 'run.js'), 'cdr', 'query', '--bogus'], { encoding: 'utf8' })
    expect(stderr).toContain(words.toUpperCase())
  })
})

test('every command helps, with an example', () => {
  const { commands } = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as {
    commands: Record<string, { summary?: string; examples?: unknown[] }>
  }
  expect(Object.keys(commands)).toEqual(
    expect.arrayContaining(['cdr:query', 'cdr:show', 'fetch-pcap', 'mirror-recv', 'mirror-send', 'serve-manager', 'sniff']),
  )
  // The program has each of them.
  const program = readFileSync(join(root, 'dist', 'program.cjs'), 'latin1')
  expect(Object.keys(commands).filter((id) => !new RegExp(`^ +"?${id}"?: \\(\\) => `, 'm').test(program))).toEqual([])
  for (const command of Object.values(commands)) {
    expect(command.summary).toBeTruthy()
    expect(command.examples?.length).toBeGreaterThan(0)
  }
})

test('a checkout that is not built says so, and what to type', () => {
  const bare = join(dir, 'bare')
  mkdirSync(join(bare, 'bin'), { recursive: true })
  for (const file of ['bin/run.js', 'bin/package.json']) copyFileSync(join(root, file), join(bare, file))
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(bare, 'bin', 'run.js'), 'sniff'], { encoding: 'utf8' })
  expect([status, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^Earshot is not built yet\.\nNext: npm start /)
})
