import type { HeldPacket } from '../base/held.js'
import { appended } from '../base/short-list.js'
import { type Endpoint, type Micros, SECOND } from '../base/units.js'
import { digestUser, parseCSeq, parseNameAddress, parseReasons, tagOf, viaBranch } from '../sip/address.js'
import type { SipMessage } from '../sip/message.js'
import type { CallLimits } from './limits.js'
import type { CallStream, MediaClaim } from './media.js'
import type { CallHandle } from './outputs.js'
import type { CallReason, CallRecord, CallState, DtmfRecord } from './record.js'

/**
 * What is known of one call, by Call-ID, and how SIP messages change it. Times are capture times.
 *
 *      INVITE          18x           2xx            BYE           2xx to BYE
 *   ─────────▶ setup ────▶ ringing ────▶ answered ────▶ hung up ────────────▶ confirmed
 *                 │ 3xx–6xx │
 *                 └─────────┴──▶ refused ── a new INVITE (authentication, forwarding) goes back to setup
 *
 * When a call ends for good is a matter of time: `dueAt`, after VoIPmonitor's rules (call-semantics 3).
 */
export interface SipContext {
  readonly time: Micros
  readonly source: Endpoint
  readonly destination: Endpoint
  readonly ttl: number
  readonly dscp: number
  readonly vlan: number
  readonly transport: 'udp' | 'tcp'
  readonly fragmented: boolean
}

export type CloseCause =
  | 'finished'
  | 'bye timeout'
  | 'rtp timeout'
  | 'no rtp'
  | 'absolute'
  | 'zombie'
  | 'one way'
  | 'too many messages'
  | 'forced'
  | 'end of input'

/** Requests that say something about a call beyond that it is one; each is a bit of `Call.methods`. */
export const tellingMethods = [
  'BYE',
  'CANCEL',
  'INFO',
  'MESSAGE',
  'NOTIFY',
  'OPTIONS',
  'PRACK',
  'PUBLISH',
  'REFER',
  'SUBSCRIBE',
  'UPDATE',
] as const
export type TellingMethod = (typeof tellingMethods)[number]

/** Answers kept for cdr_sipresp, INVITE copies told apart, hops kept. */
const RESPONSES_MAX = 64
const INVITE_KEYS_MAX = 64
const HOPS_MAX = 32
const TAGS_MAX = 32
/** Text of the wire that is kept, in characters: what VoIPmonitor's columns hold. */
const TEXT_MAX = 255
const kept = (text: string | undefined): string | undefined => text?.slice(0, TEXT_MAX)
/** The sender of an INVITE repeats it for 64 × T1 = 32 s (RFC 3261 17.1.1.2), and its user takes a while to give up: a lonely INVITE is not over before. */
const INVITE_GIVES_UP_SECONDS = 60
/** An early record is made this long after the end: time for the last RTP, and for a challenged caller to try again. */
const EARLY_SECONDS = 1
export const NEVER = Number.POSITIVE_INFINITY as Micros
/** How long packets after the end push it away. */
const SHIFT_SECONDS = { usual: 5, after487: 15, afterBye: 60 }

export class Call implements CallHandle {
  readonly number: number
  readonly callId: string
  readonly started: Micros
  tag = -1
  /** Which sensor saw it, where one process has the packets of several. */
  sensorId: number | undefined

  caller: string | undefined
  callee: string | undefined
  callerName: string | undefined
  callerDomain: string | undefined
  calleeDomain: string | undefined
  assertedIdentity: string | undefined
  callerAgent: string | undefined
  calleeAgent: string | undefined
  digestUser: string | undefined
  readonly callerEndpoint: Endpoint
  readonly calleeEndpoint: Endpoint
  hops: Endpoint[] = []

  trying: Micros | undefined
  ringing: Micros | undefined
  firstResponse: Micros | undefined
  answered: Micros | undefined
  /** The last response below 200, until a final one comes. */
  provisional: number | undefined
  okStatus: number | undefined
  okText = ''
  failedAt: Micros | undefined
  failedStatus: number | undefined
  failedText = ''
  cancelledAt: Micros | undefined
  bye: Micros | undefined
  byeConfirmed: Micros | undefined
  hungUpBy: 'caller' | 'callee' | undefined
  lastSip: Micros
  lastInvite: Micros

