import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { healthOf } from '../../lib/health/index.js'
import { connectManager, type ManagerClient, type ServiceStats, statsOf } from '../../lib/manager/index.js'
import { knownServers } from '../manager-access.js'
import { sizeText } from '../size.js'
import { captures } from './instance.js'

/**
 * How all services of this host are: what systemd knows of our units, and what the services themselves say through their sockets.
 * Either is enough: a container has no systemd, a unit that failed has no socket.
 */
export interface UnitState {
  /** "sniff@eth1", without our prefix and systemd's suffix. */
  readonly name: string
  readonly timer: boolean
  readonly active: string
  readonly sub: string
  readonly result: string
  readonly enabled: boolean
  readonly restarts: number
  readonly pid: number
  readonly sinceSeconds: number | undefined
}

/** Two looks at a service, so many seconds apart; or why it does not answer. */
export interface ServiceSample {
  readonly name: string
  readonly before: ServiceStats | undefined
  readonly now: ServiceStats | undefined
  readonly seconds: number
  readonly error: string | undefined
}

export interface Disk {
  readonly path: string
  readonly freeBytes: number
  readonly totalBytes: number
}

export interface HealthRow {
  readonly service: string
  readonly state: string
  readonly since_s: number | null
  readonly pid: number | null
  readonly packets_s: number | null
  readonly calls: number | null
  readonly dropped: number | null
  readonly stored: number | null
  readonly waiting: number | null
  readonly problem: string | null
}

/** Judges what was found. `inactive` units that nobody enabled are left out: they are installed, no more. */
export function judge(
  units: readonly UnitState[],
  samples: readonly ServiceSample[],
  disks: readonly Disk[],
  nowMs = Date.now(),
): HealthRow[] {
  const rows: HealthRow[] = []
  const left = new Map(samples.map((sample) => [sample.name, sample]))
  for (const unit of units) {
    const sample = unit.timer ? undefined : left.get(unit.name)
    if (sample !== undefined) left.delete(unit.name)
    const idle = unit.active === 'inactive' && !unit.enabled
    if (idle && sample === undefined) continue
    rows.push(rowOf(unit, sample, samples, nowMs))
  }
  for (const sample of left.values()) rows.push(rowOf(undefined, sample, samples, nowMs))
  for (const disk of disks) rows.push(diskRow(disk))
  return rows
}

const FREE_RATIO = 0.02

function rowOf(unit: UnitState | undefined, sample: ServiceSample | undefined, all: readonly ServiceSample[], nowMs: number): HealthRow {
  const now = sample?.now
  const problems = [...unitProblems(unit, sample), ...(sample === undefined ? [] : sampleProblems(sample, all, nowMs))]
  const rate = now === undefined || sample?.before === undefined ? null : Math.round((now.packets - sample.before.packets) / sample.seconds)
  return {
    service: `${unit?.name ?? sample?.name}${unit?.timer === true ? '.timer' : ''}`,
    state: unit === undefined ? (now === undefined ? 'silent' : 'running, no unit') : `${unit.active} (${unit.sub})`,
    since_s: unit?.sinceSeconds ?? now?.uptimeSeconds ?? null,
    pid: unit?.pid || now?.pid || null,
    packets_s: rate,
    calls: now?.open ?? null,
    dropped: now?.kernel?.dropped ?? null,
    stored: now?.records?.stored ?? null,
    waiting: now?.records?.waiting ?? now?.link?.waitingPackets ?? null,
    problem: problems.length === 0 ? null : problems.join('; '),
  }
}

function unitProblems(unit: UnitState | undefined, sample: ServiceSample | undefined): string[] {
  if (unit === undefined) return []
  const log = `journalctl -u earshot-${unit.name}`
  if (unit.active === 'failed') return [`it failed (${unit.result}): ${log}`]
  if (unit.sub === 'auto-restart') return [`it fails and is started again (${unit.restarts} times): ${log}`]
  if (unit.timer) return unit.active === 'active' || !unit.enabled ? [] : ['it is enabled, but not active']
  if (unit.active === 'inactive' && unit.enabled) return ['it is enabled, but not running']
  if (unit.active === 'active' && unit.sub === 'running' && sample === undefined && !isJob(unit.name))
    return ['it has no socket in the run directory']
  return []
}

const isJob = (name: string): boolean => name.startsWith('cdr-')

/** The verdicts of /healthz, and what only the whole host shows. */
function sampleProblems(sample: ServiceSample, all: readonly ServiceSample[], nowMs: number): string[] {
  const { now, error } = sample
  if (now === undefined) return [error ?? 'it does not answer']
  const problems = healthOf(now, nowMs)
    .checks.filter(({ level }) => level !== 'ok')
    .map(({ what, next }) => (next === undefined ? what : `${what} ${next}`))
  const twin = twinProblem(sample, all)
  if (twin !== undefined) problems.push(twin)
  return problems
}

