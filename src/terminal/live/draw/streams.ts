import { hostText } from '../../../lib/call/json.js'
import { type StreamTrail, streamTrail } from '../../../lib/live/index.js'
import { jitterRole, lossRole, mosRole } from '../columns.js'
import { listRows } from '../list.js'
import type { Screen } from '../model.js'
import type { Signs } from '../signs.js'
import type { Line, Role, Span } from '../style.js'
import { fitEnds, fitted, shown } from '../text.js'
import { streamsOf } from './call.js'
import { count, padLines } from './parts.js'
import { plot } from './plot.js'

/** The RTP streams of a call: one line each, and MOS, jitter and loss over time of the one under the cursor. */
export function drawStreams(screen: Screen, signs: Signs): Line[] {
  const { columns, flow } = screen
  const height = listRows(screen.rows) + 1
  const streams = streamsOf(flow.calls)
  if (streams.length === 0) return padLines([{ spans: [] }, { spans: [['dim', '  No RTP of this call was seen.']] }], height)
  const cursor = Math.min(screen.scroll.streams, streams.length - 1)
  const current = streams[cursor] as StreamTrail
  // Three plots need their lines; the list has the rest.
  const plotHeight = height >= 26 ? 5 : height >= 20 ? 4 : 3
  const room = Math.max(2, height - 3 * (plotHeight + 1) - 4)
  const top = Math.max(0, Math.min(cursor - room + 1, streams.length - room))
  const list = streams.slice(top, top + room).map((stream, i) => row(stream, top + i === cursor, columns, signs))
  return padLines([header(columns), ...list, { spans: [] }, runs(current, columns), ...plots(current, columns, plotHeight, signs)], height)
}

const ADDRESSES_MIN = 24
/** Columns from which on the SSRC has room, and the word SRTP. */
const SSRC_FROM = 112
/** Narrower, the addresses get the room of what the line below tells as well. */
const ALL_FROM = 92

function addressesWidth(columns: number): number {
  return Math.max(ADDRESSES_MIN, Math.min(60, columns - (columns >= SSRC_FROM ? 73 : columns >= ALL_FROM ? 54 : 41)))
}

function header(columns: number): Line {
  const all = columns >= ALL_FROM
  const titles = `${'packets'.padStart(9)}${all ? 'lost'.padStart(7) : ''}${'%'.padStart(6)}${'jitter'.padStart(8)}${'MOS'.padStart(6)}${all ? 'min'.padStart(6) : ''}`
  return {
    spans: [['dim', `  ${'Stream'.padEnd(addressesWidth(columns))} ${'codec'.padEnd(8)}${titles}${columns >= SSRC_FROM ? '   SSRC' : ''}`]],
  }
}

function row({ view }: StreamTrail, current: boolean, columns: number, signs: Signs): Line {
  const loss = view.expected > 0 ? (100 * view.lost) / view.expected : undefined
  const number = (value: number | undefined, digits: number, width: number): string =>
    (value === undefined ? '' : value.toFixed(digits)).padStart(width)
  const mos = view.mosMean ?? view.mos
  const addresses = `${hostText(view.src)} ${signs.right} ${hostText(view.dst)}`
  return {
    on: current ? 'cursor' : undefined,
    spans: [
      ['key', current ? `${signs.cursor} ` : '  '],
      [view.direction === 'a' ? 'caller' : 'callee', `${fitAddresses(addresses, addressesWidth(columns), signs)} `],
      ['text', fitted(shown(view.codec ?? `PT ${view.payloadType}`), 8)],
      ['dim', count(view.packets).padStart(9)],
      [view.lost > 0 ? 'fair' : 'dim', columns >= ALL_FROM ? count(view.lost).padStart(7) : ''],
      [lossRole(loss), number(loss, 1, 6)],
      [jitterRole(view.jitterMeanMs), number(view.jitterMeanMs, 1, 8)],
      [mosRole(mos), number(mos, 2, 6)],
      [mosRole(view.mosMin), columns >= ALL_FROM ? number(view.mosMin, 2, 6) : ''],
      ...(columns >= SSRC_FROM ? ([['dim', `   0x${view.ssrc.toString(16).padStart(8, '0')}`]] as Span[]) : []),
      ...(view.srtp && columns >= SSRC_FROM ? ([['dim', ' SRTP']] as Span[]) : []),
    ],
  }
}

const fitAddresses = (text: string, width: number, signs: Signs): string =>
  text.length <= width ? fitted(text, width) : fitEnds(text.replaceAll(signs.right, '>'), width)

/** How often how many packets in a row were missing, and when. */
function runs({ view, trail }: StreamTrail, columns: number): Line {
  const words: Span[] = []
  const many = view.lossRuns ?? []
  many.forEach((times, i) => {
    if (times > 0) words.push([i >= 2 ? 'bad' : 'fair', `  ${i + 1}${i === 9 ? '+' : ''}×${times}`])
  })
  let seconds = 0
  for (let back = 0; back < trail.length; back++) if ((trail.at(back, streamTrail.lost) ?? 0) > 0) seconds++
  if (view.lost === 0) return { spans: [['dim', '  No packet lost.']] }
  const when = columns >= 60 && trail.length > 0 ? `   in ${seconds} of the last ${trail.length} s` : ''
  return {
    spans: [
      ['text', `  ${count(view.lost)} lost`],
      ['dim', words.length === 0 ? '' : '   missing at arrival, in a row:'],
      ...words,
      ['dim', when],
    ],
  }
}

/** Many blocks of plain text would shout. */
const calm = (role: Role): Role => (role === 'text' ? 'accent' : role)

function plots({ trail }: StreamTrail, width: number, height: number, signs: Signs): Line[] {
  const values = (value: number): (number | undefined)[] => trail.last(trail.length, value)
  const highest = (list: readonly (number | undefined)[], least: number): number => Math.max(least, ...list.map((v) => v ?? 0))
  const jitter = values(streamTrail.jitterMs)
  const lost = values(streamTrail.lost)
  const titled = (
    text: string,
    list: readonly (number | undefined)[],
    low: number,
    high: number,
    digits: number,
    role: (v: number) => Role,
  ): Line[] => [
    { spans: [['dim', `  ${text}`]] },
    ...plot({ values: list, width: width - 1, height, low, high, label: (v) => v.toFixed(digits), role, signs }),
  ]
  return [
    ...titled('MOS, a column a second', values(streamTrail.mos), 1, 4.5, 1, (v) => calm(mosRole(v))),
    ...titled('jitter, ms', jitter, 0, Math.ceil(highest(jitter, 10)), 0, (v) => calm(jitterRole(v))),
    ...titled('packets lost a second', lost, 0, Math.ceil(highest(lost, 5)), 0, (v) => (v > 0 ? (v >= 3 ? 'bad' : 'fair') : 'dim')),
  ]
}
