import { describe, expect, test } from 'vitest'
import type { CallJson } from '../../../src/lib/call/json.js'
import { QueryError } from '../../../src/lib/query/error.js'
import { parseExpression } from '../../../src/lib/query/parse.js'
import { fits, parsePattern } from '../../../src/lib/query/pattern.js'
import { predicateOf } from '../../../src/lib/query/predicate.js'

// One call, and what may be said of it.
const call: CallJson = {
  schema_version: 1,
  id: 4711,
  call_id: 'AbC@192.0.2.1',
  state: 'answered',
  status: 200,
  status_text: 'OK',
  caller: '+420123456789',
  callee: 'Alice',
  caller_name: 'O\'Brien (VIP), "Bob"',
  caller_domain: 'example.com',
  callee_domain: null,
  caller_addr: '192.0.2.10:5060',
  callee_addr: '[2001:db8::2]:5060',
  caller_agent: 'Asterisk PBX 18.4',
  callee_agent: null,
  hops: ['2001:db8::2', '198.51.100.7'],
  started: '2026-11-24T09:00:00.123456Z',
  ringing: null,
  answered: '2026-11-24T09:00:02.000000Z',
  ended: '2026-11-24T09:01:02.000000Z',
  pdd_ms: 1500,
  talk_ms: 60_000,
  duration_ms: 61_876.544,
  hung_up_by: 'callee',
  codec: 'PCMA',
  mos: 3.21,
  loss_pct: 2.5,
  jitter_ms: 12.5,
  vlan: null,
  sensor_id: 7,
  bye_code: 3,
  problems: ['nat', 'duplicates'],
  pcap: null,
  streams: [
    {
      ssrc: '0xdeadbeef',
      src: '203.0.113.5:4000',
      dst: '[2001:db8:f::9]:6000',
      direction: 'a',
      codec: 'PCMA',
      packets: 1,
      expected: 1,
      lost: 0,
      duplicates: 0,
      reordered: 0,
      jitter_mean_ms: null,
      jitter_max_ms: null,
      mos: null,
      first: '2026-11-24T09:00:02.000000Z',
      last: '2026-11-24T09:00:02.000000Z',
    },
  ],
  dtmf: [],
}
const now = Date.parse('2026-11-24T10:00:00Z')
const says = (text: string): boolean => predicateOf(parseExpression(text, now))(call)

describe('what holds of the call', () => {
  test.each([
    'id = 4711',
    'status = 200',
    'status = 2xx',
    'status=2XX',
    'status in (486, 2xx)',
    'status not in (486, 5xx)',
    'status != 4xx',
    'status > 1xx',
    'status < 3xx',
    'caller = +420*',
    'caller = *456789',
    'caller = *123*',
    'caller = +42*34*89',
    'caller=+420123456789',
    'number = alice',
    'number = ALI*',
    'callee ~ lic',
    'callee !~ bob',
    'call_id = AbC@*',
    'call_id != abc@192.0.2.1',
    'caller_name = "O\'Brien (VIP), ""Bob"""',
    "caller_name ~ 'o''brien'",
    'ip = 192.0.2.0/24',
    'ip = 2001:db8::/32',
    'ip = 203.0.113.5',
    'caller_ip = 192.0.2.10',
    'caller_ip != 2001:db8::2',
    'callee_ip = 198.51.100.0/28',
    'callee_ip = [2001:db8::2]',
    'media_ip = 2001:db8:f::/48',
    'ssrc = 0xDEADBEEF',
    'started > -2h',
    'started >= 2026-11-24T09:00:00.123456',
    'started < 2026-11-24T09:00:00.123457Z',
    'started < 2026-11-24T10:00:01+01:00',
    'started >= today and started < now',
    'pdd > 1s',
    'pdd <= 1.5',
    'pdd_ms = 1500',
    'talk = 1m',
    'duration < 1m2s and duration > 61',
    'jitter > 12',
    'jitter < 13ms',
    'loss >= 2.5%',
    'mos < 3.6',
    'codec = pcma',
    'agent ~ asterisk',
    'caller_agent = Asterisk*18*',
    'hung_up_by = callee',
    'state = answered',
    'problem',
    'problem = nat and problem = duplicates',
    'problem in (no_media, nat)',
    'problem != no_bye',
    'sensor = 7',
    // Unknown is neither equal nor different by size; it is simply not equal.
    'vlan = none',
    'ringing = none and answered != none',
    'not ringing',
    'answered',
    'vlan != 5',
    'not vlan = 5',
    'not (vlan < 5 or vlan >= 5)',
    'callee_domain != example.com',
    'caller_domain = example.com',
    // Signs and words.
    'mos<3.6&&status==200',
    '!(mos > 4) || status <> 200',
    'NOT mos > 4 AND (caller = 1 OR callee = Alice)',
    'caller = 1 or callee = alice and mos < 4',
    '((((mos < 4))))',
    '  mos   <   4  ',
  ])('%s', (text) => {
    expect(says(text)).toBe(true)
    expect(says(`not (${text})`)).toBe(false)
  })
})

