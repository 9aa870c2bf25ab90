import { describe, expect, test } from 'vitest'
import { AddressBook } from '../../../src/lib/base/address.js'
import { Dissector } from '../../../src/lib/dissect/dissector.js'
import { layerTable } from '../../../src/lib/dissect/layers.js'
import { ends, outcomes } from '../../../src/lib/wire/frame.js'
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
  sll2,
  snap,
  tcp,
  text,
  udp,
  vlan,
  vxlan,
} from '../../support/frames.js'
import { batchOf } from '../../support/ladder.js'

const payload = text('OPTIONS sip:a SIP/2.0\r\n\r\n')
const inner = udp(5060, 5062, payload)
const packet4 = ipv4(17, inner)
const frame4 = ethernet(0x0800, packet4)

function dissect(frames: readonly Bytes[], linkType = 1): { outcome: string | undefined; found: string; vlan: number; parts: number }[] {
  const addresses = new AddressBook()
  const dissector = new Dissector(addresses, { datagramsMax: 10, bytesMax: 1 << 20, timeoutSeconds: 30 })
  const batch = batchOf(
    frames.map((frame, i) => ({ at: i, frame })),
    linkType,
  )
  return frames.map((_, i) => {
    const end = dissector.dissect(batch, i)
    const { frame } = dissector
    const port = `${addresses.text(frame.source)}:${frame.sourcePort}>${addresses.text(frame.destination)}:${frame.destinationPort}`
    const body = Buffer.from(frame.bytes.subarray(frame.payloadAt, frame.payloadEnd)).toString('latin1')
    return { outcome: outcomes[end - ends], found: `${port} ${body}`, vlan: frame.vlan, parts: dissector.parts.length }
  })
}

const SAME = `10.0.0.1:5060>10.0.0.2:5062 ${Buffer.from(payload).toString()}`
const SAME6 = `2001:db8::1:5060>2001:db8::2:5062 ${Buffer.from(payload).toString()}`
const erspan2 = (inside: Bytes): Bytes => join([0x10, 0x00, 0x88, 0xbe, 0, 0, 0, 1], [0x10, 0, 0, 0, 0, 0, 0, 0], inside)
const erspan3 = (inside: Bytes, sub: boolean): Bytes =>
  join([0x10, 0x00, 0x22, 0xeb, 0, 0, 0, 1], [0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, sub ? 1 : 0], sub ? Array<number>(8).fill(0) : [], inside)

