/**
 * Tells the service manager that the loop over the packets goes on: not because a timer fires, but because the loop came round
 * since the timer fired last. A thread that is stuck fires no timer; a loop that waits for ever does not come round.
 */
export class Watchdog {
  #came = false
  #waits = 0
  readonly #timer: NodeJS.Timeout | undefined

  /** `watchdogMs`: after so long without `alive` the service manager acts. A third of it leaves room for a late turn. */
  constructor(watchdogMs: number | undefined, alive: () => void) {
    if (watchdogMs === undefined) return
    this.#timer = setInterval(() => {
      if (!this.#came && this.#waits === 0) return
      this.#came = false
      alive()
    }, watchdogMs / 3)
    this.#timer.unref()
  }

  /** The loop came round. Cheap: no clock is read. */
  beat(): void {
    this.#came = true
  }

  /** Waits for somebody who may be slow by right: a disk that is full, a store that is away. Such a wait is no reason to be ended. */
  async whileWaiting<T>(work: Promise<T>): Promise<T> {
    this.#waits++
    try {
      return await work
    } finally {
      this.#waits--
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
