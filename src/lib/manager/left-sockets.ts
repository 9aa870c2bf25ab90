import { lstat, readdir, unlink } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'

/**
 * Sockets that killed processes left in the run directory. Who is told apart by a process (`sniff-4711.sock`) never comes back under
 * that name: nobody but another of its kind would clear it away. A unit's socket (`sniff.sock`, `sniff@eth1.sock`) stays: that
 * nobody answers there is news of a service that should run (`health`), and its next start takes the name.
 */

/** Removes those of `service` in `directory` at which nobody listens; answers their names. */
export async function clearLeftSockets(directory: string, service: string): Promise<string[]> {
  const ofOurKind = new RegExp(`^${service.replace(/[^\w]/g, '\\$&')}-\\d+\\.sock$`)
  const names = (await readdir(directory)).filter((name) => ofOurKind.test(name))
  const cleared = await Promise.all(
    names.map(async (name) => {
      const path = join(directory, name)
      try {
        // A path that is no socket refuses as well.
        if (!(await lstat(path)).isSocket() || (await attempt(path)) !== 'ECONNREFUSED') return undefined
        await unlink(path)
        return name
      } catch {
        // Another of our kind has been quicker.
        return undefined
      }
    }),
  )
  return cleared.filter((name) => name !== undefined)
}

/** What becomes of a connection to a unix socket: undefined when somebody listens, else the error's code. A full backlog is no refusal. */
export function attempt(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}
