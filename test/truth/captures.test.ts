import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { CallJson, StreamJson } from '../../src/lib/call/json.js'
import { analyse } from '../support/analyse.js'
import {
  capturesDir,
  type ExpectedCall,
  type ExpectedCapture,
  type ExpectedStream,
  expectedCaptures,
  haveCaptures,
} from '../support/shared.js'
import { differences, laterFiles, laterKinds } from './differences.js'

// Every shared capture against what tshark says of it (index.json): calls, states, times, and streams counted to the packet.

const captures = expectedCaptures().filter(
  ({ file, categories }) => !categories.some((c) => (laterKinds as readonly string[]).includes(c)) && !laterFiles.includes(file),
)

describe.skipIf(!haveCaptures)('shared captures [needs ../shared/captures]', () => {
  test('there are captures to compare', () => expect(captures.length).toBeGreaterThan(40))

  test.each(captures.map((capture) => ({ file: capture.file, capture })))('$file', async ({ capture }) => {
    const { calls } = await analyse([join(capturesDir, capture.file)])
    const found = compare(calls, capture)
    const known = differences.filter((d) => d.file === capture.file)
    const unexplained = found.filter((f) => !known.some((k) => k.callId === f.callId && k.field === f.field))
    const stale = known.filter((k) => !found.some((f) => k.callId === f.callId && k.field === f.field))
    expect({ unexplained, stale }).toEqual({ unexplained: [], stale: [] })
  })
})

interface Found {
  callId: string
  field: string
  ours: unknown
  theirs: unknown
}

function compare(calls: readonly CallJson[], { sip, rtp_own: streams }: ExpectedCapture): Found[] {
  const found: Found[] = []
  const ids = (list: readonly { call_id: string }[]): string[] => list.map((c) => c.call_id).sort()
  if (JSON.stringify(ids(calls)) !== JSON.stringify(ids(sip.calls)))
    found.push({ callId: '*', field: 'Call-IDs', ours: ids(calls), theirs: ids(sip.calls) })
  for (const theirs of sip.calls) {
    const ours = calls.find((c) => c.call_id === theirs.call_id)
    if (ours === undefined) continue
    const differ = (field: string, a: unknown, b: unknown): unknown => found.push({ callId: theirs.call_id, field, ours: a, theirs: b })
    if (ours.status !== theirs.final_status) differ('status', ours.status, theirs.final_status)
    if (ours.state !== theirs.state) differ('state', ours.state, theirs.state)
    compareTimes(ours, theirs, differ)
    compareStreams(ours, theirs, streams, differ)
  }
  return found
}

type Differ = (field: string, ours: unknown, theirs: unknown) => unknown

function compareTimes(ours: CallJson, theirs: ExpectedCall, differ: Differ): void {
  const pairs: [string, string | null, number | null][] = [
    ['start', ours.started, theirs.start],
    ['ringing', ours.ringing, theirs.ringing],
    ['connect', ours.answered, theirs.connect],
    ['end', ours.ended, theirs.end],
  ]
  for (const [field, a, b] of pairs) {
    const seconds = a === null ? null : Date.parse(a) / 1000
    // Date.parse keeps milliseconds, so a difference of 1 ms shows as up to 2.
    if ((seconds === null) !== (b === null) || (seconds !== null && b !== null && Math.abs(seconds - b) > 0.001_5)) differ(field, a, b)
  }
}

function compareStreams(ours: CallJson, theirs: ExpectedCall, streams: readonly ExpectedStream[], differ: Differ): void {
  const name = (s: StreamJson): string => `${s.src}>${s.dst} ${s.ssrc}`
  const wanted = theirs.rtp.map((r) => `${r.stream} ${r.ssrc}`).sort()
  const have = ours.streams.map(name).sort()
  if (JSON.stringify(have) !== JSON.stringify(wanted)) differ('streams', have, wanted)
  for (const s of ours.streams) {
    const own = streams.find((o) => `${o.src}:${o.sport}>${o.dst}:${o.dport} ${o.ssrc}` === name(s))
    if (own === undefined) continue
    const counted = [s.packets, s.lost, s.duplicates, s.reordered]
    const expected = [own.pkts, own.lost, own.duplicates, own.reordered]
    if (String(counted) !== String(expected)) differ(`counts ${name(s)}`, counted, expected)
    const [a, b] = [s.jitter_mean_ms, own.rfc3550_jitter_mean_ms]
    const off = a === null || b === null ? a !== b : Math.abs(a - b) > Math.max(0.2, 0.05 * b)
    if (off) differ(`jitter ${name(s)}`, a, b)
  }
}
