import { describe, expect, test } from 'vitest'
import { AddressBook, addressOf, endpointOf, ipv6Text, parseIpv4, parseIpv6, portOf } from '../../../src/lib/base/address.js'
import { EndpointMap } from '../../../src/lib/base/endpoint-map.js'
import { appended } from '../../../src/lib/base/short-list.js'
import { latin1, latin1Plain, utf8 } from '../../../src/lib/base/text.js'
import { printable } from '../../../src/lib/base/text-safe.js'
import type { Micros } from '../../../src/lib/base/units.js'
import { CaptureClock } from '../../../src/lib/call/clock.js'
import { isoTime } from '../../../src/lib/call/json.js'
import { Timers } from '../../../src/lib/call/timers.js'

describe('addresses', () => {
  test.each(['0.0.0.0', '10.0.0.1', '255.255.255.255'])('%s there and back', (text) => {
    const book = new AddressBook()
    expect(book.text(book.parse(text)!)).toBe(text)
  })

  // RFC 5952 section 4.
  test.each([
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::', '::'],
    ['fe80::1%eth0', 'fe80::1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('%s is written %s', (text, want) => expect(ipv6Text(parseIpv6(text)!)).toBe(want))

  test.each(['1.2.3', '256.1.1.1', 'host', ':::', '1:2:3', '1::2::3', '12345::', '1:2:3:4:5:6:7:8:9'])('%s is no address', (text) => {
    expect(parseIpv4(text) ?? parseIpv6(text)).toBeUndefined()
  })

  test('an interned address makes an exact endpoint, and equal ones are equal', () => {
    const book = new AddressBook()
    const a = book.parse('2001:db8::1')!
    const endpoint = endpointOf(a, 65_535)
    expect([addressOf(endpoint), portOf(endpoint)]).toEqual([a, 65_535])
    expect(book.parse('2001:DB8:0::1')).toBe(a)
    expect(book.parse('2001:db8::2')).not.toBe(a)
    expect(book.endpointText(endpoint)).toBe('[2001:db8::1]:65535')
    expect(book.parse('::ffff:10.0.0.1')).toBe(book.parse('10.0.0.1'))
  })

  test('the book is bounded', () => {
    const book = new AddressBook(2)
    for (const text of ['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8::4']) book.parse(text)
    expect(book.overflowed).toBe(2)
  })
})

test('EndpointMap behaves like Map under random use', () => {
  const map = new EndpointMap<number>(16)
  const truth = new Map<number, number>()
  let seed = 7
  for (let i = 0; i < 20_000; i++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    const key = endpointOf((0x0a000000 + (seed % 50)) as never, 10_000 + ((seed >>> 8) % 40))
    if ((seed >>> 20) % 3 === 0) expect(map.delete(key)).toBe(truth.delete(key))
    else {
      map.set(key, i)
      truth.set(key, i)
    }
    expect(map.size).toBe(truth.size)
  }
  for (const [key, value] of truth) expect(map.get(key as never)).toBe(value)
})

test('Timers give back in order of time', () => {
  const timers = new Timers<number>()
  const times = Array.from({ length: 500 }, (_, i) => (i * 7919) % 1009)
  for (const t of times) timers.add(t as Micros, t)
  const out: number[] = []
  for (let now = 0; now < 1009 + 13; now += 13)
    for (let t = timers.take(now as Micros); t !== undefined; t = timers.take(now as Micros)) out.push(t)
  expect(out).toEqual([...times].sort((a, b) => a - b))
  expect(timers.next).toBe(Number.POSITIVE_INFINITY)
})

describe('capture clock', () => {
  const s = 1e6
  test.each([
    { name: 'follows the packets', packets: [100, 101, 102], now: 102 },
    { name: 'a little out of order changes nothing', packets: [100, 101, 100.5], now: 101 },
    { name: 'one wild timestamp is not believed', packets: [100, 9e8, 101], now: 101 },
    { name: 'three that agree are', packets: [100, 5000, 5001, 5002], now: 5002 },
    { name: 'back in time needs many witnesses', packets: [5000, ...Array<number>(31).fill(100)], now: 5000 },
    { name: 'and then it goes back', packets: [5000, ...Array<number>(32).fill(100)], now: 100 },
  ])('$name', ({ packets, now }) => {
    const clock = new CaptureClock()
    for (const p of packets) clock.observe((p * s) as Micros)
    expect(clock.now / s).toBe(now)
  })
})

describe('text', () => {
  test.each([
    [[0x61, 0xc3, 0xa9], 'aé'],
    [[0xf0, 0x9f, 0x93, 0x9e], '📞'],
    [[0xc0, 0xaf], '\ufffd\ufffd'],
    [[0xe2, 0x82], '\ufffd\ufffd'],
    [[0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
  ])('%j as UTF-8', (b, want) => expect(utf8(Uint8Array.from(b), 0, b.length)).toBe(want))

  test('random bytes never throw', () => {
    const b = Uint8Array.from({ length: 5000 }, (_, i) => (i * 2_654_435_761) >>> 24)
    expect(utf8(b, 0, b.length).length).toBeGreaterThan(0)
  })

  test.each([0, 1, 8, 9, 255, 256, 5000])('%d bytes of any kind: one character each, with Node and without', (length) => {
    const b = Uint8Array.from({ length: length + 5 }, (_, i) => (i * 7) & 0xff)
    const want = [...b.subarray(3, 3 + length)].map((byte) => String.fromCharCode(byte)).join('')
    expect(latin1(b, 3, 3 + length)).toBe(want)
    expect(latin1Plain(b, 3, 3 + length)).toBe(want)
  })

  test('no escape sequence reaches a terminal', () => expect(printable('a\u001b[31mb\u009bc\r\n\u202e')).toBe('a·[31mb·c···'))
})

test('a short list grows as any other', () => {
  let list: number[] = []
  for (let i = 0; i < 9; i++) list = appended(list, i)
  expect(list).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
})

test.each([0, 951_782_400, 1_700_000_000.123456, 1_709_164_800, 4_102_444_799])('time %d is written as Date does', (seconds) => {
  const micros = Math.round(seconds * 1e6) as Micros
  expect(isoTime(micros)).toBe(
    `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, 23)}${String(micros % 1000).padStart(3, '0')}Z`,
  )
})
