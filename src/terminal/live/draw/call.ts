import { hostText } from '../../../lib/call/json.js'
import type { LadderStep } from '../../../lib/call/ladder.js'
import type { StreamTrail } from '../../../lib/live/index.js'
import { clock, lossRole, mosRole } from '../columns.js'
import { hostOf, inMessage, previewShown, shownSteps } from '../flow.js'
import { listRows } from '../list.js'
import { namesShown, type Screen } from '../model.js'
import type { Signs } from '../signs.js'
import { hues, type Line, type Role, type Span } from '../style.js'
import { cellsOf, clip, shown } from '../text.js'
import { clipSpans, padLines, padSpans } from './parts.js'
import { messageLines } from './raw.js'

/**
 * The ladder of a call: a column an address, an arrow a message, RTP streams as arrows under them, and the message under
 * the cursor beside it.
 *
 *   time      10.0.0.1:5060          10.0.0.2:5060     │ INVITE sip:bob@…
 *    0.000          │──────── INVITE (SDP) ───▶│       │ Via: …
 *    0.102          │◀─────── 180 Ringing ─────│       │ …
 *                   │╌╌╌╌╌ PCMA  MOS 4.2 ╌╌╌╌▷│
 */
const LADDER_MIN = 40
/** A column narrower than this shows no label. */
const COLUMN_MIN = 16

interface Lane {
  /** `10.0.0.1:5060`, or the address alone. */
  readonly name: string
  readonly ip: string
}

interface Layout {
  readonly lanes: readonly Lane[]
  /** How many more there are than have room. */
  readonly hidden: number
  readonly laneOf: (endpoint: string) => number
  readonly timeWidth: number
  readonly laneWidth: number
}

export function drawCall(screen: Screen, signs: Signs): Line[] {
  const { flow } = screen
  const height = listRows(screen.rows) + 1
  const steps = shownSteps(flow)
  if (steps.length === 0) return emptyCall(screen, height)
  const preview = previewShown(screen)
  const previewWidth = preview ? widthOfPreview(screen) : 0
  const width = ladderWidth(screen)
  const layout = laneLayout(screen, steps, width)
  const first = (steps[0] as LadderStep).time
  const seen = new Set<string>()
  const arrows = steps.map((step, i): Line => {
    const again = repeats(step, seen)
    const current = i === flow.cursor
    const time = timeText(screen, step, i === 0 ? undefined : steps[i - 1], first)
    const marked = flow.selected.includes(i) ? signs.marked : current ? signs.cursor : ' '
    const label = `${shown(shortLabel(step))}${step.hasSdp ? ` (${flow.sdpInfo ? shown(sdpInfo(step)) : 'SDP'})` : ''}${again ? ' again' : ''}`
    const lane = arrow(
      layout,
      layout.laneOf(step.source),
      layout.laneOf(step.destination),
      [label],
      stepRole(screen, step, again),
      signs,
      step,
    )
    return {
      spans: padSpans(
        [[flow.selected.includes(i) ? 'mark' : 'key', marked], ['dim', `${time.padStart(layout.timeWidth - 2)} `], ...lane],
        width,
        signs.ellipsis,
      ),
      on: current && !preview ? 'cursor' : undefined,
    }
  })
  const media = flow.media ? mediaLines(screen, layout, width, first, signs) : []
  const all = media.length === 0 ? arrows : [...arrows, { spans: lanesOnly(layout, signs) }, ...media]
  const top = Math.max(0, Math.min(flow.cursor - Math.floor((height - 1) / 2), all.length - (height - 1)))
  const ladder = [lanesHeader(screen, layout, width, signs), ...padLines(all.slice(top, top + height - 1), height - 1)]
  if (!preview) return ladder
  const text = previewLines(screen).slice(screen.scroll.message)
  const within = inMessage(screen)
  return ladder.map((line, i) => {
    const here = i > 0 && top + i - 1 === flow.cursor
    const left = padSpans(line.spans, width, signs.ellipsis)
    const spans: Span[] = here ? left.map(([role, content]): Span => [role === 'dim' || role === 'text' ? 'key' : role, content]) : left
    const edge: Span = within ? ['key', ` ${signs.thick} `] : ['dim', ` ${signs.upright} `]
    return { spans: [...spans, edge, ...clipSpans(text[i]?.spans ?? [], previewWidth, signs.ellipsis)] }
  })
}

