import { AddressBook } from '../base/address.js'
import type { HeldPacket } from '../base/held.js'
import type { PacketBatch, PacketSource, StopSignal } from '../base/packets.js'
import type { Micros } from '../base/units.js'
import type { Call } from '../call/call.js'
import type { MediaIndex } from '../call/media.js'
import type { CallHandle, MarkedPackets, PacketKind } from '../call/outputs.js'
import type { CallRecord } from '../call/record.js'
import { CallTracker, type TrackerOptions, type TrackerTotals } from '../call/tracker.js'
import type { LiveCalls } from '../live/index.js'
import { RecordQueue, type RecordStore } from './record-queue.js'

/** Where the packets of calls go; src/lib/spool has the real one. */
export interface PacketSpool {
  packet(call: CallHandle, batch: PacketBatch, index: number, kind: PacketKind, headersEnd: number): void
  held(call: CallHandle, packet: HeldPacket, kind: PacketKind): void
  pathOf(call: CallHandle): string | undefined
  ended(call: CallHandle): void
  marked(batch: PacketBatch, marked: MarkedPackets): void
  /** The batch is about to be released, capture time has come so far. */
  settle(batch: PacketBatch, now: Micros): void
  drained(): Promise<void>
  close(): Promise<unknown>
}

export interface SnifferParts {
  readonly source: PacketSource
  readonly tracker: TrackerOptions
  readonly store: RecordStore | undefined
  readonly spool: PacketSpool | undefined
  /** Told of every change of a running call, for those who watch. */
  readonly live?: LiveCalls | undefined
  readonly signal: StopSignal
  /** Each finished call, with its pcap path filled in. */
  onRecord(record: CallRecord): void
  /** After each batch; for a progress line. */
  onBatch?(totals: TrackerTotals): void
  /** A store that failed in mid-run: said once, the run goes on. */
  onStoreFailure(error: unknown): void
  /** Stop after this many packets. */
  readonly packetsMax: number | undefined
}

export interface SnifferResult {
  readonly totals: TrackerTotals
  readonly oddities: [reason: string, count: number][]
  /** From the first batch asked for to the last record stored, by the program's own clock. */
  readonly seconds: number
  readonly records: { readonly stored: number; readonly duplicates: number; readonly dropped: number } | undefined
  readonly kernel: { readonly received: number; readonly dropped: number } | undefined
}

/** Records of a live run go to the store at least this often. */
const FLUSH_MS = 1000

/** The pipeline: await between batches, plain calls within. A file waits for the slowest consumer; a wire never does. */
export async function runSniffer(parts: SnifferParts): Promise<SnifferResult> {
  const { source, spool, store, signal, live } = parts
  const startedMs = performance.now()
  const queue = store && new RecordQueue(store, parts.onStoreFailure)
  const tracker = new CallTracker(parts.tracker, new AddressBook(), {
    onRecord(found, call) {
      const record = spool === undefined ? found : { ...found, pcap: spool.pathOf(call) }
      spool?.ended(call)
      queue?.offer(record)
      parts.onRecord(record)
    },
    ...(live && {
      onChange: (call: Call, media: MediaIndex) => live.changed(call, media),
      onEnd: (call: Call) => live.ended(call),
    }),
    ...(spool && {
      onPacket: (call: CallHandle, batch: PacketBatch, index: number, kind: PacketKind, headersEnd: number) =>
        spool.packet(call, batch, index, kind, headersEnd),
      onMarked: (batch: PacketBatch, marked: MarkedPackets) => spool.marked(batch, marked),
      onHeldPacket: (call: CallHandle, packet: HeldPacket, kind: PacketKind) => spool.held(call, packet, kind),
    }),
  })
  const flushing = setInterval(() => queue?.flush(), FLUSH_MS)
  try {
    for await (const batch of source.batches(signal)) {
      tracker.accept(batch)
      // A file's packets tell the time themselves; a wire that is silent still lets time pass.
      if (source.live) tracker.advance(batch.until)
      spool?.settle(batch, tracker.now)
      live?.tick(tracker.now)
      batch.release()
      parts.onBatch?.(tracker.totals)
      if (!source.live) {
        await spool?.drained()
        await queue?.drained()
      }
      if (parts.packetsMax !== undefined && tracker.totals.packets >= parts.packetsMax) break
    }
    const kernel = source.kernel?.()
    const stopped = source.live
    tracker.finish(stopped ? 'forced' : 'end of input')
    await spool?.close()
    await queue?.close()
    return {
      totals: tracker.totals,
      oddities: [...source.oddities.entries(), ...tracker.oddities()],
      seconds: (performance.now() - startedMs) / 1000,
      records: queue && { stored: queue.stored, duplicates: queue.duplicates, dropped: queue.dropped },
      kernel,
    }
  } finally {
    clearInterval(flushing)
  }
}
