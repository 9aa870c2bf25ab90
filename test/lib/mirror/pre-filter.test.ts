import { describe, expect, test } from 'vitest'
import { openFilter } from '../../../src/lib/capture/bpf-compile.js'
import { openPreFilter } from '../../../src/lib/mirror/pre-filter.js'
import { ethernet, ipv4, tcp, text, udp } from '../../support/frames.js'
import { batchOf, type Packet, sip, talk } from '../../support/ladder.js'

const at = (time: number, frame: Uint8Array): Packet => ({ at: time, frame })
const invite = sip(0, '10.0.0.1:5060', '10.0.0.2:5060', 'INVITE', { sdp: '10.0.0.1:4000' })
const [voice] = talk(1, '10.0.0.1:4000', '10.0.0.2:6000', 1, { payload: new Uint8Array(160) }) as [Packet]
const [digit] = talk(1, '10.0.0.1:4000', '10.0.0.2:6000', 1, { type: 101, payload: Uint8Array.of(5, 0x80, 0, 160) }) as [Packet]
const rtcp = at(1, ethernet(0x0800, ipv4(17, udp(4001, 6001, Uint8Array.from([0x80, 200, 0, 6, ...Array<number>(60).fill(1)])))))
const overTcp = at(1, ethernet(0x0800, ipv4(6, tcp(5060, 5060, text('INVITE sip:x SIP/2.0')))))
const fragment = at(1, ethernet(0x0800, ipv4(17, new Uint8Array(80), { fragmentAt: 8, more: true })))
const other = at(1, ethernet(0x0806, text('who has 10.0.0.1? long enough')))
const packets = { invite, voice, digit, rtcp, overTcp, fragment, other }

function kept(o: { content?: 'all' | 'sip' | 'rtp-headers'; expression?: string; packetsPerSecondMax?: number }) {
  const { expression = '' } = o
  const filter = openPreFilter({
    openFilter: expression === '' ? undefined : openFilter,
    expression,
    content: o.content ?? 'all',
    packetsPerSecondMax: o.packetsPerSecondMax ?? 0,
  })!
  const batch = batchOf(Object.values(packets))
  const keep = filter.keep(batch)
  return {
    names: Object.keys(packets).filter((_, i) => keep[i]! >= 0),
    cut: Object.fromEntries(Object.keys(packets).map((name, i) => [name, keep[i]! - batch.captured[i]!])),
    dropped: filter.dropped(),
  }
}

describe('what goes on the link', () => {
  test('SIP, and what may carry it', () => {
    const { names, dropped } = kept({ content: 'sip' })
    expect(names).toEqual(['invite', 'overTcp', 'fragment'])
    expect(dropped).toEqual([['not SIP', 4]])
  })

  test('RTP without its payload; digits, RTCP and SIP whole', () => {
    const { names, cut } = kept({ content: 'rtp-headers' })
    expect(names).toEqual(Object.keys(packets))
    expect(cut).toEqual({ invite: 0, voice: -160, digit: 0, rtcp: 0, overTcp: 0, fragment: 0, other: 0 })
  })

  test('an expression, as wide as in the kernel', () =>
    expect(kept({ expression: 'udp port 5060' })).toMatchObject({ names: ['invite', 'fragment'], dropped: [['filter', 5]] }))

  test('no more than so many in a second of capture time', () =>
    expect(kept({ packetsPerSecondMax: 2 })).toMatchObject({ names: ['invite', 'voice', 'digit'], dropped: [['rate cap', 4]] }))

  test('nothing chosen, nothing done', () =>
    expect(openPreFilter({ openFilter: undefined, expression: '', content: 'all', packetsPerSecondMax: 0 })).toBeUndefined())
})
