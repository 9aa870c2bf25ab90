import type { Signs } from '../signs.js'
import type { Line, Role, Span } from '../style.js'

/**
 * Values over time as columns of blocks, the newest at the right; when there is no more room, the oldest go:
 *
 *    4.5 ┤▇▇▇▆▇▇
 *        │██████▂▇
 *    1.0 ┤████████
 */
export interface PlotOptions {
  /** Oldest first; undefined is a gap. */
  readonly values: readonly (number | undefined)[]
  readonly width: number
  readonly height: number
  readonly low: number
  readonly high: number
  readonly label: (value: number) => string
  readonly role: (value: number) => Role
  readonly signs: Signs
}

const AXIS = 8

export function plot({ values, width, height, low, high, label, role, signs }: PlotOptions): Line[] {
  const room = Math.max(1, width - AXIS)
  const kept = values.slice(-room)
  const steps = signs.sparks.length
  const lines: Line[] = []
  for (let row = height - 1; row >= 0; row--) {
    const edge = row === height - 1 ? label(high) : row === 0 ? label(low) : ''
    const spans: Span[] = [['dim', `${edge.padStart(AXIS - 2)} ${edge === '' ? signs.upright : '┤'}`]]
    for (const value of kept) {
      if (value === undefined) {
        push(spans, 'text', ' ')
        continue
      }
      // What is known shows at least the lowest block: a gap and a zero are different things.
      const filled = Math.max(1, Math.round(Math.max(0, Math.min(1, (value - low) / (high - low || 1))) * height * steps))
      const here = Math.min(steps, filled - row * steps)
      push(spans, role(value), here <= 0 ? ' ' : (signs.sparks[here - 1] as string))
    }
    lines.push({ spans })
  }
  return lines
}

function push(spans: Span[], role: Role, sign: string): void {
  const last = spans.at(-1)
  if (last !== undefined && last[0] === role) spans[spans.length - 1] = [role, last[1] + sign]
  else spans.push([role, sign])
}

/** A part of a whole as a bar; `part` from 0 to 1. */
export function bar(part: number, width: number, { bars }: Signs): string {
  const eighths = Math.round(Math.max(0, Math.min(1, part)) * width * 8)
  const whole = Math.floor(eighths / 8)
  const rest = whole < width ? (bars[eighths % 8] as string) : ''
  return ((bars[8] as string).repeat(whole) + rest).padEnd(width)
}
