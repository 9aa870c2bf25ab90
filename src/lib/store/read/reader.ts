import type { CallJson } from '../../call/json.js'
import { anything } from '../../query/expression.js'
import type { CdrQuery, CdrReader } from '../cdr-store.js'
import { callsOf, detailsOf } from './calls.js'
import type { ReadEngine } from './engine.js'
import { factsOf } from './facts.js'
import { ordered } from './order.js'

/** The reading half of a store, over any engine. */
export function readerOver(engine: ReadEngine): CdrReader {
  return {
    async *find(query: CdrQuery) {
      const wanted = {
        where: query.where ?? anything,
        sort: query.sort ?? { column: 'started', descending: false },
        after: query.after,
        limit: query.limit ?? Number.MAX_SAFE_INTEGER,
      }
      for await (const batch of ordered(engine, wanted)) yield* await callsOf(engine, batch, query.lists !== false)
    },
    async get(id): Promise<CallJson | undefined> {
      const [call] = await callsOf(engine, [{ id, calldate: undefined }], true)
      return call
    },
    facts: ({ where, needs }, take) => factsOf(engine, where ?? anything, needs, take),
    details: (id) => detailsOf(engine, id),
    close: () => engine.close(),
  }
}
