import type { Compression } from './block.js'
import type { BlockQueue } from './block-queue.js'
import type { Refuse, Status } from './protocol.js'

/** What a connection to a receiver needs and how it ends, whatever the protocol. */

/** A peer that says nothing for so long is gone. */
export const SILENCE_MS = 10_000

export interface SenderIdentity {
  /** 0 means none. */
  readonly sensorId: number
  readonly name: string
  readonly token: string | undefined
  readonly software: string
}

export type SenderCounts = Omit<Status, 'micros' | 'pulseMicros' | 'heldMicros'>

export interface LinkParts {
  readonly queue: BlockQueue
  readonly identity: SenderIdentity
  readonly compression: Compression
  readonly signal: AbortSignal
  counts(): SenderCounts
  /** The receiver takes blocks now; it can read these. */
  onOpen(compression: Compression): void
  onSent(packets: number, bytes: number): void
  /** Something was acknowledged. */
  onProgress(): void
}

export interface LinkEnd {
  readonly reason: string
  readonly code: Refuse['code'] | undefined
  /** It had come as far as sending blocks. */
  readonly opened: boolean
}
