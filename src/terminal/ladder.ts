import { printable } from '../lib/base/text-safe.js'
import { isoTime } from '../lib/call/json.js'
import type { LadderStep } from '../lib/call/ladder.js'

/** The SIP ladder of a call: a column an address, an arrow a message. */
const COLUMN_WIDTH = 34
/** More addresses than this would not fit a screen: the rest is written as text. */
const COLUMNS_MAX = 6

export function drawLadder(steps: readonly LadderStep[]): string[] {
  if (steps.length === 0) return ['(no SIP of this call in its pcap)']
  const hosts = [...new Set(steps.flatMap((step) => [step.source, step.destination]))].slice(0, COLUMNS_MAX)
  const column = (host: string): number => hosts.indexOf(host)
  const first = steps[0] as LadderStep
  const indent = ' '.repeat(11)
  const lines = [indent + hosts.map((host) => center(host, COLUMN_WIDTH)).join('')]
  for (const step of steps) {
    const label = printable(step.label) + (step.hasSdp ? ' [SDP]' : '')
    const at = ((step.time - first.time) / 1e6).toFixed(3).padStart(9)
    const from = column(step.source)
    const to = column(step.destination)
    if (from < 0 || to < 0) lines.push(`${at}  ${step.source} → ${step.destination}: ${label}`)
    else if (from === to) lines.push(`${at}  ${cells(hosts.length, from, from, `⟲ ${label}`)}`)
    else lines.push(`${at}  ${cells(hosts.length, from, to, label)}`)
  }
  return [`${isoTime(first.time)}`, ...lines]
}

/** One row: bars at every address, an arrow with its label between two of them. */
function cells(count: number, from: number, to: number, label: string): string {
  const width = count * COLUMN_WIDTH
  const row = Array<string>(width).fill(' ')
  const bar = (i: number): number => i * COLUMN_WIDTH + COLUMN_WIDTH / 2
  for (let i = 0; i < count; i++) row[bar(i)] = '│'
  const left = bar(Math.min(from, to))
  const right = from === to ? Math.min(width, left + COLUMN_WIDTH) : bar(Math.max(from, to))
  if (from !== to) for (let i = left + 1; i < right; i++) row[i] = '─'
  if (to > from) row[right - 1] = '▶'
  else if (to < from) row[left + 1] = '◀'
  const room = right - left - 7
  const text = [...label].length > room ? `${[...label].slice(0, room - 1).join('')}…` : label
  const start = left + Math.floor((right - left - [...text].length) / 2)
  const shown = [...` ${text} `]
  shown.forEach((character, i) => {
    row[start - 1 + i] = character
  })
  return row.join('').trimEnd()
}

function center(text: string, width: number): string {
  const free = Math.max(0, width - text.length)
  const left = Math.floor(free / 2) + 1
  return (' '.repeat(left) + text).padEnd(width).slice(0, Math.max(width, text.length))
}
