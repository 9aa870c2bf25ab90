/**
 * Which sequence numbers of one RTP stream arrived: received, lost, duplicates, reordered, and the runs of loss.
 * RFC 3550 A.1 and A.3, counted exactly: a window of bits tells a late packet from a second copy,
 * where "expected minus received" alone would let duplicates hide losses.
 */

/** A step ahead of this many or more is a new start of the sender, not a loss (RFC 3550 A.1, MAX_DROPOUT). */
const DROPOUT_MAX = 3000
/** Bits remembered behind the highest number; a power of two above DROPOUT_MAX. */
const WINDOW = 4096
const WORDS = WINDOW >> 5
/** Holes that a late packet may still fill. */
const HOLES_MAX = 32
export const lossRunsKept = 10

export class SequenceCount {
  received = 0
  duplicates = 0
  reordered = 0
  /** New starts after a jump. */
  restarts = 0
  /** Holes by length at the moment they appeared: 1, 2 … 9, ≥ 10 (VoIPmonitor's sl1–sl10). */
  readonly runsAtArrival = new Uint32Array(lossRunsKept)

  /** Highest number of the current start, extended beyond 16 bits, and the lowest. */
  #highest = 0
  #lowest = 0
  /** Expected in starts that are over. */
  #expectedBefore = 0
  readonly #seen = new Uint32Array(WORDS)
  /** Open holes as pairs [from, to], oldest first; numbers are extended. */
  #holes: number[] = []
  #runs = 0
  #lostInRuns = 0

  /** Takes the next packet's number. Answers how far it is ahead of the highest so far: 1 is in order, 0 or less is late or a copy. */
  accept(sequence: number): number {
    if (this.received === 0) {
      this.#begin(sequence)
      return 1
    }
    const step = ((sequence - this.#highest) << 16) >> 16
    this.received++
    if (step === 1) {
      const next = ++this.#highest
      // Setting is enough: the bit of a number 4096 below is stale only after a wrap of the window, which #skip clears.
      if ((next & 31) === 0) this.#seen[(next >> 5) & (WORDS - 1)] = 1
      else this.#seen[(next >> 5) & (WORDS - 1)]! |= 1 << (next & 31)
      return 1
    }
    if (step <= -DROPOUT_MAX || step >= DROPOUT_MAX) {
      this.#expectedBefore += this.#highest - this.#lowest + 1
      this.#closeHoles()
      this.received--
      this.restarts++
      this.#begin(sequence)
      return 1
    }
    if (step > 1) this.#skip(step)
    else this.#late(this.#highest + step)
    return step
  }

  get expected(): number {
    return this.received === 0 ? 0 : this.#expectedBefore + this.#highest - this.#lowest + 1
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
    for (let i = 0; i < this.#holes.length; i += 2) {
      runs++
      lost += this.#holes[i + 1]! - this.#holes[i]! + 1
    }
    if (runs === 0 || lost === 0) return undefined
    return Math.max(1, (lost / runs) * (1 - lost / this.expected))
  }

  #begin(sequence: number): void {
    this.received++
    // Far above zero, so that a late packet before the first one keeps a positive extended number.
    this.#highest = this.#lowest = sequence + 65_536
    this.#seen.fill(0)
    this.#mark(this.#highest)
  }

  #mark(extended: number): void {
    this.#seen[(extended >> 5) & (WORDS - 1)]! |= 1 << (extended & 31)
  }

  #skip(step: number): void {
    const from = this.#highest + 1
    const to = this.#highest + step
    // Bits wrap round every 4096 numbers: what lies between must not look seen.
    for (let n = from; n <= to; n++) this.#seen[(n >> 5) & (WORDS - 1)]! &= ~(1 << (n & 31))
    // The rest of the last word belongs to the past as well; it is cleared when its own numbers come.
    const rest = to & 31
    this.#seen[(to >> 5) & (WORDS - 1)]! &= rest === 31 ? -1 : (1 << (rest + 1)) - 1
    this.#mark(to)
    this.#highest = to
    this.runsAtArrival[Math.min(step - 1, lossRunsKept) - 1]!++
    this.#holes.push(from, to - 1)
    if (this.#holes.length > 2 * HOLES_MAX) {
      this.#runs++
      this.#lostInRuns += this.#holes[1]! - this.#holes[0]! + 1
      this.#holes.splice(0, 2)
    }
  }

  #late(extended: number): void {
    const word = (extended >> 5) & (WORDS - 1)
    const bit = 1 << (extended & 31)
    if ((this.#seen[word]! & bit) !== 0) {
      this.duplicates++
      return
    }
    this.reordered++
    this.#seen[word]! |= bit
    if (extended < this.#lowest) {
      // What lies between the new first packet and the old one has not come either: a hole before the beginning.
      if (extended + 1 < this.#lowest) this.#holes.unshift(extended + 1, this.#lowest - 1)
      this.#lowest = extended
    } else this.#fill(extended)
  }

  #fill(extended: number): void {
    const holes = this.#holes
    for (let i = holes.length - 2; i >= 0; i -= 2) {
      const from = holes[i]!
      const to = holes[i + 1]!
      if (extended < from || extended > to) continue
      if (from === to) holes.splice(i, 2)
      else if (extended === from) holes[i] = from + 1
      else if (extended === to) holes[i + 1] = to - 1
      else holes.splice(i, 2, from, extended - 1, extended + 1, to)
      return
    }
    // Filled after it had been given up as lost.
    if (this.#lostInRuns > 0) this.#lostInRuns--
  }

  #closeHoles(): void {
    for (let i = 0; i < this.#holes.length; i += 2) {
      this.#runs++
      this.#lostInRuns += this.#holes[i + 1]! - this.#holes[i]! + 1
    }
    this.#holes = []
  }
}
