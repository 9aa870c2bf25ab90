import type { AddressBook } from '../base/address.js'
import { endpointOf } from '../base/address.js'
import { Counters } from '../base/counters.js'
import type { HeldPacket } from '../base/held.js'
import type { PacketFilter } from '../base/packet-filter.js'
import type { PacketBatch } from '../base/packets.js'
import { latin1 } from '../base/text.js'
import type { Endpoint, Micros } from '../base/units.js'
import { Dissector } from '../dissect/dissector.js'
import type { FragmentLimits } from '../reassembly/fragments.js'
import { SipStreams, type TcpLimits } from '../reassembly/tcp.js'
import { word } from '../rtp/rows.js'
import { infoDigit } from '../sip/dtmf-info.js'
import { readSip, type SipMessage } from '../sip/message.js'
import { parseSdp } from '../sip/sdp.js'
import { beginsSip, mayBeSip, skipEmptyLines } from '../sip/start-line.js'
import { isTcp, isUdp } from '../wire/frame.js'
import { Call, type CloseCause, NEVER, type SipContext } from './call.js'
import { CaptureClock } from './clock.js'
import { finishCall } from './finish.js'
import type { CallLimits } from './limits.js'
import { type CallStream, type MediaClaim, MediaIndex, type MediaTarget } from './media.js'
import type { PacketKind, TrackerOutputs } from './outputs.js'
import { finalRevision, sameButRevision } from './record.js'
import { Timers } from './timers.js'

/**
 * From batches of packets to calls: the one pass over every packet. Pure: time arrives with the packets,
 * what it finds leaves through the outputs given at construction.
 *
 * Most packets are RTP, so the media index is asked first; what it does not know may be SIP; the rest is counted.
 */
export interface TrackerOptions {
  readonly limits: CallLimits
  readonly fragments: FragmentLimits
  readonly tcp: TcpLimits
  /** SIP is believed on these ports only; empty means on any. */
  readonly sipPorts: readonly number[]
  readonly sensorId: number | undefined
  /** Shared by trackers that run side by side, so that calls have numbers of their own. */
  readonly numbers?: { next: number }
  readonly filter: PacketFilter | undefined
}

/** SIP over TCP is looked for in the middle of a segment at these ports. */
const TCP_SIP_PORTS = [5060, 5061]
/** A Call-ID longer than this is nobody's: the message is counted and dropped. */
const CALL_ID_MAX = 2048
const RTP_HEADER_LENGTH = 12
/** Nobody sends media from a well-known port: what looks like RTP there is DNS, QUIC, DTLS … */
const MEDIA_PORT_MIN = 1024
/** IPv4 without options, and UDP. */
const IP_AND_UDP_LENGTH = 28

export interface TrackerTotals {
  readonly packets: number
  readonly rtp: number
  readonly rtcp: number
  readonly sip: number
  readonly filtered: number
  readonly calls: number
  readonly open: number
}

/** What may change while calls run. */
export type TrackerChange = Partial<Pick<TrackerOptions, 'filter' | 'sipPorts'>>

const tcpPorts = (ports: readonly number[]): readonly number[] => (ports.length > 0 ? ports : TCP_SIP_PORTS)

export class CallTracker {
  #options: TrackerOptions
  readonly #outputs: TrackerOutputs
  readonly #dissector: Dissector
  readonly #streams: SipStreams
  readonly #media: MediaIndex
  readonly #calls = new Map<string, Call>()
  readonly #timers = new Timers<Call>()
  readonly #clock = new CaptureClock()
  readonly #counters = new Counters()
  #sipPorts: ReadonlySet<number>
  #packets = 0
  #rtp = 0
  #rtcp = 0
  #sip = 0
  #filtered = 0
  #orphans = 0
  #otherUdp = 0
  #callsMade = 0

  constructor(options: TrackerOptions, addresses: AddressBook, outputs: TrackerOutputs) {
    this.#options = options
    this.#outputs = outputs
    this.#dissector = new Dissector(addresses, options.fragments)
    this.#streams = new SipStreams(options.tcp, tcpPorts(options.sipPorts))
    this.#media = new MediaIndex(addresses, options.limits)
    this.#sipPorts = new Set(options.sipPorts)
  }

  /** Between two batches: what counts from the next packet on. Calls that run go on. */
  change(to: TrackerChange): void {
    this.#options = { ...this.#options, ...to }
    this.#sipPorts = new Set(this.#options.sipPorts)
    this.#streams.lookAt(tcpPorts(this.#options.sipPorts))
  }