  reasons: CallReason[] = []
  responses: { status: number; text: string }[] = []
  readonly digits: DtmfRecord[] = []
  sipMessages = 0
  /** Which of `tellingMethods` came, a bit each. */
  methods = 0
  invites = 0
  retransmissions = 0
  seenFrom = { a: false, b: false }
  transports = { udp: false, tcp: false }
  fragmentedSip = false
  fragmentedRtp = false
  rtcpSeen = false
  vlan: number
  dscp: [a: number | undefined, b: number | undefined] = [undefined, undefined]
  ttl = { min: 255, max: 0, sum: 0, count: 0 }
  /** Callee's tags in answers: one a branch. */
  branchTags: string[] = []

  claims: MediaClaim[] = []
  streams: CallStream[] = []
  learned = 0
  mediaTypes: string[] = []
  eventsOffered = { a: false, b: false }

  /** For the tracker: the segment handed out last, and the earliest filed timer. */
  lastHeld: HeldPacket | undefined
  filedAt = Number.POSITIVE_INFINITY
  closed = false
  /** When an early record is due: a while after the call seems over. Infinity before that, and once it is made. */
  earlyAt = NEVER
  /** The early record made last. */
  early: CallRecord | undefined

  /** What `dueAt` answered last, and why. */
  #due = 0
  dueCause: CloseCause = 'absolute'

  #destroyAt: Micros | undefined
  #shift = SHIFT_SECONDS.usual
  #callerTags: string[] = []
  #inviteKeys: string[] = []
  #inviteCopies: number[] = []

  constructor(number: number, callId: string, invite: SipMessage, context: SipContext) {
    this.number = number
    this.callId = callId
    this.started = context.time
    this.lastSip = this.lastInvite = context.time
    this.callerEndpoint = context.source
    this.calleeEndpoint = context.destination
    this.vlan = context.vlan
    const from = parseNameAddress(invite.header('from') ?? '')
    const to = parseNameAddress(invite.header('to') ?? '')
    this.caller = kept(from.user)
    this.callerName = kept(from.displayName)
    this.callerDomain = kept(from.host)
    this.callee = kept(to.user)
    this.calleeDomain = kept(to.host)
    const asserted = invite.header('p-asserted-identity')
    if (asserted !== undefined) this.assertedIdentity = kept(parseNameAddress(asserted).user)
  }

  /** Takes the next message of this call. Answers which side sent it. */
  accept(message: SipMessage, context: SipContext): 'a' | 'b' {
    const side = this.#senderOf(message, context)
    this.#count(message, side, context)
    if (message.method !== undefined) this.#request(message, side, context)
    else this.#response(message, context)
    return side
  }

  get state(): CallState {
    if (this.answered !== undefined) return 'answered'
    if (this.failedStatus !== undefined) {
      if (this.failedStatus === 487 || this.cancelledAt !== undefined) return 'cancelled'
      return this.failedStatus < 400 ? 'redirected' : 'failed'
    }
    return this.cancelledAt !== undefined ? 'cancelled_no_final' : 'no_final_response'
  }

  /** First BYE of an answered call, else the final response, else the CANCEL. */
  get ended(): Micros | undefined {
    return this.answered !== undefined ? this.bye : (this.failedAt ?? this.cancelledAt)
  }

