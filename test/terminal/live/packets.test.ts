import { expect, test } from 'vitest'
import type { HeldPacket } from '../../../src/lib/base/held.js'
import type { Micros } from '../../../src/lib/base/units.js'
import { mergedPackets } from '../../../src/terminal/live/packets.js'

const packet = (micros: number, text: string): HeldPacket => ({
  bytes: new TextEncoder().encode(text),
  length: text.length,
  micros: micros as Micros,
  nanos: 0,
  linkType: 1,
})
const texts = (packets: readonly HeldPacket[]): string[] => packets.map((p) => `${p.micros} ${new TextDecoder().decode(p.bytes)}`)

// What is in the pcap of calls that are saved together.
test.each<[name: string, calls: HeldPacket[][], want: string[]]>([
  ['one call, as it is', [[packet(1, 'a'), packet(1, 'a')]], ['1 a', '1 a']],
  [
    'legs share a packet: it is one',
    [
      [packet(1, 'a'), packet(2, 'b')],
      [packet(2, 'b'), packet(3, 'c')],
    ],
    ['1 a', '2 b', '3 c'],
  ],
  [
    'on the wire twice, in both legs: it is two',
    [
      [packet(1, 'a'), packet(1, 'a')],
      [packet(1, 'a'), packet(1, 'a')],
    ],
    ['1 a', '1 a'],
  ],
  ['the same words a microsecond later are others', [[packet(1, 'a')], [packet(2, 'a')]], ['1 a', '2 a']],
  ['other words at the same time are others', [[packet(1, 'a')], [packet(1, 'b')]], ['1 a', '1 b']],
])('%s', (_, calls, want) => expect(texts(mergedPackets(calls))).toEqual(want))
