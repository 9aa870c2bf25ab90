import { describe, expect, test } from 'vitest'
import { exitCodes } from '../../../src/lib/base/errors.js'
import { compileBpf, FilterError, openFilter } from '../../../src/lib/capture/bpf-compile.js'
import { compileToFunction } from '../../../src/lib/filter/to-function.js'
import { type Bytes, ethernet, ipv4, join, sll2, text, udp, vlan } from '../../support/frames.js'
import { tcpdumpVerdicts } from '../../support/tcpdump.js'
import { hidden, plain, sipIpv4, sipIpv6 } from '../filter/frames.js'

// Truth: what tcpdump says of the same frames.
const expressions = [
  'port 5060',
  'udp port 5060',
  'tcp port 5060',
  'not port 5060',
  'host 10.0.0.1',
  'src host 10.0.0.9 or dst host 10.0.0.2',
  'net 10.0.0.0/8 and not host 10.0.0.9',
  'ip6 host 2001:db8::1',
  'udp portrange 10000-20000',
  'greater 100',
  'less 60',
  'len = 61',
  'ip multicast',
  'icmp or arp',
  'ip proto 4 or ip6 proto 47',
  // Every operation of the accumulator; an index; a scratch word.
  'ip[2:2] - ((ip[0] & 0xf) << 2) > 40',
  'ip[0] / 2 = 34',
  'ip[2:2] % 3 = 1',
  'ip[0] * 3 = 207',
  '(ip[8] ^ ip[9]) | 1 = 81',
  'ip[2:2] >> ip[8] = 0',
  'ip[2:2] << (ip[8] / 2) = 0',
  'ip[12:4] = 0x0a000001',
  'ip[12:4] > 0xc0000000',
  '100 / ip[1] = 0',
  '- ip[0] = -69',
  'ip[ip[0] & 0xf] = 64',
  'ip[(ip[0] & 0xf) * 4 : 2] = 5060',
  'udp[8:4] = 0x4f505449',
  'udp[ip[2:2]] = 0',
  'ip[2:2] = len - 14',
  '',
]
const ethernetOnly = [
  'vlan',
  'vlan 5',
  'vlan 5 and udp port 5060',
  'port 5060 or (vlan and port 5060)',
  'vlan 7 and vlan 5 and port 5060',
  'not vlan',
  'ether host 02:00:00:00:00:01 and udp',
  'ether proto 0x8100',
  'ether[12:2] < 0x600',
  'ether broadcast or ether multicast',
]

const inner = (frame: Bytes): Bytes => frame.subarray(14)
const frames = [...plain, ...hidden].map((row) => row.frame)
const linkTypes: { name: string; linkType: number; frames: Bytes[]; expressions: string[] }[] = [
  { name: 'Ethernet', linkType: 1, frames, expressions: [...expressions, ...ethernetOnly] },
  { name: 'raw IP', linkType: 101, frames: frames.map(inner), expressions },
  {
    name: 'Linux cooked v2',
    linkType: 276,
    frames: frames.map((frame) => sll2(((frame[12] ?? 0) << 8) | (frame[13] ?? 0), inner(frame))),
    expressions,
  },
]

describe.each(linkTypes)('compiled for $name', ({ linkType, frames, expressions }) => {
  test.each(expressions)('"%s" says what tcpdump says', (expression) => {
    const accepts = compileToFunction(compileBpf(expression, linkType))
    // Not at the beginning of the buffer, and with bytes behind that must not be read.
    const verdicts = frames.map((frame) => accepts(join([1, 2, 3], frame, new Uint8Array(64).fill(0x13)), 3, frame.length, frame.length, 0))
    expect(verdicts).toEqual(tcpdumpVerdicts(linkType, frames, expression))
  })
})

