import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CallJson, callJson, isoMicros } from '../../src/lib/call/json.js'
import type { CallRecord } from '../../src/lib/call/record.js'
import type { Expression } from '../../src/lib/query/expression.js'
import type { CallFacts } from '../../src/lib/query/groups.js'
import { addressValue } from '../../src/lib/query/network.js'
import { parseExpression } from '../../src/lib/query/parse.js'
import { endingWith } from '../../src/lib/query/pattern.js'
import { predicateOf } from '../../src/lib/query/predicate.js'
import type { CdrQuery, CdrStore, SortColumn } from '../../src/lib/store/cdr-store.js'
import { sampleRecords } from './records.js'

/** What every store must do; run over SQLite now, over a MariaDB server in a later release. */
export interface StoreUnderTest {
  /** Opens the same store again and again. */
  open(): Promise<CdrStore>
  /** Rows in a table, from outside the store. */
  rows(table: string): Promise<number>
}

export function cdrStoreContract(
  name: string,
  make: () => Promise<StoreUnderTest>,
  /** False: the columns of addresses hold IPv4 only, as in VoIPmonitor's default. */
  { ipv6, latin1 }: { readonly ipv6: boolean; readonly latin1: boolean } = { ipv6: true, latin1: false },
): void {
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

    const find = async (query: CdrQuery): Promise<CallJson[]> => {
      const calls: CallJson[] = []
      for await (const call of store.find(query)) calls.push(call)
      return calls
    }
    const says = (text: string): Expression => parseExpression(text, Date.UTC(2023, 10, 14, 23))
    const ids = async (where: Expression): Promise<string[]> => (await find({ where })).map((c) => c.call_id).sort()
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

    const longCalls = ['bad', 'good', 'twice', 'v6']
    test.each<[string, string[]]>([
      ['started >= 2023-11-14T22:18:19', ['dtmf']],
      ['started < 2023-11-14T22:13:20', []],
      ['number = +15550101', ['bad']],
      ['number = *550101', ['bad']],
      ['number = +155501', []],
      ['caller = +1555010*', ['bad', 'busy', 'busy', 'good', 'twice', 'v6']],
      ['caller_name = "name of +15550101"', ['bad']],
      ['call_id = busy', ['busy', 'busy']],
      ['call_id = BUSY', []],
      ['call_id = bu*', ['busy', 'busy']],
      ['call_id = BU*', []],
      ['status = 486', ['busy', 'busy']],
      ['status = 2xx', longCalls],
      ['status = none and state = no_final_response and callee_ip = 10.0.0.9', ['lonely']],
      ['mos < 4', ['bad']],
      ['loss > 5%', ['bad']],
      ['talk >= 4', longCalls],
      ['duration <= 600ms and status = 486', ['busy', 'busy']],
      ['ip = 10.0.0.9', ['lonely']],
      ['ip = 2001:db8:0::1', ['v6']],
      ['caller_ip = 2001:db8::/32', ['v6']],
      ['callee_ip = 2001:db8::2', ['v6']],
      ['caller_ip = 10.0.0.0/31 and status = 2xx', ['bad', 'good', 'twice']],
      ['codec = pcma and sensor = 42', ['bad', 'good', 'twice']],
      ['sensor in (43, 44)', ['busy']],
      ['sensor = none', ['v6']],
      ['agent ~ PBX/', longCalls],
      ['hung_up_by = caller', longCalls],
      ['ssrc = 0xdeadbeef', longCalls],
      ['problem = retransmitted', []],
      ['pcap', ['v6']],
      ['number = 999', []],
    ])('finds by %s', async (text, want) => {
      const lost = !ipv6 && /ip = 2001/.test(text)
      expect(await ids(says(text))).toEqual(lost ? [] : want)
    })

    // Every kind of test, negated and combined too: the database and the predicate must choose the same calls.
    const questions = [
      ...[
        'id > 2',
        'id in (1, 3)',
        'vlan',
        'vlan != 5',
        'caller',
        'caller = none',
        'callee ~ O',
        'callee = "bob "',
        'call_id = "busy "',
        'number = *0*',
        'number = *1',
        'number = "*\\*[?*"',
        'caller = "*%*"',
        'caller = "*!*"',
        'caller = "_*"',
      ],
      ...[
        'caller_name ~ drop',
        'caller_name ~ "📞"',
        'caller_domain = EXAMPLE.com',
        'callee_domain != example.com',
        'status_text ~ busy',
        'status > 200',
        'status < 300',
        'status >= 4xx',
        'status != 486',
        'status <= 1xx',
      ],
      ...[
        'state in (failed, cancelled)',
        'state != answered',
        'ringing',
        'answered = none',
        'ended > 2023-11-14T22:14',
        'answered < -2m',
        'pdd > 400ms',
        'pdd <= 0.4',
        'talk',
        'jitter < 1ms',
        'jitter_ms = 0',
        'loss = 0',
        'mos >= 4 and mos < 4.5',
      ],
      ...[
        'codec',
        'codec ~ c',
        'hung_up_by != caller',
        'agent',
        'caller_agent = phone/1',
        'callee_agent !~ pbx',
        'bye_code = 3',
        'bye_code in (0, 101)',
        'problem',
        'problem = no_media',
        'problem in (cut, one_way_sip, no_bye)',
        'ip = 10.0.0.0/8',
        'ip = ::/0',
        'media_ip = 10.0.0.1',
        'callee_ip != 10.0.0.2',
        'call_id = "*[*"',
        'call_id ~ "odd\' OR"',
        'pcap = 2023-11-14/*',
      ],
      ...[
        '(talk > 1s and mos < 4.4) or (status = 486 and not problem)',
        'not (mos < 4 or vlan = 5)',
        'number = *01 or number = *02 or call_id = v6',
        'number = +1555* and ip = 10.0.0.0/8 and not codec = PCMU',
      ],
    ]
    // A latin1 table is asked about what it holds; the record's own text comes back all the same.
    test.each(questions.filter((text) => !latin1 || !text.includes('📞')))('the predicate agrees: %s', async (text) => {
      const calls = await find({})
      for (const question of [text, `not (${text})`]) {
        // An address that the database cannot hold cannot be found.
        const held = (call: CallJson): boolean => ipv6 || !/ip/.test(text) || call.call_id !== 'v6'
        const want = calls.filter(predicateOf(says(question))).filter(held)
        const found = (await find({ where: says(question) })).filter(held)
        expect(found.map((c) => c.id)).toEqual(want.map((c) => c.id))
      }
    })

    test.each(["' OR 1=1 --", '%', '_', "' OR '1'='1", "'; DROP TABLE cdr; --", '\\', '" OR ""="', '\u0000', '??', ':a', '@x'])(
      'what is typed is text, never SQL: %j',
      async (typed) => {
        for (const field of ['number', 'caller', 'call_id', 'codec', 'agent', 'status_text', 'pcap'] as const) {
          for (const pattern of [
            { pieces: [typed] },
            { pieces: ['', `${typed}nowhere`, ''] },
            endingWith(typed),
            { pieces: [typed, ''] },
          ]) {
            expect(await find({ where: { kind: 'test', field, test: { kind: 'text', pattern } } })).toEqual([])
          }
        }
      },
    )

    test.each<[SortColumn, boolean]>(
      (['started', 'id', 'duration_ms', 'talk_ms', 'pdd_ms', 'mos', 'caller', 'status'] as const).flatMap((column) => [
        [column, false],
        [column, true],
      ]),
    )('pages by %s (backwards: %s) give everything once, in order', async (column, descending) => {
      const sort = { column, descending }
      const whole = (await find({ sort })).map((c) => c.id)
      expect([...whole].sort()).toEqual((await find({})).map((c) => c.id).sort())
      for (const where of [says('id > 0'), says('caller = *5*'), says('call_id = *o*')]) {
        const want = (await find({ sort, where })).map((c) => c.id)
        expect(want).toEqual(whole.filter((id) => want.includes(id)))
        const paged: (number | null)[] = []
        for (let after: number | undefined; paged.length <= want.length; ) {
          const page = await find({ sort, where, limit: 3, ...(after !== undefined && { after }) })
          if (page.length === 0) break
          paged.push(...page.map((c) => c.id))
          after = page.at(-1)?.id as number
        }
        expect(paged).toEqual(want)
      }
    })

    test('sorts, and limits', async () => {
      const mos = (await find({ sort: { column: 'mos', descending: false }, limit: 2 })).map((c) => c.mos)
      expect(mos[0]).toBeLessThan(4)
      expect(mos).toHaveLength(2)
      const times = (await find({ sort: { column: 'started', descending: true } })).map((c) => c.started)
      expect(times).toEqual([...times].sort().reverse())
      const known = (await find({ sort: { column: 'pdd_ms', descending: true } })).map((c) => c.pdd_ms !== null)
      expect(known).toEqual([...known].sort().reverse())
    })

    test('without lists, all but the lists', async () => {
      const bare = await find({ lists: false })
      expect(bare.map((c) => ({ ...c, hops: [] }))).toEqual((await find({})).map((c) => ({ ...c, streams: [], dtmf: [], hops: [] })))
    })

    test('all of them, whatever the filter is not', async () =>
      expect((await find({})).map((c) => c.call_id).filter((id) => all.includes(id)).length).toBeGreaterThanOrEqual(all.length))

    test.each(['id > 0', 'caller = *01', 'status = 486 and sensor = 42'])(
      'facts for statistics are those of the records: %s',
      async (text) => {
        const needs = ['caller', 'callee', 'callerIp', 'calleeIp', 'sensorId', 'codec', 'hungUpBy'] as const
        const facts: CallFacts[] = []
        await store.facts({ where: says(text), needs }, (call) => facts.push(call))
        const wanted = (await find({ where: says(text) })).map(
          (c): CallFacts => ({
            startedMicros: isoMicros(c.started),
            state: c.state,
            status: c.status,
            answered: c.answered !== null,
            ringing: c.ringing !== null,
            byeSeen: c.hung_up_by !== null,
            talkMs: c.talk_ms,
            pddMs: c.pdd_ms,
            mos: c.mos,
            lossPct: c.loss_pct,
            jitterMs: c.jitter_ms,
            caller: c.caller,
            callee: c.callee,
            callerIp: ipv6 || !c.caller_addr.startsWith('[') ? (addressValue(c.caller_addr) ?? null) : null,
            calleeIp: ipv6 || !c.callee_addr.startsWith('[') ? (addressValue(c.hops.at(-1) ?? '') ?? null) : null,
            sensorId: c.sensor_id,
            codec: c.codec,
            hungUpBy: c.hung_up_by,
          }),
        )
        const byTime = (a: CallFacts, b: CallFacts): number => a.startedMicros - b.startedMicros || (a.sensorId ?? 0) - (b.sensorId ?? 0)
        expect(facts.sort(byTime)).toEqual(wanted.sort(byTime))
        expect(facts.length).toBeGreaterThan(0)
      },
    )

    test('tells what the JSON does not', async () => {
      const [busy] = await find({ where: says('call_id = busy') })
      expect(await store.details(busy?.id as number)).toMatchObject({
        responses: ['486 Busy Here'],
        reasons: ['Q.850 17 User busy'],
      })
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
      const [early] = await find({ where: says('call_id = early') })
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