const widthOfPreview = ({ flow, columns }: Screen): number =>
  Math.max(24, Math.min(columns - LADDER_MIN, Math.floor(columns * 0.4) + flow.previewMore))

const ladderWidth = (screen: Screen): number => (previewShown(screen) ? screen.columns - widthOfPreview(screen) - 3 : screen.columns)

/** The message beside the ladder. */
export function previewLines(screen: Screen): Line[] {
  const current = shownSteps(screen.flow)[screen.flow.cursor]
  return current === undefined ? [] : messageLines(current, widthOfPreview(screen), screen.side)
}

/** Addresses of the ladder that have no room. */
export function lanesHidden(screen: Screen): number {
  const steps = shownSteps(screen.flow)
  return steps.length === 0 ? 0 : laneLayout(screen, steps, ladderWidth(screen)).hidden
}

function emptyCall({ flow }: Screen, height: number): Line[] {
  const text = flow.state === 'loading' ? 'Reading its messages …' : (flow.note ?? 'No SIP messages of this call are kept.')
  return padLines([{ spans: [] }, { spans: [['dim', `  ${text}`]] }], height)
}

function laneLayout({ flow, settings }: Screen, steps: readonly LadderStep[], width: number): Layout {
  const timeWidth = settings.time === 'clock' ? 16 : 11
  const room = Math.max(COLUMN_MIN, width - timeWidth)
  const endpoints = [...new Set(steps.flatMap((s) => [s.source, s.destination]))]
  const hosts = [...new Set(endpoints.map(hostOf))]
  const media = flow.media ? [...new Set(streamsOf(flow.calls).flatMap(({ view }) => [view.src.ip, view.dst.ip]))] : []
  const compressed = flow.compressed || endpoints.length * COLUMN_MIN > room
  const lanes: Lane[] = compressed ? hosts.map((ip) => ({ name: ip, ip })) : endpoints.map((name) => ({ name, ip: hostOf(name) }))
  for (const ip of media) if (!hosts.includes(ip)) lanes.push({ name: ip, ip })
  const fit = Math.max(2, Math.floor(room / COLUMN_MIN))
  const hidden = Math.max(0, lanes.length - fit)
  const from = Math.min(flow.laneFrom, hidden)
  const kept = lanes.slice(from, from + fit)
  const byName = new Map(kept.map((lane, i) => [lane.name, i]))
  const byIp = new Map([...kept].reverse().map((lane) => [lane.ip, kept.indexOf(lane)]))
  return {
    lanes: kept,
    hidden,
    laneOf: (endpoint) =>
      byName.get(endpoint) ??
      byIp.get(endpoint.includes(':') && endpoint.lastIndexOf(':') > 0 ? hostOf(endpoint) : endpoint) ??
      byIp.get(endpoint) ??
      -1,
    timeWidth,
    laneWidth: Math.floor(room / Math.max(1, kept.length)),
  }
}

const middle = ({ laneWidth }: Layout, lane: number): number => lane * laneWidth + Math.floor(laneWidth / 2)

function lanesHeader({ settings }: Screen, layout: Layout, width: number, signs: Signs): Line {
  const spans: Span[] = [
    [
      'dim',
      (settings.time === 'start' ? 's' : settings.time === 'delta' ? '+s' : 'UTC').padStart(layout.timeWidth - 1).padEnd(layout.timeWidth),
    ],
  ]
  for (const { name, ip } of layout.lanes) {
    const alias = namesShown(settings).get(ip)
    const port = name === ip ? '' : name.slice(name.lastIndexOf(':'))
    const text = clip(alias === undefined ? name : `${shown(alias)}${port}`, layout.laneWidth - 1, signs.ellipsis)
    const before = Math.floor((layout.laneWidth - cellsOf(text)) / 2)
    spans.push(['title', ' '.repeat(before) + text + ' '.repeat(Math.max(0, layout.laneWidth - before - cellsOf(text)))])
  }
  return { spans: padSpans(spans, width, signs.ellipsis) }
}

