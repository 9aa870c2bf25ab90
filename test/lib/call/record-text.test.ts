import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sameButRevision } from '../../../src/lib/call/record.js'
import { recordText, textRecord } from '../../../src/lib/call/record-text.js'
import { sampleRecords } from '../../contract/records.js'
import { analyse } from '../../support/analyse.js'
import { capturesDir, haveCaptures } from '../../support/shared.js'

describe('a record as text', () => {
  test('comes back as it was', () => {
    for (const record of sampleRecords()) {
      const text = recordText(record)
      expect(text).not.toMatch(/[\n\r]/)
      const back = textRecord(text)
      expect(back).toEqual(record)
      expect(typeof back?.flags).toBe('bigint')
    }
  })

  test.skipIf(!haveCaptures)('so does every call of the shared captures [needs ../shared/captures]', async () => {
    const files = readdirSync(capturesDir).filter((name) => /\.(pcap|pcapng|cap)$/.test(name))
    const { records } = await analyse(files.map((name) => join(capturesDir, name)))
    expect(records.length).toBeGreaterThan(50)
    for (const record of records) expect(sameButRevision(textRecord(recordText(record))!, record)).toBe(true)
  })

  test('text with half a surrogate pair, or with every control character', () => {
    const [record] = sampleRecords()
    const odd = { ...record!, callId: '\ud83d', caller: Array.from({ length: 32 }, (_, c) => String.fromCharCode(c)).join('') }
    expect(textRecord(recordText(odd))).toEqual(odd)
  })

  test.each([
    ['nothing', ''],
    ['no JSON', '{"v":1,"callId":'],
    ['not an object', '[1]'],
    ['null', 'null'],
    ['a later version', recordText(sampleRecords()[0]!).replace('"v":1', '"v":2')],
    ['something else', '{"v":1,"hello":true}'],
    ['flags that are no number', recordText(sampleRecords()[0]!).replace(/"flags":"\d+"/, '"flags":"x"')],
  ])('%s is no record', (_, text) => expect(textRecord(text)).toBeUndefined())
})
