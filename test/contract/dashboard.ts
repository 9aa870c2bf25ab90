import { expect, test } from 'vitest'

/**
 * What dashboards, scripts and web GUIs ask a VoIPmonitor database, in plain SQL against its column names; the answers are told by
 * the ladders of records.ts. Every engine answers the same.
 */
type Rows = Record<string, unknown>[]
const day = "calldate >= '2023-11-14 00:00:00' AND calldate < '2023-11-15 00:00:00'"

const questions: readonly { question: string; sql: string; answer: Rows }[] = [
  {
    question: 'how many calls, how many connected, how long, in a day',
    sql: `SELECT count(*) AS calls, sum(connect_duration IS NOT NULL) AS connected, round(sum(connect_duration), 2) AS seconds, round(avg(progress_time), 2) AS pdd FROM cdr WHERE ${day}`,
    answer: [{ calls: 7, connected: 3, seconds: 15.12, pdd: 0.4 }],
  },
  {
    question: 'final responses by text',
    sql: `SELECT s.lastSIPresponse AS response, c.lastSIPresponseNum AS num, count(*) AS n FROM cdr c JOIN cdr_sip_response s ON s.id = c.lastSIPresponse_id
          WHERE ${day} GROUP BY s.lastSIPresponse, c.lastSIPresponseNum ORDER BY n DESC, num`,
    answer: [
      { response: '', num: 0, n: 3 },
      { response: '200 OK', num: 200, n: 3 },
      { response: '486 Busy Here', num: 486, n: 1 },
    ],
  },
  {
    question: 'by the beginning of the caller’s number',
    sql: "SELECT count(*) AS n FROM cdr WHERE caller LIKE '+1555010%'",
    answer: [{ n: 4 }],
  },
  {
    question: 'by the end of it, through the reversed column',
    sql: "SELECT n.fbasename AS call_id FROM cdr c JOIN cdr_next n ON n.cdr_ID = c.ID WHERE c.caller_reverse LIKE '20105551%'",
    answer: [{ call_id: 'busy' }],
  },
  {
    question: 'by address, as a number',
    sql: 'SELECT count(*) AS n FROM cdr WHERE sipcalledip = 10 * 16777216 + 9',
    answer: [{ n: 1 }],
  },
  {
    question: 'bad quality',
    sql: 'SELECT n.fbasename AS call_id, c.mos_min_mult10 < 40 AS bad, c.packet_loss_perc_mult1000 AS loss FROM cdr c JOIN cdr_next n ON n.cdr_ID = c.ID WHERE c.mos_min_mult10 < 40',
    answer: [{ call_id: 'bad', bad: 1, loss: 10_000 }],
  },
  {
    question: 'streams of a call, by id and date',
    sql: `SELECT r.ssrc, r.received, r.loss, r.payload, r.flags FROM cdr c JOIN cdr_rtp r ON r.cdr_ID = c.ID AND r.calldate = c.calldate
          JOIN cdr_next n ON n.cdr_ID = c.ID AND n.calldate = c.calldate WHERE n.fbasename = 'bad' ORDER BY r.ssrc`,
    answer: [
      { ssrc: 7, received: 200, loss: 0, payload: 8, flags: 10 },
      { ssrc: 0xdeadbeef, received: 180, loss: 20, payload: 8, flags: 6 },
    ],
  },
  {
    question: 'who hung up, and how it ended',
    sql: 'SELECT whohanged, bye, count(*) AS n FROM cdr GROUP BY whohanged, bye ORDER BY n DESC, bye',
    answer: [
      { whohanged: 'caller', bye: 3, n: 3 },
      { whohanged: null, bye: 101, n: 3 },
      { whohanged: null, bye: 0, n: 1 },
    ],
  },
  {
    question: 'user agents of callers',
    sql: 'SELECT u.ua, count(*) AS n FROM cdr c JOIN cdr_ua u ON u.id = c.a_ua_id GROUP BY u.ua',
    answer: [{ ua: 'phone/1', n: 3 }],
  },
  {
    question: 'reasons of Q.850',
    sql: 'SELECT r.reason, c.reason_q850_cause AS cause FROM cdr c JOIN cdr_reason r ON r.id = c.reason_q850_text_id AND r.type = 2',
    answer: [{ reason: 'User busy', cause: 17 }],
  },
  {
    question: 'SIP over UDP, by bit 32 of flags',
    sql: 'SELECT count(*) AS n FROM cdr WHERE flags & (1 << 32)',
    answer: [{ n: 7 }],
  },
  {
    question: 'when the BYE came',
    sql: `SELECT h.time, q.request FROM cdr_siphistory h JOIN cdr_sip_request q ON q.id = h.SIPrequest_id JOIN cdr_next n ON n.cdr_ID = h.cdr_ID WHERE n.fbasename = 'good'`,
    answer: [{ time: 6_000_000, request: 'BYE' }],
  },
  {
    question: 'digits',
    sql: 'SELECT dtmf, type, firsttime FROM cdr_dtmf',
    answer: [{ dtmf: '5', type: 0, firsttime: 1 }],
  },
  {
    question: 'responses of a call',
    sql: `SELECT r.SIPresponseNum AS num FROM cdr_sipresp r JOIN cdr_next n ON n.cdr_ID = r.cdr_ID WHERE n.fbasename = 'good' ORDER BY num`,
    answer: [{ num: 180 }, { num: 200 }],
  },
  {
    question: 'by sensor',
    sql: 'SELECT id_sensor, count(*) AS n FROM cdr GROUP BY id_sensor ORDER BY id_sensor',
    answer: [
      { id_sensor: null, n: 1 },
      { id_sensor: 42, n: 6 },
    ],
  },
]

/** `ask` answers from a store that holds the records of records.ts. */
export const dashboardQuestions = (ask: (sql: string) => Promise<Rows>): void =>
  test.each(questions)('a dashboard asks: $question', async ({ sql, answer }) => expect(await ask(sql)).toEqual(answer))