  /** It ended as RFC 3261 has it: the BYE has its 2xx, or the INVITE a final error. What is left is waiting for stragglers. */
  get endConfirmed(): boolean {
    if (this.#destroyAt === undefined) return false
    return this.answered === undefined ? this.failedStatus !== undefined : this.byeConfirmed !== undefined
  }

  /** Its signalling has come to an end (for now: a challenged INVITE is tried again), so another call may take over its media ports. */
  get over(): boolean {
    return this.#destroyAt !== undefined
  }

  get lastRtp(): Micros | undefined {
    let last: Micros | undefined
    for (const stream of this.streams) if (last === undefined || stream.last > last) last = stream.last
    return last
  }

  get lastPacket(): Micros {
    return Math.max(this.lastSip, this.lastRtp ?? 0) as Micros
  }

  /** When this call is to be closed if nothing more comes; why is in `dueCause` then. Asked after every message, so it makes no object. */
  dueAt(limits: CallLimits): Micros {
    this.#due = this.started + limits.absoluteTimeoutSeconds * SECOND
    this.dueCause = 'absolute'
    const lastRtp = this.lastRtp
    if (this.#destroyAt !== undefined) this.#sooner(this.#destroyAt, 'finished')
    if (this.byeConfirmed !== undefined) this.#sooner(this.byeConfirmed + limits.byeConfirmedTimeoutSeconds * SECOND, 'bye timeout')
    else if (this.bye !== undefined) this.#sooner(this.bye + limits.byeTimeoutSeconds * SECOND, 'bye timeout')
    if (lastRtp !== undefined) this.#sooner(Math.max(lastRtp, this.lastSip) + limits.rtpTimeoutSeconds * SECOND, 'rtp timeout')
    else this.#sooner(this.started + limits.sipWithoutRtpTimeoutSeconds * SECOND, 'no rtp')
    if (lastRtp === undefined && this.ringing === undefined && this.answered === undefined)
      this.#sooner(this.started + limits.zombieTimeoutSeconds * SECOND, 'zombie')
    if (this.oneWay) {
      const silent = Math.max(this.lastSip, lastRtp ?? 0) + limits.oneWayTimeoutSeconds * SECOND
      this.#sooner(Math.max(silent, this.lastInvite + INVITE_GIVES_UP_SECONDS * SECOND), 'one way')
    }
    if (this.sipMessages > limits.sipMessagesMax || this.invites > limits.invitesMax) this.#sooner(this.lastSip, 'too many messages')
    return this.#due as Micros
  }

  #sooner(candidate: number, why: CloseCause): void {
    if (candidate >= this.#due) return
    this.#due = candidate
    this.dueCause = why
  }

  /** Only one side's SIP was seen. */
  get oneWay(): boolean {
    return this.seenFrom.a !== this.seenFrom.b
  }

  #senderOf(message: SipMessage, context: SipContext): 'a' | 'b' {
    const from = tagOf(message.header('from')) ?? ''
    const isRequest = message.method !== undefined
    if (message.method === 'INVITE' && tagOf(message.header('to')) === undefined) {
      // An INVITE outside a dialog is the caller's by definition, whatever a B2BUA on the way made of the tag.
      this.#callerTags = withTag(this.#callerTags, from)
      return 'a'
    }
    if (this.#callerTags.includes(from)) return isRequest ? 'a' : 'b'
    if (this.#callerTags.length === 0) return context.source === this.callerEndpoint ? 'a' : 'b'
    return isRequest ? 'b' : 'a'
  }

  #count(message: SipMessage, side: 'a' | 'b', context: SipContext): void {
    this.sipMessages++
    this.lastSip = context.time
    this.seenFrom[side] = true
    this.transports[context.transport] = true
    if (context.fragmented) this.fragmentedSip = true
    this.dscp[side === 'a' ? 0 : 1] ??= context.dscp
    this.ttl.min = Math.min(this.ttl.min, context.ttl)
    this.ttl.max = Math.max(this.ttl.max, context.ttl)
    this.ttl.sum += context.ttl
    this.ttl.count++
    const agent = message.header('user-agent') ?? message.header('server')
    if (agent !== undefined) {
      if (side === 'a') this.callerAgent ??= agent.slice(0, 512)
      else this.calleeAgent ??= agent.slice(0, 512)
    }
    const reason = message.header('reason')
    if (reason !== undefined) {
      for (const found of parseReasons(reason)) {
        if (this.reasons.length < 8 && !this.reasons.some((r) => r.protocol === found.protocol))
          this.reasons = appended(this.reasons, found)
      }
    }
    if (this.#destroyAt !== undefined) this.#destroyAt = Math.max(this.#destroyAt, context.time + this.#shift * SECOND) as Micros
  }

  #request(message: SipMessage, side: 'a' | 'b', context: SipContext): void {
    const { time } = context
    const telling = (tellingMethods as readonly (string | undefined)[]).indexOf(message.method)
    if (telling >= 0) this.methods |= 1 << telling
    switch (message.method) {
      case 'INVITE':
        this.invites++
        this.lastInvite = time
        this.#goesOn()
        this.digestUser ??= digestUser(message.header('proxy-authorization') ?? message.header('authorization'))
        this.#countCopies(message, context)
        if (this.hops.length < HOPS_MAX && !this.hops.includes(context.destination) && side === 'a')
          this.hops = appended(this.hops, context.destination)
        break
      case 'BYE':
        this.bye ??= time
        this.hungUpBy ??= side === 'a' ? 'caller' : 'callee'
        if (this.byeConfirmed === undefined) this.#endIn(60, SHIFT_SECONDS.afterBye, time)
        break
      case 'CANCEL':
        this.cancelledAt ??= time
        this.#endIn(10, SHIFT_SECONDS.usual, time)
        break
      default:
    }
  }

  #response(message: SipMessage, { time }: SipContext): void {
    const status = message.status as number
    const text = kept(message.reasonPhrase) ?? ''
    const method = parseCSeq(message.header('cseq'))?.method
    if (this.responses.length < RESPONSES_MAX && !this.responses.some((r) => r.status === status && r.text === text)) {
      this.responses = appended(this.responses, { status, text })
    }
    if (method === 'INVITE') this.#inviteResponse(message, status, text, time)
    else if (method === 'BYE' && status >= 200 && status < 300 && this.bye !== undefined) {
      if (this.byeConfirmed === undefined) this.#endedAt(time)
      this.byeConfirmed ??= time
      this.#endIn(5, SHIFT_SECONDS.usual, time)
    }
  }

  #inviteResponse(message: SipMessage, status: number, text: string, time: Micros): void {
    const tag = tagOf(message.header('to'))
    if (tag !== undefined) this.branchTags = withTag(this.branchTags, tag)
    if (this.answered === undefined) this.provisional = status < 200 ? status : undefined
    if (status === 100) this.trying ??= time
    else this.firstResponse ??= time
    if (status >= 180 && status <= 183) this.ringing ??= time
    if (status > 100 && status < 300 && this.bye === undefined) this.#goesOn()
    if (status >= 200 && status < 300) {
      if (this.answered === undefined) {
        this.answered = time
        this.okStatus = status
        this.okText = text
      }
    } else if (status >= 300) this.#refused(status, text, time)
  }

