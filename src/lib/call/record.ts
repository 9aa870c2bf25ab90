import type { Micros } from '../base/units.js'

/**
 * One call as it is stored and printed: plain data, readonly, clonable to a worker.
 * `undefined` means "not seen" or "not measured", never a made-up number.
 */
export interface CallRecord {
  /**
   * Which word on its call this is: 1, 2 … are early records, given out soon after an end so that nobody waits for the
   * stragglers; `finalRevision` is the last word. Of two records with one key a store keeps the higher.
   */
  readonly revision: number
  readonly callId: string
  /** VoIPmonitor's id_sensor, 1–65534. */
  readonly sensorId: number | undefined
  readonly state: CallState
  /** First 2xx to an INVITE, else the last response of 300 or more. */
  readonly status: number | undefined
  readonly statusText: string | undefined
  /** User parts of From and To of the first INVITE. */
  readonly caller: string | undefined
  readonly callee: string | undefined
  readonly callerName: string | undefined
  readonly callerDomain: string | undefined
  readonly calleeDomain: string | undefined
  /** User part of P-Asserted-Identity (RFC 3325). */
  readonly assertedIdentity: string | undefined
  /** Source of the first INVITE. */
  readonly callerAddr: Host
  /** Destination of the first INVITE. */
  readonly calleeAddr: Host
  /** Destination of the last hop's INVITE: VoIPmonitor's sipcalledip. Same as `calleeAddr` when there was one hop. */
  readonly lastHopAddr: Host
  /** Destinations of INVITEs between first and last hop: cdr_proxy. */
  readonly proxies: readonly string[]
  readonly callerAgent: string | undefined
  readonly calleeAgent: string | undefined
  /** Digest user name of Authorization / Proxy-Authorization. */
  readonly digestUser: string | undefined

  /** First INVITE. */
  readonly started: Micros
  /** First 100. */
  readonly trying: Micros | undefined
  /** First 180–183. */
  readonly ringing: Micros | undefined
  /** First response to the INVITE other than 100. */
  readonly firstResponse: Micros | undefined
  /** First 2xx to an INVITE. */
  readonly answered: Micros | undefined
  /** First BYE of an answered call, else the final response, else (cancelled without one) the CANCEL. */
  readonly ended: Micros | undefined
  /** First BYE, and the 2xx to a BYE. */
  readonly bye: Micros | undefined
  readonly byeConfirmed: Micros | undefined
  /** Last SIP or RTP packet. */
  readonly lastPacket: Micros
  readonly firstRtp: Micros | undefined
  readonly hungUpBy: 'caller' | 'callee' | undefined
  readonly reasons: readonly CallReason[]
  /** VoIPmonitor's termination code (database.md 3.1). */
  readonly byeCode: number
  /** Closed because the program or the input ended. */
  readonly forced: boolean
  /** VoIPmonitor's flags (database.md 3.2), bits that we know; a bigint, because bits go beyond 32. */
  readonly flags: bigint
  /** Repeats of the same INVITE. */
  readonly inviteRetransmissions: number
  readonly sipMessages: number
  /** Distinct response lines in order of first occurrence: cdr_sipresp. */
  readonly responses: readonly { readonly status: number; readonly text: string }[]
  readonly branches: number
  readonly vlan: number | undefined
  /** a_sip, b_sip, a_rtp, b_rtp, each a 6-bit DSCP or undefined. */
  readonly dscp: readonly (number | undefined)[]
  /** IP TTL of SIP packets. */
  readonly ttl: TtlRange | undefined
  /** Last announced media addresses, a side first. */
  readonly sdp: readonly SdpAddress[]
  readonly streams: readonly StreamRecord[]
  /** Index in `streams` of the stream that speaks for each direction (the one with most packets; of a call with audio, of audio). */
  readonly aStream: number | undefined
  readonly bStream: number | undefined
  readonly dtmf: readonly DtmfRecord[]
  /** Path of the call's pcap below the spool, when one is written. Filled in by the sniffer. */
  readonly pcap: string | undefined
}

export const finalRevision = 255

/** Whether two records say the same of their call. */
export const sameButRevision = (a: CallRecord, b: CallRecord): boolean => same({ ...a, revision: 0 }, { ...b, revision: 0 })

/** Plain data, all the way down: `undefined` is the same as not there. */
function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [x, y] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>]
  for (const key in x) if (!same(x[key], y[key])) return false
  for (const key in y) if (y[key] !== undefined && x[key] === undefined) return false
  return true
}

export type CallState = 'answered' | 'failed' | 'cancelled' | 'redirected' | 'cancelled_no_final' | 'no_final_response'

export interface Host {
  /** "10.0.0.1" or "2001:db8::1". */
  readonly ip: string
  readonly port: number
}

export interface CallReason {
  /** "SIP", "Q.850" … (RFC 3326). */
  readonly protocol: string
  readonly cause: number | undefined
  readonly text: string | undefined
}

export interface TtlRange {
  readonly min: number
  readonly max: number
  readonly mean: number
}

export interface SdpAddress {
  readonly side: 'a' | 'b'
  readonly host: Host
  readonly ptimeMs: number | undefined
}

export interface StreamRecord {
  readonly ssrc: number
  readonly src: Host
  readonly dst: Host
  /** `a` is sent by the caller. */
  readonly direction: 'a' | 'b'
  /** rtpmap name ("PCMA"), or undefined for a dynamic payload type that no SDP explains. */
  readonly codec: string | undefined
  readonly payloadType: number
  /** VoIPmonitor's codec number (call-semantics.md 4), or undefined. */
  readonly codecId: number | undefined
  readonly clockRate: number | undefined
  readonly packets: number
  readonly expected: number
  readonly lost: number
  readonly duplicates: number
  readonly reordered: number
  /** RFC 3550 A.8 over media packets; undefined when the clock rate is unknown or fewer than two packets came. */
  readonly jitterMeanMs: number | undefined
  readonly jitterMaxMs: number | undefined
  /** How often exactly 1, 2 … 9, and ≥ 10 packets were missing at arrival. */
  readonly lossRuns: readonly number[]
  /** Packets that deviated 50–70, 70–90, 90–120, 120–150, 150–200, 200–300, ≥ 300 ms. */
  readonly delays: readonly number[]
  /** G.107 burst ratio, at least 1; undefined without loss. */
  readonly burstRatio: number | undefined
  /** MOS-LQ by the E-model, 1–4.5; undefined when the codec has no Ie and Bpl, or nothing was measured. */
  readonly mos: number | undefined
  readonly ptimeMs: number | undefined
  readonly sdpPtimeMs: number | undefined
  readonly first: Micros
  readonly last: Micros
  readonly ttl: TtlRange | undefined
  readonly dscp: number | undefined
  /** The address was not in any SDP: learned from the other direction (NAT). */
  readonly learned: boolean
  /** Carried as SRTP (SDP said SAVP, or crypto/fingerprint was offered). */
  readonly srtp: boolean
  /** Also counted in another call (several legs share it). */
  readonly shared: boolean
  /** The codec changed within the stream. */
  readonly codecChanged: boolean
}

export interface DtmfRecord {
  readonly time: Micros
  readonly digit: string
  readonly type: 'rfc4733' | 'info'
  readonly src: string
  readonly dst: string
}
