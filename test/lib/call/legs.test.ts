import { describe, expect, test } from 'vitest'
import { callJson } from '../../../src/lib/call/json.js'
import { relation } from '../../../src/lib/call/legs.js'
import { analyseBatches } from '../../support/analyse.js'
import { batchOf, type Packet, sip, talk } from '../../support/ladder.js'

// Legs as packets: a phone, a B2BUA, a gateway.
const PHONE = '10.0.0.1:5060'
const PBX = '10.0.0.2:5060'
const GATEWAY = '10.0.0.3:5060'

interface Leg {
  readonly at: number
  readonly from: string
  readonly to: string
  readonly callId: string
  readonly caller: string
  readonly callee: string
  /** Where each side listens for RTP. */
  readonly media: readonly [a: string, b: string]
  readonly ssrc: number
}
const leg = ({ at, from, to, callId, caller, callee, media: [a, b], ssrc }: Leg): Packet[] => {
  const headers = { callId, from: `<sip:${caller}@example.com>`, to: `<sip:${callee}@example.com>` }
  return [
    sip(at, from, to, 'INVITE', { ...headers, sdp: a }),
    sip(at + 0.2, to, from, '200 OK', { ...headers, toTag: 'b', sdp: b }),
    ...talk(at + 0.3, a, b, 50, { ssrc }),
    sip(at + 2, from, to, 'BYE', { ...headers, cseq: '2 BYE', toTag: 'b' }),
    sip(at + 2.01, to, from, '200 OK', { ...headers, cseq: '2 BYE', toTag: 'b' }),
  ]
}
const first: Leg = {
  at: 0,
  from: PHONE,
  to: PBX,
  callId: 'abcdefgh1',
  caller: '200',
  callee: '00420555123456',
  media: ['10.0.0.1:4000', '10.0.0.2:6000'],
  ssrc: 7,
}
const second: Leg = {
  at: 0.05,
  from: PBX,
  to: GATEWAY,
  callId: 'other',
  caller: '999',
  callee: '1',
  media: ['10.0.0.2:6100', '10.0.0.3:8000'],
  ssrc: 8,
}

describe('what makes two records legs of one call', () => {
  test.each<[string, Leg, Leg, string[]]>([
    ['nothing in common', first, second, []],
    ['the pbx passes RTP on with its SSRC', first, { ...second, ssrc: 7 }, ['relayed_stream']],
    ['both announce one media address', first, { ...second, media: ['10.0.0.1:4000', '10.0.0.3:8000'] }, ['media_address']],
    [
      'the same stream, seen with a proxy between',
      { ...first, at: 0 },
      { ...first, at: 0.01, from: PBX, to: GATEWAY, callId: 'other' },
      ['shared_stream', 'media_address', 'numbers'],
    ],
    ['Call-ID with a suffix', first, { ...second, callId: 'abcdefgh1_b2b-1' }, ['call_id_part']],
    [
      'numbers but for their prefix',
      { ...first, caller: '+420777000111' },
      { ...second, caller: '777000111', callee: '+420555123456' },
      ['numbers'],
    ],
    [
      'the same numbers, but neither goes where the other came from',
      { ...first, caller: '+420777000111' },
      { ...second, from: '10.9.9.9:5060', to: '10.9.9.8:5060', caller: '777000111', callee: '+420555123456' },
      [],
    ],
    ['short numbers are no likeness', first, { ...second, caller: '200', callee: '456' }, []],
    ['one after the other on the same ports', first, { ...first, at: 5, callId: 'later' }, []],
  ])('%s', (_, a, b, want) => {
    const { records } = analyseBatches([batchOf([...leg(a), ...leg(b)].sort((x, y) => x.at - y.at))])
    const [x, y] = [a, b].map(({ callId }) => records.find((r) => r.callId === callId)).map((r) => callJson(r as NonNullable<typeof r>))
    if (x === undefined || y === undefined) throw new Error('a leg has no record')
    expect(relation(x, y)).toEqual(want)
    expect(relation(y, x)).toEqual(want)
  })
})
