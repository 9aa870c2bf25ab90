import type { RecentLosses, SenderStats, ServiceStats } from '../manager/index.js'

/** Which packets a service has lost, by stage, and how many of them in about the last minute. */

/** Where on their way packets can be lost, in that order. */
export const stages = {
  kernel: 'in the kernel’s ring: capture did not keep up',
  parse: 'because a header was broken or cut',
  spool: 'on the way to the pcaps of calls',
  link: 'in the sender’s buffers: the receiver was away or too slow',
} as const
export type Stage = keyof typeof stages

/** Reasons for which a packet goes no further although it may have been SIP or RTP. What every wire carries besides (ARP, other UDP) is none. */
export const parseReasons: readonly string[] = [
  'link type not supported',
  'cut before the IP header ends',
  'broken IP header',
  'cut before the UDP or TCP header ends',
  'broken UDP length',
  'broken TCP header',
  'broken tunnel header',
  'tunnels nested too deep',
  'IP datagram never whole',
  'broken IP fragment',
  'overlapping IP fragments',
]

/** A sender tells reasons in its words; they come from the network, so only those we know become labels. */
export const senderStages: Readonly<Record<string, string>> = {
  kernel: 'kernel',
  filter: 'filter',
  'not SIP': 'filter',
  'rate cap': 'filter',
  'not IP': 'filter',
  'memory buffer full': 'link',
  'disk buffer full': 'link',
  'disk buffer: write failed': 'link',
  'disk buffer: too slow': 'link',
  'never sent': 'link',
}

/** Packets that the senders of a receiver have lost; not those that they leave out because their operators said so. */
export const lostAtSenders = (senders: readonly SenderStats[] = []): number =>
  senders.reduce(
    (sum, { dropped }) => sum + Object.entries(dropped).reduce((of, [reason, n]) => (senderStages[reason] === 'filter' ? of : of + n), 0),
    0,
  )

type Counted = Pick<ServiceStats, 'kernel' | 'odd' | 'spool' | 'link'>

/** Packets lost at each stage that the service has. */
export function lossesOf({ kernel, odd, spool, link }: Counted): Partial<Record<Stage, number>> {
  const linkLosses = Object.entries(link?.dropped ?? {}).filter(([reason]) => reason !== 'kernel')
  return {
    ...(kernel && { kernel: kernel.dropped }),
    parse: parseReasons.reduce((sum, reason) => sum + (odd[reason] ?? 0), 0),
    ...(spool && { spool: spool.dropped }),
    ...(link && { link: linkLosses.reduce((sum, [, n]) => sum + n, 0) }),
  }
}

interface Sample {
  readonly atMs: number
  readonly packets: number
  readonly dropped: Partial<Record<Stage, number>>
  readonly records: number
  readonly atSenders: number
}

const WINDOW_MS = 60_000
/** Who asks more often makes no more samples. */
const SPACING_MS = 5000

/** What was lost about a minute before each time that it is asked; a few samples, told the time. Ask it every ten seconds or so. */
export class LossWindow {
  readonly #samples: Sample[]

  constructor(startMs: number) {
    this.#samples = [{ atMs: startMs, packets: 0, dropped: {}, records: 0, atSenders: 0 }]
  }

  lately(stats: Counted & Pick<ServiceStats, 'packets' | 'records' | 'senders'>, nowMs: number): RecentLosses {
    const samples = this.#samples
    const now = {
      atMs: nowMs,
      packets: stats.packets,
      dropped: lossesOf(stats),
      records: recordsLost(stats),
      atSenders: lostAtSenders(stats.senders),
    }
    // The first of them lies a minute back, or a little more.
    while (samples.length > 1 && nowMs - samples[1]!.atMs >= WINDOW_MS) samples.shift()
    const then = samples[0]!
    if (nowMs - samples.at(-1)!.atMs >= SPACING_MS) samples.push(now)
    return {
      seconds: Math.round((nowMs - then.atMs) / 1000),
      packets: now.packets - then.packets,
      dropped: Object.fromEntries(Object.entries(now.dropped).map(([stage, n]) => [stage, n - (then.dropped[stage as Stage] ?? 0)])),
      records: now.records - then.records,
      // A sender that begins anew counts from 0.
      atSenders: Math.max(0, now.atSenders - then.atSenders),
    }
  }
}

const recordsLost = ({ records }: Pick<ServiceStats, 'records'>): number => (records?.dropped ?? 0) + (records?.refused ?? 0)
