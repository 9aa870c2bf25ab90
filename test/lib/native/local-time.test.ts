import { afterAll, expect, test } from 'vitest'
import type { Micros } from '../../../src/lib/base/units.js'
import { localMicros } from '../../../src/lib/native/local-time.js'

const before = process.env['TZ']
afterAll(() => {
  if (before === undefined) delete process.env['TZ']
  else process.env['TZ'] = before
})

// In Prague the clock goes from 03:00 back to 02:00 at 01:00 UTC on the last Sunday of October, and from 02:00 to 03:00 on that of March.
test.each([
  ['2026-01-15T12:00:00.000Z', '2026-01-15T13:00:00.000Z'],
  ['2026-07-15T12:00:00.123Z', '2026-07-15T14:00:00.123Z'],
  ['2026-10-25T00:59:59.999Z', '2026-10-25T02:59:59.999Z'],
  ['2026-10-25T01:00:00.000Z', '2026-10-25T02:00:00.000Z'],
  ['2026-03-29T00:59:59.000Z', '2026-03-29T01:59:59.000Z'],
  ['2026-03-29T01:00:00.000Z', '2026-03-29T03:00:00.000Z'],
])('%s in Prague', (utc, wall) => {
  process.env['TZ'] = 'Europe/Prague'
  expect(new Date(localMicros((Date.parse(utc) * 1000) as Micros) / 1000).toISOString()).toBe(wall)
})
