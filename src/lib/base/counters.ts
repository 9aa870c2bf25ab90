/**
 * Named counts of odd or lost input: "what was dropped, at which stage, for which reason".
 * A reason is a short fixed phrase, never text from the wire, so the map cannot grow without bound.
 */
export class Counters {
  readonly #counts = new Map<string, number>()

  add(reason: string, by = 1): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + by)
  }

  get(reason: string): number {
    return this.#counts.get(reason) ?? 0
  }

  /** Reason → count, largest first. */
  entries(): [reason: string, count: number][] {
    return [...this.#counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
  }

  toJSON(): Record<string, number> {
    return Object.fromEntries(this.entries())
  }
}
