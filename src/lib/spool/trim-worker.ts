// The thread that takes the media out of old calls' files, a minute at a time: it reads all they hold, so it is none of those
// that must not wait.
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { bytesOf, filesOfMinute } from './disk.js'
import { trimFile } from './trim.js'

export interface TrimReply {
  readonly key: string
  /** What the minute's files take on the disk now. */
  readonly bytes: number
  readonly files: number
  readonly trimmed: number
  readonly failed: number
}

const { dir } = workerData as { dir: string }

parentPort?.on('message', async (key: string) => {
  let bytes = 0
  let files = 0
  let trimmed = 0
  let failed = 0
  for (const { path, kind } of filesOfMinute(dir, key)) {
    if (kind === 'both') {
      try {
        if (await trimFile(dir, path)) trimmed++
      } catch {
        failed++
      }
    }
    const size = bytesOf(join(dir, path))
    if (size === undefined) continue
    bytes += size
    files++
  }
  parentPort?.postMessage({ key, bytes, files, trimmed, failed } satisfies TrimReply)
})
