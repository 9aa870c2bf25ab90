import { setTimeout as sleep } from 'node:timers/promises'
import { exitCodes, OperatorError } from '../lib/base/errors.js'
import type { CallJson } from '../lib/call/json.js'
import { allOf, type Expression } from '../lib/query/expression.js'
import type { CdrReader } from '../lib/store/cdr-store.js'

/**
 * New records as they come. Their numbers grow, but records of several writers can appear a little out of their order: the
 * numbers just below the highest are looked at again, and each record is told once.
 */
const LOOK_BACK = 2000
const EVERY_MS = 500

export interface FollowOptions {
  readonly where: Expression
  /** Records up to this number are known already; undefined: whatever there is when following begins. */
  readonly known: number | undefined
  readonly lists: boolean
  readonly signal: AbortSignal
  /** The store went away; following goes on when it is back. Told once each time. */
  readonly onAway: (error: Error) => void
}

export async function* follow(
  store: CdrReader,
  { where, known, lists, signal, onAway }: FollowOptions,
): AsyncGenerator<CallJson, void, void> {
  const start = known ?? (await newest(store))
  let highest = start
  const told = new Set<number>()
  let away = false
  while (!signal.aborted) {
    const above: Expression = { kind: 'test', field: 'id', test: { kind: 'compare', op: '>', value: Math.max(start, highest - LOOK_BACK) } }
    try {
      for await (const call of store.find({ where: allOf([above, where]), sort: { column: 'id', descending: false }, lists })) {
        const id = call.id as number
        highest = Math.max(highest, id)
        if (told.has(id)) continue
        told.add(id)
        yield call
        if (signal.aborted) return
      }
      away = false
    } catch (error) {
      if (!(error instanceof OperatorError) || error.exit !== exitCodes.unreachable) throw error
      if (!away) onAway(error)
      away = true
    }
    for (const id of told) if (id < highest - LOOK_BACK) told.delete(id)
    await sleep(EVERY_MS, undefined, { signal }).catch(() => {})
  }
}

/** The highest number that there is. */
export async function newest(store: CdrReader): Promise<number> {
  for await (const call of store.find({ sort: { column: 'id', descending: true }, limit: 1, lists: false })) return call.id as number
  return 0
}
