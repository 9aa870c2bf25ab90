/**
 * What the kernel is asked for, so that it does not drop what `port 5060` cannot see: packets whose ports are inside something.
 * They are tested again, exactly, once they are unpacked and put together (see packet-filter.ts).
 */

/** What a packet begins with where the filter runs: its Ethernet header, or, on interfaces without one, its IP header. */
export type KernelView = 'ethernet' | 'raw'

/** EtherTypes of VLAN tags: 802.1Q, 802.1ad, and QinQ from before it. */
export const tagTypes = [0x8100, 0x88a8, 0x9100] as const
export const isTagType = (type: number): boolean => type === 0x8100 || type === 0x88a8 || type === 0x9100

/** One row per way of hiding a packet from an expression; each is a layer of dissect/. */
const additions: readonly { readonly name: string; readonly test: string; readonly view?: KernelView }[] = [
  { name: 'VLAN tags', test: tagTypes.map((type) => `ether proto 0x${type.toString(16)}`).join(' or '), view: 'ethernet' },
  { name: 'LLC/SNAP', test: 'ether[12:2] < 0x600 and ether[14:2] = 0xaaaa', view: 'ethernet' },
  // More Fragments, or an offset: every part but none that is whole. `port` alone matches only first parts.
  { name: 'IPv4 fragments', test: 'ip[6:2] & 0x3fff != 0' },
  { name: 'IP in IP', test: 'ip[9] = 4 or ip6[6] = 4' },
  { name: '6in4', test: 'ip[9] = 41 or ip6[6] = 41' },
  { name: 'GRE', test: 'ip[9] = 47 or ip6[6] = 47' },
  { name: 'authentication headers', test: 'ip[9] = 51 or ip6[6] = 51' },
  { name: 'VXLAN', test: 'udp dst port 4789 or udp dst port 8472' },
  // RFC 8200 section 4: hop-by-hop options, routing, fragment, destination options. `port` does not look behind them.
  { name: 'IPv6 fragments and extension headers', test: 'ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 60' },
]

export interface WidenedFilter {
  /** For pcap_compile. */
  readonly expression: string
  /** One sentence for the operator who asks what was added. */
  readonly explanation: string
}

export function widen(expression: string, view: KernelView): WidenedFilter {
  if (expression.trim() === '') return { expression: '', explanation: 'No filter: every packet is taken.' }
  const rows = additions.filter((row) => row.view === undefined || row.view === view)
  // The additions come first: libpcap's `vlan` and `mpls` shift every offset in the text after them.
  const text = `${rows.map((row) => `(${row.test})`).join(' or ')} or (${expression})`
  const names = rows.map((row) => row.name)
  return {
    expression: text,
    explanation:
      `The kernel also lets through ${names.slice(0, -1).join(', ')} and ${names.at(-1)}, in which "${expression}" could be hidden; ` +
      `unpacked and put together, a packet counts only if its outer or inner headers match. Filter in the kernel: ${text}`,
  }
}

/** True when the expression itself looks at tags, and so must be shown them. */
export const namesTags = (expression: string): boolean =>
  /\bvlan\b|\b(?:ether|link)\s*\[|\b(?:0x8100|0x88a8|0x9100|33024|34984|37120)\b/i.test(expression)
