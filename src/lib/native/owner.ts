import { chownSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** What root makes in the directory of a service belongs to that service, or it could not read it. Does nothing for anybody else. */
export function ownedAsParent(path: string): void {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = statSync(dirname(path))
  if (uid !== 0) chownSync(path, uid, gid)
}
