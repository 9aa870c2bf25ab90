import { type ExecFileSyncOptions, execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import { serviceDirs } from '../defaults.js'
import { configSkeleton, credentials, jobRows, type Program, serviceRows, sysusers, unitNames, unitsOf } from './units.js'

/** What `service install` and `service uninstall` do, as steps that can be shown or done. */
export type Step =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number; readonly own?: boolean }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly text: string; readonly keep: boolean }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'run'; readonly command: readonly string[]; readonly unlessFails?: boolean }

export interface Place {
  /** Everything is below it: "/" or the directory of a package. */
  readonly root: string
  /** Where units go, seen from within. */
  readonly unitDirectory: string
}

const CONFIG = '/etc/earshot'

/** `sniff@eth1` → `sniff`, `eth1`. Throws when there is no such service. */
export function parseUnit(text: string): { name: string; instance: string | undefined } {
  const [name = '', instance] = text
    .replace(/^earshot-/, '')
    .replace(/\.(service|timer)$/, '')
    .split('@', 2)
  if (!unitNames.includes(name) || instance === '' || (instance !== undefined && jobRows[name] !== undefined))
    throw new OperatorError('SERVICE_NAME', `There is no service "${text}".`, {
      exit: exitCodes.usage,
      suggestions: [
        `One of: ${unitNames.join(', ')}, or all.`,
        `With an instance: ${Object.keys(serviceRows)
          .map((n) => `${n}@NAME`)
          .join(', ')}`,
      ],
    })
  return { name, instance }
}

/** The unit that systemctl is told: `earshot-sniff@eth1.service`, `earshot-cdr-prune.timer`. */
export const unitToEnable = ({ name, instance }: { name: string; instance: string | undefined }): string =>
  jobRows[name] !== undefined ? `earshot-${name}.timer` : `earshot-${name}${instance === undefined ? '' : `@${instance}`}.service`

/**
 * This program, as systemd is to start it. Throws when the user of the services could not reach it: units see neither home
 * directories nor what others may not read.
 */
export function ownProgram(script: string): Program {
  const program = [realpathSync(process.execPath), realpathSync(script)]
  for (const path of program) {
    const why = hiddenFrom(path)
    if (why !== undefined)
      throw new OperatorError('SERVICE_PROGRAM', `A service cannot run ${path}: ${why}.`, {
        suggestions: [
          'Install Node and earshot for the whole system: sudo npm install -g earshot, with a Node from the distribution or in /opt or /usr/local.',
          "Or name a program that is to be started: --program '/opt/node/bin/node /opt/earshot/bin/run.js'",
        ],
      })
  }
  return program
}

