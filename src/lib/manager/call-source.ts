import { milliseconds } from '../call/json.js'
import type { CallView, LiveChanges } from '../live/index.js'
import type { CallSource, ServiceCall, ServiceChanges } from './backend.js'
import type { LiveSource } from './live-source.js'

/**
 * The calls of one service, for any number of clients, each at its own pace and with bounded memory. They are served from a copy
 * that follows the service's changes: what a client asks for, and how often, costs the thread of the packets nothing more.
 */
const PAGE = 200
/** Calls that wait for one client; a client that falls further behind is told to begin anew. */
const PENDING_MAX = 5000
/** The copy is kept so long after the last question. */
const KEEP_MS = 30_000

export function callsOf(service: string, live: LiveSource): CallSource {
  const copy = new Copy(live)
  return {
    count: () => live.count(),
    async *pages() {
      await copy.fresh()
      for (const page of copy.pages()) yield page.map((view): ServiceCall => ({ service, ...view }))
    },
    watch: (signal) => watch(service, copy, signal),
  }
}

class Copy {
  readonly #live: LiveSource
  readonly #table = new Map<number, CallView>()
  readonly #watchers = new Set<Pending>()
  #unwatch: (() => void) | undefined
  #filled: Promise<void> | undefined
  #idle: NodeJS.Timeout | undefined
  at = 0 as LiveChanges['at']

  constructor(live: LiveSource) {
    this.#live = live
  }

  /** Resolves when the copy is what the service has now. */
  async fresh(): Promise<void> {
    this.#touch()
    const known = this.#filled
    this.#filled ??= this.#fill()
    await this.#filled
    if (known !== undefined) await this.#live.refresh()
  }

  /** The calls by number, in pages, as old as they are now. What comes and goes meanwhile is in the changes. */
  *pages(): Generator<CallView[], void, void> {
    const numbers = [...this.#table.keys()].sort((a, b) => a - b)
    for (let i = 0; i < numbers.length; i += PAGE) {
      const page = numbers.slice(i, i + PAGE).map((number) => this.#table.get(number))
      yield page.filter((view) => view !== undefined).map((view) => aged(view, this.at))
    }
  }

  add(pending: Pending): void {
    this.#watchers.add(pending)
    clearTimeout(this.#idle)
  }

  remove(pending: Pending): void {
    this.#watchers.delete(pending)
    this.#touch()
  }

  async #fill(): Promise<void> {
    this.#unwatch = this.#live.watch((changes) => this.#apply(changes))
    for (let after = 0; ; ) {
      const page = await this.#live.page(after, PAGE)
      for (const view of page) this.#put(view)
      if (page.length < PAGE) return
      after = (page.at(-1) as CallView).number
    }
  }

  #apply(changes: LiveChanges): void {
    this.at = changes.at
    for (const list of [changes.added, changes.changed]) for (const view of list) this.#put(view)
    for (const view of changes.removed) this.#table.delete(view.number)
    for (const pending of this.#watchers) pending.put(changes)
  }

  #put(view: CallView): void {
    this.#table.set(view.number, view)
    if (view.asOf > this.at) this.at = view.asOf
  }

  #touch(): void {
    clearTimeout(this.#idle)
    if (this.#watchers.size > 0) return
    this.#idle = setTimeout(() => {
      this.#unwatch?.()
      this.#filled = undefined
      this.#table.clear()
    }, KEEP_MS).unref()
  }
}

/** A call without news grows older all the same. */
function aged(view: CallView, at: LiveChanges['at']): CallView {
  if (at <= view.asOf || view.ended !== undefined) return view
  return {
    ...view,
    asOf: at,
    durationMs: milliseconds(at - view.started),
    talkMs: view.answered === undefined ? undefined : milliseconds(at - view.answered),
  }
}

/** First everything in pages, the first of them marked `reset`, then what changes. */
async function* watch(service: string, copy: Copy, signal: AbortSignal): AsyncGenerator<ServiceChanges, void, void> {
  const pending = new Pending()
  signal.addEventListener('abort', pending.wake, { once: true })
  try {
    copy.add(pending)
    while (!signal.aborted) {
      pending.clear()
      await copy.fresh()
      yield { service, at: copy.at, reset: true, added: [], changed: [], removed: [], left: 0 }
      for (const added of copy.pages()) yield { service, at: copy.at, reset: false, added, changed: [], removed: [], left: 0 }
      while (!signal.aborted && !pending.overflowed) {
        const changes = pending.take()
        if (changes !== undefined) yield { service, reset: false, ...changes }
        else await pending.news()
      }
    }
  } finally {
    copy.remove(pending)
    signal.removeEventListener('abort', pending.wake)
  }
}

