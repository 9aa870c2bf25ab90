import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { OperatorError } from '../lib/base/errors.js'
import type { Sink } from '../lib/manager/index.js'

/** Where fetched bytes go: a file that gets its name only when it is whole, or standard output. */
export interface FileSink extends Sink {
  /** The file is whole: it gets its name. */
  commit(): Promise<void>
  /** It never will be. */
  discard(): Promise<void>
}

export function fileSink(path: string): FileSink {
  const partial = `${path}.part-${process.pid}`
  const fd = attempt(path, () => openSync(partial, 'wx', 0o644))
  let at = 0
  let open = true
  const close = (): void => {
    if (open) closeSync(fd)
    open = false
  }
  return {
    async write(bytes) {
      attempt(path, () => {
        for (let from = 0; from < bytes.length; ) from += writeSync(fd, bytes, from, bytes.length - from, at + from)
      })
      at += bytes.length
    },
    async restart() {
      ftruncateSync(fd, 0)
      at = 0
    },
    async commit() {
      close()
      await rename(partial, path)
    },
    async discard() {
      close()
      await rm(partial, { force: true })
    },
  }
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new OperatorError('WRITE', `Cannot write "${path}": ${(error as Error).message}.`, {
      cause: error,
      suggestions: ['Check the path and the space on its disk.'],
    })
  }
}

/** Waits for a slow reader; what it was given cannot be taken back. */
export const stdoutSink: Sink = {
  write: (bytes) =>
    new Promise((resolve) => {
      if (process.stdout.write(bytes)) resolve()
      else process.stdout.once('drain', resolve)
    }),
}
