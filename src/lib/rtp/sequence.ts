import { type StreamRows, word } from './rows.js'

/**
 * Which sequence numbers of one RTP stream arrived: received, lost, duplicates, reordered, and the runs of loss.
 * RFC 3550 A.1 and A.3, counted exactly: the holes are remembered, so a late packet (it fills one) is told from a second
 * copy (it fills none), where "expected minus received" alone would let duplicates hide losses.
 */

/** A step ahead of this many or more is a new start of the sender, not a loss (RFC 3550 A.1, MAX_DROPOUT). */
const DROPOUT_MAX = 3000
/** Holes that can lie within DROPOUT_MAX, every other packet missing; older ones are closed. */
const HOLES_MAX = DROPOUT_MAX / 2
export const lossRunsKept = 10

export class SequenceCount {
  duplicates = 0
  reordered = 0
  /** New starts after a jump. */
  restarts = 0
  /** Holes by length at the moment they appeared: 1, 2 … 9, ≥ 10 (VoIPmonitor's sl1–sl10). */
  readonly runsAtArrival: number[] = Array<number>(lossRunsKept).fill(0)

  readonly #rows: StreamRows
  readonly #row: number
  /** Lowest number of the current start, extended. */
  #lowest = 0
  /** Expected in starts that are over. */
  #expectedBefore = 0
  /** Open holes as pairs [from, to], lowest first; numbers are extended. Most streams never have one. */
  #holes: number[] | undefined
  #runs = 0
  #lostInRuns = 0

  constructor(rows: StreamRows, row: number) {
    this.#rows = rows
    this.#row = row
  }

  get received(): number {
    return this.#rows.words[this.#row + word.received]!
  }

  /** Takes the next packet's number. Answers how far it is ahead of the highest so far: 1 is in order, 0 or less is late or a copy. */
  accept(sequence: number): number {
    const { words } = this.#rows
    const highest = words[this.#row + word.highest]!
    const first = words[this.#row + word.received] === 0
    words[this.#row + word.received]!++
    const step = ((sequence - highest) << 16) >> 16
    if (first) return this.#begin(sequence)
    if (step <= -DROPOUT_MAX || step >= DROPOUT_MAX) {
      this.#expectedBefore += highest - this.#lowest + 1
      this.#closeHoles(0)
      this.restarts++
      return this.#begin(sequence)
    }
    if (step <= 0) this.#late(highest + step)
    else {
      if (step > 1) this.#skip(highest + 1, highest + step - 1)
      words[this.#row + word.highest] = highest + step
    }
    return step
  }

  get expected(): number {
    return this.received === 0 ? 0 : this.#expectedBefore + this.#rows.words[this.#row + word.highest]! - this.#lowest + 1
  }

  get lost(): number {
    return this.expected - (this.received - this.duplicates)
  }

  /**
   * G.107's BurstR: mean length of the runs of loss over what random loss would give, mean × (1 − p). At least 1;
   * undefined without loss.
   */
  burstRatio(): number | undefined {
    let runs = this.#runs
    let lost = this.#lostInRuns
    for (let i = 0; i < (this.#holes?.length ?? 0); i += 2) {
      runs++
      lost += this.#holes![i + 1]! - this.#holes![i]! + 1
    }
    if (runs === 0 || lost === 0) return undefined
    return Math.max(1, (lost / runs) * (1 - lost / this.expected))
  }

  #begin(sequence: number): number {
    // Far above zero, so that a late packet before the first one keeps a positive extended number.
    this.#lowest = sequence + 65_536
    this.#rows.words[this.#row + word.highest] = this.#lowest
    return 1
  }

  #skip(from: number, to: number): void {
    this.runsAtArrival[Math.min(to - from + 1, lossRunsKept) - 1]!++
    this.#holes ??= []
    this.#holes.push(from, to)
    if (this.#holes.length > 2 * HOLES_MAX) this.#closeHoles(to - DROPOUT_MAX)
  }

  #late(extended: number): void {
    if (extended < this.#lowest) {
      this.reordered++
      // What lies between the new first packet and the old one has not come either: a hole before the beginning.
      if (extended + 1 < this.#lowest) {
        this.#holes ??= []
        this.#holes.unshift(extended + 1, this.#lowest - 1)
      }
      this.#lowest = extended
    } else if (this.#fill(extended)) this.reordered++
    else this.duplicates++
  }

  /** Answers false when the number is in no hole: it was here before. */
  #fill(extended: number): boolean {
    const holes = this.#holes ?? []
    for (let i = holes.length - 2; i >= 0; i -= 2) {
      const from = holes[i]!
      const to = holes[i + 1]!
      if (extended < from || extended > to) continue
      if (from === to) holes.splice(i, 2)
      else if (extended === from) holes[i] = from + 1
      else if (extended === to) holes[i + 1] = to - 1
      else holes.splice(i, 2, from, extended - 1, extended + 1, to)
      return true
    }
    return false
  }

  /** Holes that end before this number stay what they are: lost. 0 closes all. */
  #closeHoles(before: number): void {
    const holes = this.#holes ?? []
    let closed = 0
    while (closed < holes.length && (before === 0 || holes[closed + 1]! < before)) {
      this.#runs++
      this.#lostInRuns += holes[closed + 1]! - holes[closed]! + 1
      closed += 2
    }
    holes.splice(0, closed)
  }
}
