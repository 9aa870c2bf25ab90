import type { CallJson } from '../call/json.js'
import type { CallRecord } from '../call/record.js'

/** What became of the records of one insert: new calls, calls that were there and said less, calls that were there as they are. */
export interface InsertCounts {
  readonly stored: number
  readonly updated: number
  readonly duplicates: number
}

/** The writing half of a store, for a run. */
export interface RecordWriter {
  insert(records: readonly CallRecord[]): Promise<InsertCounts>
  close(): Promise<void>
}

/** Where records are kept and found again. Every store passes test/contract/cdr-store.ts. */
export interface CdrStore {
  /**
   * Stores each call once (key: sensor, Call-ID, time of INVITE), all or nothing. A record of a higher revision takes the
   * place of the one that is there, under the same number; any other is a duplicate. So the same insert may be tried again.
   * Fails with a StoreFailure.
   */
  insert(records: readonly CallRecord[]): Promise<InsertCounts>
  /** Calls that fit, one after the other; memory does not grow with their number. */
  find(filter: CdrFilter): AsyncIterable<CallJson>
  get(id: number): Promise<CallJson | undefined>
  /** User agents, responses and what else `cdr show` tells beyond the JSON. */
  details(id: number): Promise<CallDetails | undefined>
  close(): Promise<void>
}

export interface CallDetails {
  readonly callerAgent: string | null
  readonly calleeAgent: string | null
  readonly responses: readonly string[]
  readonly byeCode: number | null
  readonly reasons: readonly string[]
  readonly proxies: readonly string[]
}

/** What to look for; everything given must fit. */
export interface CdrFilter {
  /** Start of the call, µs since the epoch: from (included) and to (excluded). */
  readonly sinceMicros?: number
  readonly untilMicros?: number
  /** Caller or callee: the whole number or its end; `*` stands for anything. */
  readonly number?: string
  readonly caller?: string
  readonly callee?: string
  /** Either SIP end, or an end of its media. */
  readonly ip?: string
  readonly callId?: string
  /** `486`, `4xx`, none (`0`). */
  readonly status?: readonly string[]
  readonly state?: readonly string[]
  readonly mosBelow?: number
  readonly durationMinMs?: number
  readonly durationMaxMs?: number
  readonly limit?: number
  readonly sort?: CdrSort
}

export const sortColumns = [
  'started',
  'duration_ms',
  'talk_ms',
  'pdd_ms',
  'mos',
  'loss_pct',
  'jitter_ms',
  'caller',
  'callee',
  'status',
  'id',
] as const
export interface CdrSort {
  readonly column: (typeof sortColumns)[number]
  readonly descending: boolean
}
