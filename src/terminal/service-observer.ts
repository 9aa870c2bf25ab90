import type { CallRecord } from '../lib/call/record.js'
import { CallTally } from '../lib/call/tally.js'
import { LoopDelay, LossWindow } from '../lib/health/index.js'
import type { ServiceStats } from '../lib/manager/index.js'

/**
 * What a service notes about itself beside the counters of its parts, for metrics and health: how calls ended, when the last packet
 * came, what was lost lately. It is told of batches and of ended calls, never of packets.
 */
export class ServiceObserver {
  readonly #live: boolean
  /** Those in use; told anew when they change. */
  certificates: ServiceStats['certificates']
  readonly #tally: CallTally | undefined
  readonly #losses = new LossWindow(Date.now())
  readonly #delay = new LoopDelay()
  #packets = 0
  #lastPacketMs: number | undefined

  constructor(options: { readonly live: boolean; readonly calls: boolean; readonly certificates?: ServiceStats['certificates'] }) {
    this.#live = options.live
    this.certificates = options.certificates
    this.#tally = options.calls ? new CallTally() : undefined
  }

  /** After each batch: packets so far. */
  batch(packets: number): void {
    if (packets === this.#packets) return
    this.#packets = packets
    this.#lastPacketMs = Date.now()
  }

  /** The last record of a call. */
  ended(record: CallRecord): void {
    this.#tally?.add(record)
  }

  /** What the service counts, with what was noted here. */
  complete(stats: ServiceStats): ServiceStats {
    return {
      ...stats,
      live: this.#live,
      lastPacketMs: this.#lastPacketMs,
      ended: this.#tally?.snapshot(),
      lately: this.#losses.lately(stats, Date.now()),
      loopDelay: this.#delay.times(),
      certificates: this.certificates,
      node: process.version,
    }
  }

  close(): void {
    this.#delay.close()
  }
}
