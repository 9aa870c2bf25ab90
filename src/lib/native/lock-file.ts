import { closeSync, openSync } from 'node:fs'
import koffi from 'koffi'

/** A lock that ends with its process, however it ends: flock(2). Node has no call for it. */
const flock = koffi.load(null).func('int flock(int, int)') as (fd: number, operation: number) => number
const EXCLUSIVE = 2
const NOT_BLOCKING = 4
const EWOULDBLOCK = 11

export interface FileLock {
  release(): void
}

/** Takes the lock, making the file when it is not there; undefined when another process has it. */
export const lockFile = (path: string): FileLock | undefined => lock(path, openSync(path, 'a', 0o640))

/** The same on a directory: needs no room on the disk. Some network file systems refuse it. */
export const lockDirectory = (path: string): FileLock | undefined => lock(path, openSync(path, 'r'))

function lock(path: string, fd: number): FileLock | undefined {
  if (flock(fd, EXCLUSIVE | NOT_BLOCKING) === 0) return { release: () => closeSync(fd) }
  const errno = koffi.errno()
  closeSync(fd)
  if (errno === EWOULDBLOCK) return undefined
  throw new Error(`cannot lock "${path}" (errno ${errno})`)
}
