import { setTimeout as pause } from 'node:timers/promises'
import type { Micros } from '../../lib/base/units.js'
import type { CallJson } from '../../lib/call/json.js'
import { type BoardCall, recordView } from '../../lib/live/index.js'
import { allOf, type Expression } from '../../lib/query/expression.js'
import type { CdrReader } from '../../lib/store/cdr-store.js'
import { CallPackets, type CallPacketsOptions } from '../call-packets.js'
import { memorySink, packetsIn } from './manager-source.js'
import { stepsOf } from './packets.js'
import type { LiveSource, SourceSink } from './source.js'

/** Records of a store on the same screens: the latest that fit, and new ones as they come; packets from the spool or from the sensor that has them. */
export interface StoreSourceOptions {
  readonly name: string
  readonly store: CdrReader
  readonly where: Expression | undefined
  readonly limit: number
  readonly packets: Omit<CallPacketsOptions, 'sipOnly' | 'onProgress' | 'say'>
}

const POLL_MS = 5000
const BATCH = 500

const laterThan = (id: number): Expression => ({ kind: 'test', field: 'id', test: { kind: 'compare', op: '>', value: id } })

export function storeSource({ name, store, where, limit, packets }: StoreSourceOptions): LiveSource {
  const stop = new AbortController()
  const calls = new Map<number, CallJson>()
  const fetchers = [false, true].map((sipOnly) => new CallPackets({ ...packets, sipOnly, onProgress: () => {}, say: () => {} }))
  let done: Promise<void> = Promise.resolve()

  const fetched = async ({ view }: BoardCall, sipOnly: boolean): Promise<ReturnType<typeof packetsIn>> => {
    const call = calls.get(view.number)
    if (call === undefined) return []
    const sink = memorySink()
    await (fetchers[sipOnly ? 1 : 0] as CallPackets).fetch(call, sink)
    return packetsIn(sink.bytes())
  }
  return {
    name,
    own: false,
    owns: (source) => source === name,
    start(sink) {
      done = run(sink)
    },
    messages: async (call) => ({ steps: stepsOf(await fetched(call, true), [call.view.callId]) }),
    packets: async (call, rtp) => ({ packets: await fetched(call, !rtp) }),
    async close() {
      stop.abort()
      await done
      for (const fetcher of fetchers) fetcher.close()
      await store.close()
    },
  }

  async function run(sink: SourceSink): Promise<void> {
    let last: number | undefined
    while (!stop.signal.aborted) {
      try {
        sink.status({ name, state: calls.size === 0 ? 'reading' : 'live', past: true })
        last = await read(sink, last)
        sink.status({ name, state: 'live', past: true, detail: 'records' })
      } catch (error) {
        sink.status({ name, state: 'lost', past: true, detail: (error as Error).message.split('\n')[0] })
      }
      await pause(POLL_MS, undefined, { signal: stop.signal }).catch(() => {})
    }
  }

  /** The latest ones first of all, then those that came after. Answers the number of the last. */
  async function read(sink: SourceSink, after: number | undefined): Promise<number | undefined> {
    const first = after === undefined
    const found = store.find({
      where: allOf([...(where ? [where] : []), ...(after === undefined ? [] : [laterThan(after)])]),
      sort: { column: 'id', descending: first },
      limit: first ? limit : BATCH,
    })
    let last = after
    let batch: CallJson[] = []
    const flush = (): void => {
      const views = batch.map((call) => recordView(call, call.id as number))
      const at = Math.max(0, ...views.map((v) => v.asOf)) as Micros
      sink.changes({ source: name, reset: false, at, added: [], changed: [], removed: views, left: 0 })
      batch = []
    }
    for await (const call of found) {
      if (stop.signal.aborted) return last
      const id = call.id as number
      calls.set(id, call)
      last = Math.max(last ?? 0, id)
      batch.push(call)
      if (batch.length >= BATCH) flush()
    }
    if (batch.length > 0) flush()
    // What the board has let go of need not be kept here.
    for (const id of calls.keys()) {
      if (calls.size <= 2 * limit) break
      calls.delete(id)
    }
    return last ?? 0
  }
}
