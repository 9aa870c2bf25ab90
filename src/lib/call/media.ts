import { type AddressBook, addressOf, endpointOf, portOf } from '../base/address.js'
import { EndpointMap } from '../base/endpoint-map.js'
import { appended } from '../base/short-list.js'
import { type Endpoint, type Micros, SECOND } from '../base/units.js'
import { type PayloadFormat, payloadFormat } from '../rtp/codecs.js'
import { NO_TAG, rowLength, StreamRows, word } from '../rtp/rows.js'
import { RtpStream } from '../rtp/stream.js'
import type { SdpMedia } from '../sip/sdp.js'
import type { Call } from './call.js'
import type { CallLimits } from './limits.js'
import { RecentRows } from './recent-rows.js'
import { UsualMedia } from './usual-media.js'

/**
 * The media index: which endpoint was announced by which call, and the RTP streams between endpoints.
 * One look-up decides what a packet is. A stream belongs to the calls whose announcements fit it best:
 * two legs of a B2BUA that point their media at each other share it.
 */
export interface MediaClaim {
  readonly call: Call
  /** Who announced the endpoint, and so receives there. */
  readonly side: 'a' | 'b'
  readonly endpoint: Endpoint
  readonly rtcp: boolean
  /** Not announced: seen to exchange media with an announced endpoint (NAT). */
  readonly learned: boolean
  formats: ReadonlyMap<number, PayloadFormat>
  ptimeMs: number | undefined
  encrypted: boolean
}

export class CallStream extends RtpStream {
  owners: Call[] = []
  /** More than one call counted it at some time. */
  shared = false
}

/** An endpoint that somebody announced, with the streams that come and go there. */
export class MediaTarget {
  readonly endpoint: Endpoint
  claims: MediaClaim[] = []
  incoming: CallStream[] = []
  outgoing: CallStream[] = []

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint
  }
}

/** Kinds of media that one call may announce; there are eight in all the RFCs. */
const MEDIA_TYPES_MAX = 16
/** Endpoints one call may learn. */
const LEARNED_MAX = 8
/** Streams looked through at one endpoint; what a flood of SSRCs makes beyond it is counted, not kept. */
const STREAMS_PER_ENDPOINT_MAX = 256
const NO_CLAIMS: readonly MediaClaim[] = []
const NO_FORMATS: ReadonlyMap<number, PayloadFormat> = new Map()

