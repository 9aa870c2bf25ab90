// `npm test`: sets up what is missing, checks and tests everything, and says at the end what ran and what did not.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, say, setUp, step } from './setup.mjs'

/** Debian packages that only tests need, each with a program that shows it is there. */
const packages = [
  ['tshark', 'tshark'],
  ['lz4', 'lz4'],
  ['sipp', 'sip-tester'],
  ['tcpreplay', 'tcpreplay'],
  ['tcpdump', 'tcpdump'],
  ['ip', 'iproute2'],
  ['tmux', 'tmux'],
  ['setpriv', 'util-linux'],
  ['mariadbd', 'mariadb-server'],
  ['openssl', 'openssl'],
  ['curl', 'curl'],
  ['groff', 'groff-base'],
  ['zsh', 'zsh'],
]

const searchPath = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`
process.env.PATH = searchPath
const onPath = (program) => searchPath.split(':').some((dir) => existsSync(join(dir, program)))
const libpcap = () =>
  ['/usr/lib', '/lib'].some((dir) =>
    ['x86_64-linux-gnu', 'aarch64-linux-gnu', ''].some((arch) => existsSync(join(dir, arch, 'libpcap.so.0.8'))),
  )

function debianPackages() {
  const missing = packages.filter(([program]) => !onPath(program)).map(([, name]) => name)
  if (!libpcap()) missing.push('libpcap0.8')
  if (missing.length === 0) return
  const line = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (process.getuid?.() !== 0) {
    say(`The tests need programs that are not here. Install them as root, then run npm test again:\n  ${line}`)
    process.exit(1)
  }
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  step('Updating the package lists', 'apt-get', ['update', '-qq'], env)
  step(`Installing Debian packages for the tests: ${missing.join(', ')}`, 'apt-get', line.split(' ').slice(1).concat('-qq'), env)
}

function check(title, command, args) {
  say(`· ${title} …`)
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) {
    say(`\nFailed: ${title}`)
    process.exit(1)
  }
}

setUp()
debianPackages()
const bin = (name) => join(root, 'node_modules', '.bin', name)
check('Lint and format (biome)', bin('biome'), ['ci', '--error-on-warnings', '.'])
check('Types', bin('tsc'), [])
check('Types of the pure core, without a platform', bin('tsc'), ['-p', 'tsconfig.core.json'])
check('The manifest is fresh', process.execPath, ['scripts/manifest.mjs', '--check'])

say('· Tests …')
const reports = mkdtempSync(join(tmpdir(), 'earshot-test-'))
const report = join(reports, 'report.json')
const run = spawnSync(
  bin('vitest'),
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
  },
)
if (!existsSync(report)) {
  say('The tests did not run to their end.')
  process.exit(1)
}
const { testResults } = JSON.parse(readFileSync(report, 'utf8'))
rmSync(reports, { recursive: true })
const all = testResults.flatMap((file) => file.assertionResults.map((test) => ({ ...test, file: file.name.replace(`${root}/`, '') })))
const passed = all.filter((t) => t.status === 'passed').length
const failed = all.filter((t) => t.status === 'failed')
const left = all.filter((t) => t.status !== 'passed' && t.status !== 'failed')
const brokenFiles = testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)

process.stdout.write(`\nRan: lint, types, manifest, ${passed + failed.length} tests in ${testResults.length} files.\n`)
for (const file of brokenFiles) process.stdout.write(`Could not run: ${file.name.replace(`${root}/`, '')}\n`)
for (const t of failed) process.stdout.write(`Failed: ${t.file}: ${t.fullName}\n`)
if (left.length > 0) {
  // The reason stands in square brackets in the title: [needs …].
  const reasons = groupBy(left, reasonOf)
  for (const [reason, tests] of reasons) process.stdout.write(`Left out: ${tests.length} tests, ${reason}\n`)
} else process.stdout.write('Left out: nothing.\n')
process.stdout.write(`${passed} passed, ${failed.length + brokenFiles.length} failed${left.length > 0 ? `, ${left.length} skipped` : ''}\n`)
process.exit(run.status === 0 && failed.length + brokenFiles.length === 0 ? 0 : 1)

function reasonOf(test) {
  const reasons = [...test.fullName.matchAll(/\[(needs [^\]]+)\]/g)].map((match) => match[1])
  return reasons.length > 0 ? reasons.join(', ') : `without a reason: ${test.file}`
}

function groupBy(list, key) {
  const groups = new Map()
  for (const item of list) groups.set(key(item), [...(groups.get(key(item)) ?? []), item])
  return groups
}
