import { exitCodes, OperatorError } from '../lib/base/errors.js'
import type { CallJson } from '../lib/call/json.js'
import { exactly } from '../lib/query/pattern.js'
import type { CdrReader } from '../lib/store/cdr-store.js'

/** A call by what a person types: the record's number, or a Call-ID (the latest call that had it). */
export async function findCall(store: CdrReader, id: string): Promise<CallJson> {
  if (/^\d{1,15}$/.test(id)) {
    const call = await store.get(Number(id))
    if (call !== undefined) return call
  }
  const where = { kind: 'test', field: 'call_id', test: { kind: 'text', pattern: exactly(id) } } as const
  for await (const call of store.find({ where, limit: 1, sort: { column: 'started', descending: true } })) return call
  throw new OperatorError('NOT_FOUND', `There is no call "${id}" in the records.`, {
    exit: exitCodes.notFound,
    suggestions: ['earshot cdr query lists calls with their numbers; --store names another database.'],
  })
}