/** One row of lanes with an arrow between two of them; where a lane has no room, as words. */
function arrow(
  layout: Layout,
  from: number,
  to: number,
  labels: readonly string[],
  role: Role,
  signs: Signs,
  step: { readonly source: string; readonly destination: string },
  media = false,
): Span[] {
  const [label = ''] = labels
  if (from < 0 || to < 0) return [[role, `${step.source} ${signs.right} ${step.destination}  ${label}`]]
  const grid = new Grid(layout.laneWidth * layout.lanes.length)
  for (let lane = 0; lane < layout.lanes.length; lane++) grid.put(middle(layout, lane), signs.upright, 'dim')
  if (from === to) {
    grid.put(
      middle(layout, from) + 1,
      clip(` ${signs.self} ${label}`, layout.laneWidth * layout.lanes.length - middle(layout, from) - 1, signs.ellipsis),
      role,
    )
    return grid.spans()
  }
  const left = middle(layout, Math.min(from, to)) + 1
  const right = middle(layout, Math.max(from, to)) - 1
  const length = right - left + 1
  grid.put(left, (media ? signs.mediaLine : signs.line).repeat(length), role)
  if (to > from) grid.put(right, media ? signs.mediaRight : signs.right, role)
  else grid.put(left, media ? signs.mediaLeft : signs.left, role)
  const text = ` ${clip(labels.find((l) => cellsOf(l) <= length - 6) ?? (labels.at(-1) as string), length - 6, signs.ellipsis)} `
  if (length >= 9) grid.put(left + Math.floor((length - cellsOf(text)) / 2), text, role)
  return grid.spans()
}

function lanesOnly(layout: Layout, signs: Signs): Span[] {
  const grid = new Grid(layout.laneWidth * layout.lanes.length)
  for (let lane = 0; lane < layout.lanes.length; lane++) grid.put(middle(layout, lane), signs.upright, 'dim')
  return [['text', ' '.repeat(layout.timeWidth)], ...grid.spans()]
}

/** Cells that can be written anywhere. */
class Grid {
  readonly #signs: string[]
  readonly #roles: Role[]

  constructor(width: number) {
    this.#signs = Array<string>(width).fill(' ')
    this.#roles = Array<Role>(width).fill('text')
  }

  put(at: number, text: string, role: Role): void {
    let i = at
    for (const sign of text) {
      const cells = cellsOf(sign)
      if (cells === 0) {
        if (i > at) this.#signs[i - 1] += sign
        continue
      }
      if (i + cells > this.#signs.length) return
      this.#signs[i] = sign
      this.#roles[i] = role
      for (let k = 1; k < cells; k++) this.#signs[i + k] = ''
      i += cells
    }
  }

  spans(): Span[] {
    const spans: [Role, string][] = []
    this.#signs.forEach((sign, i) => {
      const role = this.#roles[i] as Role
      const last = spans.at(-1)
      if (last !== undefined && last[0] === role) last[1] += sign
      else spans.push([role, sign])
    })
    return spans
  }
}

function timeText({ settings: { time } }: Screen, step: LadderStep, before: LadderStep | undefined, first: number): string {
  if (time === 'clock') return `${clock(step.time)}.${String(Math.floor(step.time / 1000) % 1000).padStart(3, '0')}`
  const since = time === 'start' ? first : (before?.time ?? step.time)
  return ((step.time - since) / 1e6).toFixed(3)
}

/** `200 OK`, and of what where it is not plain. */
function shortLabel({ label, status, method }: LadderStep): string {
  return status !== undefined && (method === 'INVITE' || status === 100) ? label.replace(/ \([A-Z]+\)$/, '') : label
}

