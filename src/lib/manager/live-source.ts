import type { MessagePort, Worker } from 'node:worker_threads'
import type { CallView, LiveCalls, LiveChanges } from '../live/index.js'
import type { ServiceStats } from './backend.js'

/**
 * The running calls of one sniffer, as a manager reaches them: directly, or from the manager's own thread over a message
 * port, so that no client can take time from the thread that reads packets.
 */
export interface LiveSource {
  count(): Promise<number>
  /** Calls with a number above `after`, in order. */
  page(after: number, max: number): Promise<CallView[]>
  /** Calls back with what changed (nothing, perhaps: then only how late it is), twice a second, until the answered function is called. */
  watch(onChanges: (changes: LiveChanges) => void): () => void
  /** Resolves when the watchers know what happened until now; a quarter of a second at most, however many ask. */
  refresh(): Promise<void>
  stats(): Promise<ServiceStats>
  /** Resolves when what was seen of the call with this pcap is in it. */
  flush(path: string): Promise<void>
}

const TICK_MS = 500
/** Between two batches of changes, whoever asks for them. */
const REFRESH_MS = 250
/** Counters are read at most so often. */
const STATS_MS = 250

export function localLive(live: LiveCalls, stats: () => ServiceStats, flush: LiveSource['flush'] = async () => {}): LiveSource {
  const watchers = new Set<(changes: LiveChanges) => void>()
  let timer: NodeJS.Timeout | undefined
  let tickedMs = Number.NEGATIVE_INFINITY
  let refreshing: Promise<void> | undefined
  const tick = (): void => {
    tickedMs = performance.now()
    const changes = live.take()
    for (const tell of watchers) tell(changes)
  }
  return {
    count: async () => live.size,
    page: async (after, max) => live.page(after, max),
    stats: async () => stats(),
    flush,
    refresh() {
      if (watchers.size === 0) return Promise.resolve()
      refreshing ??= new Promise((resolve) => {
        const go = (): void => {
          refreshing = undefined
          if (watchers.size > 0) tick()
          resolve()
        }
        const waitMs = tickedMs + REFRESH_MS - performance.now()
        if (waitMs <= 0) go()
        else setTimeout(go, waitMs)
      })
      return refreshing
    },
    watch(onChanges) {
      watchers.add(onChanges)
      if (timer === undefined) {
        live.watch()
        timer = setInterval(tick, TICK_MS).unref()
      }
      return () => {
        watchers.delete(onChanges)
        if (watchers.size > 0 || timer === undefined) return
        clearInterval(timer)
        timer = undefined
        live.unwatch()
      }
    },
  }
}

type Asked =
  | { readonly ask: 'count' | 'stats' | 'refresh' }
  | { readonly ask: 'page'; readonly after: number; readonly max: number }
  | { readonly ask: 'flush'; readonly path: string }
type Question = (Asked & { readonly id: number }) | { readonly ask: 'watch' } | { readonly ask: 'unwatch' }
type Answer = { readonly id: number; readonly value: unknown } | { readonly changes: LiveChanges }

/** Answers the manager's thread; runs beside the packets. */
export function serveLive(port: MessagePort | Worker, source: LiveSource): void {
  let unwatch: (() => void) | undefined
  const post = (answer: Answer): void => port.postMessage(answer)
  port.on('message', (question: Question | { ask?: undefined }) => {
    if (question.ask === 'watch') unwatch ??= source.watch((changes) => post({ changes }))
    else if (question.ask === 'unwatch') {
      unwatch?.()
      unwatch = undefined
    } else if (question.ask !== undefined) {
      const { id } = question
      const value: Promise<unknown> =
        question.ask === 'page'
          ? source.page(question.after, question.max)
          : question.ask === 'flush'
            ? source.flush(question.path)
            : source[question.ask]()
      void value.then((found) => post({ id, value: found }))
    }
  })
}

/** The other end of `serveLive`. */
export function askLive(port: MessagePort): LiveSource {
  const waiting = new Map<number, (value: unknown) => void>()
  const watchers = new Set<(changes: LiveChanges) => void>()
  let ids = 0
  let stats: Promise<ServiceStats> | undefined
  let askedMs = 0
  port.on('message', (answer: Answer | { id?: undefined; changes?: undefined }) => {
    if ('changes' in answer && answer.changes !== undefined) for (const tell of watchers) tell(answer.changes)
    else if (answer.id !== undefined && 'value' in answer) {
      waiting.get(answer.id)?.(answer.value)
      waiting.delete(answer.id)
    }
  })
  const ask = <T>(question: Asked): Promise<T> =>
    new Promise((resolve) => {
      const id = ++ids
      waiting.set(id, resolve as (value: unknown) => void)
      port.postMessage({ ...question, id })
    })
  return {
    count: () => ask({ ask: 'count' }),
    refresh: () => ask({ ask: 'refresh' }),
    stats() {
      if (stats === undefined || performance.now() - askedMs > STATS_MS) {
        askedMs = performance.now()
        stats = ask({ ask: 'stats' })
      }
      return stats
    },
    page: (after, max) => ask({ ask: 'page', after, max }),
    flush: (path) => ask({ ask: 'flush', path }),
    watch(onChanges) {
      watchers.add(onChanges)
      if (watchers.size === 1) port.postMessage({ ask: 'watch' })
      return () => {
        if (watchers.delete(onChanges) && watchers.size === 0) port.postMessage({ ask: 'unwatch' })
      }
    },
  }
}
