import type { RecordSource } from '../lib/manager/index.js'
import { parseExpression } from '../lib/query/parse.js'
import { exactly } from '../lib/query/pattern.js'
import type { CdrReader } from '../lib/store/cdr-store.js'

/** A store as a manager asks it. */
export function recordSource(store: CdrReader): RecordSource {
  return {
    get: (id) => store.get(id),
    async byCallId(callId) {
      const where = { kind: 'test', field: 'call_id', test: { kind: 'text', pattern: exactly(callId) } } as const
      for await (const call of store.find({ where, limit: 1, sort: { column: 'started', descending: true } })) return call
      return undefined
    },
    query: (where, limit) => store.find({ where: parseExpression(where, Date.now()), limit }),
  }
}
