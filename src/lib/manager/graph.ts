import { fontHeight, fontWidth, glyph } from './font.js'
import type { Sample } from './history.js'
import { Picture } from './png.js'

/** `creategraph`: a chart of one number over time, as VoIPmonitor's are named. Values that a service does not have are drawn as nothing. */
export interface GraphKind {
  readonly title: string
  readonly unit: string
  /** A sum since the start is drawn as its rate. */
  readonly rate: boolean
  readonly value: (sample: Sample) => number
}

export const graphKinds: Readonly<Record<string, GraphKind>> = {
  PS: { title: 'packets', unit: '/s', rate: true, value: (s) => s.packets },
  PSC: { title: 'calls', unit: '/s', rate: true, value: (s) => s.calls },
  PSS: { title: 'SIP packets', unit: '/s', rate: true, value: (s) => s.sip },
  PSR: { title: 'RTP packets', unit: '/s', rate: true, value: (s) => s.rtp },
  PSA: { title: 'all packets', unit: '/s', rate: true, value: (s) => s.packets },
  SQLq: { title: 'records waiting', unit: '', rate: false, value: (s) => s.waiting },
  tCPU: { title: 'CPU', unit: '%', rate: true, value: (s) => 100 * s.cpuSeconds },
  drop: { title: 'packets dropped', unit: '/s', rate: true, value: (s) => s.dropped },
  speed: { title: 'traffic', unit: ' Mbit/s', rate: true, value: (s) => (8 * s.bytes) / 1e6 },
  heap: { title: 'heap', unit: ' MB', rate: false, value: (s) => s.heapBytes / 1e6 },
  calls: { title: 'calls', unit: '', rate: false, value: (s) => s.open },
  memusage: { title: 'memory', unit: ' MB', rate: false, value: (s) => s.rssBytes / 1e6 },
  loadavg: { title: 'load average', unit: '', rate: false, value: (s) => s.load },
}

const SIDE_MAX = 4096
const colours = { background: 0, grid: 1, text: 2, area: 3, line: 4 }
const PALETTE = [0xffffff, 0xdddddd, 0x333333, 0x9fc5e8, 0x1f5f99]

export async function drawGraph(
  kind: GraphKind,
  samples: readonly Sample[],
  from: number,
  to: number,
  width: number,
  height: number,
  icon: boolean,
): Promise<Uint8Array> {
  const picture = new Picture(clamp(width, 16, SIDE_MAX), clamp(height, 16, SIDE_MAX), PALETTE)
  const margin = icon ? { left: 0, right: 0, top: 0, bottom: 0 } : { left: 60, right: 8, top: 16, bottom: 16 }
  const plot = {
    x: margin.left,
    y: margin.top,
    width: Math.max(1, picture.width - margin.left - margin.right),
    height: Math.max(1, picture.height - margin.top - margin.bottom),
  }
  const points = seriesOf(kind, samples)
  const top = niceTop(Math.max(0, ...points.map((p) => p.value)))
  const columnOf = (time: number): number => Math.floor(((time - from) / Math.max(1, to - from)) * plot.width)
  const levelOf = (value: number): number => Math.round((value / top) * (plot.height - 1))
  const heights = new Float64Array(plot.width).fill(-1)
  // Several samples in one column: the highest is what an operator looks for. A sample stands until the next one, gaps stay gaps.
  for (const { time, until, value } of points) {
    for (let x = Math.max(0, columnOf(time)); x <= Math.min(plot.width - 1, columnOf(until)); x++)
      if (value > (heights[x] as number)) heights[x] = value
  }
  if (!icon) {
    for (let i = 0; i <= 4; i++) {
      const y = plot.y + plot.height - 1 - Math.round((i / 4) * (plot.height - 1))
      picture.fill(plot.x, y, plot.width, 1, colours.grid)
      write(picture, 2, y - fontHeight / 2, short((top * i) / 4))
    }
    write(picture, plot.x, 4, `${kind.title}${kind.unit}`)
    write(picture, plot.x, picture.height - fontHeight - 4, clock(from))
    const end = clock(to)
    write(picture, picture.width - margin.right - end.length * fontWidth, picture.height - fontHeight - 4, end)
  }
  for (let x = 0; x < plot.width; x++) {
    if ((heights[x] as number) < 0) continue
    const level = levelOf(heights[x] as number)
    const y = plot.y + plot.height - 1 - level
    picture.fill(plot.x + x, y, 1, level + 1, colours.area)
    picture.fill(plot.x + x, y, 1, 2, colours.line)
  }
  return picture.png()
}

/** Points in time with how long they stand for. */
export function seriesOf(kind: GraphKind, samples: readonly Sample[]): { time: number; until: number; value: number }[] {
  const points: { time: number; until: number; value: number }[] = []
  for (let i = 1; i < samples.length; i++) {
    const [before, now] = [samples[i - 1] as Sample, samples[i] as Sample]
    const seconds = now.time - before.time
    const change = kind.value(now) - kind.value(before)
    // A sum that went down: a service was started anew.
    const value = kind.rate ? Math.max(0, change) / Math.max(1, seconds) : kind.value(now)
    points.push({ time: before.time, until: Math.min(now.time, before.time + 60), value })
  }
  return points
}

function niceTop(highest: number): number {
  if (highest <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(highest))
  return ([1, 2, 2.5, 5, 10].find((step) => step * power >= highest) ?? 10) * power
}

function short(value: number): string {
  const [divisor, unit] = value >= 1e9 ? [1e9, 'G'] : value >= 1e6 ? [1e6, 'M'] : value >= 1e3 ? [1e3, 'k'] : [1, '']
  return `${Math.round((value / divisor) * 100) / 100}${unit}`
}

const clock = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(5, 16).replace('T', ' ')
const clamp = (n: number, low: number, high: number): number => Math.min(high, Math.max(low, Number.isFinite(n) ? Math.floor(n) : low))

function write(picture: Picture, x: number, y: number, text: string): void {
  for (let i = 0; i < text.length; i++) {
    const rows = glyph(text[i] as string)
    for (let row = 0; row < rows.length; row++)
      for (let bit = 0; bit < 5; bit++)
        if ((rows[row] as number) & (16 >> bit)) picture.fill(x + i * fontWidth + bit, Math.floor(y) + row, 1, 1, colours.text)
  }
}
