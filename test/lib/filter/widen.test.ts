import { describe, expect, test } from 'vitest'
import { namesTags, widen } from '../../../src/lib/filter/widen.js'
import { tcpdumpVerdicts } from '../../support/tcpdump.js'
import { hidden, plain } from './frames.js'

// Truth: tcpdump's verdict on the widened text.
const narrow = ['port 5060', 'udp port 5060', 'host 10.0.0.1 and udp port 5060', 'vlan 5 and port 5060', 'src host 10.0.0.1 or ip6']
const framesOf = (rows: typeof plain, skip: number) => rows.map((row) => row.frame.subarray(skip))
/** Without Ethernet headers there are no tags. */
const untagged = hidden.filter((row) => !/^VLAN|^QinQ|^SNAP/.test(row.name))

describe.each([
  { view: 'ethernet', linkType: 1, skip: 0, rows: hidden },
  { view: 'raw', linkType: 101, skip: 14, rows: untagged },
] as const)('widened for $view packets', ({ view, linkType, skip, rows }) => {
  const expressions = narrow.filter((expression) => view === 'ethernet' || !expression.includes('vlan'))

  test.each(expressions)('"%s" loses nothing that is hidden', (expression) => {
    const verdicts = tcpdumpVerdicts(linkType, framesOf(rows, skip), widen(expression, view).expression)
    expect(rows.filter((_, i) => !verdicts[i]).map((row) => row.name)).toEqual([])
  })

  test.each(expressions)('"%s" still keeps out what is not hidden', (expression) => {
    // A load outside the packet rejects it, also for every "or" that follows. Nothing is lost: it has no whole ports.
    const all = framesOf(
      plain.filter((row) => !row.name.startsWith('cut')),
      skip,
    )
    expect(tcpdumpVerdicts(linkType, all, widen(expression, view).expression)).toEqual(tcpdumpVerdicts(linkType, all, expression))
  })
})

test('what is hidden would be lost without', () => {
  const lost = tcpdumpVerdicts(
    1,
    hidden.map((row) => row.frame),
    'host 10.0.0.1 and udp port 5060',
  )
  expect(hidden.filter((_, i) => lost[i]).map((row) => row.name)).toEqual(['first fragment'])
})

test('an empty expression stays empty', () => expect(widen('  ', 'ethernet').expression).toBe(''))

test('the explanation names the additions and the words of the operator', () => {
  const { explanation } = widen('port 5060', 'ethernet')
  expect(explanation).toContain('"port 5060"')
  for (const name of ['VLAN tags', 'IPv4 fragments', 'GRE', 'VXLAN']) expect(explanation).toContain(name)
})

test.each([
  { expression: 'vlan 5 and port 5060', want: true },
  { expression: 'ether proto 0x8100', want: true },
  { expression: 'ether[12:2] = 5', want: true },
  { expression: 'port 5060', want: false },
  { expression: 'host vlan5.example.org', want: false },
])('"$expression" looks at tags: $want', ({ expression, want }) => expect(namesTags(expression)).toBe(want))
