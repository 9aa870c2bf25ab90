import { closeSync, createReadStream, openSync, readSync } from 'node:fs'
import type { PacketBatch } from '../base/packets.js'
import { openFiles } from '../capture/file-source.js'
import { mergedCapture } from '../pcap/merge.js'
import { wholeRecords } from '../pcap/whole.js'
import { Signalling } from './signalling.js'

/**
 * All packets of a call as one capture file, whatever lies in the spool: one pcap as it is, compressed ones unpacked, files of
 * several link types as one pcapng, SIP and RTP apart as one pcap in order of time. A record that a crash has cut is left out.
 */
export interface PacketsOptions {
  readonly sipOnly?: boolean
}

/** `files` as `callFiles` found them. Pieces of any size; throws when a file cannot be read. */
export function packetsOf(files: readonly string[], options: PacketsOptions = {}): AsyncIterable<Uint8Array> {
  const [only, ...others] = files
  if (only !== undefined && others.length === 0 && options.sipOnly !== true && isPlain(only))
    return wholeRecords(createReadStream(only, { highWaterMark: 1 << 20 }))
  return mergedCapture(files.map((file) => batchesOf(file, options.sipOnly === true)))
}

async function* batchesOf(file: string, sipOnly: boolean): AsyncGenerator<PacketBatch, void, void> {
  const source = await openFiles([file])
  const signalling = new Signalling()
  for await (const batch of source.batches(new AbortController().signal)) yield sipOnly ? only(batch, signalling) : batch
}

/** The batch with nothing but signalling in it. Its arrays are the reader's: packets move up in them. */
function only(batch: PacketBatch, signalling: Signalling): PacketBatch {
  let count = 0
  for (let i = 0; i < batch.count; i++) {
    if (!signalling.is(batch, i)) continue
    for (const list of [batch.at, batch.captured, batch.length, batch.micros, batch.nanos]) if (list !== undefined) list[count] = list[i]!
    count++
  }
  const { bytes, at, captured, length, micros, nanos, linkType, until } = batch
  return { bytes, count, at, captured, length, micros, nanos, linkType, until, release: () => batch.release() }
}

/** A pcap that is not compressed: by its first bytes, the name may not tell. */
function isPlain(file: string): boolean {
  const fd = openSync(file, 'r')
  try {
    const head = new Uint8Array(4)
    readSync(fd, head)
    return new Set(['d4c3b2a1', '4d3cb2a1']).has(Buffer.from(head).toString('hex'))
  } finally {
    closeSync(fd)
  }
}
