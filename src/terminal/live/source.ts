import type { HeldPacket } from '../../lib/base/held.js'
import type { LadderStep } from '../../lib/call/ladder.js'
import type { BoardCall, SourceChanges } from '../../lib/live/index.js'
import type { SourceStatus } from './model.js'

/** Where a screen's calls come from: the own pipeline, a manager's socket, records in a store. */
export interface LiveSource {
  /** Unique among the sources of a screen. */
  readonly name: string
  /** Closing it loses what is not saved. */
  readonly own: boolean
  /** Whether a call on the board, by its `source`, came from here: a manager speaks for several services. */
  owns(source: string): boolean
  /** Calls the sink from now on. */
  start(sink: SourceSink): void
  /** The SIP messages of a call, in order. */
  messages(call: BoardCall): Promise<Messages>
  /** The packets of a call, for saving. */
  packets(call: BoardCall, rtp: boolean): Promise<Packets>
  close(): Promise<void>
}

export interface SourceSink {
  changes(changes: SourceChanges): void
  status(status: SourceStatus): void
}

export interface Messages {
  readonly steps: readonly LadderStep[]
  /** What is missing, in words. */
  readonly note?: string | undefined
}

export interface Packets {
  readonly packets: readonly HeldPacket[]
  readonly note?: string | undefined
}