/** A message that was sent before, from the same to the same: its words and its place in the dialog are the same. */
function repeats(step: LadderStep, seen: Set<string>): boolean {
  const cseq = /^cseq\s*:\s*(.*)$/im.exec(step.text)?.[1]?.trim()
  const branch = /^(?:via|v)\s*:.*branch=([^;,\s]*)/im.exec(step.text)?.[1]
  const key = `${step.callId} ${step.source} ${step.destination} ${step.label} ${cseq} ${branch}`
  if (seen.has(key)) return true
  seen.add(key)
  return false
}

function stepRole({ settings, flow }: Screen, step: LadderStep, again: boolean): Role {
  if (settings.colours === 'call') return hues[flow.calls.findIndex((c) => c.view.callId === step.callId) % hues.length] ?? 'text'
  if (settings.colours === 'transaction') {
    const cseq = Number(/^cseq\s*:\s*(\d+)/im.exec(step.text)?.[1] ?? 0)
    return hues[cseq % hues.length] ?? 'text'
  }
  if (again) return 'fair'
  const { status } = step
  if (status === undefined) return 'accent'
  return status < 200 ? 'text' : status < 300 ? 'good' : status < 400 ? 'fair' : status === 401 || status === 407 ? 'fair' : 'bad'
}

/** `PCMA 192.0.2.1:4000` of the first medium. */
function sdpInfo({ text }: LadderStep): string {
  const host = /^c=IN IP[46] (\S+)/m.exec(text)?.[1]
  const media = /^m=(\w+) (\d+) \S+ (\d+)/m.exec(text)
  if (media === null) return 'SDP'
  const codec = new RegExp(`^a=rtpmap:${media[3]} ([^/\\r\\n]+)`, 'm').exec(text)?.[1] ?? usualPayloads[media[3] as string] ?? media[3]
  return `${media[1]} ${codec} ${host ?? '?'}:${media[2]}`
}

const usualPayloads: Readonly<Record<string, string>> = { '0': 'PCMU', '3': 'GSM', '8': 'PCMA', '9': 'G722', '18': 'G729' }

export function streamsOf(calls: Screen['flow']['calls']): StreamTrail[] {
  return calls.flatMap((call) => [...call.streams.values()]).sort((x, y) => x.view.first - y.view.first)
}

function mediaLines(screen: Screen, layout: Layout, width: number, first: number, signs: Signs): Line[] {
  return streamsOf(screen.flow.calls).map(({ view }) => {
    const loss = view.expected > 0 ? (100 * view.lost) / view.expected : undefined
    const mos = view.mosMean ?? view.mos
    const codec = shown(view.codec ?? `PT ${view.payloadType}`)
    const lost = loss === undefined ? [] : [`${loss.toFixed(1)}%`]
    const quality = mos === undefined ? [] : [`MOS ${mos.toFixed(1)}`]
    // The first that has room: what tells most stays longest.
    const labels = [
      [codec, `${view.packets} packets`, ...lost.map((l) => `${l} lost`), ...quality].join('  '),
      [codec, ...lost.map((l) => `${l} lost`), ...quality].join('  '),
      [codec, ...lost, ...quality.map((q) => q.slice(4))].join(' '),
      codec,
    ]
    const worst = [lossRole(loss), mosRole(mos)]
    const role: Role = worst.includes('bad') ? 'bad' : worst.includes('fair') ? 'fair' : view.direction === 'a' ? 'caller' : 'callee'
    const names = { source: hostText(view.src), destination: hostText(view.dst) }
    const lane = arrow(layout, layout.laneOf(view.src.ip), layout.laneOf(view.dst.ip), labels, role, signs, names, true)
    const at = screen.settings.time === 'clock' ? clock(view.first) : ((view.first - first) / 1e6).toFixed(3)
    return { spans: padSpans([['dim', ` ${at.padStart(layout.timeWidth - 2)} `], ...lane], width, signs.ellipsis) }
  })
}
