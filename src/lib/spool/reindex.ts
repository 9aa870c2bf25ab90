import { join } from 'node:path'
import { exitCodes, OperatorError } from '../base/errors.js'
import { bytesOf, filesOfMinute, minutesOnDisk, removeEmptyDirectories } from './disk.js'
import { Ledger } from './ledger.js'
import { Minutes } from './minutes.js'
import { kindsOf } from './trim.js'

/** The index made anew from what is on the disk: every file is read, to tell signalling from media. */
export interface Reindexed {
  readonly minutes: Minutes
  /** Files that could not be read; they count as media. */
  readonly unreadable: readonly string[]
}

/** Throws an OperatorError while another process writes to the spool. */
export async function reindex(dir: string, onFile: (files: number) => void): Promise<Reindexed> {
  const ledger = new Ledger(dir)
  ledger.makeDirectory()
  const lock = ledger.lock()
  if (lock === undefined) {
    throw new OperatorError('SPOOL_BUSY', `A process writes to the spool "${dir}" and keeps its index.`, {
      exit: exitCodes.failure,
      suggestions: [
        'Stop it first (systemctl stop earshot-sniff, or whatever service it is). While it runs its index is right, and at every start it is compared with the disk.',
      ],
    })
  }
  try {
    const minutes = new Minutes()
    const unreadable: string[] = []
    let files = 0
    for (const key of minutesOnDisk(dir)) {
      const minute = minutes.make(key)
      for (const { path } of filesOfMinute(dir, key)) {
        const full = join(dir, path)
        const bytes = bytesOf(full)
        if (bytes === undefined) continue
        const { sip, media } = await kindsOf(full).catch(() => {
          unreadable.push(path)
          return { sip: 0, media: 1 }
        })
        const part = sip + media === 0 ? 1 : sip / (sip + media)
        minutes.add(minute, bytes * part, bytes * (1 - part), 1)
        onFile(++files)
      }
      if (minute.files > 0) continue
      minutes.delete(minute)
      removeEmptyDirectories(dir, key)
    }
    ledger.rewrite(minutes)
    return { minutes, unreadable }
  } finally {
    lock.release()
  }
}
