// The thread that takes the media out of old calls' files, a minute at a time: it reads all they hold, so it is none of those
// that must not wait.
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { bytesOf } from './disk.js'
import { trimFile } from './trim.js'

/** Files of one minute, below the spool; none of a call in progress. */
export interface TrimOrder {
  readonly key: string
  readonly paths: readonly string[]
}

/** What was done since the last reply: the account goes along with long orders. */
export interface TrimReply {
  readonly key: string
  /** What the disk got back. */
  readonly freedBytes: number
  readonly trimmed: number
  readonly failed: number
  /** The order is carried out. */
  readonly done: boolean
}

const REPLY_MS = 100

const { dir } = workerData as { dir: string }

parentPort?.on('message', async ({ key, paths }: TrimOrder) => {
  let freedBytes = 0
  let trimmed = 0
  let failed = 0
  let repliedMs = performance.now()
  const reply = (done: boolean): void => {
    parentPort?.postMessage({ key, freedBytes, trimmed, failed, done } satisfies TrimReply)
    freedBytes = trimmed = failed = 0
    repliedMs = performance.now()
  }
  for (const path of paths) {
    const full = join(dir, path)
    const before = bytesOf(full)
    if (before === undefined) continue
    try {
      if (await trimFile(dir, path)) {
        trimmed++
        freedBytes += before - (bytesOf(full) ?? 0)
      }
    } catch {
      failed++
    }
    if (performance.now() - repliedMs >= REPLY_MS) reply(false)
  }
  reply(true)
})
