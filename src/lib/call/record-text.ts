import type { CallRecord } from './record.js'

/**
 * A record as one line of text and back: what crosses threads and waits on disk while a store is away. JSON, so that a person
 * with jq can read what waits. A later version adds fields and keeps the number; `undefined` is the absence of a field.
 */
const version = 1

/** Never holds a line feed: JSON escapes control characters. */
export const recordText = (record: CallRecord): string => JSON.stringify({ v: version, ...record, flags: String(record.flags) })

type Draft = { -readonly [K in keyof CallRecord]: CallRecord[K] } & { v: unknown }

/** Undefined when this is no record, or one of a later version. */
export function textRecord(text: string): CallRecord | undefined {
  let found: Draft
  try {
    found = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof found !== 'object' || found === null) return undefined
  if (found.v !== version || typeof found.callId !== 'string' || typeof found.started !== 'number') return undefined
  if (!Array.isArray(found.streams) || !Array.isArray(found.dscp) || !/^\d{1,20}$/.test(String(found.flags))) return undefined
  // What was read becomes the record: a copy of fifty fields would cost half as much as reading them.
  found.v = undefined
  found.flags = BigInt(found.flags)
  // JSON has no undefined; within an array it is null.
  found.dscp = found.dscp.map((value) => value ?? undefined) as Draft['dscp']
  return found
}
