import type { HeldPacket } from '../../lib/base/held.js'
import type { LadderStep } from '../../lib/call/ladder.js'
import type { BoardCall, SourceChanges } from '../../lib/live/index.js'
import type { MessageTexts } from './filter.js'
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
  /** The SIP packets of a call as text, where that takes no waiting: what a filter may look through. */
  readonly texts?: ((call: BoardCall) => readonly string[]) | undefined
  /** The packets of a call, for saving. */
  packets(call: BoardCall, rtp: boolean): Promise<Packets>
  close(): Promise<void>
}

/** Whose call it is, by the name of its source on the board. */
export const sourceOf = (sources: readonly LiveSource[], call: BoardCall): LiveSource =>
  sources.find((s) => s.owns(call.source)) ?? (sources[0] as LiveSource)

/** The messages that are at hand; undefined when no source has any. */
export const messagesOf = (sources: readonly LiveSource[]): MessageTexts | undefined =>
  sources.some((s) => s.texts !== undefined) ? (call) => sourceOf(sources, call).texts?.(call) : undefined

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