describe('the filter of a run', () => {
  const untagged = [sipIpv4, ipv4(17, udp(7, 9, text('x')))]
  test.each(['port 5060', 'not port 5060', 'host 10.0.0.1', 'not host 10.0.0.1', 'ether host 02:00:00:00:00:01 and port 9', 'less 60'])(
    '"%s" means the same with and without tags',
    (expression) => {
      const filter = openFilter(expression)
      const truth = tcpdumpVerdicts(
        1,
        untagged.map((packet) => ethernet(0x0800, packet)),
        expression,
      )
      const wraps = [
        (packet: Bytes) => ethernet(0x0800, packet),
        (packet: Bytes) => ethernet(0x8100, vlan(5, 0x0800, packet)),
        (packet: Bytes) => ethernet(0x88a8, vlan(7, 0x8100, vlan(5, 0x0800, packet))),
      ]
      for (const wrap of wraps) {
        const verdicts = untagged.map(wrap).map((frame) => filter.frame(1, frame, 0, frame.length, frame.length))
        expect(verdicts).toEqual(truth)
      }
    },
  )

  test.each([
    { expression: 'vlan 5', frame: ethernet(0x8100, vlan(5, 0x0800, sipIpv4)), want: true },
    { expression: 'vlan 6', frame: ethernet(0x8100, vlan(5, 0x0800, sipIpv4)), want: false },
    { expression: 'not vlan', frame: ethernet(0x8100, vlan(5, 0x0800, sipIpv4)), want: false },
    { expression: 'ether proto 0x8100', frame: ethernet(0x8100, vlan(5, 0x0800, sipIpv4)), want: true },
  ])('"$expression" is shown the tags', ({ expression, frame, want }) => {
    expect(openFilter(expression).frame(1, frame, 0, frame.length, frame.length)).toBe(want)
    expect(tcpdumpVerdicts(1, [frame], expression)).toEqual([want])
  })

  test('an inner packet is tried by itself', () => {
    const filter = openFilter('host 10.0.0.1 and udp port 5060')
    const frame = hidden.find((row) => row.name === 'IP in IP')!.frame
    expect(filter.frame(1, frame, 0, frame.length, frame.length)).toBe(false)
    expect(filter.ip(frame, 34, frame.length - 34, frame.length - 34)).toBe(true)
    expect(openFilter('host 10.0.0.3').ip(frame, 34, frame.length - 34, frame.length - 34)).toBe(false)
    expect(openFilter('ip6').ip(sipIpv6, 0, sipIpv6.length, sipIpv6.length)).toBe(true)
  })

  test('a link type that the expression knows nothing of never matches; its inner packet may', () => {
    const filter = openFilter('udp port 5060')
    expect(filter.frame(9999, sipIpv4, 0, sipIpv4.length, sipIpv4.length)).toBe(false)
    const ethernetAddress = openFilter('ether host 02:00:00:00:00:01')
    expect(ethernetAddress.frame(101, sipIpv4, 0, sipIpv4.length, sipIpv4.length)).toBe(false)
    expect(ethernetAddress.ip(sipIpv4, 0, sipIpv4.length, sipIpv4.length)).toBe(false)
    const frame = ethernet(0x0800, sipIpv4)
    expect(ethernetAddress.frame(1, frame, 0, frame.length, frame.length)).toBe(true)
  })

  test.each([
    { expression: 'port', says: /syntax error/ },
    { expression: 'host 10.0.0.1 and and', says: /syntax error/ },
    { expression: 'port 5060) or (port 5061', says: /syntax error/ },
    { expression: 'port nosuchservice', says: /unknown port 'nosuchservice'/ },
    { expression: 'ip6 protochain 17', says: /loop/ },
    { expression: 'ip broadcast', says: /netmask not known/ },
  ])('"$expression" is refused with the reason', ({ expression, says }) => {
    const error = (() => {
      try {
        openFilter(expression)
      } catch (thrown) {
        return thrown
      }
    })()
    expect(error).toBeInstanceOf(FilterError)
    expect(error).toMatchObject({ exit: exitCodes.usage, message: expect.stringMatching(says) })
    expect((error as Error).message).toContain(expression)
  })
})
