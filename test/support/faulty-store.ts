import type { CallRecord } from '../../src/lib/call/record.js'
import type { InsertCounts, RecordWriter } from '../../src/lib/store/cdr-store.js'
import { type FailureKind, StoreFailure } from '../../src/lib/store/failure.js'

/** What a store does with one insert: takes it, fails before or after it took it (or a part), or never answers. */
export type Behaviour = 'take' | FailureKind | 'answer lost' | 'half, then lost' | 'silence'

/** A store in memory that keeps the contract of CdrStore.insert and fails as it is told. */
export class FaultyStore {
  /** By key: the revision that is there, and how often the key was made. */
  readonly rows = new Map<string, { revision: number; made: number }>()
  /** Call-IDs in the order in which they were first stored. */
  readonly order: string[] = []
  opened = 0
  openNow = 0
  inserts = 0
  /** Asked for each insert, and (with no records) for each opening. */
  behave: (records: readonly CallRecord[]) => Behaviour = () => 'take'

  readonly open = async (): Promise<RecordWriter> => {
    const behaviour = this.behave([])
    if (behaviour === 'silence') await new Promise(() => {})
    if (behaviour !== 'take') throw failure(behaviour)
    this.opened++
    this.openNow++
    return {
      insert: (records) => this.#insert(records),
      close: async () => {
        this.openNow--
      },
    }
  }

  async #insert(records: readonly CallRecord[]): Promise<InsertCounts> {
    this.inserts++
    await new Promise((resolve) => setImmediate(resolve))
    const behaviour = this.behave(records)
    switch (behaviour) {
      case 'take':
        return this.#take(records)
      case 'silence':
        await new Promise(() => {})
        break
      case 'answer lost':
        this.#take(records)
        break
      case 'half, then lost':
        this.#take(records.slice(0, Math.ceil(records.length / 2)))
        break
      default:
    }
    throw failure(behaviour)
  }

  #take(records: readonly CallRecord[]): InsertCounts {
    const counts = { stored: 0, updated: 0, duplicates: 0 }
    for (const record of records) {
      const key = `${record.sensorId ?? 0}|${record.callId}|${record.started}`
      const there = this.rows.get(key)
      if (there === undefined) {
        this.rows.set(key, { revision: record.revision, made: 1 })
        this.order.push(record.callId)
        counts.stored++
      } else if (there.revision < record.revision) {
        there.revision = record.revision
        counts.updated++
      } else counts.duplicates++
    }
    return counts
  }
}

function failure(behaviour: Behaviour): StoreFailure {
  const kind = behaviour === 'record' || behaviour === 'store' ? behaviour : 'transient'
  return new StoreFailure(kind, `TEST_${kind.toUpperCase()}`, `The store fails: ${behaviour}.`, {
    suggestions: [`what to do about ${kind}`],
  })
}
