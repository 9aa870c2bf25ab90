import { expect, test } from 'vitest'
import { printLines } from '../../../src/terminal/live/print-lines.js'
import type { LiveSource, SourceSink } from '../../../src/terminal/live/source.js'

// `earshot live --all-sensors | …`: nobody looks at a screen that would show which sensor is away.

test('a source that is lost is told of once, and when it is back', async () => {
  let sink: SourceSink | undefined
  const source = { name: 'Brno', own: false, start: (given: SourceSink) => (sink = given), close: async () => {} } as unknown as LiveSource
  const told: string[] = []
  const stop = new AbortController()
  const done = printLines(
    [source],
    () => {},
    () => true,
    stop.signal,
    (text) => told.push(text),
  )
  for (const state of ['lost', 'lost', 'live', 'live', 'lost'] as const) sink?.status({ name: 'Brno', state, detail: 'Cannot reach it.' })
  stop.abort()
  await done
  expect(told).toEqual(['Brno: Cannot reach it.', 'Brno: is back.', 'Brno: Cannot reach it.'])
})