/** Changes that wait for one client: the latest view of each call, once. The views are shared by all clients. */
class Pending {
  readonly #added = new Map<number, CallView>()
  readonly #changed = new Map<number, CallView>()
  readonly #removed = new Map<number, CallView>()
  #wake: (() => void) | undefined
  at = 0 as LiveChanges['at']
  overflowed = false

  put({ at, added, changed, removed }: LiveChanges): void {
    this.at = at
    for (const view of added) this.#added.set(view.number, view)
    for (const view of changed) {
      if (this.#added.has(view.number)) this.#added.set(view.number, view)
      else this.#changed.set(view.number, view)
    }
    for (const view of removed) {
      this.#changed.delete(view.number)
      // A call that this client never heard of need not be taken from it; but a page may have told of it.
      this.#added.delete(view.number)
      this.#removed.set(view.number, view)
    }
    if (this.#added.size + this.#changed.size + this.#removed.size > PENDING_MAX) this.overflowed = true
    if (this.overflowed) this.#forget()
    this.wake()
  }

  take(): LiveChanges | undefined {
    if (this.#added.size + this.#changed.size + this.#removed.size === 0) return undefined
    const changes = {
      at: this.at,
      added: [...this.#added.values()],
      changed: [...this.#changed.values()],
      removed: [...this.#removed.values()],
      left: 0,
    }
    this.#forget()
    return changes
  }

  clear(): void {
    this.overflowed = false
    this.#forget()
  }

  news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  readonly wake = (): void => {
    this.#wake?.()
    this.#wake = undefined
  }

  #forget(): void {
    this.#added.clear()
    this.#changed.clear()
    this.#removed.clear()
  }
}

/** How often services that have come are looked for while somebody watches. */
const LOOK_MS = 2000

/** The calls of several services as one. `sources` is asked again and again: services come and go. */
export function mergeCalls(sources: () => Promise<ReadonlyMap<string, CallSource>>): CallSource {
  return {
    async count() {
      const counts = await Promise.all([...(await sources()).values()].map((s) => s.count().catch(() => 0)))
      return counts.reduce((sum, n) => sum + n, 0)
    },
    async *pages() {
      for (const source of (await sources()).values()) {
        try {
          yield* source.pages()
        } catch {
          // A service that ends while it is asked has no more running calls.
        }
      }
    },
    watch: (signal) => watchAll(sources, signal),
  }
}

async function* watchAll(
  sources: () => Promise<ReadonlyMap<string, CallSource>>,
  signal: AbortSignal,
): AsyncGenerator<ServiceChanges, void, void> {
  /** One batch of each service at most; a service goes on when its batch was taken. */
  const waiting: { readonly changes: ServiceChanges; readonly taken: () => void }[] = []
  const running = new Set<string>()
  const inner = new AbortController()
  let wake = (): void => {}
  const stop = (): void => {
    inner.abort()
    for (const { taken } of waiting.splice(0)) taken()
    wake()
  }
  const put = (changes: ServiceChanges): Promise<void> =>
    new Promise((taken) => {
      waiting.push({ changes, taken })
      wake()
    })
  const pump = async (key: string, source: CallSource): Promise<void> => {
    running.add(key)
    const told = new Set<string>()
    let at = 0 as ServiceChanges['at']
    try {
      for await (const changes of source.watch(inner.signal)) {
        told.add(changes.service)
        at = changes.at
        if (inner.signal.aborted) return
        await put(changes)
      }
    } catch {
      // It has ended; what is told below.
    } finally {
      running.delete(key)
      if (!inner.signal.aborted)
        for (const service of told) await put({ service, at, reset: true, added: [], changed: [], removed: [], left: 0 })
    }
  }
  const look = async (): Promise<void> => {
    for (const [key, source] of await sources()) if (!running.has(key)) void pump(key, source)
  }
  signal.addEventListener('abort', stop, { once: true })
  const looking = setInterval(() => void look().catch(() => {}), LOOK_MS)
  try {
    await look()
    while (!signal.aborted) {
      const next = waiting.shift()
      if (next !== undefined) {
        yield next.changes
        next.taken()
        continue
      }
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } finally {
    clearInterval(looking)
    signal.removeEventListener('abort', stop)
    stop()
  }
}
