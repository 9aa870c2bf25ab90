import type { LogLevel } from './levels.js'

/**
 * Keeps a flood out of the log: of each kind of message so many a minute, then one line that says how many more there were.
 * Messages are of one kind when they differ in numbers and quoted names only.
 */
export interface Held {
  readonly level: LogLevel
  /** The last one that was held back. */
  readonly text: string
  readonly count: number
}

interface Kind {
  sinceMs: number
  passed: number
  held: Held | undefined
}

const WINDOW_MS = 60_000
/** Names from the wire could make ever new kinds: from here on they share one. */
const KINDS_MAX = 256

export class RateLimit {
  readonly #passMax: number
  readonly #kinds = new Map<string, Kind>()

  constructor(passMax = 20) {
    this.#passMax = passMax
  }

  /** Whether this one may be written now. */
  admits(level: LogLevel, text: string, nowMs: number): boolean {
    const kind = this.#kindOf(`${level} ${text.replace(/"[^"]*"|[0-9a-f]*\d[0-9a-f]*/gi, '#')}`, nowMs)
    if (kind.passed < this.#passMax) {
      kind.passed++
      return true
    }
    kind.held = { level, text, count: (kind.held?.count ?? 0) + 1 }
    return false
  }

  /** What was held back in windows that are over (`all`: in any). Forgets kinds that were quiet. */
  due(nowMs: number, all = false): Held[] {
    const over: Held[] = []
    for (const [name, kind] of this.#kinds) {
      // A clock that was set back begins the window anew.
      if (!all && nowMs - kind.sinceMs < WINDOW_MS && nowMs >= kind.sinceMs) continue
      if (kind.held !== undefined) over.push(kind.held)
      this.#kinds.delete(name)
    }
    return over
  }

  get holds(): boolean {
    for (const { held } of this.#kinds.values()) if (held !== undefined) return true
    return false
  }

  #kindOf(name: string, nowMs: number): Kind {
    const key = this.#kinds.has(name) || this.#kinds.size < KINDS_MAX ? name : 'others'
    const known = this.#kinds.get(key)
    // Who holds something is not begun anew before `due` has told of it.
    if (known !== undefined && (known.held !== undefined || nowMs - known.sinceMs < WINDOW_MS)) return known
    const kind = { sinceMs: nowMs, passed: 0, held: undefined }
    this.#kinds.set(key, kind)
    return kind
  }
}
