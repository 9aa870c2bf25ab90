import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { type Analysis, analyse } from '../support/analyse.js'

// The bundled capture against tshark, asked here and now.

const file = join(import.meta.dirname, '..', 'fixtures', 'pbx.pcap')
const tshark = (...args: string[]): string[] =>
  execFileSync('tshark', ['-r', file, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')

let ours: Analysis
beforeAll(async () => {
  ours = await analyse([file])
})

test('the calls are those of the INVITEs', () => {
  const ids = new Set(tshark('-Y', 'sip.Method == "INVITE"', '-T', 'fields', '-e', 'sip.Call-ID').filter(Boolean))
  expect(new Set(ours.calls.map((c) => c.call_id))).toEqual(ids)
  expect(ours.calls).toHaveLength(7)
})

test('each ends with the last final response tshark sees', () => {
  const lines = tshark(
    '-Y',
    'sip.Status-Code >= 200 && sip.CSeq.method == "INVITE"',
    '-T',
    'fields',
    '-e',
    'sip.Call-ID',
    '-e',
    'sip.Status-Code',
  ).filter(Boolean)
  const last = new Map(lines.map((line) => line.split('\t') as [string, string]))
  for (const call of ours.calls) expect([call.call_id, String(call.status)]).toEqual([call.call_id, last.get(call.call_id) ?? 'null'])
})

test('what happened to them', () => {
  expect(ours.calls.map((c) => [c.state, c.status, c.hung_up_by])).toEqual([
    ['answered', 200, 'caller'],
    ['answered', 200, 'caller'],
    ['answered', 200, 'caller'],
    ['failed', 486, null],
    ['cancelled', 487, null],
    ['answered', 200, 'callee'],
    ['no_final_response', null, null],
  ])
  // The exchange echoes what the phone sends, digits too.
  const pressed = ours.records[2]?.dtmf.filter((d) => d.src === '192.0.2.10')
  expect(pressed?.map((d) => d.digit).join('')).toBe('1234#')
  expect(ours.records[3]?.reasons).toEqual([{ protocol: 'Q.850', cause: 17, text: 'User busy' }])
  expect(ours.calls[5]?.caller_name).toBe('Dave Démo')
})

test('packets and losses of every stream', () => {
  const rows = tshark('-q', '-z', 'rtp,streams').flatMap((line) => {
    const m = /^\s*[\d.]+\s+[\d.]+\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+0x([0-9A-F]+)\s+.*?\s+(\d+)\s+(-?\d+) \(/.exec(line)
    return m
      ? [{ src: `${m[1]}:${m[2]}`, dst: `${m[3]}:${m[4]}`, ssrc: m[5]?.toLowerCase(), packets: Number(m[6]), lost: Number(m[7]) }]
      : []
  })
  // tshark joins streams of one address pair and SSRC over all calls: compare the sums.
  const sum = (list: readonly { src: string; packets: number }[]): Record<string, number> => {
    const by: Record<string, number> = {}
    for (const s of list) by[s.src] = (by[s.src] ?? 0) + s.packets
    return by
  }
  expect(rows.length).toBeGreaterThan(0)
  expect(sum(ours.calls.flatMap((c) => c.streams))).toEqual(sum(rows))
})

test('the bad line is heard as such, the good ones as good', () => {
  const [good, bad] = ours.calls
  expect(good?.mos).toBeGreaterThan(4.3)
  expect(bad?.mos).toBeLessThan(4)
  expect(bad?.loss_pct).toBeGreaterThan(3)
  expect(bad?.jitter_ms).toBeGreaterThan(5)
})
