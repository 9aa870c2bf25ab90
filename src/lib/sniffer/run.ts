import type { HeldPacket } from '../base/held.js'
import type { PacketBatch, PacketSource, StopSignal } from '../base/packets.js'
import type { Micros } from '../base/units.js'
import type { Call } from '../call/call.js'
import type { MediaIndex } from '../call/media.js'
import type { CallHandle, MarkedPackets, PacketKind } from '../call/outputs.js'
import type { CallRecord } from '../call/record.js'
import type { TrackerChange, TrackerOptions, TrackerTotals } from '../call/tracker.js'
import type { LiveCalls } from '../live/index.js'
import type { RecordsStatus } from './records-status.js'
import { Trackers } from './trackers.js'

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
  close(): Promise<SpoolSummary>
}

/** What became of the packets. */
export interface SpoolSummary {
  readonly files: number
  readonly packets: number
  readonly bytes: number
  /** Packets that could not be kept, by reason. */
  readonly dropped: readonly [reason: string, count: number][]
  /** Fragments of media, where media are not to be kept whole. */
  readonly leftOut: number
  /** What went to keep the spool within its limits. */
  readonly kept: { readonly deletedFiles: number; readonly deletedBytes: number; readonly trimmedFiles: number }
}

/** Where records go; record-queue.ts has the real one. */
export interface RecordSink {
  /** Never waits. */
  offer(record: CallRecord): void
  flush(): void
  /** For a source that can wait. */
  drained(): Promise<void>
  /** No packet comes any more: all calls that are still open follow at once. */
  ending(): void
  close(): Promise<RecordsStatus>
  readonly status: RecordsStatus
}

export interface SnifferParts {
  readonly source: PacketSource
  readonly tracker: TrackerOptions
  readonly records: RecordSink | undefined
  readonly spool: PacketSpool | undefined
  /** Dialled digits stay out of the records; the spool masks its own. */
  readonly maskDtmf?: boolean
  readonly signal: StopSignal
  /** Each finished call, with its pcap path filled in. */
  onRecord(record: CallRecord): void
  /** After each batch; for a progress line, and for who watches that the loop goes on. */
  onBatch?(totals: TrackerTotals): void
  /** Told of each wait for a disk or a store that may be slow by right. */
  waiting?<T>(work: Promise<T>): Promise<T>
  /** The running calls, for those who watch; undefined when nobody can. */
  readonly live?: LiveCalls | undefined
  /** The run begins; the functions tell at any time how it goes, and change what may change between two batches. */
  onStart?(status: () => SnifferStatus, change: (to: TrackerChange) => void): void
  /** Stop after this many packets. */
  readonly packetsMax: number | undefined
}

/** How a run goes, while it goes. */
export interface SnifferStatus {
  readonly totals: TrackerTotals
  readonly oddities: [reason: string, count: number][]
  readonly records: RecordsStatus | undefined
  readonly kernel: { readonly received: number; readonly dropped: number } | undefined
  /** Bytes read from the source. */
  readonly bytes: number
  readonly captureTime: Micros
}

export interface SnifferResult {
  readonly totals: TrackerTotals
  readonly oddities: [reason: string, count: number][]
  /** From the first batch asked for to the last record stored, by the program's own clock. */
  readonly seconds: number
  readonly records: RecordsStatus | undefined
  readonly spool: SpoolSummary | undefined
  /** Packets missing from their pcaps. */
  readonly notKept: number
  readonly kernel: { readonly received: number; readonly dropped: number } | undefined
}

const MASKED_DIGIT = 'X'

/** The pipeline: await between batches, plain calls within. A file waits for the slowest consumer; a wire never does. */
export async function runSniffer(parts: SnifferParts): Promise<SnifferResult> {
  const { source, spool, records, signal, live } = parts
  const startedMs = performance.now()
  const withPcap = (found: CallRecord, call: CallHandle): CallRecord => {
    const record = parts.maskDtmf ? { ...found, dtmf: found.dtmf.map((press) => ({ ...press, digit: MASKED_DIGIT })) } : found
    return spool === undefined ? record : { ...record, pcap: spool.pathOf(call) }
  }
  const trackers = new Trackers(parts.tracker, {
    onRecord(found, call, news) {
      const record = withPcap(found, call)
      spool?.ended(call)
      if (news) records?.offer(record)
      parts.onRecord(record)
    },
    // Who reads a store after a live call does not wait for stragglers; who reads a file gets each call once.
    ...(source.live &&
      records !== undefined && { onEarlyRecord: (found: CallRecord, call: CallHandle) => records.offer(withPcap(found, call)) }),
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
  parts.onStart?.(
    () => ({
      totals: trackers.totals,
      oddities: [...source.oddities.entries(), ...trackers.oddities()],
      records: records?.status,
      kernel: source.kernel?.(),
      bytes: source.progress().bytes,
      captureTime: trackers.now,
    }),
    (to) => trackers.change(to),
  )
  const canWait = source.canWait ?? !source.live
  const waiting = parts.waiting ?? (<T>(work: Promise<T>) => work)
  try {
    for await (const batch of source.batches(signal)) {
      const tracker = trackers.of(batch)
      tracker.accept(batch)
      // A file's packets tell the time themselves; a wire that is silent still lets time pass.
      if (source.live) tracker.advance(batch.until)
      spool?.settle(batch, tracker.now)
      live?.tick(tracker.now)
      batch.release()
      records?.flush()
      parts.onBatch?.(trackers.totals)
      if (canWait) {
        // An end that is asked for waits for nobody.
        if (spool !== undefined) await waiting(orStopped(spool.drained(), source.live ? signal : undefined))
        if (records !== undefined) await waiting(orStopped(records.drained(), source.live ? signal : undefined))
      }
      if (parts.packetsMax !== undefined && trackers.totals.packets >= parts.packetsMax) break
    }
  } catch (error) {
    // Calls that have ended by now are stored, whatever ended the source.
    await records?.close()
    throw error
  }
  const kernel = source.kernel?.()
  records?.ending()
  trackers.finish(source.live ? 'forced' : 'end of input')
  // At once: records must not wait until a slow disk has the last packets.
  const [spooled, stored] = await Promise.all([spool?.close(), records?.close()])
  return {
    totals: trackers.totals,
    oddities: [...source.oddities.entries(), ...trackers.oddities(), ...notKept(spooled?.dropped ?? [])],
    seconds: (performance.now() - startedMs) / 1000,
    records: stored,
    spool: spooled,
    notKept: (spooled?.dropped ?? []).reduce((sum, [, count]) => sum + count, 0),
    kernel,
  }
}

/** Resolves when the work is done, or when the end is asked for. */
function orStopped(work: Promise<void>, signal: StopSignal | undefined): Promise<void> {
  if (signal === undefined) return work
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve()
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

const notKept = (dropped: readonly [reason: string, count: number][]): [reason: string, count: number][] =>
  dropped.map(([reason, count]) => [`packet not in its pcap: ${reason}`, count])