describe('every encapsulation ends at the same datagram', () => {
  const cases: [name: string, frame: Bytes, want: string, linkType?: number][] = [
    ['Ethernet', frame4, SAME],
    ['padding after a short packet', join(frame4, [0, 0, 0, 0]), SAME],
    ['802.1Q', ethernet(0x8100, vlan(7, 0x0800, packet4)), SAME],
    ['QinQ', ethernet(0x88a8, vlan(100, 0x8100, vlan(7, 0x0800, packet4))), SAME],
    ['old QinQ', ethernet(0x9100, vlan(100, 0x8100, vlan(7, 0x0800, packet4))), SAME],
    ['802.3 with SNAP', snap(0x0800, packet4), SAME],
    ['IPv4 options', ethernet(0x0800, ipv4(17, inner, { options: [1, 1, 1, 1] })), SAME],
    ['IPv6', ethernet(0x86dd, ipv6(17, inner)), SAME6],
    ['IPv6 with hop-by-hop and destination options', ethernet(0x86dd, ipv6(0, ipv6Options(60, ipv6Options(17, inner)))), SAME6],
    ['an atomic IPv6 fragment', ethernet(0x86dd, ipv6(44, ipv6Fragment(17, 0, false, inner))), SAME6],
    ['authentication header', ethernet(0x0800, ipv4(51, authentication(17, inner))), SAME],
    ['IP in IP', ethernet(0x0800, ipv4(4, packet4, { source: '9.9.9.9' })), SAME],
    ['IPv6 in IPv4 (6in4)', ethernet(0x0800, ipv4(41, ipv6(17, inner))), SAME6],
    ['IPv4 in IPv6', ethernet(0x86dd, ipv6(4, packet4)), SAME],
    ['GRE', ethernet(0x0800, ipv4(47, gre(0x0800, packet4))), SAME],
    ['GRE with key and sequence', ethernet(0x0800, ipv4(47, join([0x30, 0, 0x08, 0], Array<number>(8).fill(1), packet4))), SAME],
    ['GRE, transparent Ethernet', ethernet(0x0800, ipv4(47, gre(0x6558, frame4))), SAME],
    ['ERSPAN I', ethernet(0x0800, ipv4(47, gre(0x88be, frame4))), SAME],
    ['ERSPAN II', ethernet(0x0800, ipv4(47, erspan2(frame4))), SAME],
    ['ERSPAN III', ethernet(0x0800, ipv4(47, erspan3(frame4, false))), SAME],
    ['ERSPAN III with its subheader', ethernet(0x0800, ipv4(47, erspan3(frame4, true))), SAME],
    ['VXLAN', ethernet(0x0800, ipv4(17, udp(1, 4789, vxlan(frame4)))), SAME],
    ['VXLAN with a tag inside', ethernet(0x0800, ipv4(17, udp(1, 8472, vxlan(ethernet(0x8100, vlan(7, 0x0800, packet4)))))), SAME],
    ['VXLAN in GRE in IPv6', ethernet(0x86dd, ipv6(47, gre(0x0800, ipv4(17, udp(1, 4789, vxlan(frame4)))))), SAME],
    ['Linux cooked v2', sll2(0x0800, packet4), SAME, 276],
    ['Linux cooked v1', join([0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0], packet4), SAME, 113],
    ['raw IPv4', packet4, SAME, 101],
    ['raw IPv6', ipv6(17, inner), SAME6, 101],
    ['LINKTYPE_IPV4', packet4, SAME, 228],
    ['loopback, little-endian', join([2, 0, 0, 0], packet4), SAME, 0],
    ['loopback IPv6, another system’s number', join([24, 0, 0, 0], ipv6(17, inner)), SAME6, 0],
  ]
  test.each(cases)('%s', (_, frame, want, linkType) => expect(dissect([frame], linkType)[0]).toMatchObject({ outcome: 'udp', found: want }))

  test('a datagram to port 4789 that is no VXLAN stays a datagram', () => {
    expect(dissect([ethernet(0x0800, ipv4(17, udp(1, 4789, payload)))])[0]).toMatchObject({ outcome: 'udp' })
  })

  test('TCP', () => expect(dissect([ethernet(0x0800, ipv4(6, tcp(1, 2, payload)))])[0]?.outcome).toBe('tcp'))
  test('the outermost VLAN is remembered', () =>
    expect(dissect([ethernet(0x88a8, vlan(100, 0x8100, vlan(7, 0x0800, packet4)))])[0]?.vlan).toBe(100))
})

describe('what ends early says why', () => {
  const nested = (depth: number): Bytes => (depth === 0 ? packet4 : ipv4(4, nested(depth - 1)))
  const changed = (at: number, value: number): Bytes => {
    const copy = frame4.slice()
    copy[at] = value
    return copy
  }
  test.each([
    ['ARP', ethernet(0x0806, new Uint8Array(28)), 'not IP'],
    ['ICMP', ethernet(0x0800, ipv4(1, payload)), 'other IP protocol'],
    ['nothing', new Uint8Array(0), 'not IP'],
    ['half an Ethernet header', frame4.subarray(0, 9), 'not IP'],
    ['half an IP header', frame4.subarray(0, 25), 'cut before the IP header ends'],
    ['half a UDP header', frame4.subarray(0, 38), 'cut before the UDP or TCP header ends'],
    ['IP version 5', changed(14, 0x55), 'broken IP header'],
    ['IP header length of 8', changed(14, 0x42), 'broken IP header'],
    ['IP length shorter than the header', changed(17, 10), 'broken IP header'],
    ['UDP length 3', changed(39, 3), 'broken UDP length'],
    ['TCP header length 0', ethernet(0x0800, ipv4(6, new Uint8Array(24))), 'broken TCP header'],
    ['tunnels without end', ethernet(0x0800, nested(40)), 'tunnels nested too deep'],
    [
      'ERSPAN of version 7',
      ethernet(0x0800, ipv4(47, join([0x10, 0, 0x88, 0xbe, 0, 0, 0, 1], [0x70, 0, 0, 0, 0, 0, 0, 0], frame4))),
      'broken tunnel header',
    ],
  ])('%s', (_, frame, outcome) => expect(dissect([frame])[0]?.outcome).toBe(outcome))

  test('an unknown link type', () => expect(dissect([frame4], 147)[0]?.outcome).toBe('link type not supported'))

  test('a packet cut by the snaplen keeps its ports and the payload that is there', () => {
    expect(dissect([frame4.subarray(0, 52)])[0]).toMatchObject({ outcome: 'udp', found: '10.0.0.1:5060>10.0.0.2:5062 OPTIONS si' })
  })
})

