import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { LiveOptions } from '../../src/lib/capture/live-source.js'
import type { NetworkNamespace } from './netns.js'

/** A live capture in a process of its own inside a namespace, and what it reports. */

export interface CaptureOrder {
  readonly options: Partial<LiveOptions> & { readonly interfaces: readonly string[] }
  /** Only counts, for floods. */
  readonly countOnly?: boolean
  /** Holds each batch this long before it is released, until this many packets were seen. */
  readonly sleepMs?: number
  readonly sleepPackets?: number
}

export interface CaptureReport {
  readonly frames: { hex: string; length: number; micros: number; nanos: number }[]
  silences: number
  readonly linkTypes: number[]
  readonly until: number[]
  packets: number
  bytes: number
  kernel: { received: number; dropped: number }
  oddities: [reason: string, count: number][]
  cpuMicros: number
}

export interface CaptureFailure {
  readonly name: string
  readonly message: string
  readonly code: string
  readonly exit: number
  readonly suggestions: string[]
}

const child = fileURLToPath(new URL('capture-child.ts', import.meta.url))

export class CaptureInNamespace {
  readonly #lines: AsyncIterator<string>
  readonly #end: () => void
  readonly notices: string[] = []

  /** `before` are words of a command that runs Node: setpriv and its options. */
  constructor(namespace: NetworkNamespace, order: CaptureOrder, before: readonly string[] = []) {
    const words = [...before, process.execPath, '--import', 'tsx', child, JSON.stringify(order)]
    const started = namespace.spawn(words[0] as string, ...words.slice(1))
    started.stderr?.pipe(process.stderr)
    this.#lines = createInterface({ input: started.stdout! })[Symbol.asyncIterator]()
    this.#end = () => started.stdin?.end()
    started.once('error', (error) => {
      throw error
    })
    void once(started, 'exit')
  }

  /** Waits until it listens; the failure when it cannot. */
  async listening(): Promise<CaptureFailure | undefined> {
    const line = await this.#next()
    if (line.startsWith('error ')) return JSON.parse(line.slice(6)) as CaptureFailure
    if (line !== 'listening') throw new Error(`the capturing process said: ${line}`)
    return undefined
  }

  /** Waits for a notice that contains this text. */
  async notice(text: string): Promise<void> {
    while (!this.notices.some((notice) => notice.includes(text))) this.notices.push((await this.#next()).replace(/^notice /, ''))
  }

  async stop(): Promise<CaptureReport> {
    this.#end()
    for (;;) {
      const line = await this.#next()
      if (line.startsWith('report ')) return JSON.parse(line.slice(7)) as CaptureReport
      if (!line.startsWith('notice ')) throw new Error(`the capturing process said: ${line}`)
      this.notices.push(line.slice(7))
    }
  }

  async #next(): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error('the capturing process ended without a report')
    return value
  }
}
