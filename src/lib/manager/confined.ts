import { constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { resolve, sep } from 'node:path'

/**
 * Files of the spool, and nothing else, whatever path a client sends: no way up, no absolute path, no symbolic link (the
 * spool holds none; one that is there was planted), no device, no pipe that would block.
 */
export type Refusal = 'denied' | 'missing'

export interface ConfinedFile {
  readonly handle: FileHandle
  readonly size: number
  /** Tells this file from another that took its name. */
  readonly identity: string
  readonly modifiedMs: number
}

const PATH_MAX = 1024

export async function openConfined(root: string, path: string): Promise<ConfinedFile | Refusal> {
  const full = resolve(root, path)
  if (
    path === '' ||
    path.length > PATH_MAX ||
    path.includes('\0') ||
    path.split('/').includes('..') ||
    !full.startsWith(resolve(root) + sep)
  )
    return 'denied'
  let handle: FileHandle | undefined
  try {
    handle = await open(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    // O_NOFOLLOW looks at the last part only. The kernel tells which file it really opened, so nobody can swap a directory in between.
    const [real, realRoot] = await Promise.all([realpath(`/proc/self/fd/${handle.fd}`), realpath(root)])
    const stat = await handle.stat({ bigint: true })
    if (!real.startsWith(realRoot + sep) || !stat.isFile() || real.slice(realRoot.length) !== full.slice(resolve(root).length)) {
      await handle.close()
      return 'denied'
    }
    return { handle, size: Number(stat.size), identity: `${stat.dev}-${stat.ino}-${stat.birthtimeNs}`, modifiedMs: Number(stat.mtimeMs) }
  } catch (error) {
    await handle?.close().catch(() => {})
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ELOOP' || code === 'EACCES' || code === 'EPERM' || code === 'ENXIO') return 'denied'
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return 'missing'
    throw error
  }
}