function hiddenFrom(path: string): string | undefined {
  if (/^\/(home|root|run\/user)\//.test(path)) return 'home directories are hidden from services (ProtectHome=yes)'
  if ((statSync(path).mode & 0o004) === 0) return 'others may not read it'
  for (let at = dirname(path); at !== '/'; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return `others may not enter ${at}`
  }
  return undefined
}

export function installSteps(names: readonly string[], program: Program, { root, unitDirectory }: Place, running: boolean): Step[] {
  const at = (path: string): string => join(root, path)
  const packaged = unitDirectory.startsWith('/usr/')
  const users = `${packaged ? '/usr/lib' : '/etc'}/sysusers.d/earshot.conf`
  return [
    ...names.flatMap((name) =>
      unitsOf(name, program).map(
        (unit): Step => ({ kind: 'file', path: at(join(unitDirectory, unit.name)), mode: 0o644, text: unit.text, keep: false }),
      ),
    ),
    { kind: 'file', path: at(users), mode: 0o644, text: sysusers, keep: false },
    // A package does this when it is installed.
    ...(packaged
      ? []
      : [
          { kind: 'run', command: ['systemd-sysusers', ...(root === '/' ? [] : [`--root=${root}`]), 'earshot.conf'] } as const,
          // systemd would make it at the first start. A token may be added before that, and must not land elsewhere.
          { kind: 'directory', path: at(serviceDirs.state), mode: 0o750, own: true } as const,
        ]),
    { kind: 'directory', path: at(CONFIG), mode: 0o750 },
    { kind: 'file', path: at(`${CONFIG}/earshot.conf`), mode: 0o640, text: configSkeleton, keep: true },
    { kind: 'directory', path: at(`${CONFIG}/conf.d`), mode: 0o755 },
    { kind: 'directory', path: at(`${CONFIG}/credentials`), mode: 0o700 },
    // An empty file is as good as none, but LoadCredential wants one.
    ...Object.keys(credentials).map(
      (name): Step => ({ kind: 'file', path: at(`${CONFIG}/credentials/${name}`), mode: 0o600, text: '', keep: true }),
    ),
    ...(running ? [{ kind: 'run', command: ['systemctl', 'daemon-reload'] } as const] : []),
  ]
}

export function uninstallSteps(names: readonly string[], { root, unitDirectory }: Place, running: boolean): Step[] {
  const files = names.flatMap((name) => unitsOf(name, []).map((unit) => unit.name))
  const systemctl = (...words: string[]): Step => ({ kind: 'run', command: ['systemctl', ...words], unlessFails: true })
  const single = files.filter((file) => !file.includes('@') && existsSync(join(root, unitDirectory, file)))
  const instances = names.flatMap((name) => enabledInstances(name, join(root, unitDirectory)))
  return [
    ...(running
      ? [
          ...single.map((file) => systemctl('disable', '--now', file)),
          ...instances.map((unit) => systemctl('disable', '--now', unit)),
          // And those that run without being enabled: `stop` knows patterns, `disable` does not.
          ...files.filter((file) => file.includes('@')).map((file) => systemctl('stop', file.replace('@.', '@*.'))),
        ]
      : []),
    ...files.map((file): Step => ({ kind: 'remove', path: join(root, unitDirectory, file) })),
    ...(running ? [{ kind: 'run', command: ['systemctl', 'daemon-reload'] } as const] : []),
  ]
}

/** Instances are enabled by links beside the units: multi-user.target.wants/earshot-sniff@eth1.service. */
function enabledInstances(name: string, directory: string): string[] {
  const names = (path: string): string[] => (existsSync(path) ? readdirSync(path) : [])
  return names(directory)
    .filter((entry) => entry.endsWith('.wants'))
    .flatMap((wants) => names(join(directory, wants)))
    .filter((unit) => unit.startsWith(`earshot-${name}@`))
}

/** Does the steps; tells each that changed something. Throws an OperatorError. */
export function perform(steps: readonly Step[], root: string, say: (text: string) => void): void {
  for (const step of steps) {
    try {
      const done = performOne(step, root)
      if (done !== undefined) say(done)
    } catch (error) {
      if (error instanceof OperatorError) throw error
      throw new OperatorError('SERVICE_INSTALL', `Cannot ${describe(step)}: ${(error as Error).message}.`, {
        cause: error,
        suggestions: ['Run as root: sudo earshot service …', 'Or see what would be done: --dry-run'],
      })
    }
  }
}

function performOne(step: Step, root: string): string | undefined {
  switch (step.kind) {
    case 'directory':
      if (existsSync(step.path)) return undefined
      mkdirSync(step.path, { recursive: true })
      chmodSync(step.path, step.mode)
      if (step.own === true) giveToUser(step.path, root)
      else giveToGroup(step.path, step.mode, root)
      return `Made ${step.path}`
    case 'file': {
      const before = existsSync(step.path) ? readFileSync(step.path, 'utf8') : undefined
      if (before === step.text || (step.keep && before !== undefined)) return undefined
      mkdirSync(dirname(step.path), { recursive: true })
      writeFileSync(step.path, step.text, { mode: step.mode })
      chmodSync(step.path, step.mode)
      giveToGroup(step.path, step.mode, root)
      return `${before === undefined ? 'Wrote' : 'Renewed'} ${step.path}`
    }
    case 'remove':
      if (!existsSync(step.path)) return undefined
      rmSync(step.path)
      return `Removed ${step.path}`
    case 'run':
      run(step.command, step.unlessFails === true)
      return undefined
    default:
      return step satisfies never
  }
}

const options: ExecFileSyncOptions = { stdio: ['ignore', 'pipe', 'pipe'] }

function run(command: readonly string[], mayFail: boolean): void {
  const [program = '', ...words] = command
  try {
    execFileSync(program, words, options)
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: Buffer }
    // A system without sysusers has useradd.
    if (program === 'systemd-sysusers' && code === 'ENOENT') addUser(words)
    else if (!mayFail) throw new Error(stderr?.toString().trim() || (error as Error).message)
  }
}

function addUser(words: readonly string[]): void {
  const root = words.find((word) => word.startsWith('--root='))?.slice(7)
  const user = ['--system', '--user-group', '--home-dir', '/var/lib/earshot', '--no-create-home', '--shell', '/usr/sbin/nologin', 'earshot']
  try {
    execFileSync('useradd', [...(root === undefined ? [] : ['--root', root]), ...user], options)
  } catch (error) {
    // 9: there is such a user.
    if ((error as { status?: number }).status !== 9) throw error
  }
}

/** What the services' group may read belongs to it; root keeps the rest. */
function giveToGroup(path: string, mode: number, root: string): void {
  if ((mode & 0o070) === 0 || mode % 8 !== 0) return
  const group = serviceId(root, 'group')
  if (group !== undefined) chownSync(path, 0, group)
}

function giveToUser(path: string, root: string): void {
  const user = serviceId(root, 'passwd')
  const group = serviceId(root, 'group')
  if (user !== undefined && group !== undefined) chownSync(path, user, group)
}

/** The number of the services' user or group. Outside the running system there may be none; without root it is of no use. */
function serviceId(root: string, file: 'passwd' | 'group'): number | undefined {
  const path = join(root, 'etc', file)
  if (process.getuid?.() !== 0 || !existsSync(path)) return undefined
  const id = /^earshot:[^:]*:(\d+):/m.exec(readFileSync(path, 'utf8'))?.[1]
  return id === undefined ? undefined : Number(id)
}

export function describe(step: Step): string {
  switch (step.kind) {
    case 'directory':
      return `make ${step.path}`
    case 'file':
      return `write ${step.path}`
    case 'remove':
      return `remove ${step.path}`
    case 'run':
      return `run ${step.command.join(' ')}`
    default:
      return step satisfies never
  }
}

/** The steps as text for `--dry-run`: files whole, so that they can be looked at. */
export function show(steps: readonly Step[]): string {
  return steps
    .map((step) => {
      if (step.kind === 'file' && step.text !== '') {
        const keep = step.keep ? ', unless it is there' : ''
        return `# ${step.path} (mode ${step.mode.toString(8).padStart(4, '0')}${keep})\n${step.text}`
      }
      return `# ${describe(step)}${step.kind === 'directory' || step.kind === 'file' ? ` (mode ${step.mode.toString(8).padStart(4, '0')})` : ''}`
    })
    .join('\n')
}

/** Whether systemd runs this machine: sd_booted(3). */
export const systemdRuns = (): boolean => existsSync('/run/systemd/system')