export class MediaIndex {
  /** Counters of all streams. */
  readonly rows = new StreamRows()
  /** The next packet is usually of the same stream as the last. */
  readonly #recent = new RecentRows()
  /** The short way into the rows. */
  readonly usual = new UsualMedia(this.rows, this.#recent)
  /** By row / rowLength. */
  readonly #streams: (CallStream | undefined)[] = []
  readonly #targets = new EndpointMap<MediaTarget>()
  readonly #addresses: AddressBook
  readonly #limits: CallLimits
  streamsRefused = 0
  claimsReplaced = 0

  constructor(addresses: AddressBook, limits: CallLimits) {
    this.#addresses = addresses
    this.#limits = limits
  }

  get endpoints(): number {
    return this.#targets.size
  }

  find(endpoint: Endpoint): MediaTarget | undefined {
    return this.#targets.get(endpoint)
  }

  /** Files what an SDP body announces for one side of a call. */
  announce(call: Call, side: 'a' | 'b', media: readonly SdpMedia[]): void {
    const formatsAt = new Map<Endpoint, Map<number, PayloadFormat>>()
    for (const line of media) {
      if (call.mediaTypes.length < MEDIA_TYPES_MAX && !call.mediaTypes.includes(line.type))
        call.mediaTypes = appended(call.mediaTypes, line.type)
      if (line.port === 0 || line.host === undefined) continue
      const address = this.#addresses.parse(line.host)
      // 0.0.0.0 is the old way to hold (RFC 2543 B.5), :: its twin.
      if (address === undefined || address === 0 || this.#addresses.text(address) === '::') continue
      const endpoint = endpointOf(address, line.port)
      // Several lines may share a port (BUNDLE, RFC 9143): what they say of it goes together.
      const formats = formatsAt.get(endpoint) ?? new Map<number, PayloadFormat>()
      formatsAt.set(endpoint, formats)
      for (const [type, { name, clockRate }] of line.rtpmap) {
        if (clockRate > 0 && !formats.has(type)) formats.set(type, payloadFormat(name, clockRate, line.type === 'video'))
      }
      if ([...formats.values()].some((f) => f.kind === 'event')) call.eventsOffered[side] = true
      const about = { formats, ptimeMs: line.ptimeMs, encrypted: line.encrypted }
      this.#claim(call, side, endpoint, false, false, about)
      const rtcpAddress = line.rtcpHost === line.host ? address : this.#addresses.parse(line.rtcpHost ?? '')
      if (line.rtcpPort !== 0 && rtcpAddress !== undefined && !(line.rtcpPort === line.port && rtcpAddress === address))
        this.#claim(call, side, endpointOf(rtcpAddress, line.rtcpPort), true, false, about)
    }
  }

  streamOfRow(row: number): CallStream {
    return this.#streams[row / rowLength] as CallStream
  }

  /** Answers the stream of an RTP packet, a new one if need be; undefined when a bound refuses it. `target` is that of the destination, else of the source. */
  stream(target: MediaTarget, source: Endpoint, destination: Endpoint, ssrc: number, time: Micros): CallStream | undefined {
    const row = this.#recent.get(destination)
    const recent = row < 0 ? undefined : this.streamOfRow(row)
    if (recent !== undefined && recent.ssrc === ssrc && recent.source === source && recent.destination === destination) return recent
    const same = (s: CallStream): boolean => s.ssrc === ssrc && s.source === source && s.destination === destination
    const incoming = target.endpoint === destination
    const other = this.#targets.get(incoming ? source : destination)
    let stream = (incoming ? target.incoming : target.outgoing).find(same)
    if (stream === undefined) {
      stream = (incoming ? other?.outgoing : other?.incoming)?.find(same) ?? this.#newStream(target, source, destination, ssrc, time)
      if (stream === undefined) return undefined
      this.#link(stream)
      this.#decideOwners(stream)
      if (stream.owners.length === 0) {
        this.#retire(stream)
        return undefined
      }
    }
    this.#recent.set(destination, stream.row)
    return stream
  }

  /** Lets go of everything that only this call knew. */
  forget(call: Call): void {
    for (const claim of call.claims) {
      const target = this.#targets.get(claim.endpoint)
      if (target === undefined) continue
      target.claims = target.claims.filter((c) => c.call !== call)
      if (target.claims.length === 0) {
        this.#targets.delete(claim.endpoint)
        continue
      }
      this.#dropStreamsOf(target, call)
    }
    for (const stream of call.streams) {
      remove(stream.owners, call)
      this.rows.words[stream.row + word.tag] = NO_TAG
      if (stream.owners.length === 0) this.#retire(stream)
    }
    call.streams.length = 0
    call.claims.length = 0
  }

  /** What a payload type means between two endpoints: the receiver's words first, then the sender's, then any of the call's. */
  formatOf(source: Endpoint, destination: Endpoint, payloadType: number): PayloadFormat | undefined {
    const receiver = this.#targets.get(destination)?.claims ?? []
    const sender = this.#targets.get(source)?.claims ?? []
    const direct = [...receiver, ...sender]
    for (const claim of direct) {
      const format = claim.formats.get(payloadType)
      if (format) return format
    }
    for (const { call } of direct) {
      for (const claim of call.claims) {
        const format = claim.formats.get(payloadType)
        if (format) return format
      }
    }
    return undefined
  }

  #claim(
    call: Call,
    side: 'a' | 'b',
    endpoint: Endpoint,
    rtcp: boolean,
    learned: boolean,
    about: Pick<MediaClaim, 'formats' | 'ptimeMs' | 'encrypted'>,
  ): void {
    let target = this.#targets.get(endpoint)
    if (target === undefined) {
      target = new MediaTarget(endpoint)
      this.#targets.set(endpoint, target)
    }
    const own = target.claims.find((c) => c.call === call && c.side === side && c.rtcp === rtcp && c.learned === learned)
    if (own !== undefined) {
      own.formats = about.formats
      own.ptimeMs = about.ptimeMs ?? own.ptimeMs
      own.encrypted ||= about.encrypted
    } else {
      this.#makeRoom(target, call)
      const claim: MediaClaim = { call, side, endpoint, rtcp, learned, ...about }
      target.claims = appended(target.claims, claim)
      call.claims = appended(call.claims, claim)
    }
    if (target.incoming.length + target.outgoing.length === 0) return
    for (const stream of new Set([...target.incoming, ...target.outgoing])) {
      stream.refreshFormats()
      this.#decideOwners(stream)
    }
  }

  /** The port goes to a later call: those that are over let go of it, and of the streams on it. */
  #makeRoom(target: MediaTarget, newcomer: Call): void {
    if (target.claims.length === 0) return
    for (const claim of [...target.claims]) {
      if (claim.call !== newcomer && claim.call.over) this.#release(target, claim.call)
    }
    const others = new Set(target.claims.filter((c) => c.call !== newcomer).map((c) => c.call))
    const oldest = others.values().next().value
    if (oldest !== undefined && others.size >= this.#limits.callsPerEndpointMax) {
      this.#release(target, oldest)
      this.claimsReplaced++
    }
  }

