import { OperatorError } from '../base/errors.js'
import { Journal, type JournalOptions } from './journal.js'
import { claimPlace, type Place, placeName } from './places.js'

export { Backlog, type BacklogOptions } from './backlog.js'
export { Journal, type JournalOptions } from './journal.js'

/** Opens the queue on disk of a store, below `root`. Fails with an OperatorError. */
export async function openJournal(root: string, storeUrl: string, options: JournalOptions): Promise<Journal> {
  let place: Place | undefined
  try {
    place = claimPlace(root, placeName(storeUrl))
    return await Journal.open(place, options)
  } catch (error) {
    place?.lock.release()
    throw new OperatorError('QUEUE_OPEN', `Cannot use "${root}" for the queue of records: ${(error as Error).message}.`, {
      cause: error,
      suggestions: ['Give another directory: --queue DIR', 'Or do without a queue on disk: --query-cache no'],
    })
  }
}
