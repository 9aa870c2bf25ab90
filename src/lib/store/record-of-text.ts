import type { CallRecord } from '../call/record.js'
import { textRecord } from '../call/record-text.js'
import { StoreFailure } from './failure.js'

/** A record that waited as text. Fails as a store does that refuses a record: this one alone is to blame. */
export function recordOfText(text: string): CallRecord {
  const record = textRecord(text)
  if (record !== undefined) return record
  throw new StoreFailure('record', 'RECORD_TEXT', 'it is not a record of this version', { suggestions: [] })
}
