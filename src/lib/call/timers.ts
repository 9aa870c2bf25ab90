import type { Micros } from '../base/units.js'

/**
 * A heap of "look at this again at that time". Lazy: moving a time later costs nothing, the owner looks when the
 * earlier time comes and files itself again. Moving it earlier files a second entry.
 */
export class Timers<T> {
  readonly #at: number[] = []
  readonly #what: T[] = []
  /** Time of the earliest entry; the hot path compares with it. */
  next = Number.POSITIVE_INFINITY

  add(at: Micros, what: T): void {
    let i = this.#at.length
    this.#at.push(at)
    this.#what.push(what)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (this.#at[parent]! <= this.#at[i]!) break
      this.#swap(i, parent)
      i = parent
    }
    this.next = this.#at[0]!
  }

  /** Takes the earliest entry when its time has come. */
  take(now: Micros): T | undefined {
    if (this.next > now) return undefined
    const first = this.#what[0]
    const lastAt = this.#at.pop()!
    const lastWhat = this.#what.pop() as T
    if (this.#at.length > 0) {
      this.#at[0] = lastAt
      this.#what[0] = lastWhat
      this.#sink()
    }
    this.next = this.#at[0] ?? Number.POSITIVE_INFINITY
    return first
  }

  #sink(): void {
    const length = this.#at.length
    for (let i = 0; ; ) {
      const left = 2 * i + 1
      if (left >= length) return
      const right = left + 1
      const child = right < length && this.#at[right]! < this.#at[left]! ? right : left
      if (this.#at[i]! <= this.#at[child]!) return
      this.#swap(i, child)
      i = child
    }
  }

  #swap(a: number, b: number): void {
    const at = this.#at[a]!
    const what = this.#what[a] as T
    this.#at[a] = this.#at[b]!
    this.#what[a] = this.#what[b] as T
    this.#at[b] = at
    this.#what[b] = what
  }
}
