import { describe, expect, test } from 'vitest'
import {
  beginsOurs,
  creditFrame,
  creditOf,
  type Frame,
  FrameReader,
  frame,
  kinds,
  preface,
  readFrameHead,
  readPreface,
} from '../../../src/lib/manager/protocol.js'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('preface', () => {
  test('its bytes are those of the drawing', () => {
    expect([...preface()]).toEqual([0xe5, 0x45, 0x41, 0x52, 0x53, 0x48, 1, 0])
    expect(beginsOurs(0xe5)).toBe(true)
    // A TLS record, a VoIPmonitor command.
    expect([0x16, 'l'.charCodeAt(0)].map(beginsOurs)).toEqual([false, false])
  })
  test.each<[string, Uint8Array, string]>([
    ['whole', preface(), 'complete'],
    ['in pieces', preface().subarray(0, 5), 'partial'],
    ['empty', new Uint8Array(0), 'partial'],
    ['another language', bytes('GET / HTTP/1.1'), 'broken'],
    ['nearly', Uint8Array.of(0xe5, 0x45, 0x41, 0x52, 0x53, 0x49, 1, 0), 'broken'],
  ])('%s', (_, given, want) => expect(readPreface(given, 0).state).toBe(want))
})

describe('frames', () => {
  test('the layout is that of the drawing', () => {
    expect([...frame(kinds.request, 0x01020304, bytes('ab'))]).toEqual([2, 0, 0, 0, 1, 0, 0, 0, 4, 3, 2, 1, 97, 98])
  })

  test('a length beyond the most is refused before anything is kept', () => {
    const evil = frame(kinds.request, 1, new Uint8Array(0))
    new DataView(evil.buffer).setUint32(0, 0xffff_ffff, true)
    expect(readFrameHead(evil, 0, evil.length, 65_536)).toMatchObject({ state: 'broken' })
    expect(new FrameReader(65_536).push(evil, () => {})).toMatch(/4294967295 bytes/)
  })

  test('bits of the future are refused', () => {
    for (const at of [5, 6, 7]) {
      const odd = frame(kinds.request, 1, new Uint8Array(0))
      odd[at] = 1
      expect(readFrameHead(odd, 0, odd.length, 10).state).toBe('broken')
    }
  })

  test('credit', () => {
    const found: [number, number | undefined][] = []
    new FrameReader(10).push(creditFrame(7, 123_456), (frame) => void found.push([frame.request, creditOf(frame)]))
    expect(found).toEqual([[7, 123_456]])
    expect(creditOf({ kind: kinds.credit, request: 1, payload: new Uint8Array(3) })).toBeUndefined()
  })

  const sizes = [0, 1, 11, 12, 13, 4095, 4096, 65_536]
  const stream = Buffer.concat(sizes.map((size, i) => frame(kinds.data, i, new Uint8Array(size).fill(i))))
  test.each([1, 2, 3, 7, 12, 13, 1000, 4096, 70_000, 1_000_000])('cut into pieces of %i bytes they come out the same', (step) => {
    const reader = new FrameReader(65_536)
    const got: [number, number, boolean][] = []
    const take = ({ request, payload }: Frame): void => void got.push([request, payload.length, payload.every((b) => b === request)])
    for (let at = 0; at < stream.length; at += step) expect(reader.push(stream.subarray(at, at + step), take)).toBeUndefined()
    expect(got).toEqual(sizes.map((size, i) => [i, size, true]))
    expect(reader.pending).toBe(0)
  })

  test.each([1, 5, 12, 13, 4096, 70_000, 1_000_000])('data in parts, between other frames, cut into pieces of %i bytes', (step) => {
    const mixed = Buffer.concat([frame(kinds.item, 99, bytes('before')), stream, frame(kinds.end, 99, bytes('behind'))])
    const parts = new Map<number, number>()
    let wrong = 0
    const reader = new FrameReader(65_536, (request, part) => {
      parts.set(request, (parts.get(request) ?? 0) + part.length)
      if (!part.every((b) => b === request)) wrong++
    })
    const others: string[] = []
    for (let at = 0; at < mixed.length; at += step)
      reader.push(mixed.subarray(at, at + step), ({ payload }) => void others.push(Buffer.from(payload).toString('latin1')))
    expect([...parts]).toEqual(sizes.flatMap((size, i) => (size === 0 ? [] : [[i, size]])))
    expect([others, wrong, reader.pending]).toEqual([['before', 'behind'], 0, 0])
  })
})
