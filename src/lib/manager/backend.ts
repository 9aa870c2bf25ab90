import type { CallJson } from '../call/json.js'
import type { CallView, LiveChanges } from '../live/index.js'

/**
 * What a manager speaks for. A sniffer has calls that run and a spool; `serve-manager` has a spool and records, and the
 * calls of every service of the host. Plain interfaces: the manager knows none of those who fill them.
 */
export interface ManagerBackend {
  readonly about: About
  readonly calls: CallSource
  readonly spool: SpoolSource | undefined
  readonly records: RecordSource | undefined
  /** Other services of this host, each with a spool of its own perhaps: asked for what is not here. */
  others?(): Promise<readonly OtherService[]>
  stats(): Promise<ServiceStats[]>
  /** As `sipports` tells it: empty means any. */
  readonly sipPorts: readonly number[]
}

/** Where the packets of calls are kept. Paths are those of records, relative to the directory. */
export interface SpoolSource {
  readonly directory: string
  /**
   * Full paths of all files of the call with this path in its record: compressed, of several link types, SIP and media apart.
   * Empty when nothing is kept of it. Throws an OperatorError for a path that leads out of the spool.
   */
  files(path: string, media: boolean): readonly string[]
  /** All their packets as one capture, whatever they are: always the same bytes for the same files. */
  packets(files: readonly string[], sipOnly: boolean): AsyncIterable<Uint8Array>
  /** Since when, and why, the packets or the media of the call are gone; undefined when the spool did not let them go. */
  expired(path: string, what: 'calls' | 'media'): { readonly at: string; readonly why: string } | undefined
}

export interface OtherService {
  ask(what: string, parameters: Readonly<Record<string, unknown>>): AsyncGenerator<Answer, Readonly<Record<string, unknown>>, void>
}

/** What a request answers, in order. Bytes of a `data` are the receiver's to keep. */
export type Answer = { readonly kind: 'item'; readonly value: unknown } | { readonly kind: 'data'; readonly bytes: Uint8Array }

export interface About {
  /** "sniff", "mirror-recv", "serve-manager". */
  readonly service: string
  /** Unique on its host: "sniff@eth1", "sniff-4711". */
  readonly name: string
  readonly version: string
  readonly pid: number
  readonly host: string
  readonly sensorId: number | undefined
}

/** A running call, and the service that sees it; a number is unique within its service. */
export interface ServiceCall extends CallView {
  readonly service: string
}

export interface ServiceChanges extends LiveChanges {
  readonly service: string
  /** What was known of this service's calls is to be forgotten: `added` begins them anew. */
  readonly reset: boolean
}

export interface CallSource {
  count(): Promise<number>
  /** Every running call, in pages. */
  pages(): AsyncIterable<readonly ServiceCall[]>
  /** Every running call and then what changes, until `signal` aborts. Who is slow gets fewer and larger batches, not more memory. */
  watch(signal: AbortSignal): AsyncIterable<ServiceChanges>
}

export interface RecordSource {
  get(id: number): Promise<CallJson | undefined>
  /** The latest call with this Call-ID. */
  byCallId(callId: string): Promise<CallJson | undefined>
  /** Calls that fit an expression of --where; undefined where the store has no such language. */
  query?(where: string, limit: number): AsyncIterable<CallJson>
}

/** What a service counts, since its start. Sums are what a client makes rates of. */
export interface ServiceStats {
  /** The service's name, unique on its host. */
  readonly service: string
  readonly version: string
  readonly pid: number
  readonly sensorId?: number | undefined
  readonly uptimeSeconds: number
  /** What it listens to: "eth0", "call.pcap". */
  readonly source?: string | undefined
  /** Capture time, µs since the epoch. */
  readonly captureTime?: number | undefined
  readonly packets: number
  readonly bytes?: number | undefined
  readonly rtp: number
  readonly rtcp: number
  readonly sip: number
  readonly filtered: number
  readonly calls: number
  readonly open: number
  readonly kernel?: { readonly received: number; readonly dropped: number } | undefined
  readonly records?: { readonly stored: number; readonly dropped: number; readonly waiting?: number | undefined } | undefined
  readonly spool?: { readonly files: number; readonly packets: number; readonly bytes: number; readonly dropped: number } | undefined
  readonly odd: Readonly<Record<string, number>>
  /** What waits at a mirror's sender for its receiver. */
  readonly buffer?: { readonly packets: number; readonly bytes: number; readonly connected: boolean } | undefined
  /** The sensors that send to a mirror's receiver. */
  readonly senders?: readonly SenderStats[] | undefined
  readonly cpuSeconds: number
  readonly rssBytes: number
  readonly heapBytes: number
}

/** One sensor that sends to this service. */
export interface SenderStats {
  readonly sensorId?: number | undefined
  readonly name: string
  readonly address: string
  readonly connected: boolean
  readonly protocol: string
  readonly packets: number
  /** Age of the oldest packet that it has not got rid of. */
  readonly lagMs?: number | undefined
  /** The receiver's clock minus its clock. */
  readonly skewMs?: number | undefined
  /** What waits in its memory and on its disk. */
  readonly bufferBytes?: number | undefined
  /** Packets it has lost or left out, by stage. */
  readonly dropped: Readonly<Record<string, number>>
}
