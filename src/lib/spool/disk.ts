import { lstatSync, readdirSync, rmdirSync, statfsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Disk } from './limits.js'
import { isSpoolFile, RTP_DIR, SIP_DIR } from './names.js'

/** The spool as the disk has it: directories of days, hours and minutes, and the files in a minute. Links are not followed. */

/** Keys of all minutes (`YYYY-MM-DD/HH/MM`), oldest first. */
export function* minutesOnDisk(spool: string): Generator<string, void, void> {
  for (const day of directories(spool, /^\d{4}-\d\d-\d\d$/))
    for (const hour of directories(join(spool, day), /^\d\d$/))
      for (const minute of directories(join(spool, day, hour), /^\d\d$/)) yield `${day}/${hour}/${minute}`
}

export interface SpoolFile {
  /** Below the spool. */
  readonly path: string
  /** By where it lies: SIP/ holds signalling, RTP/ media, a file without such a directory both. */
  readonly kind: 'sip' | 'media' | 'both'
}

/** The spool's files in a minute; what others put there is not among them. */
export function filesOfMinute(spool: string, key: string): SpoolFile[] {
  return places.flatMap(({ directory, kind }) =>
    entries(join(spool, key, directory))
      .filter((entry) => entry.isFile() && isSpoolFile(entry.name))
      .map((entry) => ({ path: join(key, directory, entry.name), kind })),
  )
}

const places = [
  { directory: '', kind: 'both' },
  { directory: SIP_DIR, kind: 'sip' },
  { directory: RTP_DIR, kind: 'media' },
] as const

/** Bytes a file takes on the disk; undefined when it is not there. */
export function bytesOf(path: string): number | undefined {
  try {
    return lstatSync(path).blocks * 512
  } catch {
    return undefined
  }
}

/** Removes a minute's directories as far as they are empty, and those of its hour and day. */
export function removeEmptyDirectories(spool: string, key: string): void {
  for (const inside of [SIP_DIR, RTP_DIR]) tryRemove(join(spool, key, inside))
  for (let path = key; path !== '.' && tryRemove(join(spool, path)); path = dirname(path));
}

/** Undefined where the system does not say. */
export function diskOf(path: string): Disk | undefined {
  try {
    const { bsize, blocks, bavail } = statfsSync(path)
    return { bytes: bsize * blocks, free: bsize * bavail }
  } catch {
    return undefined
  }
}

function tryRemove(path: string): boolean {
  try {
    rmdirSync(path)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}

const directories = (path: string, name: RegExp): string[] =>
  entries(path)
    .filter((entry) => entry.isDirectory() && name.test(entry.name))
    .map((entry) => entry.name)
    .sort()

function entries(path: string): import('node:fs').Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true })
  } catch {
    return []
  }
}
