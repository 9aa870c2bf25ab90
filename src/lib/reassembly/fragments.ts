import { type HeldPacket, holdPacket } from '../base/held.js'
import type { PacketBatch } from '../base/packets.js'
import { type Micros, SECOND } from '../base/units.js'
import type { Frame } from '../wire/frame.js'

/**
 * IP fragments put together again (RFC 791 3.2, RFC 815, RFC 8200 4.5): bounded, and told the time by the packets.
 * Overlaps: the first byte seen wins, as most stacks do; overlapping fragments are counted.
 */
export interface FragmentLimits {
  /** Datagrams being put together at one time. */
  readonly datagramsMax: number
  /** Bytes held for them. */
  readonly bytesMax: number
  /** A datagram that is not whole after this long is given up (RFC 8200 4.5 says 60 s, Linux takes 30). */
  readonly timeoutSeconds: number
}

export interface Reassembled {
  /** A whole IP packet: the first fragment's header (for IPv6 without its fragment header), then the payload. */
  readonly bytes: Uint8Array
  readonly headerLength: number
  /** The fragments that came before the one that made it whole, in order of arrival. */
  readonly parts: readonly HeldPacket[]
}

interface Datagram {
  readonly key: string
  readonly since: Micros
  readonly pieces: { offset: number; bytes: Uint8Array }[]
  readonly parts: HeldPacket[]
  header: Uint8Array | undefined
  total: number
  held: number
}

/** An IP payload has at most 65,535 bytes. */
const PAYLOAD_MAX = 65_535
const PIECES_MAX = 200

export class FragmentReassembly {
  readonly #limits: FragmentLimits
  readonly #waiting = new Map<string, Datagram>()
  #heldBytes = 0
  #sweepAt = 0
  reassembled = 0
  abandoned = 0
  overlapping = 0
  broken = 0

  constructor(limits: FragmentLimits) {
    this.#limits = limits
  }

  /** Takes the fragment that `frame` stands on. Answers the whole packet when this fragment was the last one missing. */
  accept(frame: Frame, batch: PacketBatch, index: number): Reassembled | undefined {
    const now = batch.micros[index] as Micros
    if (now >= this.#sweepAt || now < this.#sweepAt - 60 * SECOND) this.#sweep(now)
    const length = frame.end - frame.at
    const end = frame.fragmentOffset + length
    if (length <= 0 || end > PAYLOAD_MAX || (frame.moreFragments && length % 8 !== 0)) {
      this.broken++
      return undefined
    }
    const key = `${frame.tunnel},${frame.source},${frame.destination},${frame.fragmentId},${frame.fragmentProtocol}`
    const datagram = this.#waiting.get(key) ?? this.#open(key, now)
    if (datagram.pieces.length >= PIECES_MAX) {
      this.broken++
      this.#forget(datagram)
      return undefined
    }
    if (frame.fragmentOffset === 0 && datagram.header === undefined) datagram.header = headerOf(frame)
    if (!frame.moreFragments) datagram.total = end
    const bytes = frame.bytes.slice(frame.at, frame.end)
    datagram.pieces.push({ offset: frame.fragmentOffset, bytes })
    const whole = this.#assemble(datagram)
    if (whole === undefined) {
      const part = holdPacket(batch, index)
      datagram.parts.push(part)
      this.#hold(datagram, bytes.length + part.bytes.length)
      return undefined
    }
    this.#forget(datagram)
    this.reassembled++
    return whole
  }

  #open(key: string, since: Micros): Datagram {
    if (this.#waiting.size >= this.#limits.datagramsMax) this.#giveUpOldest()
    const datagram: Datagram = { key, since, pieces: [], parts: [], header: undefined, total: -1, held: 0 }
    this.#waiting.set(key, datagram)
    return datagram
  }

  #assemble(datagram: Datagram): Reassembled | undefined {
    const { header, total, pieces, parts } = datagram
    if (header === undefined || total < 0) return undefined
    // Stable by offset, so of two pieces that overlap the earlier one is copied last, and wins.
    const inOrder = [...pieces].sort((a, b) => a.offset - b.offset)
    let covered = 0
    for (const piece of inOrder) {
      if (piece.offset > covered) return undefined
      if (piece.offset < covered) this.overlapping++
      covered = Math.max(covered, piece.offset + piece.bytes.length)
    }
    if (covered < total) return undefined
    const bytes = new Uint8Array(header.length + total)
    for (let i = pieces.length - 1; i >= 0; i--) {
      const piece = pieces[i] as Datagram['pieces'][number]
      // A piece may lie beyond the end that the last fragment claims: two that contradict each other, and only a hostile sender makes them.
      if (piece.offset < total) bytes.set(piece.bytes.subarray(0, total - piece.offset), header.length + piece.offset)
    }
    bytes.set(header)
    setWholeLength(bytes, total)
    return { bytes, headerLength: header.length, parts }
  }

  #hold(datagram: Datagram, bytes: number): void {
    datagram.held += bytes
    this.#heldBytes += bytes
    while (this.#heldBytes > this.#limits.bytesMax && this.#waiting.size > 0) this.#giveUpOldest()
  }

  #giveUpOldest(): void {
    const oldest = this.#waiting.values().next().value
    if (oldest === undefined) return
    this.abandoned++
    this.#forget(oldest)
  }

  #forget(datagram: Datagram): void {
    if (this.#waiting.delete(datagram.key)) this.#heldBytes -= datagram.held
  }

  #sweep(now: Micros): void {
    this.#sweepAt = now + SECOND
    for (const datagram of this.#waiting.values()) {
      if (now - datagram.since < this.#limits.timeoutSeconds * SECOND) break
      this.abandoned++
      this.#forget(datagram)
    }
  }
}

/** The IP header of the first fragment, as the header of the whole: no fragment fields, IPv6 without extension headers. */
function headerOf(frame: Frame): Uint8Array {
  const version = (frame.bytes[frame.ipAt] as number) >> 4
  const header = frame.bytes.slice(frame.ipAt, version === 4 ? frame.at : frame.ipAt + 40)
  if (version === 4) header.fill(0, 6, 8)
  else header[6] = frame.fragmentProtocol
  return header
}

function setWholeLength(packet: Uint8Array, payloadLength: number): void {
  const version = (packet[0] as number) >> 4
  const at = version === 4 ? 2 : 4
  // A whole over 64 KiB cannot be told in 16 bits; 0 means "to the end" to the layers.
  const length = version === 4 ? packet.length : payloadLength
  packet[at] = length > 65_535 ? 0 : length >> 8
  packet[at + 1] = length > 65_535 ? 0 : length & 255
}
