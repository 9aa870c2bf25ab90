import { appendFile, readFile, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { OperatorError } from '../base/errors.js'
import { makeDirectory } from '../native/make-directory.js'

/** Who got which packets, and when: a line of JSON for every fetch, refused ones too. Two files of ten megabytes at most. */
export interface AuditEntry {
  /** Name of the client's token, "unix socket", or "unnamed" (loopback without a token). */
  readonly client: string
  readonly peer: string
  readonly request: string
  readonly path: string
  readonly bytes: number
  /** "complete", "broken off", "denied", "missing" … */
  readonly outcome: string
}

export type Audit = (entry: AuditEntry) => void

const FILE_MAX = 10 << 20
const WAITING_MAX = 1000

/** `onTrouble` hears once when the file cannot be written; the service goes on. */
export function auditLog(file: string, onTrouble: (error: Error) => void): Audit & { settled(): Promise<void> } {
  let queue = Promise.resolve()
  let waiting = 0
  let troubled = false
  const write = async (lines: string): Promise<void> => {
    try {
      makeDirectory(dirname(file))
      const size = await stat(file).then(
        (s) => s.size,
        () => 0,
      )
      if (size + lines.length > FILE_MAX) await rename(file, `${file}.1`)
      await appendFile(file, lines, { mode: 0o600 })
      troubled = false
    } catch (error) {
      if (!troubled) onTrouble(error as Error)
      troubled = true
    } finally {
      waiting--
    }
  }
  const log = (entry: AuditEntry): void => {
    if (waiting >= WAITING_MAX) return
    waiting++
    const line = `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`
    queue = queue.then(() => write(line))
  }
  return Object.assign(log, { settled: () => queue })
}

/** Both files, oldest first; a line that is cut or damaged is passed over. Empty when nothing was ever fetched; throws an OperatorError when it may not be read. */
export async function readAudit(file: string): Promise<(AuditEntry & { readonly time: string })[]> {
  const entries: (AuditEntry & { readonly time: string })[] = []
  for (const path of [`${file}.1`, file]) {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return ''
      throw new OperatorError('AUDIT', `Cannot read "${path}": ${error.message}.`, {
        cause: error,
        suggestions: ['Run as the user of the service (or root), or name its state directory: --state DIR'],
      })
    })
    for (const line of text.split('\n')) {
      try {
        const entry = JSON.parse(line) as AuditEntry & { time: string }
        if (typeof entry.time === 'string' && typeof entry.path === 'string') entries.push(entry)
      } catch {
        // Cut by a crash, or the end of the file.
      }
    }
  }
  return entries
}
