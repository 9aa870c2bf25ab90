import type { CallJson } from '../lib/call/json.js'
import { isoMicros } from '../lib/call/json.js'
import { LEGS_APART_MICROS, type LegRuleName, relation } from '../lib/call/legs.js'
import { allOf, type Expression } from '../lib/query/expression.js'
import type { CdrReader } from '../lib/store/cdr-store.js'

/** Other records that are legs of the same call, with what says so. */
export interface RelatedCall {
  readonly call: CallJson
  readonly because: readonly LegRuleName[]
}

/** Calls looked at; on a busy system the nearest in time are enough, and reading must end. */
const LOOKED_AT_MAX = 5000

export async function relatedCalls(store: CdrReader, call: CallJson): Promise<{ related: RelatedCall[]; cut: boolean }> {
  const started = isoMicros(call.started)
  const at = (op: '>=' | '<=', value: number): Expression => ({ kind: 'test', field: 'started', test: { kind: 'compare', op, value } })
  const where = allOf([at('>=', started - LEGS_APART_MICROS), at('<=', started + LEGS_APART_MICROS)])
  const related: RelatedCall[] = []
  let looked = 0
  for await (const other of store.find({ where, limit: LOOKED_AT_MAX })) {
    looked++
    if (other.id === call.id) continue
    const because = relation(call, other)
    if (because.length > 0) related.push({ call: other, because })
  }
  return { related, cut: looked === LOOKED_AT_MAX }
}
