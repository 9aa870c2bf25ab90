import { expect, test } from 'vitest'
import type { CallRecord } from '../../src/lib/call/record.js'
import { runPrinter } from '../../src/terminal/call-printer.js'
import type { OutputFormat } from '../../src/terminal/output.js'
import { sampleRecords } from '../contract/records.js'
import { textStream } from '../support/text-stream.js'

/** What a run prints of calls with streams and digits. */
async function printed(format: OutputFormat, how: { live: boolean; service: boolean }): Promise<string> {
  const out = textStream()
  const printer = runPrinter(format, out, how)
  for (const record of records) printer.call(record)
  await printer.end({})
  return out.text()
}

const records: CallRecord[] = sampleRecords().filter((record) => record.streams.length > 0)
const file = { live: false, service: false }

test('NDJSON and JSON have the streams, the hops and the digits of each call', async () => {
  const lines = (await printed('ndjson', file)).trimEnd().split('\n')
  const document = JSON.parse(await printed('json', file)) as { calls: unknown[] }
  expect(document.calls).toEqual(lines.map((line) => JSON.parse(line)))
  expect(document.calls).toMatchObject(
    records.map(({ streams, proxies, lastHopAddr, dtmf }) => ({
      streams: streams.map(({ packets }) => ({ packets })),
      hops: [...proxies, lastHopAddr.ip],
      dtmf: dtmf.map(({ digit }) => ({ digit })),
    })),
  )
})

test('CSV and the table show a call in a row; a live run in a line as it ends; a service prints none', async () => {
  expect((await printed('csv', file)).trimEnd().split('\r\n')).toHaveLength(records.length + 1)
  expect((await printed('table', file)).match(/^│ /gm)).toHaveLength(records.length + 1)
  expect((await printed('table', { live: true, service: false })).trimEnd().split('\n')).toHaveLength(records.length)
  expect(await printed('table', { live: true, service: true })).toBe('')
})
