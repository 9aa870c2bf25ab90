import { describe, expect, test } from 'vitest'
import { admits, keyOf, proofOf } from '../../../src/lib/mirror/auth.js'
import { parseDestination, shardOrder } from '../../../src/lib/mirror/dial.js'
import {
  FrameReader,
  type FrameType,
  frameTypes,
  readAck,
  readMessage,
  writeAck,
  writeFrameHeader,
  writeMessage,
} from '../../../src/lib/mirror/protocol.js'

const hello = {
  versions: [1],
  sensorId: 7,
  name: 'pbx',
  stream: 'ab'.repeat(16),
  compressions: ['lz4', 'none'],
  software: 'earshot 1',
}

function read(bytes: Uint8Array, piece: number, allowed: (type: FrameType) => boolean = () => true) {
  const frames: [FrameType, Uint8Array][] = []
  const reader = new FrameReader(allowed)
  for (let at = 0; at < bytes.length; at += piece) {
    const broken = reader.push(bytes.subarray(at, at + piece), (type, payload) => {
      frames.push([type, payload])
      return undefined
    })
    if (broken !== undefined) return { frames, broken }
  }
  return { frames, broken: undefined }
}
const concat = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))

describe('frames', () => {
  test.each([1, 3, 8, 10_000])('in pieces of %d', (piece) => {
    const { frames, broken } = read(concat(writeMessage('hello', hello), writeAck(9), writeMessage('bye', {})), piece)
    expect(broken).toBeUndefined()
    expect(frames.map(([type]) => type)).toEqual(['hello', 'ack', 'bye'])
    expect(readMessage('hello', frames[0]![1])).toEqual(hello)
    expect(readAck(frames[1]![1])).toBe(9)
  })

  const header = (type: FrameType, length: number): Uint8Array => {
    const bytes = new Uint8Array(8)
    writeFrameHeader(bytes, type, length)
    return bytes
  }
  test.each<[string, Uint8Array, RegExp]>([
    ['an unknown type', Uint8Array.of(99, 0, 0, 0, 0, 0, 0, 0), /unknown/],
    ['a byte where zero must be', Uint8Array.of(1, 1, 0, 0, 0, 0, 0, 0), /unknown/],
    ['four gigabytes of hello', Uint8Array.of(1, 0, 0, 0, 255, 255, 255, 255), /longer/],
    ['an ack that is too long', header('ack', 9), /longer/],
    ['a block that is too long', header('block', frameTypes.block.max + 1), /longer/],
  ])('%s ends it', (_, bytes, reason) => expect(read(bytes, 100).broken).toMatch(reason))

  test('a type at the wrong time costs nothing', () =>
    expect(read(header('block', frameTypes.block.max), 8, (type) => type === 'hello').broken).toMatch(/wrong time/))
})

describe('messages', () => {
  const payload = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
  test.each<[string, unknown]>([
    ['no object', 7],
    ['null', null],
    ['a list', []],
    ['a stream that is not hexadecimal', { ...hello, stream: 'x'.repeat(32) }],
    ['a negative sensor', { ...hello, sensorId: -1 }],
    ['a sensor that is too large', { ...hello, sensorId: 65_536 }],
    ['no versions', { ...hello, versions: [] }],
    ['a long name', { ...hello, name: 'x'.repeat(257) }],
    ['a name that is no text', { ...hello, name: {} }],
  ])('hello with %s is refused', (_, value) => expect(readMessage('hello', payload(value))).toEqual(expect.stringMatching(/^hello/)))
  test('bytes that are no text', () => expect(readMessage('hello', Uint8Array.of(0xff, 0xfe))).toMatch(/not JSON/))
  test('what a later version adds is passed over', () => expect(readMessage('hello', payload({ ...hello, more: 1 }))).toMatchObject(hello))
  test('counts by stage are bounded', () => {
    const dropped = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`s${i}`, 1]))
    const status = Object.fromEntries(
      [
        'micros',
        'pulseMicros',
        'heldMicros',
        'packets',
        'blocks',
        'memoryBytes',
        'memoryMax',
        'diskBytes',
        'diskMax',
        'oldestMicros',
        'untilMicros',
      ].map((key) => [key, 0]),
    )
    expect(readMessage('status', payload({ ...status, dropped: { kernel: 3 } }))).toMatchObject({ dropped: { kernel: 3 } })
    expect(readMessage('status', payload({ ...status, dropped }))).toMatch(/dropped/)
    expect(readMessage('status', payload({ ...status, dropped: { kernel: -3 } }))).toMatch(/dropped/)
  })
  test.each([Number.NaN, -1, 1.5, 2 ** 60])('an acknowledgement of %d is none', (n) => expect(readAck(writeAck(n).subarray(8))).toBe(-1))
})

