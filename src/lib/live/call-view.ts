import type { Micros } from '../base/units.js'
import type { TellingMethod } from '../call/call.js'
import type { Host } from '../call/record.js'

/**
 * What a screen, or a manager's client, shows of a call while it runs. Plain data: it travels as JSON, where a field that
 * is `undefined` is left out. Times are capture times; `asOf` says how late it was when this was taken.
 */
export interface CallView {
  /** Counts up from 1 within one sniffer: the call's name while it runs. */
  readonly number: number
  readonly callId: string
  readonly state: LiveState
  /** First 2xx to an INVITE, else the last response of 300 or more. */
  readonly status?: number | undefined
  readonly statusText?: string | undefined
  /** The last response below 200, until a final one comes. */
  readonly provisional?: number | undefined
  readonly caller?: string | undefined
  readonly callee?: string | undefined
  readonly callerName?: string | undefined
  readonly callerDomain?: string | undefined
  readonly calleeDomain?: string | undefined
  readonly callerAgent?: string | undefined
  readonly calleeAgent?: string | undefined
  /** Source and destination of the first INVITE. */
  readonly callerAddr: Host
  readonly calleeAddr: Host
  /** Destination of the last hop's INVITE. */
  readonly lastHopAddr: Host
  readonly proxies: readonly string[]
  readonly started: Micros
  readonly ringing?: Micros | undefined
  readonly answered?: Micros | undefined
  readonly ended?: Micros | undefined
  readonly hungUpBy?: 'caller' | 'callee' | undefined
  /** A BYE was answered: what still comes is an echo. */
  readonly byeConfirmed: boolean
  readonly lastPacket: Micros
  readonly asOf: Micros
  readonly pddMs?: number | undefined
  /** Start and answer to the end, while there is none to `asOf`. */
  readonly durationMs: number
  readonly talkMs?: number | undefined
  /** Of the stream that speaks for the caller, else for the callee. */
  readonly codec?: string | undefined
  /** The worse direction's: over the last seconds, and the worst window so far. */
  readonly mos?: number | undefined
  readonly mosMin?: number | undefined
  readonly lossPercent?: number | undefined
  readonly jitterMs?: number | undefined
  readonly sipMessages: number
  /** Requests that came beside INVITE and ACK; left out while there were none. */
  readonly methods?: readonly TellingMethod[] | undefined
  readonly rtpPackets: number
  readonly digits: number
  readonly vlan?: number | undefined
  readonly sensorId?: number | undefined
  /** Path of the call's pcap below the spool; it grows while the call runs. */
  readonly pcap?: string | undefined
  /** The busiest ones, at most `streamsShown`; `streamCount` counts all. */
  readonly streams: readonly StreamView[]
  readonly streamCount: number
}

/**
 *   setup ─▶ ringing ─▶ answered ─▶ ended
 *     └─────────┴──▶ failed │ cancelled │ redirected ── a new INVITE leads back
 */
export type LiveState = 'setup' | 'ringing' | 'answered' | 'ended' | 'failed' | 'cancelled' | 'redirected'

export interface StreamView {
  readonly ssrc: number
  readonly src: Host
  readonly dst: Host
  /** `a` is sent by the caller. */
  readonly direction: 'a' | 'b'
  readonly codec?: string | undefined
  readonly payloadType: number
  /** VoIPmonitor's codec number. */
  readonly codecId?: number | undefined
  readonly packets: number
  readonly expected: number
  readonly lost: number
  /** Over the last 5 to 10 seconds. */
  readonly mos?: number | undefined
  readonly lossPercent?: number | undefined
  readonly lostRecently: number
  /** The worst window so far, and the mean of all windows. */
  readonly mosMin?: number | undefined
  readonly mosMean?: number | undefined
  /** RFC 3550 A.8: the running value, its mean and its maximum. */
  readonly jitterMs?: number | undefined
  readonly jitterMeanMs?: number | undefined
  readonly jitterMaxMs?: number | undefined
  /** How often 1, 2 … 9, and 10 or more packets in a row were missing at arrival; left out while none were. */
  readonly lossRuns?: readonly number[] | undefined
  readonly first: Micros
  readonly last: Micros
  readonly srtp: boolean
}

/** What has changed since the last batch. Applied in order, batches give what a snapshot gives. */
export interface LiveChanges {
  /** Capture time. */
  readonly at: Micros
  readonly added: readonly CallView[]
  readonly changed: readonly CallView[]
  /** Calls that are over, as they were last. */
  readonly removed: readonly CallView[]
  /** Changes that did not fit in this batch and wait for the next. */
  readonly left: number
}

export const streamsShown = 8
