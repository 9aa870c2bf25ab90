import { clock } from '../columns.js'
import { listRows } from '../list.js'
import type { Screen, SensorStats, SourceStatus } from '../model.js'
import type { Signs } from '../signs.js'
import type { Line, Role, Span } from '../style.js'
import { fitted, shown } from '../text.js'
import { count, mebibytes, scrolled, short } from './parts.js'

/** Each sensor: what comes in, what is lost and where, what waits. What is lost is bold vermilion. */
interface SensorColumn {
  readonly title: string
  readonly width: number
  readonly value: (s: SensorStats, screen: Screen) => string
  readonly role?: (s: SensorStats, screen: Screen) => Role
}

const lost = (n: number | undefined): Role => ((n ?? 0) > 0 ? 'bad' : 'text')
/** Behind the clock by more than this, it does not keep up. */
const LAG_BAD_SECONDS = 5
const lagSeconds = (s: SensorStats, screen: Screen): number | undefined =>
  s.captureTime === undefined || screen.nowMicros === 0 ? undefined : Math.max(0, (screen.nowMicros - s.captureTime) / 1e6)

const columns: readonly SensorColumn[] = [
  { title: 'pkt/s', width: 7, value: (s) => (s.packetsPerSecond === undefined ? '' : short(s.packetsPerSecond)) },
  { title: 'packets', width: 8, value: (s) => short(s.packets) },
  { title: 'calls', width: 6, value: (s) => short(s.open) },
  { title: 'dropped', width: 8, value: (s) => short(s.kernel?.dropped ?? 0), role: (s) => lost(s.kernel?.dropped) },
  {
    title: 'CPU%',
    width: 5,
    value: (s) => (s.cpuPercent === undefined ? '' : s.cpuPercent.toFixed(0)),
    role: (s) => ((s.cpuPercent ?? 0) > 90 ? 'fair' : 'text'),
  },
  { title: 'memory', width: 9, value: (s) => mebibytes(s.rssBytes) },
  {
    title: 'lag',
    width: 6,
    value: (s, screen) => {
      const lag = lagSeconds(s, screen)
      return lag === undefined ? '' : lag < 1 ? '<1 s' : `${short(lag)} s`
    },
    role: (s, screen) => ((lagSeconds(s, screen) ?? 0) > LAG_BAD_SECONDS ? 'bad' : 'text'),
  },
]
const NAME = 20

export const drawSensors = (screen: Screen, signs: Signs): Line[] =>
  scrolled(sensorLines(screen, signs), screen.scroll.sensors, listRows(screen.rows) + 1)

export function sensorLines(screen: Screen, signs: Signs): Line[] {
  const lines: Line[] = [
    { spans: [['dim', `  ${fitted('Sensor', NAME)} `], ...columns.map((c): Span => ['dim', `${fitted(c.title, c.width, true)} `])] },
  ]
  for (const source of screen.sources) lines.push(...drawSensor(source, screen, signs))
  if (screen.sources.length === 0) lines.push({ spans: [['dim', '  No sensor.']] })
  return lines
}

function drawSensor({ name, state, detail, services = [] }: SourceStatus, screen: Screen, signs: Signs): Line[] {
  const bad = state === 'lost'
  const sign = bad ? signs.broken : signs.live
  const words = bad ? (detail ?? 'connection lost') : state === 'live' ? '' : state
  const head: Line = {
    spans: [
      [bad ? 'bad' : state === 'live' ? 'good' : 'dim', `${sign} `],
      [bad ? 'bad' : 'title', `${shown(name)}  `],
      [bad ? 'bad' : 'dim', shown(words)],
    ],
  }
  return [head, ...services.flatMap((stats) => drawService(stats, screen, signs)), { spans: [] }]
}

function drawService(stats: SensorStats, screen: Screen, signs: Signs): Line[] {
  const values = columns.map((c): Span => [c.role?.(stats, screen) ?? 'text', `${fitted(c.value(stats, screen), c.width, true)} `])
  const lines: Line[] = [{ spans: [['text', `  ${fitted(shown(stats.service), NAME, false, signs.ellipsis)} `], ...values] }]
  const { records, spool, kernel } = stats
  const detailLine = (label: string, spans: Span[]): Line => ({ spans: [['dim', `    ${label.padEnd(NAME - 2)} `], ...spans] })
  lines.push(
    detailLine('seen', [
      ['text', `${count(stats.calls)} calls, ${count(stats.sip)} SIP, ${count(stats.rtp)} RTP`],
      ['dim', stats.captureTime === undefined ? '' : `  until ${clock(stats.captureTime)}`],
    ]),
  )
  if (kernel !== undefined)
    lines.push(
      detailLine('kernel', [
        ['text', `${count(kernel.received)} received, `],
        [lost(kernel.dropped), `${count(kernel.dropped)} dropped`],
      ]),
    )
  if (records !== undefined)
    lines.push(
      detailLine('records', [
        ['text', `${count(records.stored)} stored, ${count(records.waiting ?? 0)} waiting, `],
        [lost(records.dropped), `${count(records.dropped)} lost`],
      ]),
    )
  if (spool !== undefined)
    lines.push(
      detailLine('spool', [
        ['text', `${count(spool.files)} files, ${mebibytes(spool.bytes)}, `],
        [lost(spool.dropped), `${count(spool.dropped)} packets lost`],
      ]),
    )
  const odd = Object.entries(stats.odd).sort((a, b) => b[1] - a[1])
  for (const [reason, n] of odd.slice(0, 6)) lines.push(detailLine('odd', [['dim', `${count(n)} ${shown(reason)}`]]))
  return lines
}