describe('what does not', () => {
  test.each([
    'caller = 420*',
    'caller = +420',
    'caller = "*"" OR 1=1"',
    'caller = *9*9*9*9',
    'call_id = abc@*',
    'ip = 10.0.0.0/8',
    'caller_ip = ::ffff:0:0/96',
    'vlan < 5',
    'vlan >= 0',
    'mos > 3.21',
    'callee_agent ~ ""',
    'pcap',
    'caller = none',
    'caller = "none"',
  ])('%s', (text) => expect(says(text)).toBe(false))
})

test('and binds before or', () => {
  expect(says('mos < 4 or mos < 4 and mos > 4')).toBe(true)
  expect(says('(mos < 4 or mos < 4) and mos > 4')).toBe(false)
})

describe('mistakes are told with their place and the next step', () => {
  test.each<[text: string, at: number, message: RegExp, next: RegExp]>([
    ['calle = 12', 0, /no field "calle"/, /Did you mean calle[re]/],
    ['mos < 3.6 and dur > 5', 14, /no field "dur"/, /Did you mean duration/],
    ['mos < good', 6, /"good" is nothing to compare mos with/, /Write a number/],
    ['state = anwsered', 8, /nothing to compare state with/, /Did you mean answered/],
    ['ip = 10.0.0.300', 5, /nothing to compare ip/, /CIDR|block/],
    ['ip = 10.0.0.0/33', 5, /nothing to compare ip/, /block/],
    ['ip < 10.0.0.1', 5, /nothing to compare ip/, /operators = !=/],
    ['status = 4x', 9, /nothing to compare status/, /486, 4xx/],
    ['started > soon', 10, /nothing to compare started/, /-1h/],
    ['talk > long', 7, /nothing to compare talk_ms/, /30s/],
    ['mos <', 5, /value for mos is missing/, /3\.6/],
    ['mos < 3 status = 200', 8, /"and" or "or" is missing/, /and/],
    ['(mos < 3', 0, /bracket is not closed/, /\)/],
    ['caller = "alice', 9, /quotation is not closed/, /"/],
    ['mos < 3 and', 11, /ends where a field should follow/, /mos/],
    ['', 0, /ends where a field/, /mos/],
    ['= 5', 0, /Here a field should be/, /mos/],
    ['status in 486', 10, /list in brackets/, /status in/],
    ['status in (486', 14, /list is not closed/, /status in/],
    ['mos not < 3', 8, /only "in/, /not mos/],
    ["caller = '; DROP TABLE cdr; --", 9, /quotation is not closed/, /'/],
  ])('%s', mistake)
  test('brackets without end', () => mistake('('.repeat(200), 100, /More than 100 brackets/, /flatter/))
  test('text without end', () => mistake('x'.repeat(30_000), 0, /longer than/, /parts/))

  function mistake(text: string, at: number, message: RegExp, next: RegExp): void {
    try {
      parseExpression(text, now)
    } catch (error) {
      expect(error).toBeInstanceOf(QueryError)
      const { message: said, suggestions, at: place, exit } = error as QueryError
      expect([place, said, suggestions.join(' '), exit]).toEqual([at, expect.stringMatching(message), expect.stringMatching(next), 2])
      return
    }
    throw new Error('it was accepted')
  }

  test('the mark stands under the place', () => {
    try {
      parseExpression('mos < 3.6 and calle = 12', now)
    } catch (error) {
      expect((error as QueryError).message.split('\n').slice(1)).toEqual(['  mos < 3.6 and calle = 12', '                ^^^^^'])
    }
  })
})

test('stars without end are refused, and would cost nothing', () => {
  const text = '*a'.repeat(5000)
  expect(() => parseExpression(`caller_agent = ${text}`, now)).toThrow(/nothing to compare/)
  expect(fits(parsePattern(`${text}b`), 'a'.repeat(5001))).toBe(false)
  expect(fits(parsePattern(text), 'a'.repeat(5000))).toBe(true)
})
