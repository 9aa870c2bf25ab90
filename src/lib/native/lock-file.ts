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
export function lockFile(path: string): FileLock | undefined {
  const fd = openSync(path, 'a', 0o640)
  if (flock(fd, EXCLUSIVE | NOT_BLOCKING) === 0) return { release: () => closeSync(fd) }
  const errno = koffi.errno()
  closeSync(fd)
  if (errno === EWOULDBLOCK) return undefined
  throw new Error(`cannot lock "${path}" (errno ${errno})`)
}