  #release(target: MediaTarget, call: Call): void {
    target.claims = target.claims.filter((c) => c.call !== call)
    this.#dropStreamsOf(target, call)
  }

  /** Streams that belong to this call alone stay in its record, but take no more packets. */
  #dropStreamsOf(target: MediaTarget, call: Call): void {
    for (const list of [target.incoming, target.outgoing]) {
      for (let i = list.length - 1; i >= 0; i--) {
        const stream = list[i] as CallStream
        if (stream.owners.length > 1 || stream.owners[0] !== call) continue
        this.#unlink(stream)
      }
    }
  }

  #unlink(stream: CallStream): void {
    for (const endpoint of [stream.source, stream.destination]) {
      const target = this.#targets.get(endpoint)
      if (target === undefined) continue
      remove(target.incoming, stream)
      remove(target.outgoing, stream)
    }
    this.#recent.delete(stream.destination, stream.row)
  }

  #newStream(target: MediaTarget, source: Endpoint, destination: Endpoint, ssrc: number, time: Micros): CallStream | undefined {
    if (target.incoming.length + target.outgoing.length >= STREAMS_PER_ENDPOINT_MAX) {
      this.streamsRefused++
      return undefined
    }
    const stream = new CallStream(this.rows, source, destination, ssrc, (type) => this.formatOf(source, destination, type))
    stream.first = time
    this.#streams[stream.row / rowLength] = stream
    this.#learn(target, target.endpoint === destination ? source : destination)
    return stream
  }

  /** Nobody asks for it any more: its row is free. */
  #retire(stream: CallStream): void {
    this.#unlink(stream)
    this.#streams[stream.row / rowLength] = undefined
    this.rows.give(stream.row)
  }

  #link(stream: CallStream): void {
    const to = this.#targets.get(stream.destination)
    const from = this.#targets.get(stream.source)
    if (to && !to.incoming.includes(stream)) to.incoming = appended(to.incoming, stream)
    if (from && !from.outgoing.includes(stream)) from.outgoing = appended(from.outgoing, stream)
  }

  /** Media from an address that no SDP names (NAT): remembered as the other side's, until somebody announces it. */
  #learn(known: MediaTarget, endpoint: Endpoint): void {
    if (this.#targets.get(endpoint) !== undefined) return
    for (const claim of [...known.claims]) {
      if (claim.rtcp || claim.learned || claim.call.learned >= LEARNED_MAX) continue
      claim.call.learned++
      this.#claim(claim.call, claim.side === 'a' ? 'b' : 'a', endpoint, false, true, {
        formats: NO_FORMATS,
        ptimeMs: undefined,
        encrypted: false,
      })
    }
  }

  #decideOwners(stream: CallStream): void {
    const owners = this.#fittest(stream)
    for (const old of stream.owners) if (!owners.includes(old)) remove(old.streams, stream)
    for (const owner of owners) {
      if (owner.streams.includes(stream)) continue
      if (owner.streams.length < this.#limits.streamsPerCallMax) owner.streams = appended(owner.streams, stream)
      else this.streamsRefused++
    }
    stream.owners = owners
    this.rows.words[stream.row + word.tag] = NO_TAG
    if (owners.length > 1) stream.shared = true
  }

  /** The calls whose announcements fit best: both ends before one, announced before learned, running before over. */
  #fittest(stream: CallStream): Call[] {
    const to = this.#targets.get(stream.destination)?.claims ?? NO_CLAIMS
    const from = this.#targets.get(stream.source)?.claims ?? NO_CLAIMS
    const only = onlyCallOf(to, from)
    if (only !== null) return only === undefined ? [] : [only]
    const scores = new Map<Call, number>()
    for (const claims of [to, from]) {
      const best = new Map<Call, number>()
      for (const claim of claims) if (!claim.rtcp) best.set(claim.call, Math.max(best.get(claim.call) ?? 0, claim.learned ? 0.1 : 1))
      for (const [call, score] of best) scores.set(call, (scores.get(call) ?? 0) + score)
    }
    for (const [call, score] of scores) {
      const ended = call.over ? call.ended : undefined
      if (ended === undefined || stream.first <= ended) scores.set(call, score + 0.5)
      else if (stream.first > ended + 2 * SECOND) scores.set(call, score - 0.5)
    }
    const top = Math.max(...scores.values())
    return [...scores].filter(([, score]) => score === top).map(([call]) => call)
  }

  endpointText(endpoint: Endpoint): { ip: string; port: number } {
    return { ip: this.#addresses.text(addressOf(endpoint)), port: portOf(endpoint) }
  }
}

function remove<T>(list: T[], item: T): void {
  const i = list.indexOf(item)
  if (i >= 0) list.splice(i, 1)
}

/** The one call with media at both ends, as nearly always; undefined when there is none, null when there are several. */
function onlyCallOf(to: readonly MediaClaim[], from: readonly MediaClaim[]): Call | undefined | null {
  let only: Call | undefined
  for (let i = 0; i < to.length + from.length; i++) {
    const claim = (i < to.length ? to[i] : from[i - to.length]) as MediaClaim
    if (claim.rtcp || claim.call === only) continue
    if (only !== undefined) return null
    only = claim.call
  }
  return only
}
