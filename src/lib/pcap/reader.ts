import type { Counters } from '../base/counters.js'
import type { BatchFill } from './batch.js'
import { PcapReader } from './pcap-reader.js'
import { PcapngReader } from './pcapng-reader.js'

/**
 * What both file formats look like to a source: fed with blocks of the file, they fill batches in place over them.
 * Bytes behind `position` are not read yet: the source brings them again, with more after them.
 */
export interface CaptureReader {
  /** First byte not consumed by the last `read`. */
  position: number
  /** Reads what is whole in bytes[at, end). Each batch is to be used up before the next is asked for. */
  read(bytes: Uint8Array, at: number, end: number): Generator<BatchFill, void, void>
}

/** A captured packet longer than this is no packet but a broken record (the largest snaplen of libpcap). */
export const capturedMax = 262_144

/** The reader for a file that begins with these bytes; undefined when it is no capture. The magic decides, not the name. */
export function readerFor(head: Uint8Array, fill: BatchFill, oddities: Counters): CaptureReader | undefined {
  if (head.length < 4) return undefined
  return PcapngReader.recognise(head)
    ? new PcapngReader(fill, oddities)
    : PcapReader.recognise(head)
      ? new PcapReader(fill, oddities)
      : undefined
}
