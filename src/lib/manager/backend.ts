import type { CallJson } from '../call/json.js'
import type { CallTallyCounts } from '../call/tally.js'
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
  /**
   * Resolves when what a service here has seen of the call with this path is in its pcap, or cannot be; undefined where no
   * call runs.
   */
  flush?(path: string): Promise<void>
  /** Other services of this host, each with a spool of its own perhaps: asked for what is not here. */
  others?(): Promise<readonly OtherService[]>
  stats(): Promise<ServiceStats[]>
  /** Services of this host that had no answer when `stats` was asked last. */
  unanswered?(): readonly string[]
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
  readonly records?: RecordsStats | undefined
  readonly spool?: SpoolStats | undefined
  readonly odd: Readonly<Record<string, number>>
  /** The sensors that send to a mirror's receiver. */
  readonly senders?: readonly SenderStats[] | undefined
  /** The receiver that this service sends packets to. */
  readonly link?: LinkStats | undefined
  /** The source is a wire: its time is that of the clock. */
  readonly live?: boolean | undefined
  /** When the last packet came, ms since the epoch. */
  readonly lastPacketMs?: number | undefined
  /** Calls that have ended, since the start. */
  readonly ended?: CallTallyCounts | undefined
  /** What was lost about the last minute. */
  readonly lately?: RecentLosses | undefined
  /** How late the thread of the packets came to its timers in the last minute. */
  readonly loopDelay?: { readonly p99Ms: number; readonly maxMs: number } | undefined
  /** Certificates in use, and when they end, ms since the epoch. */
  readonly certificates?: readonly { readonly use: string; readonly notAfterMs: number }[] | undefined
  readonly node?: string | undefined
  readonly cpuSeconds: number
  readonly rssBytes: number
  readonly heapBytes: number
}

/** Records on their way to the store. */
export interface RecordsStats {
  readonly stored: number
  readonly dropped: number
  readonly waiting?: number | undefined
  readonly waitingInMemory?: number | undefined
  readonly waitingBytes?: number | undefined
  /** Age of the oldest that waits. */
  readonly waitingSeconds?: number | undefined
  readonly updated?: number | undefined
  readonly duplicates?: number | undefined
  readonly refused?: number | undefined
  readonly failures?: number | undefined
  readonly state?: 'ok' | 'retrying' | 'refused' | 'given up' | undefined
  /** What the store said last, while it takes nothing. */
  readonly failure?: { readonly message: string; readonly seconds: number } | undefined
}

/** Packets on their way into the pcaps of calls. */
export interface SpoolStats {
  readonly files: number
  readonly packets: number
  readonly bytes: number
  readonly dropped: number
  readonly droppedFor?: Readonly<Record<string, number>> | undefined
  /** Memory with packets that the writing thread has not taken yet. */
  readonly waitingBytes?: number | undefined
  /** Why nothing can be written at present. */
  readonly trouble?: string | undefined
  readonly deletedFiles?: number | undefined
  readonly deletedBytes?: number | undefined
  readonly trimmedFiles?: number | undefined
  readonly directory?: string | undefined
  readonly disk?: { readonly bytes: number; readonly free: number } | undefined
}

/** The way to the receiver of a mirror. */
export interface LinkStats {
  /** `host:port` of the receiver at hand, or of the last one. */
  readonly to: string
  readonly connected: boolean
  /** How often a connection was opened again after it had been lost. */
  readonly reconnects: number
  /** Why there is none. */
  readonly trouble?: string | undefined
  readonly waitingPackets: number
  readonly memoryBytes: number
  readonly memoryMax: number
  readonly diskBytes: number
  readonly diskMax: number
  /** Age of the oldest packet that waits. */
  readonly lagMs?: number | undefined
  readonly blocks: number
  /** Bytes of blocks before they were compressed, after, and sent: with all that was sent again. */
  readonly plainBytes: number
  readonly packedBytes: number
  readonly sentBytes: number
  /** Packets lost, and those left out because the operator said so, by reason. */
  readonly dropped: Readonly<Record<string, number>>
  readonly leftOut: Readonly<Record<string, number>>
}

export interface RecentLosses {
  /** How long it really is. */
  readonly seconds: number
  readonly packets: number
  /** Packets lost, by stage. */
  readonly dropped: Readonly<Record<string, number>>
  /** Records lost. */
  readonly records: number
  /** Packets that senders say they have lost. */
  readonly atSenders?: number | undefined
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
  readonly bytes?: number | undefined
  /** What has come and waits for the pipeline. */
  readonly waitingBytes?: number | undefined
  /** Blocks that never came, and those that came twice. */
  readonly gaps?: number | undefined
  readonly duplicates?: number | undefined
  /** Packets it has lost or left out, by stage. */
  readonly dropped: Readonly<Record<string, number>>
}
