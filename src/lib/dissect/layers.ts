import { ethernet } from '../wire/ethernet.js'
import { etherTypes, ipProtocols, type Layer, linkTypes, udpPorts } from '../wire/frame.js'
import { gre } from '../wire/gre.js'
import { ipv4 } from '../wire/ipv4.js'
import { authenticationHeader, ipv6, ipv6Fragment, ipv6Options } from '../wire/ipv6.js'
import { loopback, raw } from '../wire/raw.js'
import { sll, sll2 } from '../wire/sll.js'
import { tcp } from '../wire/tcp.js'
import { udp } from '../wire/udp.js'
import { vlan } from '../wire/vlan.js'
import { vxlan } from '../wire/vxlan.js'

/** Which layer comes after which number. A new encapsulation is a file in wire/ and a row here. */
export const layerTable: readonly (readonly [key: number, layer: Layer, name: string])[] = [
  [linkTypes + 0, loopback, 'BSD loopback'],
  [linkTypes + 1, ethernet, 'Ethernet'],
  [linkTypes + 12, raw, 'raw IP (some systems)'],
  [linkTypes + 14, raw, 'raw IP (some systems)'],
  [linkTypes + 101, raw, 'raw IP'],
  [linkTypes + 108, loopback, 'OpenBSD loopback'],
  [linkTypes + 113, sll, 'Linux cooked v1'],
  [linkTypes + 228, raw, 'IPv4'],
  [linkTypes + 229, raw, 'IPv6'],
  [linkTypes + 276, sll2, 'Linux cooked v2'],

  [etherTypes + 0x0800, ipv4, 'IPv4'],
  [etherTypes + 0x86dd, ipv6, 'IPv6'],
  [etherTypes + 0x8100, vlan, '802.1Q'],
  [etherTypes + 0x88a8, vlan, '802.1ad'],
  [etherTypes + 0x9100, vlan, 'QinQ before 802.1ad'],

  [ipProtocols + 0, ipv6Options, 'hop-by-hop options'],
  [ipProtocols + 4, ipv4, 'IP in IP'],
  [ipProtocols + 6, tcp, 'TCP'],
  [ipProtocols + 17, udp, 'UDP'],
  [ipProtocols + 41, ipv6, 'IPv6 in IP'],
  [ipProtocols + 43, ipv6Options, 'routing header'],
  [ipProtocols + 44, ipv6Fragment, 'fragment header'],
  [ipProtocols + 47, gre, 'GRE, ERSPAN'],
  [ipProtocols + 51, authenticationHeader, 'authentication header'],
  [ipProtocols + 60, ipv6Options, 'destination options'],

  [udpPorts + 4789, vxlan, 'VXLAN'],
  [udpPorts + 8472, vxlan, 'VXLAN (Linux default)'],
]
