import type { PacketBatch } from '../../src/lib/base/packets.js'
import type { Micros } from '../../src/lib/base/units.js'
import { type Bytes, ethernet, ipv4, join, tcp, text, udp } from './frames.js'

/**
 * Calls told as ladders: who sends what to whom, and when (in seconds). Each step becomes a packet; `batchOf` makes them a batch.
 */
export interface Packet {
  readonly at: number
  readonly frame: Bytes
}

const START = 1_700_000_000

/** "10.0.0.1:5060" */
const split = (endpoint: string): [string, number] => [endpoint.split(':')[0] as string, Number(endpoint.split(':')[1])]

export function datagram(at: number, from: string, to: string, payload: Bytes): Packet {
  const [source, sourcePort] = split(from)
  const [destination, destinationPort] = split(to)
  return { at, frame: ethernet(0x0800, ipv4(17, udp(sourcePort, destinationPort, payload), { source, destination })) }
}

/** A TCP segment with this sequence number. */
export function segment(at: number, from: string, to: string, sequence: number, payload: Bytes, flags = 0x18): Packet {
  const [source, sourcePort] = split(from)
  const [destination, destinationPort] = split(to)
  const bytes = tcp(sourcePort, destinationPort, payload)
  new DataView(bytes.buffer).setUint32(4, sequence >>> 0)
  bytes[13] = flags
  return { at, frame: ethernet(0x0800, ipv4(6, bytes, { source, destination })) }
}

export interface SipOptions {
  readonly callId?: string
  readonly cseq?: string
  readonly fromTag?: string
  readonly toTag?: string
  readonly branch?: string
  readonly from?: string
  readonly to?: string
  readonly headers?: readonly string[]
  /** "10.0.0.1:4000" announces audio there, PCMA and telephone-event. */
  readonly sdp?: string
  readonly sdpLines?: readonly string[]
  readonly body?: string
}

/** The text of a SIP message: `INVITE` or `200 OK`. */
export function sipText(what: string, o: SipOptions = {}): string {
  const method = /^\d/.test(what) ? 'INVITE' : what
  const start = /^\d/.test(what) ? `SIP/2.0 ${what}` : `${what} sip:bob@example.net SIP/2.0`
  const sdp =
    o.sdp === undefined
      ? undefined
      : [
          'v=0',
          'o=- 1 1 IN IP4 0.0.0.0',
          's=-',
          `c=IN IP4 ${split(o.sdp)[0]}`,
          't=0 0',
          `m=audio ${split(o.sdp)[1]} RTP/AVP 8 101`,
          'a=rtpmap:101 telephone-event/8000',
          ...(o.sdpLines ?? []),
          '',
        ].join('\r\n')
  const body = o.body ?? sdp ?? ''
  return [
    start,
    `Via: SIP/2.0/UDP h;branch=${o.branch ?? 'z9hG4bK1'}`,
    `From: ${o.from ?? '"Alice" <sip:alice@example.com>'};tag=${o.fromTag ?? 'a'}`,
    `To: ${o.to ?? '<sip:bob@example.net>'}${o.toTag === undefined ? '' : `;tag=${o.toTag}`}`,
    `Call-ID: ${o.callId ?? 'call-1'}`,
    `CSeq: ${o.cseq ?? `1 ${method}`}`,
    ...(o.headers ?? []),
    ...(sdp === undefined ? [] : ['Content-Type: application/sdp']),
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n')
}

export const sip = (at: number, from: string, to: string, what: string, o: SipOptions = {}): Packet =>
  datagram(at, from, to, text(sipText(what, o)))

export interface RtpOptions {
  readonly type?: number
  readonly seq?: number
  readonly ticks?: number
  readonly ssrc?: number
  readonly marker?: boolean
  readonly payload?: Bytes
  /** First octet: version, padding, extension, CSRC count. */
  readonly first?: number
}

export function rtpBytes(o: RtpOptions = {}): Bytes {
  const header = new DataView(new ArrayBuffer(12))
  header.setUint8(0, o.first ?? 0x80)
  header.setUint8(1, (o.type ?? 8) | (o.marker === true ? 0x80 : 0))
  header.setUint16(2, (o.seq ?? 1) & 0xffff)
  header.setUint32(4, (o.ticks ?? 160) >>> 0)
  header.setUint32(8, o.ssrc ?? 0x1234)
  return join(new Uint8Array(header.buffer), o.payload ?? new Uint8Array(160).fill(0xd5))
}

/** `count` packets of 20 ms from `at` on. */
export function talk(at: number, from: string, to: string, count: number, o: RtpOptions = {}): Packet[] {
  return Array.from({ length: count }, (_, i) =>
    datagram(at + i * 0.02, from, to, rtpBytes({ ...o, seq: (o.seq ?? 0) + i, ticks: (o.ticks ?? 0) + i * 160 })),
  )
}

export function batchOf(packets: readonly Packet[], linkType = 1): PacketBatch {
  const ordered = [...packets].sort((a, b) => a.at - b.at)
  const bytes = join(...ordered.map((p) => p.frame))
  let offset = 0
  const at = ordered.map((p) => {
    offset += p.frame.length
    return offset - p.frame.length
  })
  const micros = ordered.map((p) => Math.round((START + p.at) * 1e6))
  return {
    bytes,
    count: ordered.length,
    at: Uint32Array.from(at),
    captured: Uint32Array.from(ordered, (p) => p.frame.length),
    length: Uint32Array.from(ordered, (p) => p.frame.length),
    micros: Float64Array.from(micros),
    nanos: undefined,
    linkType,
    until: (micros.at(-1) ?? 0) as Micros,
    release: () => {},
  }
}

/** Seconds after the start of the ladder, of a time in a record. */
export const seconds = (micros: number | undefined): number | undefined =>
  micros === undefined ? undefined : Math.round((micros / 1e6 - START) * 1e6) / 1e6