/** Two that capture under one number. */
export function twinProblem({ name, now }: ServiceSample, all: readonly ServiceSample[]): string | undefined {
  if (now === undefined || !captures(now.service)) return undefined
  const twin = all.find(
    (other) => other.name !== name && other.now !== undefined && captures(other.now.service) && other.now.sensorId === now.sensorId,
  )
  if (twin === undefined) return undefined
  return now.sensorId === undefined
    ? `neither it nor ${twin.name} has an id_sensor: their records cannot be told apart`
    : `its id_sensor ${now.sensorId} is also that of ${twin.name}`
}

const diskRow = ({ path, freeBytes, totalBytes }: Disk): HealthRow => ({
  service: `disk ${path}`,
  state: `${sizeText(freeBytes)} of ${sizeText(totalBytes)} free`,
  since_s: null,
  pid: null,
  packets_s: null,
  calls: null,
  dropped: null,
  stored: null,
  waiting: null,
  problem: freeBytes < FREE_RATIO * totalBytes ? 'the disk is nearly full' : null,
})

const run = promisify(execFile)
const PROPERTIES = 'Id,ActiveState,SubState,Result,UnitFileState,NRestarts,MainPID,StateChangeTimestampMonotonic,LoadState'

/** Undefined where there is no systemd to ask. */
export async function unitStates(): Promise<UnitState[] | undefined> {
  try {
    const { stdout } = await run('systemctl', ['show', '--all', '--property', PROPERTIES, 'earshot-*'], { timeout: 10_000 })
    return parseUnits(stdout, Number(process.hrtime.bigint() / 1000n))
  } catch {
    return undefined
  }
}

/** What `systemctl show` prints: blocks of KEY=VALUE, an empty line between two. */
export function parseUnits(text: string, nowMicros: number): UnitState[] {
  return text
    .split(/\n\s*\n/)
    .map((block) => new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])))
    .flatMap((values) => {
      const [, name, kind] = /^earshot-(.+)\.(service|timer)$/.exec(values.get('Id') ?? '') ?? []
      if (name === undefined || values.get('LoadState') !== 'loaded') return []
      const changed = Number(values.get('StateChangeTimestampMonotonic'))
      return [
        {
          name,
          timer: kind === 'timer',
          active: values.get('ActiveState') ?? '',
          sub: values.get('SubState') ?? '',
          result: values.get('Result') ?? '',
          enabled: /^enabled/.test(values.get('UnitFileState') ?? ''),
          restarts: Number(values.get('NRestarts') ?? 0),
          pid: Number(values.get('MainPID') ?? 0),
          sinceSeconds: changed > 0 ? Math.max(0, Math.floor((nowMicros - changed) / 1e6)) : undefined,
        },
      ]
    })
}

const ANSWER_MS = 3000

/** Asks every service with a socket in one of these directories, twice. */
export async function sampleServices(directories: readonly string[], seconds: number): Promise<ServiceSample[]> {
  const paths = (await Promise.all([...new Set(directories)].map(socketsIn))).flat()
  const samples = await Promise.all(paths.map((path) => sampleOne(path, seconds)))
  return samples.filter((sample) => sample !== undefined)
}

async function socketsIn(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [])
  return names.filter((name) => name.endsWith('.sock')).map((name) => join(directory, name))
}

async function sampleOne(path: string, seconds: number): Promise<ServiceSample | undefined> {
  const name = (path.split('/').at(-1) as string).replace(/\.sock$/, '')
  let client: ManagerClient | undefined
  try {
    client = await connectManager({ kind: 'unix', path }, { known: knownServers(), trust: async () => false, timeoutMs: ANSWER_MS })
    // serve-manager tells of itself first, and then of all others.
    const [before] = await withinTime(statsOf(client))
    const startedMs = performance.now()
    await pause(seconds * 1000)
    const [now] = await withinTime(statsOf(client))
    return { name, before, now, seconds: (performance.now() - startedMs) / 1000, error: undefined }
  } catch (error) {
    const { code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException
    // What a person has started and killed is nobody's concern.
    if (code === 'ECONNREFUSED' && /-\d+$/.test(name)) return undefined
    const why =
      code === 'ECONNREFUSED'
        ? 'its socket is there, but nobody answers: it was killed'
        : code === 'EACCES'
          ? 'its socket may not be opened by this user: sudo earshot service status'
          : `it does not answer: ${(error as Error).message}`
    return { name, before: undefined, now: undefined, seconds, error: why }
  } finally {
    client?.close()
  }
}

async function withinTime<T>(work: Promise<T>): Promise<T> {
  const late = new AbortController()
  try {
    return await Promise.race([
      work,
      pause(ANSWER_MS, undefined, { signal: late.signal }).then(() => {
        throw new Error(`no answer within ${ANSWER_MS / 1000} s`)
      }),
    ])
  } finally {
    late.abort()
  }
}

/** How full the disks of these directories are. */
export async function disksOf(directories: readonly string[]): Promise<Disk[]> {
  return Promise.all(
    directories
      .filter((path) => existsSync(path))
      .map(async (path) => {
        const { bavail, blocks, bsize } = await statfs(path)
        return { path, freeBytes: bavail * bsize, totalBytes: blocks * bsize }
      }),
  )
}
