import type { CallRecord } from './record.js'

/**
 * A record as one line of text and back: what crosses threads and waits on disk while a store is away. JSON, so that a person
 * with jq can read what waits. A later version adds fields and keeps the number; `undefined` is the absence of a field.
 */
const version = 1

/** Never holds a line feed: JSON escapes control characters. */
export const recordText = (record: CallRecord): string => JSON.stringify({ v: version, ...record, flags: String(record.flags) })

/** Undefined when this is no record, or one of a later version. */
export function textRecord(text: string): CallRecord | undefined {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof found !== 'object' || found === null) return undefined
  const { v, ...fields } = found as { v?: unknown } & CallRecord
  if (v !== version || typeof fields.callId !== 'string' || typeof fields.started !== 'number') return undefined
  if (!Array.isArray(fields.streams) || !Array.isArray(fields.dscp) || !/^\d{1,20}$/.test(String(fields.flags))) return undefined
  // JSON has no undefined; within an array it is null.
  return { ...fields, flags: BigInt(fields.flags), dscp: fields.dscp.map((value) => value ?? undefined) }
}
