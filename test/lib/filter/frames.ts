import {
  authentication,
  type Bytes,
  ethernet,
  gre,
  ipv4,
  ipv6,
  ipv6Fragment,
  ipv6Options,
  join,
  snap,
  tcp,
  text,
  udp,
  vlan,
  vxlan,
} from '../../support/frames.js'

/** Packets to try expressions on: plain ones, odd ones, and SIP hidden in everything that may hide it. */
const sip = text('OPTIONS sip:a@b SIP/2.0\r\n\r\n')
const sipUdp = udp(5060, 5060, sip)
export const sipIpv4 = ipv4(17, sipUdp)
export const sipIpv6 = ipv6(17, sipUdp)
/** Outer addresses that no expression below asks for. */
const outside = { source: '192.0.2.1', destination: '192.0.2.2' }

export interface Row {
  readonly name: string
  readonly frame: Bytes
}

/** A word before the colon says what hides the packet. */
export const plain: readonly Row[] = [
  { name: 'SIP over UDP', frame: ethernet(0x0800, sipIpv4) },
  { name: 'SIP over UDP, IPv6', frame: ethernet(0x86dd, sipIpv6) },
  { name: 'SIP over TCP', frame: ethernet(0x0800, ipv4(6, tcp(5060, 33000, sip))) },
  { name: 'RTP-like', frame: ethernet(0x0800, ipv4(17, udp(10000, 20000, new Uint8Array(172).fill(0x80)))) },
  { name: 'IP options', frame: ethernet(0x0800, ipv4(17, sipUdp, { options: [1, 1, 1, 0] })) },
  { name: 'from 10.0.0.9', frame: ethernet(0x0800, ipv4(17, udp(7, 9, sip), { source: '10.0.0.9' })) },
  { name: 'to 255.255.255.255', frame: ethernet(0x0800, ipv4(17, udp(67, 68, sip), { destination: '255.255.255.255' })) },
  { name: 'IPv6 DNS', frame: ethernet(0x86dd, ipv6(17, udp(53, 53, sip))) },
  { name: 'ARP', frame: ethernet(0x0806, new Uint8Array(28)) },
  { name: 'ICMP', frame: ethernet(0x0800, ipv4(1, Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0))) },
  { name: 'cut in the UDP header', frame: ethernet(0x0800, ipv4(17, sipUdp).subarray(0, 22)) },
  { name: 'cut in the IP header', frame: ethernet(0x0800, ipv4(17, sipUdp).subarray(0, 9)) },
  { name: 'cut in the Ethernet header', frame: ethernet(0x0800, sipIpv4).subarray(0, 13) },
  { name: 'spanning tree', frame: ethernet(38, join([0x42, 0x42, 3], new Uint8Array(35))) },
]

export const hidden: readonly Row[] = [
  { name: 'VLAN', frame: ethernet(0x8100, vlan(5, 0x0800, sipIpv4)) },
  { name: 'VLAN, IPv6', frame: ethernet(0x8100, vlan(0x2005, 0x86dd, sipIpv6)) },
  { name: 'QinQ', frame: ethernet(0x88a8, vlan(7, 0x8100, vlan(5, 0x0800, sipIpv4))) },
  { name: 'QinQ of old', frame: ethernet(0x9100, vlan(7, 0x8100, vlan(5, 0x0800, sipIpv4))) },
  { name: 'SNAP', frame: snap(0x0800, sipIpv4) },
  { name: 'first fragment', frame: ethernet(0x0800, ipv4(17, sipUdp.subarray(0, 24), { more: true })) },
  { name: 'middle fragment', frame: ethernet(0x0800, ipv4(17, sipUdp.subarray(8, 24), { more: true, fragmentAt: 8 })) },
  { name: 'last fragment', frame: ethernet(0x0800, ipv4(17, sipUdp.subarray(24), { fragmentAt: 24 })) },
  { name: 'IPv6 first fragment', frame: ethernet(0x86dd, ipv6(44, ipv6Fragment(17, 0, true, sipUdp.subarray(0, 24)))) },
  { name: 'IPv6 last fragment', frame: ethernet(0x86dd, ipv6(44, ipv6Fragment(17, 24, false, sipUdp.subarray(24)))) },
  { name: 'IPv6 hop-by-hop options', frame: ethernet(0x86dd, ipv6(0, ipv6Options(17, sipUdp))) },
  { name: 'IPv6 destination options', frame: ethernet(0x86dd, ipv6(60, ipv6Options(17, sipUdp))) },
  { name: 'IP in IP', frame: ethernet(0x0800, ipv4(4, sipIpv4, outside)) },
  { name: 'IP in IPv6', frame: ethernet(0x86dd, ipv6(4, sipIpv4, 0x51, 0x52)) },
  { name: '6in4', frame: ethernet(0x0800, ipv4(41, sipIpv6, outside)) },
  { name: 'GRE', frame: ethernet(0x0800, ipv4(47, gre(0x0800, sipIpv4), outside)) },
  { name: 'GRE over IPv6', frame: ethernet(0x86dd, ipv6(47, gre(0x0800, sipIpv4), 0x51, 0x52)) },
  { name: 'VXLAN', frame: ethernet(0x0800, ipv4(17, udp(40000, 4789, vxlan(ethernet(0x0800, sipIpv4))), outside)) },
  { name: 'VXLAN on Linux', frame: ethernet(0x86dd, ipv6(17, udp(40000, 8472, vxlan(ethernet(0x0800, sipIpv4))), 0x51, 0x52)) },
  { name: 'authentication header', frame: ethernet(0x0800, ipv4(51, authentication(17, sipUdp))) },
]
