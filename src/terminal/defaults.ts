import { accessSync, constants } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * Where state lives when nobody says: a service's in /var/lib/earshot (systemd gives it as STATE_DIRECTORY),
 * a person's in ~/.local/share/earshot. Queries look at the service's when it is there and readable.
 */
const SERVICE_DIR = '/var/lib/earshot'
const RUN_DIR = '/run/earshot'
/** Where the units of systemd have them. */
export const serviceDirs = { state: SERVICE_DIR, run: RUN_DIR } as const

export function stateDir(): string {
  return process.env['STATE_DIRECTORY'] ?? join(process.env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'earshot')
}

export const defaultStore = (): string => `sqlite:${join(stateDir(), 'calls.db')}`
export const defaultQueue = (): string => join(stateDir(), 'queue')
export const defaultSpool = (): string => join(stateDir(), 'spool')

/**
 * Where services put their sockets: systemd's RUNTIME_DIRECTORY, /run/earshot for root, else the person's own run directory.
 * All services of a host share it, so that `serve-manager` finds them.
 */
export function runDir(): string {
  const given = process.env['RUNTIME_DIRECTORY']?.split(':')[0]
  if (given !== undefined && given !== '') return given
  if (process.getuid?.() === 0) return RUN_DIR
  return join(process.env['XDG_RUNTIME_DIR'] ?? join(stateDir(), 'run'), 'earshot')
}

/** What a person's client remembers: fingerprints of services, a token. */
export const configDir = (): string => join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'earshot')

/**
 * For commands that read: a person's own database first, else the service's, and the spool beside it. Where records are on a server
 * (`store`), or nowhere yet, a spool has no database beside it: then the one that is there counts.
 */
export function readableState(store?: string): { store: string; spool: string } {
  const own = stateDir()
  const beside = [own, SERVICE_DIR].find((dir) => readable(join(dir, 'calls.db')))
  const distant = store !== undefined && !store.startsWith('sqlite:')
  const spoolDirs = distant ? [SERVICE_DIR, own] : beside === undefined ? [own, SERVICE_DIR] : [beside]
  const spoolDir = spoolDirs.find((dir) => readable(join(dir, 'spool'))) ?? beside ?? own
  return { store: `sqlite:${join(beside ?? own, 'calls.db')}`, spool: join(spoolDir, 'spool') }
}

function readable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}
