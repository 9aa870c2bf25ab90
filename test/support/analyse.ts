import { AddressBook } from '../../src/lib/base/address.js'
import type { PacketBatch, PacketSource } from '../../src/lib/base/packets.js'
import { type CallJson, callJson } from '../../src/lib/call/json.js'
import { callLimits } from '../../src/lib/call/limits.js'
import type { CallRecord } from '../../src/lib/call/record.js'
import { CallTracker, type TrackerOptions } from '../../src/lib/call/tracker.js'
import { openFiles } from '../../src/lib/capture/file-source.js'

export const trackerOptions: TrackerOptions = {
  limits: callLimits,
  fragments: { datagramsMax: 10_000, bytesMax: 64 << 20, timeoutSeconds: 30 },
  tcp: { flowsMax: 20_000, flowBytesMax: 512 << 10, idleSeconds: 600 },
  sipPorts: [],
  sensorId: undefined,
  filter: undefined,
}

export interface Analysis {
  readonly calls: CallJson[]
  readonly records: CallRecord[]
  readonly tracker: CallTracker
}

/** The whole pure pipeline over files, as the program runs it. */
export async function analyse(paths: readonly string[], options: Partial<TrackerOptions> = {}): Promise<Analysis> {
  return analyseSource(await openFiles(paths), options)
}

export async function analyseSource(source: PacketSource, options: Partial<TrackerOptions> = {}): Promise<Analysis> {
  const records: CallRecord[] = []
  const tracker = new CallTracker({ ...trackerOptions, ...options }, new AddressBook(), { onRecord: (record) => records.push(record) })
  for await (const batch of source.batches(new AbortController().signal)) {
    tracker.accept(batch)
    batch.release()
  }
  tracker.finish('end of input')
  return { records, calls: records.map((record) => callJson(record)), tracker }
}

/** Batches made in a test. */
export function analyseBatches(batches: readonly PacketBatch[], options: Partial<TrackerOptions> = {}): Analysis {
  const records: CallRecord[] = []
  const tracker = new CallTracker({ ...trackerOptions, ...options }, new AddressBook(), { onRecord: (record) => records.push(record) })
  for (const batch of batches) tracker.accept(batch)
  tracker.finish('end of input')
  return { records, calls: records.map((record) => callJson(record)), tracker }
}
