import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CallJson, callJson } from '../../src/lib/call/json.js'
import type { CallRecord } from '../../src/lib/call/record.js'
import type { CdrFilter, CdrStore } from '../../src/lib/store/cdr-store.js'
import { sampleRecords } from './records.js'

/** What every store must do; run over SQLite now, over a MariaDB server in a later release. */
export interface StoreUnderTest {
  /** Opens the same store again and again. */
  open(): Promise<CdrStore>
  /** Rows in a table, from outside the store. */
  rows(table: string): Promise<number>
}

export function cdrStoreContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name}: the contract of a store`, () => {
    const records = sampleRecords()
    let under: StoreUnderTest
    let store: CdrStore
    beforeAll(async () => {
      under = await make()
      store = await under.open()
      expect(await store.insert(records)).toEqual({ stored: records.length, updated: 0, duplicates: 0 })
    })
    afterAll(() => store.close())

    const find = async (filter: CdrFilter): Promise<CallJson[]> => {
      const calls: CallJson[] = []
      for await (const call of store.find(filter)) calls.push(call)
      return calls
    }
    const ids = async (filter: CdrFilter): Promise<string[]> => (await find(filter)).map((c) => c.call_id).sort()
    const all = records.map((r) => r.callId).sort()

    test('gives back exactly the JSON of the record, and its number', async () => {
      const calls = await find({})
      for (const record of records) {
        const stored = calls.find((c) => c.call_id === record.callId && c.caller_addr === callJson(record).caller_addr) as CallJson
        expect(stored).toEqual(callJson(record, stored.id))
        expect(await store.get(stored.id as number)).toEqual(stored)
      }
    })

    test('the same input twice is there once, in every table', async () => {
      const tables = ['cdr', 'cdr_next', 'cdr_rtp', 'cdr_sipresp', 'earshot_cdr', 'earshot_rtp', 'cdr_sip_response', 'cdr_ua']
      const count = async (): Promise<number[]> => Promise.all(tables.map((t) => under.rows(t)))
      const before = await count()
      expect(await store.insert(records)).toEqual({ stored: 0, updated: 0, duplicates: records.length })
      expect(await count()).toEqual(before)
    })

    test('a call once more within one batch is a duplicate too', async () => {
      const fresh = { ...(records[0] as CallRecord), callId: 'twice' }
      expect(await store.insert([fresh, fresh])).toEqual({ stored: 1, updated: 0, duplicates: 1 })
    })

    test('another sensor’s record of the same call is another record', async () => {
      expect(await store.insert([{ ...(records[2] as CallRecord), sensorId: 43 }])).toEqual({ stored: 1, updated: 0, duplicates: 0 })
    })

    const start = records[0]?.started ?? 0
    test.each<[string, CdrFilter, string[]]>([
      ['since', { sinceMicros: start + 299e6 }, ['dtmf']],
      ['until is not included', { untilMicros: start }, []],
      ['whole number', { number: '+15550101' }, ['bad']],
      ['end of a number', { number: '550101' }, ['bad']],
      ['its beginning is not its end', { number: '+155501' }, []],
      ['with a wildcard', { caller: '+1555010*' }, ['bad', 'busy', 'busy', 'good', 'twice', 'v6']],
      ['callee', { callee: 'bob', state: ['cancelled'] }, []],
      ['Call-ID', { callId: 'busy' }, ['busy', 'busy']],
      ['Call-ID with a wildcard', { callId: 'bu*' }, ['busy', 'busy']],
      ['status', { status: ['486'] }, ['busy', 'busy']],
      ['status class', { status: ['2xx'] }, ['bad', 'good', 'twice', 'v6']],
      ['no final response', { status: ['0'], state: ['no_final_response'], ip: '10.0.0.9' }, ['lonely']],
      ['bad quality', { mosBelow: 4 }, ['bad']],
      ['longer', { durationMinMs: 4000 }, ['bad', 'good', 'twice', 'v6']],
      ['shorter', { durationMaxMs: 600, status: ['486'] }, ['busy', 'busy']],
      ['address of SIP', { ip: '10.0.0.9' }, ['lonely']],
      ['IPv6', { ip: '2001:db8:0::1' }, ['v6']],
      ['nobody', { number: '999' }, []],
    ])('finds by %s', async (_, filter, want) => expect(await ids(filter)).toEqual(want))

    test.each<[string, CdrFilter]>([
      ['number', { number: "' OR 1=1 --" }],
      ['caller', { caller: '%' }],
      ['Call-ID', { callId: "' OR '1'='1" }],
      ['ip', { ip: "'; DROP TABLE cdr; --" }],
      ['state', { state: ["answered' OR 'a'='a"] }],
    ])('what is typed as %s is text, never SQL', async (_, filter) => expect(await find(filter)).toEqual([]))

    test('signs of GLOB in a number are meant literally', async () => expect(await ids({ caller: '*[?' })).toHaveLength(1))

    test('sorts, and limits', async () => {
      const mos = (await find({ sort: { column: 'mos', descending: false }, limit: 2 })).map((c) => c.mos)
      expect(mos[0]).toBeLessThan(4)
      expect(mos).toHaveLength(2)
      const times = (await find({ sort: { column: 'started', descending: true } })).map((c) => c.started)
      expect(times).toEqual([...times].sort().reverse())
    })

    test('all of them, whatever the filter is not', async () =>
      expect((await ids({})).filter((id) => all.includes(id)).length).toBeGreaterThanOrEqual(all.length))

    test('tells what the JSON does not', async () => {
      const [busy] = await find({ callId: 'busy' })
      expect(await store.details(busy?.id as number)).toMatchObject({
        responses: ['486 Busy Here'],
        reasons: ['Q.850 17 User busy'],
        byeCode: 0,
      })
      const [good] = await find({ callId: 'good' })
      expect(await store.details(good?.id as number)).toMatchObject({ callerAgent: 'phone/1', calleeAgent: 'pbx/2', byeCode: 3 })
    })

    test('nothing under an unknown number', async () => {
      expect(await store.get(999_999)).toBeUndefined()
      expect(await store.details(999_999)).toBeUndefined()
    })

    test('a later word on a call takes the place of the earlier, under the same number', async () => {
      const [good] = records as [CallRecord]
      const word = (revision: number, changes: Partial<CallRecord> = {}): CallRecord => ({ ...good, callId: 'early', revision, ...changes })
      const rows = async (): Promise<number[]> =>
        Promise.all(['cdr', 'cdr_next', 'cdr_rtp', 'earshot_cdr', 'earshot_rtp'].map((t) => under.rows(t)))
      expect(await store.insert([word(1, { streams: good.streams.slice(0, 1), aStream: 0, bStream: undefined })])).toEqual({
        stored: 1,
        updated: 0,
        duplicates: 0,
      })
      const [early] = await find({ callId: 'early' })
      expect(early?.streams).toHaveLength(1)
      const before = await rows()
      expect(await store.insert([word(2), word(255, { status: 202 })])).toEqual({ stored: 0, updated: 2, duplicates: 0 })
      expect(await store.get(early?.id as number)).toEqual({ ...callJson(word(255, { status: 202 }), early?.id), id: early?.id })
      expect(await rows()).toEqual(before.map((n, i) => n + (i === 2 || i === 4 ? 1 : 0)))
      // An early word that comes late (a replay) changes nothing.
      expect(await store.insert([word(1), word(255)])).toEqual({ stored: 0, updated: 0, duplicates: 2 })
      expect((await store.get(early?.id as number))?.status).toBe(202)
    })
  })
}
