import { printable } from '../lib/base/text-safe.js'
import type { QualityStep, StreamSeries } from '../lib/call/quality-series.js'

/** Quality over time as a few lines of text: a column a step, a gap where nothing came. */
const LEVELS = '▁▂▃▄▅▆▇█'

interface Line {
  readonly title: string
  readonly value: (step: QualityStep) => number | null
  /** What the highest bar stands for at least, so that a trifle does not look like a mountain. */
  readonly scale: readonly [low: number, high: number]
  readonly worst: (...values: number[]) => number
  readonly shown: (worst: number) => string
}

const lines: readonly Line[] = [
  { title: 'loss', value: (s) => s.lossPct, scale: [0, 10], worst: Math.max, shown: (v) => `worst ${v.toFixed(1)} %` },
  { title: 'jitter', value: (s) => s.jitterMs, scale: [0, 50], worst: Math.max, shown: (v) => `worst ${v.toFixed(1)} ms` },
  { title: 'MOS', value: (s) => s.mos, scale: [1, 4.5], worst: Math.min, shown: (v) => `worst ${v.toFixed(1)}` },
]

export function qualityPlot({
  streams,
  stepSeconds,
}: {
  readonly streams: readonly StreamSeries[]
  readonly stepSeconds: number
}): string[] {
  const out = [`Quality over time, counted again from the packets; a column is ${stepSeconds} s`]
  for (const { stream, steps } of streams) {
    out.push(`  ${stream.direction === 'a' ? 'caller →' : 'callee →'}  ${stream.ssrc}  ${printable(stream.codec ?? '?')}`)
    for (const { title, value, scale, worst, shown } of lines) {
      const values = steps.map(value)
      const known = values.filter((v) => v !== null)
      if (known.length === 0) continue
      const high = Math.max(scale[1], ...known)
      const bars = values.map((v) =>
        v === null ? ' ' : (LEVELS[Math.round(((v - scale[0]) / (high - scale[0])) * (LEVELS.length - 1))] ?? '▁'),
      )
      out.push(`    ${title.padEnd(7)} ${bars.join('')}  ${shown(worst(...known))}`)
    }
  }
  return out
}
