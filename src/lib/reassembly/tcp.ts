import { type HeldPacket, holdPacket } from '../base/held.js'
import type { PacketBatch } from '../base/packets.js'
import { type Micros, SECOND } from '../base/units.js'
import type { SipMessage } from '../sip/message.js'
import { beginsSip, mayBeSip, skipEmptyLines } from '../sip/start-line.js'
import { findSip, frameSip } from '../sip/stream.js'
import type { Frame } from '../wire/frame.js'
import { tcpFlag } from '../wire/tcp.js'

/**
 * SIP over TCP put together from segments: several messages in one, one over several, in any order, from mid-stream on.
 * Only flows that have shown SIP are kept. A passive listener cannot ask again: a hole that stays open is skipped
 * to the next start line, and counted.
 */
export interface TcpLimits {
  readonly flowsMax: number
  /** Bytes waiting in one flow. */
  readonly flowBytesMax: number
  readonly idleSeconds: number
}

export interface StreamMessage {
  readonly message: SipMessage
  /** Segments that carry it, in sequence order. */
  readonly packets: readonly HeldPacket[]
}

interface Segment {
  /** Relative to the flow's first byte; grows past 2^32. */
  at: number
  readonly bytes: Uint8Array
  readonly packet: HeldPacket
}

interface Flow {
  readonly key: string
  /** Sequence number of relative offset 0, modulo 2^32. */
  origin: number
  /** Everything before this offset is read or given up. */
  next: number
  /** Waiting, sorted by offset, without overlap in what is new. */
  segments: Segment[]
  bytes: number
  last: Micros
  messages: number
  /** Since when a hole has been waiting. */
  holeSince: Micros | undefined
}

/** A segment this far from where the flow stands belongs to another connection on the same ports. */
const WINDOW = 4 << 20
const SEGMENTS_MAX = 256
/** A hole is given up after this long; retransmission by the sender takes well under a second. */
const HOLE_SECONDS = 3

export class SipStreams {
  readonly #limits: TcpLimits
  readonly #flows = new Map<string, Flow>()
  readonly #ports = new Set<number>()
  #sweepAt = 0
  readonly counts = { segments: 0, messages: 0, retransmitted: 0, holes: 0, broken: 0, flowsDropped: 0, ignored: 0 }

  /** `ports`: where SIP is looked for in the middle of a segment too. */
  constructor(limits: TcpLimits, ports: readonly number[]) {
    this.#limits = limits
    this.lookAt(ports)
  }

  /** From now on SIP is looked for on these ports; flows that are known go on. */
  lookAt(ports: readonly number[]): void {
    this.#ports.clear()
    for (const port of ports) this.#ports.add(port)
  }

  /** Takes a TCP packet; calls back for each message it completes. The callback must not keep the message. */
  accept(frame: Frame, batch: PacketBatch, index: number, onMessage: (found: StreamMessage) => void): void {
    const now = batch.micros[index] as Micros
    if (now >= this.#sweepAt || now < this.#sweepAt - 3600 * SECOND) this.#sweep(now)
    const known = this.#ports.has(frame.sourcePort) || this.#ports.has(frame.destinationPort)
    const begins = beginsHere(frame)
    if (!known && !begins) {
      this.counts.ignored++
      return
    }
    const key = `${frame.tunnel},${frame.source},${frame.sourcePort},${frame.destination},${frame.destinationPort}`
    let flow = this.#flows.get(key)
    if ((frame.tcpFlags & (tcpFlag.syn | tcpFlag.rst)) !== 0) {
      if (flow) this.#flows.delete(key)
      // A connection seen from its start may have its first segments in any order.
      if (known && (frame.tcpFlags & tcpFlag.syn) !== 0) this.#open(key, (frame.tcpSequence + 1) >>> 0, now)
      return
    }
    if (frame.payloadEnd <= frame.payloadAt) return
    if (flow !== undefined && Math.abs(relative(flow, frame.tcpSequence)) > WINDOW) {
      this.#flows.delete(key)
      flow = undefined
    }
    if (flow === undefined) {
      const start = begins || startsLine(frame) ? frame.payloadAt : findSip(frame.bytes, frame.payloadAt, frame.payloadEnd)
      if (start < 0) {
        this.counts.ignored++
        return
      }
      flow = this.#open(key, (frame.tcpSequence + start - frame.payloadAt) >>> 0, now)
      // Once a connection has shown SIP, both its ports are worth a look.
      this.#learn(frame)
    }
    flow.last = now
    this.counts.segments++
    this.#insert(flow, frame, batch, index)
    this.#read(flow, now, onMessage)
  }

  #learn(frame: Frame): void {
    // Only the lower port: the other is the client's, and soon somebody else's.
    if (this.#ports.size < 4096) this.#ports.add(Math.min(frame.sourcePort, frame.destinationPort))
  }

  #open(key: string, origin: number, now: Micros): Flow {
    if (this.#flows.size >= this.#limits.flowsMax) {
      const oldest = this.#flows.keys().next().value
      if (oldest !== undefined) this.#flows.delete(oldest)
      this.counts.flowsDropped++
    }
    const flow: Flow = { key, origin, next: 0, segments: [], bytes: 0, last: now, holeSince: undefined, messages: 0 }
    this.#flows.set(key, flow)
    return flow
  }

