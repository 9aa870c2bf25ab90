import { Worker } from 'node:worker_threads'
import { OperatorError } from '../base/errors.js'
import type { LiveCalls } from '../live/index.js'
import type { About, ServiceStats } from '../manager/index.js'
import { localLive, serveLive } from '../manager/index.js'
import { builtFile } from '../native/built-file.js'

/**
 * The manager of a service that reads packets, in a thread of its own: whatever clients ask, fetch or send, the thread of the
 * packets only answers short questions about its calls.
 */
export interface ThreadOptions {
  readonly about: About
  readonly spool: string | undefined
  readonly sipPorts: readonly number[]
  /** Path of the service's socket; undefined: nobody asks, metrics only. */
  readonly socket: string | undefined
  /** Listened to when it is free; else the socket only, and a notice. */
  readonly tcp: { readonly host: string; readonly port: number } | undefined
  /** Tokens and audit log. */
  readonly stateDirectory: string
  /** Where /metrics and /healthz are served. */
  readonly metrics: MetricsPlan | undefined
}

export interface MetricsPlan {
  readonly host: string
  readonly port: number
  /** Files of the administrator's own certificate. */
  readonly certificate: { readonly certificate: string; readonly key: string } | undefined
}

export interface ManagerThread {
  readonly addresses: readonly string[]
  /** The certificate that metrics are served with, read anew. What is wrong with it is a notice. */
  renewMetrics(certificate: MetricsPlan['certificate']): void
  close(): Promise<void>
}

export type ToThread = { readonly close: true } | { readonly renew: Pick<MetricsPlan, 'certificate'> }

export type FromThread =
  | { readonly ready: readonly string[] }
  | { readonly notice: string; readonly level: 'notice' | 'error' }
  | { readonly failed: { readonly code: string; readonly message: string; readonly suggestions: string[] } }

const READY_MS = 15_000
const CLOSE_MS = 2000

export async function startManagerThread(
  options: ThreadOptions,
  live: LiveCalls,
  stats: () => ServiceStats,
  flush: (path: string) => Promise<void>,
  onNotice: (text: string, level: 'notice' | 'error') => void,
): Promise<ManagerThread> {
  const worker = new Worker(builtFile(import.meta.url, './manager-worker.cjs'), { workerData: options })
  serveLive(worker, localLive(live, stats, flush))
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  const addresses = await new Promise<readonly string[]>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('The manager’s thread does not start.')), READY_MS)
    worker.on('message', (message: FromThread | { ask: string }) => {
      if ('ready' in message) resolve(message.ready)
      else if ('notice' in message) onNotice(message.notice, message.level)
      else if ('failed' in message)
        reject(new OperatorError(message.failed.code, message.failed.message, { suggestions: message.failed.suggestions }))
      else return
      clearTimeout(late)
    })
    worker.once('error', (error) => {
      // The packets are what this program is for: it goes on without its manager.
      onNotice(`The manager has stopped: ${error.message}`, 'error')
      reject(error)
    })
  })
  worker.unref()
  return {
    addresses,
    renewMetrics: (certificate) => worker.postMessage({ renew: { certificate } } satisfies ToThread),
    async close() {
      // Nothing else may be left that keeps the process.
      worker.ref()
      worker.postMessage({ close: true } satisfies ToThread)
      const patience = setTimeout(() => void worker.terminate(), CLOSE_MS)
      await exited
      clearTimeout(patience)
    },
  }
}