describe('fragments', () => {
  const parts = (size: number, o: { id?: number; source?: string } = {}): Bytes[] => {
    const list: Bytes[] = []
    for (let at = 0; at < inner.length; at += size) {
      list.push(ethernet(0x0800, ipv4(17, inner.subarray(at, at + size), { ...o, fragmentAt: at, more: at + size < inner.length })))
    }
    return list
  }
  const whole = (found: ReturnType<typeof dissect>): string[] => found.filter((f) => f.outcome === 'udp').map((f) => f.found)

  test.each([
    ['in order', parts(8)],
    ['backwards', parts(8).reverse()],
    ['with a copy', [...parts(16).slice(0, 1), ...parts(16)]],
  ])('%s', (_, frames) => expect(whole(dissect(frames))).toEqual([SAME]))

  test('the parts go along with the whole, for the pcap', () => {
    const list = parts(8)
    expect(dissect(list).at(-1)?.parts).toBe(list.length - 1)
  })

  test('two datagrams of different hosts with one id do not mix', () => {
    const [a, b] = [parts(16), parts(16, { source: '10.0.0.7' })]
    const mixed = a.flatMap((frame, i) => [frame, b[i] as Bytes])
    expect(whole(dissect(mixed)).map((f) => f.split(':')[0])).toEqual(['10.0.0.1', '10.0.0.7'])
  })

  test('IPv6', () => {
    const frames = [
      ethernet(0x86dd, ipv6(44, ipv6Fragment(17, 0, true, inner.subarray(0, 16)))),
      ethernet(0x86dd, ipv6(44, ipv6Fragment(17, 16, false, inner.subarray(16)))),
    ]
    expect(whole(dissect(frames))).toEqual([SAME6])
  })

  test('fragments of a tunnel packet, and a fragment inside a tunnel', () => {
    const outer = ipv4(4, packet4, { source: '9.9.9.9' }).subarray(20)
    const cut = [
      ethernet(0x0800, ipv4(4, outer.subarray(0, 24), { more: true, id: 5 })),
      ethernet(0x0800, ipv4(4, outer.subarray(24), { fragmentAt: 24, id: 5 })),
    ]
    expect(whole(dissect(cut))).toEqual([SAME])
    const inside = parts(16).map((frame) => ethernet(0x0800, ipv4(4, frame.subarray(14), { source: '9.9.9.9' })))
    expect(whole(dissect(inside))).toEqual([SAME])
  })

  test('of two that overlap the first seen wins', () => {
    const other = inner.slice().fill(0x58, 16)
    const frames = [
      ethernet(0x0800, ipv4(17, inner.subarray(0, 24), { more: true })),
      ethernet(0x0800, ipv4(17, other.subarray(16), { fragmentAt: 16 })),
    ]
    const [found] = whole(dissect(frames))
    expect(found).toContain('OPTIONS sip:a SI')
    expect(found).toMatch(/X+$/)
  })

  // The last fragment ends the datagram at 24, though a piece begins at 32.
  test('pieces beyond the end that the last one claims are left out', () => {
    const long = join(inner, new Uint8Array(40 - inner.length))
    const piece = (at: number, to: number, more: boolean): Bytes =>
      ethernet(0x0800, ipv4(17, long.subarray(at, to), { fragmentAt: at, more }))
    const [found] = whole(dissect([piece(0, 16, true), piece(16, 32, true), piece(32, 40, true), piece(16, 24, false)]))
    expect(found).toBe(SAME.slice(0, SAME.length - (inner.length - 24)))
  })

  test('what waits is bounded', () => {
    const dissector = new Dissector(new AddressBook(), { datagramsMax: 3, bytesMax: 1 << 20, timeoutSeconds: 30 })
    const batch = batchOf(Array.from({ length: 10 }, (_, id) => ({ at: id, frame: parts(16, { id })[0] as Bytes })))
    for (let i = 0; i < 10; i++) dissector.dissect(batch, i)
    expect(dissector.fragments.abandoned).toBe(7)
  })
})

test('no number has two layers', () => expect(new Set(layerTable.map(([key]) => key)).size).toBe(layerTable.length))
