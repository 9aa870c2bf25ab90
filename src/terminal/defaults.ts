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

/** For commands that read: a person's own database first, else the service's. */
export function readableState(): { store: string; spool: string } {
  const dir = [stateDir(), SERVICE_DIR].find((candidate) => readable(join(candidate, 'calls.db'))) ?? stateDir()
  return { store: `sqlite:${join(dir, 'calls.db')}`, spool: join(dir, 'spool') }
}

function readable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}