  #refused(status: number, text: string, time: Micros): void {
    if (this.answered !== undefined) return
    // A repeated answer ends nothing anew.
    if (status !== this.failedStatus || !this.over) this.#endedAt(time)
    this.failedAt = time
    this.failedStatus = status
    this.failedText = text
    if (status === 401 || status === 407 || status === 501) {
      if (this.#destroyAt === undefined) this.#endIn(60, SHIFT_SECONDS.usual, time)
    } else if (status === 487) this.#endIn(5, SHIFT_SECONDS.after487, time)
    else if (status !== 491) this.#endIn(status === 300 ? 300 : status === 481 ? 180 : 5, SHIFT_SECONDS.usual, time)
  }

  #endedAt(time: Micros): void {
    this.earlyAt = (time + EARLY_SECONDS * SECOND) as Micros
  }

  /** What looked like its end was none. */
  #goesOn(): void {
    this.#destroyAt = undefined
    this.earlyAt = NEVER
  }

  #endIn(seconds: number, shift: number, time: Micros): void {
    this.#destroyAt = (time + seconds * SECOND) as Micros
    this.#shift = shift
  }

  /** The same INVITE again: same CSeq, branch and hop (RFC 3261 17.1.3). */
  #countCopies(message: SipMessage, { source, destination }: SipContext): void {
    const cseq = parseCSeq(message.header('cseq'))?.number
    const key = `${cseq}|${viaBranch(message.header('via'))}|${source}|${destination}`
    const known = this.#inviteKeys.indexOf(key)
    if (known < 0) {
      if (this.#inviteKeys.length >= INVITE_KEYS_MAX) return
      this.#inviteKeys = appended(this.#inviteKeys, key)
      this.#inviteCopies = appended(this.#inviteCopies, 0)
    } else this.retransmissions = Math.max(this.retransmissions, ++this.#inviteCopies[known]!)
  }
}

const withTag = (tags: string[], tag: string): string[] => (tags.length < TAGS_MAX && !tags.includes(tag) ? appended(tags, tag) : tags)
