// What `npm start` and `npm test` do first: install what is missing and build what is stale. Quiet when there is nothing to do.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..')

export function say(text) {
  process.stderr.write(`${text}\n`)
}

/** Runs a step silently; when it fails, prints the end of what it said, and the program ends. */
export function step(title, command, args, env = {}) {
  say(`· ${title} …`)
  const startedMs = performance.now()
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  })
  if (status === 0) return say(`  done in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
  const log = join(tmpdir(), 'earshot-setup.log')
  const text = `${stdout ?? ''}${stderr ?? ''}${error ?? ''}`
  writeFileSync(log, text)
  say(text.split('\n').slice(-25).join('\n'))
  say(`\nThis step failed: ${title}. All it said is in ${log}.`)
  process.exit(1)
}

/** Node 20 or newer, and the tools that build the native parts where no ready-made binary can be had. */
function checkTools() {
  const major = Number(process.versions.node.split('.')[0])
  if (major < 20) {
    say(`Earshot needs Node 20 or newer; this is ${process.version}.`)
    process.exit(1)
  }
  const missing = ['make', 'g++', 'python3'].filter((tool) => spawnSync(tool, ['--version']).error)
  if (missing.length > 0) {
    say(`Missing to build the native parts: ${missing.join(', ')}. On Debian: apt-get install -y make g++ python3`)
    process.exit(1)
  }
}

/** The headers beside the running node, so that nothing has to be fetched to build against it. */
function nodeHeaders() {
  const prefix = join(dirname(process.execPath), '..')
  if (existsSync(join(prefix, 'include', 'node', 'node.h'))) return { npm_config_nodedir: prefix }
  say(
    '  (no Node headers beside node: npm will try to fetch a ready-made binary or the headers; offline, install them, e.g. Debian package libnode-dev)',
  )
  return {}
}

function install() {
  const lock = join(root, 'package-lock.json')
  const stamp = join(root, 'node_modules', '.earshot-installed')
  const wanted = `${readFileSync(lock, 'utf8').length} ${process.version}\n${readFileSync(lock, 'utf8')}`
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  checkTools()
  const env = { ...nodeHeaders(), npm_config_update_notifier: 'false', npm_config_fund: 'false', npm_config_audit: 'false', JOBS: 'max' }
  step('Installing packages (better-sqlite3 is compiled: a minute or two)', 'npm', ['ci', '--loglevel=error'], env)
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
}

const newest = (dir) =>
  readdirSync(dir, { withFileTypes: true }).reduce((time, entry) => {
    const path = join(dir, entry.name)
    return Math.max(time, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs)
  }, 0)

function build() {
  const stamp = join(root, 'dist', '.earshot-built')
  const sources = Math.max(
    newest(join(root, 'src')),
    newest(join(root, 'scripts')),
    statSync(join(root, 'package.json')).mtimeMs,
    statSync(join(root, 'tsconfig.build.json')).mtimeMs,
  )
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= sources) return
  step('Compiling', 'npm', ['run', '--silent', 'build'])
  writeFileSync(stamp, '')
}

export function setUp() {
  install()
  build()
}