  /** Takes every packet of a batch; timers that fall between two packets fire between them. */
  accept(batch: PacketBatch): void {
    const { count, micros } = batch
    const { filter } = this.#options
    this.#media.usual.begin(batch)
    for (let index = 0; index < count; index++) {
      if (filter === undefined) {
        index = this.#usual(batch, index)
        if (index === count) break
      }
      const now = this.#clock.observe(micros[index] as Micros)
      if (now >= this.#timers.next && !this.#clock.doubtful) this.#closeDue(now)
      else if (filter === undefined && this.#knownRtp(batch, index)) continue
      const end = this.#dissector.dissect(batch, index)
      if (filter !== undefined && !this.#matches(filter, end, batch, index)) continue
      if (end === isUdp) this.#udp(batch, index)
      else if (end === isTcp) this.#tcp(batch, index)
    }
    this.#packets += count
  }

  /** Takes as many usual media packets as follow each other; no timer is due between them. */
  #usual(batch: PacketBatch, from: number): number {
    const { usual } = this.#media
    const { now, sureUntil } = this.#clock
    const to = usual.run(from, now, Math.min(sureUntil, this.#timers.next), this.#outputs.onMarked !== undefined)
    if (to > from) {
      this.#rtp += to - from
      this.#clock.follow(usual.now as Micros)
      if (usual.marks > 0) this.#outputs.onMarked?.(batch, usual)
    }
    return to
  }

  /** The source says that capture time has come this far, packets or not. */
  advance(until: Micros): void {
    this.#clock.set(until)
    if (this.#clock.now >= this.#timers.next) this.#closeDue(this.#clock.now)
  }

  /** Closes every open call: the input has ended, or the program is told to stop. */
  finish(cause: 'end of input' | 'forced'): void {
    for (const call of this.#calls.values()) this.#close(call, cause)
  }

  /** Capture time as it is believed to be. */
  get now(): Micros {
    return this.#clock.now
  }

  get totals(): TrackerTotals {
    return {
      packets: this.#packets,
      rtp: this.#rtp,
      rtcp: this.#rtcp,
      sip: this.#sip,
      filtered: this.#filtered,
      calls: this.#callsMade,
      open: this.#calls.size,
    }
  }

  /** What was odd, ignored or given up, by reason. */
  oddities(): [reason: string, count: number][] {
    const { fragments } = this.#dissector
    const tcp = this.#streams.counts
    const own: [string, number][] = [
      ...this.#dissector.counts().filter(([reason]) => reason !== 'udp' && reason !== 'tcp' && reason !== 'fragment'),
      ['IP datagram never whole', fragments.abandoned],
      ['broken IP fragment', fragments.broken],
      ['overlapping IP fragments', fragments.overlapping],
      ['SIP over TCP: segment lost', tcp.holes],
      ['SIP over TCP: not SIP in the stream', tcp.broken],
      ['SIP over TCP: too many connections', tcp.flowsDropped],
      ['RTP without a call', this.#orphans],
      ['other UDP', this.#otherUdp],
      ['too many RTP streams', this.#media.streamsRefused],
      ['media address claimed by too many calls', this.#media.claimsReplaced],
      ['capture time jumped', this.#clock.jumps],
      ...this.#counters.entries(),
    ]
    return own.filter(([, count]) => count > 0)
  }

  /** The outer headers match, or the inner ones do: `host 10.0.0.1` means the calls of that host, in whatever they are wrapped. */
  #matches(filter: PacketFilter, end: number, batch: PacketBatch, index: number): boolean {
    const { frame, parts } = this.#dissector
    // What cannot match by itself (a later fragment) waits for the whole.
    if (end !== isUdp && end !== isTcp) return true
    const at = batch.at[index] as number
    if (filter.frame(batch.linkType, batch.bytes, at, batch.captured[index] as number, batch.length[index] as number)) return true
    if (parts.some((p) => filter.frame(p.linkType, p.bytes, 0, p.bytes.length, p.length))) return true
    const length = frame.end - frame.ipAt
    if ((frame.vlan >= 0 || frame.ipDepth > 1 || frame.bytes !== batch.bytes) && filter.ip(frame.bytes, frame.ipAt, length, length))
      return true
    this.#filtered++
    return false
  }

  #udp(batch: PacketBatch, index: number): void {
    const { frame } = this.#dissector
    const { bytes, payloadAt: at, payloadEnd: end } = frame
    if (at >= end) return
    const destination = endpointOf(frame.destination, frame.destinationPort)
    const source = endpointOf(frame.source, frame.sourcePort)
    const row = frame.bytes === batch.bytes ? this.#media.usual.accept(source, destination, at, end, frame.ttl, batch.micros, index) : -1
    if (row >= 0) {
      this.#rtp++
      if (this.#outputs.onPacket !== undefined) this.#emitStream(this.#media.streamOfRow(row), batch, index, at + RTP_HEADER_LENGTH)
      return
    }
    const first = bytes[at] as number
    const target = this.#media.find(destination) ?? this.#media.find(source)
    if (target !== undefined) {
      if (first >> 6 === 2) {
        const second = bytes[at + 1] as number
        // RFC 5761 4: 192–223 in the second octet is RTCP, also on a port shared with RTP.
        if (second >= 192 && second <= 223) this.#rtcpPacket(target, batch, index)
        else this.#rtpPacket(target, source, destination, batch, index)
        return
      }
      if (!mayBeSip(first)) {
        this.#emitMedia(target, batch, index, 'media', at)
        return
      }
    }
    if (mayBeSip(first) && this.#maySip(frame.sourcePort, frame.destinationPort) && this.#sipDatagram(batch, index, source, destination))
      return
    if (first >> 6 === 2 && end - at >= RTP_HEADER_LENGTH && Math.min(frame.sourcePort, frame.destinationPort) >= MEDIA_PORT_MIN)
      this.#orphans++
    else this.#otherUdp++
  }

  #maySip(sourcePort: number, destinationPort: number): boolean {
    return this.#sipPorts.size === 0 || this.#sipPorts.has(sourcePort) || this.#sipPorts.has(destinationPort)
  }

  /** The packet at which the tight loop stopped, when it is RTP of a stream it knows: lost ones before it, a marker, late. Needs no peeling. */
  #knownRtp(batch: PacketBatch, index: number): boolean {
    const { usual, rows } = this.#media
    const { stoppedRow: row, stoppedAt: at } = usual
    if (row < 0) return false
    const { bytes } = batch
    const second = bytes[at + 1]!
    if (bytes[at] !== 0x80 || (second >= 192 && second <= 223) || ssrcAt(bytes, at) !== rows.words[row + word.ssrc]) return false
    const ip = at - IP_AND_UDP_LENGTH
    const end = Math.min(ip + ((bytes[ip + 2]! << 8) | bytes[ip + 3]!), batch.at[index]! + batch.captured[index]!)
    const stream = this.#media.streamOfRow(row)
    const headersEnd = at + RTP_HEADER_LENGTH
    this.#countRtp(stream, batch, index, bytes, at, headersEnd < end ? bytes[headersEnd]! : -1, bytes[ip + 8]!)
    if (this.#outputs.onPacket === undefined) return true
    for (const call of stream.owners) this.#outputs.onPacket(call, batch, index, 'rtp', headersEnd)
    this.#tag(stream)
    return true
  }

  #rtpPacket(target: MediaTarget, source: Endpoint, destination: Endpoint, batch: PacketBatch, index: number): void {
    const { frame } = this.#dissector
    const { bytes, payloadAt: at, payloadEnd: end } = frame
    if (end - at < RTP_HEADER_LENGTH) {
      this.#counters.add('RTP shorter than its header')
      return
    }
    const headerEnd = bytes[at] === 0x80 ? at + RTP_HEADER_LENGTH : rtpHeaderEnd(bytes, at, end)
    // Beyond what is here may be the snaplen's fault; beyond what was on the wire is nonsense.
    if (headerEnd > end && (batch.captured[index] as number) >= (batch.length[index] as number)) {
      this.#counters.add('RTP header longer than the packet')
      return
    }
    const stream = this.#media.stream(target, source, destination, ssrcAt(bytes, at), batch.micros[index] as Micros)
    if (stream === undefined) return
    if (stream.dscp < 0) stream.dscp = frame.dscp
    this.#countRtp(stream, batch, index, bytes, at, headerEnd < end ? bytes[headerEnd]! : -1, frame.ttl)
    if (frame.bytes !== batch.bytes) for (const call of stream.owners) call.fragmentedRtp = true
    if (this.#outputs.onPacket === undefined) return
    this.#emitStream(stream, batch, index, Math.min(headerEnd, end))
  }

  /** `bytes` are those the RTP header is in: the batch's, or what reassembly made. `event` is the first byte of the payload, or -1. */
  #countRtp(stream: CallStream, batch: PacketBatch, index: number, bytes: Uint8Array, at: number, event: number, ttl: number): void {
    const time = batch.micros[index] as Micros
    this.#rtp++
    const ticks = (bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!
    const digit = stream.accept(bytes[at + 1]!, (bytes[at + 2]! << 8) | bytes[at + 3]!, ticks, time, ttl, event)
    if (digit !== undefined) {
      for (const call of stream.owners) this.#digit(call, time, digit, 'rfc4733', stream.source, stream.destination)
    }
    if (stream.packets > 1) return
    // From its first RTP on, a call has another limit than before.
    for (const call of stream.owners) {
      this.#file(call)
      this.#outputs.onChange?.(call, this.#media)
    }
  }

  /** Hands out a media packet. When the stream has one owner, the next ones may take the short way. */
  #emitStream(stream: CallStream, batch: PacketBatch, index: number, headersEnd: number): void {
    for (const call of stream.owners) this.#emit(call, batch, index, 'rtp', headersEnd)
    this.#tag(stream)
  }

  #tag(stream: CallStream): void {
    if (stream.owners.length === 1) this.#media.rows.words[stream.row + word.tag] = (stream.owners[0] as Call).tag
  }

  #rtcpPacket(target: MediaTarget, batch: PacketBatch, index: number): void {
    this.#rtcp++
    for (const { call } of target.claims) call.rtcpSeen = true
    this.#emitMedia(target, batch, index, 'rtcp', this.#dissector.frame.payloadEnd)
  }

  #emitMedia(target: MediaTarget, batch: PacketBatch, index: number, kind: PacketKind, headersEnd: number): void {
    if (this.#outputs.onPacket === undefined) return
    let last: MediaClaim | undefined
    for (const claim of target.claims) {
      if (claim.call !== last?.call) this.#emit(claim.call, batch, index, kind, headersEnd)
      last = claim
    }
  }

  /**
   * Hands out a packet of a call, after the fragments that made it whole. The last fragment has no headers to be cut after:
   * of media they end where it begins, of signalling where it ends.
   */
  #emit(call: Call, batch: PacketBatch, index: number, kind: PacketKind, headersEnd: number): void {
    const { frame, parts } = this.#dissector
    for (const part of parts) this.#outputs.onHeldPacket?.(call, part, kind)
    const at = batch.at[index]!
    const ofFragment = kind === 'sip' ? at + batch.captured[index]! : at
    this.#outputs.onPacket?.(call, batch, index, kind, frame.bytes === batch.bytes ? headersEnd : ofFragment)
  }

  /** Reads the SIP message of a datagram. Answers false when it is not SIP. */
  #sipDatagram(batch: PacketBatch, index: number, source: Endpoint, destination: Endpoint): boolean {
    const { frame } = this.#dissector
    const { bytes, payloadEnd: end } = frame
    const at = skipEmptyLines(bytes, frame.payloadAt, end)
    if (at >= end) {
      this.#counters.add('SIP keep-alive')
      return true
    }
    if (!beginsSip(bytes, at, end)) return false
    const message = readSip(bytes, at, end, frame.payloadCut)
    if (typeof message === 'string') return false
    // What follows the body in a datagram must be discarded (RFC 3261 18.3), however much it looks like a message.
    if (skipEmptyLines(bytes, message.end, end) < end) this.#counters.add('bytes after the end of a SIP message')
    const call = this.#message(message, this.#context(batch, index, source, destination, 'udp'))
    if (call !== undefined && this.#outputs.onPacket !== undefined) this.#emit(call, batch, index, 'sip', end)
    return true
  }

  #tcp(batch: PacketBatch, index: number): void {
    const { frame } = this.#dissector
    if (!this.#maySip(frame.sourcePort, frame.destinationPort)) return
    const source = endpointOf(frame.source, frame.sourcePort)
    const destination = endpointOf(frame.destination, frame.destinationPort)
    this.#streams.accept(frame, batch, index, ({ message, packets }) => {
      const call = this.#message(message, this.#context(batch, index, source, destination, 'tcp'))
      if (call !== undefined && this.#outputs.onHeldPacket !== undefined) this.#emitHeld(call, packets)
    })
  }

  /** A segment with several messages of one call goes to its pcap once. */
  #emitHeld(call: Call, packets: readonly HeldPacket[]): void {
    for (const packet of packets) {
      if (packet === call.lastHeld) continue
      this.#outputs.onHeldPacket?.(call, packet, 'sip')
      call.lastHeld = packet
    }
  }

  #context(batch: PacketBatch, index: number, source: Endpoint, destination: Endpoint, transport: 'udp' | 'tcp'): SipContext {
    const { frame } = this.#dissector
    const time = batch.micros[index] as Micros
    return {
      time,
      source,
      destination,
      ttl: frame.ttl,
      dscp: frame.dscp,
      vlan: frame.vlan,
      transport,
      fragmented: frame.bytes !== batch.bytes,
    }
  }

  /** One SIP message, from whatever transport. Answers its call, when it is part of one. */
  #message(message: SipMessage, context: SipContext): Call | undefined {
    this.#sip++
    const callId = message.header('call-id')
    if (callId === undefined || callId === '' || callId.length > CALL_ID_MAX) {
      const cut = context.transport === 'udp' && this.#dissector.frame.payloadCut
      this.#counters.add(cut && callId === undefined ? 'SIP cut (snaplen) before its Call-ID' : 'SIP without a usable Call-ID')
      return undefined
    }
    const call = this.#calls.get(callId) ?? (message.method === 'INVITE' ? this.#open(callId, message, context) : undefined)
    if (call === undefined) return undefined
    const side = call.accept(message, context)
    if (message.bodyEnd > message.bodyAt) this.#body(call, side, message, context)
    this.#file(call)
    this.#outputs.onChange?.(call, this.#media)
    return call
  }

  #open(callId: string, invite: SipMessage, context: SipContext): Call | undefined {
    if (this.#calls.size >= this.#options.limits.callsMax) {
      this.#counters.add('too many calls at once')
      return undefined
    }
    const { numbers, sensorId } = this.#options
    this.#callsMade++
    const call = new Call(numbers === undefined ? this.#callsMade : numbers.next++, callId, invite, context)
    call.sensorId = sensorId
    this.#calls.set(callId, call)
    return call
  }

  #body(call: Call, side: 'a' | 'b', message: SipMessage, context: SipContext): void {
    const type = message.header('content-type')
    if (message.method === 'INFO') {
      const digit = infoDigit(type, latin1(message.bytes, message.bodyAt, message.bodyEnd))
      if (digit !== undefined) this.#digit(call, context.time, digit, 'info', context.source, context.destination)
      return
    }
    if (type !== undefined && !/application\/sdp|multipart\//i.test(type)) return
    this.#media.announce(call, side, parseSdp(latin1(message.bytes, message.bodyAt, message.bodyEnd)))
  }

  #digit(call: Call, time: Micros, digit: string, type: 'rfc4733' | 'info', source: Endpoint, destination: Endpoint): void {
    if (call.digits.length >= this.#options.limits.digitsPerCallMax) return
    call.digits.push({ time, digit, type, src: this.#media.endpointText(source).ip, dst: this.#media.endpointText(destination).ip })
    this.#outputs.onChange?.(call, this.#media)
  }

  #file(call: Call): void {
    const due = call.dueAt(this.#options.limits)
    const at = this.#outputs.onEarlyRecord !== undefined && call.earlyAt < due ? call.earlyAt : due
    if (at >= call.filedAt) return
    call.filedAt = at
    this.#timers.add(at, call)
  }

  #closeDue(now: Micros): void {
    for (let call = this.#timers.take(now); call !== undefined; call = this.#timers.take(now)) {
      if (call.closed) continue
      call.filedAt = Number.POSITIVE_INFINITY
      if (call.dueAt(this.#options.limits) <= now) this.#close(call, call.dueCause)
      else {
        if (call.earlyAt <= now) this.#giveEarly(call)
        this.#file(call)
      }
    }
  }

  #giveEarly(call: Call): void {
    call.earlyAt = NEVER
    const revision = (call.early?.revision ?? 0) + 1
    if (revision >= finalRevision) return
    call.early = finishCall(call, 'finished', this.#media, this.#options.sensorId, revision)
    this.#outputs.onEarlyRecord?.(call.early, call)
  }

  #close(call: Call, cause: CloseCause): void {
    call.closed = true
    this.#calls.delete(call.callId)
    // A call that is over, and only waits for stragglers, is not cut short by the end of the program.
    const why = cause === 'forced' && call.endConfirmed ? 'finished' : cause
    const record = finishCall(call, why, this.#media, this.#options.sensorId)
    this.#outputs.onEnd?.(call)
    this.#media.forget(call)
    this.#outputs.onRecord(record, call, call.early === undefined || !sameButRevision(call.early, record))
  }
}

const ssrcAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at + 8]! << 24) | (bytes[at + 9]! << 16) | (bytes[at + 10]! << 8) | bytes[at + 11]!) >>> 0

/** RFC 3550 5.1: fixed header, CSRC list, header extension. May lie beyond `end`. */
function rtpHeaderEnd(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] as number
  const csrcEnd = at + RTP_HEADER_LENGTH + ((first & 0x0f) << 2)
  if ((first & 0x10) === 0) return csrcEnd
  if (csrcEnd + 4 > end) return csrcEnd + 4
  return csrcEnd + 4 + (((bytes[csrcEnd + 2]! << 8) | bytes[csrcEnd + 3]!) << 2)
}