  #insert(flow: Flow, frame: Frame, batch: PacketBatch, index: number): void {
    const at = relative(flow, frame.tcpSequence)
    const length = frame.payloadEnd - frame.payloadAt
    if (at + length <= flow.next || flow.segments.some((s) => s.at <= at && at + length <= s.at + s.bytes.length)) {
      this.counts.retransmitted++
      return
    }
    const segment: Segment = { at, bytes: frame.bytes.slice(frame.payloadAt, frame.payloadEnd), packet: holdPacket(batch, index) }
    let i = flow.segments.length
    while (i > 0 && (flow.segments[i - 1] as Segment).at > at) i--
    flow.segments.splice(i, 0, segment)
    flow.bytes += length
  }

  #read(flow: Flow, now: Micros, onMessage: (found: StreamMessage) => void): void {
    for (;;) {
      const run = contiguous(flow)
      if (run === undefined) {
        if (flow.segments.length === 0) return
        flow.holeSince ??= now
        const full = flow.bytes > this.#limits.flowBytesMax || flow.segments.length > SEGMENTS_MAX
        if (!full && now - flow.holeSince < HOLE_SECONDS * SECOND) return
        this.counts.holes++
        flow.next = (flow.segments[0] as Segment).at
        this.#resync(flow)
        continue
      }
      const framed = frameSip(run.bytes, 0, run.bytes.length)
      if (framed.state === 'partial') {
        if (!run.holeAfter) {
          flow.holeSince = undefined
          if (flow.bytes <= this.#limits.flowBytesMax) return
        } else {
          flow.holeSince ??= now
          const full = flow.bytes > this.#limits.flowBytesMax || flow.segments.length > SEGMENTS_MAX
          if (!full && now - flow.holeSince < HOLE_SECONDS * SECOND) return
        }
        this.counts.holes++
        this.#advance(flow, flow.next + run.bytes.length)
        if (flow.segments.length > 0) flow.next = (flow.segments[0] as Segment).at
        this.#resync(flow)
        continue
      }
      if (framed.state === 'broken') {
        this.counts.broken++
        // TLS, or something else on a port of SIP: not worth following.
        if (flow.messages === 0) {
          this.#flows.delete(flow.key)
          return
        }
        const found = findSip(run.bytes, 1, run.bytes.length)
        this.#advance(flow, flow.next + (found < 0 ? run.bytes.length : found))
        continue
      }
      const end = flow.next + framed.used
      const packets = flow.segments.filter((s) => s.at < end && s.at + s.bytes.length > flow.next).map((s) => s.packet)
      this.counts.messages++
      flow.messages++
      onMessage({ message: framed.value, packets })
      this.#advance(flow, end)
    }
  }

  /** Moves to the next start line in what is here. */
  #resync(flow: Flow): void {
    const run = contiguous(flow)
    if (run === undefined) return
    const found = findSip(run.bytes, 0, run.bytes.length)
    this.#advance(flow, flow.next + (found < 0 ? run.bytes.length : found))
    flow.holeSince = undefined
  }

  #advance(flow: Flow, to: number): void {
    flow.next = to
    flow.segments = flow.segments.filter((s) => s.at + s.bytes.length > to)
    flow.bytes = flow.segments.reduce((sum, s) => sum + s.bytes.length, 0)
    // Offsets stay small: sequence arithmetic needs them within a window.
    if (to > 1 << 28) {
      flow.origin = (flow.origin + to) >>> 0
      for (const s of flow.segments) s.at -= to
      flow.next = 0
    }
  }

  #sweep(now: Micros): void {
    this.#sweepAt = now + 10 * SECOND
    for (const flow of this.#flows.values()) if (now - flow.last > this.#limits.idleSeconds * SECOND) this.#flows.delete(flow.key)
  }
}

/** Where this sequence number stands in the flow; modular, so it may be negative. */
const relative = (flow: Flow, sequence: number): number => flow.next + (((sequence - flow.origin - flow.next) | 0) as number)

function beginsHere(frame: Frame): boolean {
  const at = skipEmptyLines(frame.bytes, frame.payloadAt, frame.payloadEnd)
  return at < frame.payloadEnd && mayBeSip(frame.bytes[at] as number) && beginsSip(frame.bytes, at, frame.payloadEnd)
}

/** The segment is shorter than a start line, and may be the beginning of one. */
function startsLine({ bytes, payloadAt, payloadEnd }: Frame): boolean {
  if (payloadEnd - payloadAt > 200 || !mayBeSip(bytes[payloadAt] as number)) return false
  for (let i = payloadAt; i < payloadEnd; i++) if ((bytes[i] as number) < 0x20 || (bytes[i] as number) > 0x7e) return false
  return true
}

/** The bytes from `flow.next` up to the first hole, as one run; undefined when the hole is right there. */
function contiguous(flow: Flow): { bytes: Uint8Array; holeAfter: boolean } | undefined {
  const first = flow.segments[0]
  if (first === undefined || first.at > flow.next) return undefined
  const skip = flow.next - first.at
  if (flow.segments.length === 1) return { bytes: first.bytes.subarray(skip), holeAfter: false }
  let end = first.at + first.bytes.length
  let count = 1
  for (; count < flow.segments.length; count++) {
    const s = flow.segments[count] as Segment
    if (s.at > end) break
    end = Math.max(end, s.at + s.bytes.length)
  }
  const bytes = new Uint8Array(end - flow.next)
  // Backwards, so that of two that overlap the one earlier in sequence wins.
  for (let i = count - 1; i >= 0; i--) {
    const s = flow.segments[i] as Segment
    const from = Math.max(0, flow.next - s.at)
    if (from < s.bytes.length) bytes.set(s.bytes.subarray(from), s.at + from - flow.next)
  }
  return { bytes, holeAfter: count < flow.segments.length }
}
