/**
 * Values counted in fixed buckets, as Prometheus has histograms: how many were at most each bound (and above all others), and
 * their sum. Memory does not grow with the values, and two of them can be added.
 */
export interface BucketCounts {
  /** Upper bounds, inclusive, ascending. */
  readonly bounds: readonly number[]
  /** Values in each bucket, not in those below it; the last is above all bounds. */
  readonly counts: readonly number[]
  readonly sum: number
}

export class Buckets {
  readonly #bounds: readonly number[]
  readonly #counts: Float64Array
  #sum = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
  }

  add(value: number): void {
    const bounds = this.#bounds
    let bucket = 0
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++
    this.#counts[bucket]!++
    this.#sum += value
  }

  snapshot(): BucketCounts {
    return { bounds: this.#bounds, counts: [...this.#counts], sum: this.#sum }
  }
}
