import type { CallJson } from '../call/json.js'
import type { CallRecord } from '../call/record.js'
import type { Expression } from '../query/expression.js'
import type { CallFacts, FactName } from '../query/groups.js'
import type { CdrSort } from './read/sort.js'

export { type CdrSort, type SortColumn, sortColumns } from './read/sort.js'

/** What became of the records of one insert: new calls, calls that were there and said less, calls that were there as they are. */
export interface InsertCounts {
  readonly stored: number
  readonly updated: number
  readonly duplicates: number
}

/** The writing half of a store, for a run. After an insert that failed it may be used again: it finds its own way back. */
export interface RecordWriter {
  /** True when it does not: another must be opened. */
  readonly broken?: boolean
  insert(records: readonly CallRecord[]): Promise<InsertCounts>
  /** The same for records as text (call/record-text.ts), where the store has a thread of its own to read them in. */
  insertTexts?(texts: readonly string[]): Promise<InsertCounts>
  close(): Promise<void>
}

/** Where records are kept and found again. Every store passes test/contract/cdr-store.ts. */
export interface CdrStore extends CdrReader {
  /**
   * Stores each call once (key: sensor, Call-ID, time of INVITE), all or nothing. A record of a higher revision takes the
   * place of the one that is there, under the same number; any other is a duplicate. So the same insert may be tried again.
   * Fails with a StoreFailure.
   */
  insert(records: readonly CallRecord[]): Promise<InsertCounts>
}

export interface CdrReader {
  /** Calls that fit, one after the other; memory does not grow with their number. */
  find(query: CdrQuery): AsyncIterable<CallJson>
  /** What statistics need of each call that fits, in no order. `needs` names what is grouped by; the rest of it stays null. */
  facts(query: { readonly where?: Expression; readonly needs: readonly FactName[] }, take: (call: CallFacts) => void): Promise<void>
  get(id: number): Promise<CallJson | undefined>
  /** Responses and what else `cdr show` tells beyond the JSON. */
  details(id: number): Promise<CallDetails | undefined>
  close(): Promise<void>
}

export interface CallDetails {
  readonly digestUser: string | null
  /** Distinct response lines, in order of first occurrence. */
  readonly responses: readonly string[]
  /** Of the headers Reason: `Q.850 17 User busy`. */
  readonly reasons: readonly string[]
}

/** Which calls, in which order. */
export interface CdrQuery {
  /** Nothing given: all. */
  readonly where?: Expression
  /** Nothing given: by start, oldest first. Ties go by number; unknown values come last. */
  readonly sort?: CdrSort
  /** Go on after the record of this number, in the same order. */
  readonly after?: number
  readonly limit?: number
  /** False leaves streams, digits and hops empty: nobody asked for them, and reading is faster. */
  readonly lists?: boolean
}
