import type { PacketSource } from '../../src/lib/base/packets.js'
import type { SourceChanges } from '../../src/lib/live/index.js'
import { drawFrame, type Frame } from '../../src/terminal/live/draw/frame.js'
import { readKeys } from '../../src/terminal/live/keys.js'
import { localSource } from '../../src/terminal/live/local-source.js'
import { type Effect, type Event, newScreen, type Screen, type SourceStatus } from '../../src/terminal/live/model.js'
import { reduce } from '../../src/terminal/live/reduce.js'
import { type LiveSource, messagesOf } from '../../src/terminal/live/source.js'
import { plain } from '../../src/terminal/live/style.js'
import { trackerOptions } from './analyse.js'
import { batchOf, type Packet } from './ladder.js'

/** A screen without a terminal: events in, lines of text out; its effects are kept, and ladders are loaded as the program loads them. */
export class TestScreen {
  screen: Screen
  readonly effects: Effect[] = []
  readonly #source: LiveSource | undefined

  constructor(columns: number, rows: number, source?: LiveSource, options: Partial<Parameters<typeof newScreen>[0]> = {}) {
    this.screen = newScreen({ columns, rows, messagesOf: source && messagesOf([source]), ...options })
    this.#source = source
  }

  event(event: Event): this {
    const step = reduce(this.screen, event)
    this.screen = step.screen
    this.effects.push(...step.effects)
    return this
  }

  /** Types what a terminal would send: `type('j\r')`. */
  type(input: string): this {
    for (const key of readKeys(input).keys) this.event({ kind: 'key', key })
    return this
  }

  settle(nowMicros: number = this.screen.board.at): this {
    return this.event({ kind: 'settle', nowMicros })
  }

  /** Carries out what the last effects ask of a source. */
  async loaded(): Promise<this> {
    const effect = this.effects.findLast((e) => e.kind === 'load')
    if (effect?.kind !== 'load' || this.#source === undefined) return this
    const found = await Promise.all(effect.calls.map((call) => (this.#source as LiveSource).messages(call)))
    return this.event({ kind: 'messages', keys: effect.calls.map((c) => c.key), steps: found.flatMap((f) => f.steps) })
  }

  frame(unicode = true): Frame {
    return drawFrame(this.screen, unicode)
  }

  text(unicode = true): string {
    return `${this.frame(unicode).lines.map(plain).join('\n')}\n`
  }
}

export interface Played {
  readonly source: LiveSource
  readonly changes: SourceChanges[]
  readonly status: SourceStatus[]
  /** The input ends, and with it every call. */
  finish(): Promise<void>
}

/** Packets through the real pipeline, which then waits: calls run until `finish`. */
export async function play(packets: readonly Packet[], options: { mediaBytes?: number } = {}): Promise<Played> {
  let finish: () => void = () => {}
  const ended = new Promise<void>((resolve) => {
    finish = resolve
  })
  let read: () => void = () => {}
  const all = new Promise<void>((resolve) => {
    read = resolve
  })
  const input: PacketSource = {
    live: false,
    oddities: { entries: () => [] },
    progress: () => ({ bytes: 0, total: undefined }),
    async *batches() {
      yield batchOf(packets)
      read()
      await ended
    },
  }
  const changes: SourceChanges[] = []
  const status: SourceStatus[] = []
  let done: () => void = () => {}
  const over = new Promise<void>((resolve) => {
    done = resolve
  })
  const source = localSource({
    name: 'made',
    source: input,
    tracker: trackerOptions,
    sipBytes: 1 << 20,
    mediaBytes: options.mediaBytes ?? 4 << 20,
    onFailure: (error) => {
      throw error
    },
  })
  source.start({
    changes: (c) => changes.push(c),
    status: (s) => {
      status.push(s)
      if (s.state === 'done') done()
    },
  })
  await all
  return {
    source,
    changes,
    status,
    async finish() {
      finish()
      await over
    },
  }
}