test('noise in both readers ends in a reason or in frames that were allowed', () => {
  let seed = 5
  const random = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return seed / 2 ** 32
  }
  const good = concat(writeMessage('hello', hello), writeMessage('answer', { proof: '', micros: 5 }), writeAck(3))
  for (let round = 0; round < Number(process.env['FUZZ_ROUNDS'] ?? 3000); round++) {
    const bytes = good.slice()
    for (let i = 0; i < 1 + random() * 8; i++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
    const { frames } = read(bytes, 1 + Math.floor(random() * 50), (type) => type !== 'block')
    for (const [type, payload] of frames) {
      expect(type).not.toBe('block')
      if (type !== 'ack' && type !== 'block') readMessage(type, payload)
    }
  }
})

describe('who may come in', () => {
  const secrets = { keys: new Map([[7, [keyOf('secret')]]]), fingerprints: new Map([[8, ['ab'.repeat(32)]]]) }
  const nonce = 'cd'.repeat(32)
  test.each<[string, number, string, string | undefined, boolean]>([
    ['the token of its sensor', 7, proofOf(keyOf('secret'), nonce, 7), undefined, true],
    ['another token', 7, proofOf(keyOf('guess'), nonce, 7), undefined, false],
    ['the token of another sensor', 8, proofOf(keyOf('secret'), nonce, 8), undefined, false],
    ['a proof that was made for another sensor', 7, proofOf(keyOf('secret'), nonce, 8), undefined, false],
    ['a proof of an earlier connection', 7, proofOf(keyOf('secret'), '00'.repeat(32), 7), undefined, false],
    ['nothing', 7, '', undefined, false],
    ['its certificate', 8, '', Array(32).fill('AB').join(':'), true],
    ['a certificate of another sensor', 7, '', 'ab'.repeat(32), false],
  ])('%s', (_, sensor, proof, fingerprint, want) => expect(admits(secrets, sensor, nonce, proof, fingerprint)).toBe(want))
})

test.each([
  ['host', { host: 'host', port: 5030 }],
  ['10.0.0.1:99', { host: '10.0.0.1', port: 99 }],
  ['[::1]:99', { host: '::1', port: 99 }],
  ['2001:db8::1', { host: '2001:db8::1', port: 5030 }],
])('address %s', (text, want) => expect(parseDestination(text)).toEqual(want))
test.each(['', 'a:b', 'a:0', 'a:70000', '[::1'])('"%s" is no address', (text) =>
  expect(() => parseDestination(text)).toThrow(/not an address/),
)

describe('sharing receivers', () => {
  const receivers = ['a', 'b', 'c', 'd'].map((host) => ({ host, port: 5030 }))
  const firstOf = (list: typeof receivers, sensor: number): string => shardOrder(list, `${sensor}`)[0]!.host
  const sensors = Array.from({ length: 400 }, (_, i) => i + 1)
  test('sensors spread evenly', () => {
    for (const { host } of receivers) {
      const share = sensors.filter((s) => firstOf(receivers, s) === host).length
      expect(share).toBeGreaterThan(60)
      expect(share).toBeLessThan(140)
    }
  })
  test('without one receiver only its sensors move', () => {
    const fewer = receivers.slice(0, 3)
    for (const sensor of sensors) {
      const before = firstOf(receivers, sensor)
      if (before !== 'd') expect(firstOf(fewer, sensor)).toBe(before)
    }
  })
  test('the order given does not matter', () => {
    for (const sensor of sensors) expect(firstOf([...receivers].reverse(), sensor)).toBe(firstOf(receivers, sensor))
  })
})
