import { isoTime } from '../../../lib/call/json.js'
import type { LadderStep } from '../../../lib/call/ladder.js'
import { shownSteps } from '../flow.js'
import { listRows } from '../list.js'
import type { Screen } from '../model.js'
import type { Signs } from '../signs.js'
import type { Line, Role, Span } from '../style.js'
import { cellsOf, shown } from '../text.js'
import { clipSpans, padSpans, scrolled } from './parts.js'

/** Messages as they were sent, and two of them compared. */

/** The lines of a message, cut into what fits, or `side` cells of each left out; header names stand out, the body is plain. */
export function messageLines(step: LadderStep, width: number, side = 0): Line[] {
  const lines: Line[] = []
  let body = false
  step.text
    .replace(/\r\n/g, '\n')
    .trimEnd()
    .split('\n')
    .forEach((text, i) => {
      if (text === '') body = true
      const content = shown(text)
      const colon = body || i === 0 ? -1 : content.indexOf(':')
      const spans: Span[] =
        i === 0
          ? [['title', content]]
          : colon > 0
            ? [
                ['accent', content.slice(0, colon + 1)],
                ['text', content.slice(colon + 1)],
              ]
            : [[body ? 'callee' : 'text', content]]
      if (side === 0) lines.push(...wrap(spans, width))
      else lines.push({ spans: clipSpans(movedLeft(spans, side), width, '') })
    })
  return lines
}

/** Without the first `side` cells. */
function movedLeft(spans: readonly Span[], side: number): Span[] {
  let left = side
  return spans.map(([role, text]): Span => {
    let kept = ''
    for (const sign of text) {
      if (left > 0) left -= cellsOf(sign)
      else kept += sign
    }
    return [role, kept]
  })
}

function wrap(spans: readonly Span[], width: number): Line[] {
  const lines: Line[] = []
  let line: Span[] = []
  let used = 0
  for (const [role, text] of spans) {
    let piece = ''
    for (const sign of text) {
      const cells = cellsOf(sign)
      if (used + cells > width) {
        line.push([role, piece])
        lines.push({ spans: line })
        line = [['text', '  ']]
        piece = ''
        used = 2
      }
      piece += sign
      used += cells
    }
    line.push([role, piece])
  }
  lines.push({ spans: line })
  return lines
}

const heading = ({ time, source, destination, transport }: LadderStep, signs: Signs): Line => ({
  spans: [
    ['dim', `${isoTime(time).slice(0, 26)}Z  `],
    ['text', `${source} ${signs.right} ${destination}`],
    ['dim', `  ${transport}`],
  ],
})

export const drawRaw = (screen: Screen, signs: Signs): Line[] =>
  scrolled(rawLines(screen, signs), screen.scroll.raw, listRows(screen.rows) + 1)

export function rawLines(screen: Screen, signs: Signs): Line[] {
  const { flow, columns, side } = screen
  const steps = shownSteps(flow)
  const chosen = flow.rawOf === 'message' ? steps.slice(flow.cursor, flow.cursor + 1) : steps
  const lines = chosen.flatMap((step) => [heading(step, signs), ...messageLines(step, columns - 1, side), { spans: [] }])
  if (lines.length === 0) lines.push({ spans: [['dim', flow.state === 'loading' ? '  …' : '  No messages of this call are kept.']] })
  return lines
}

export const drawDiff = (screen: Screen, signs: Signs): Line[] =>
  scrolled(diffLines(screen, signs), screen.scroll.diff, listRows(screen.rows) + 1)

export function diffLines(screen: Screen, signs: Signs): Line[] {
  const { flow, columns, side: left } = screen
  const steps = shownSteps(flow)
  const [a, b] = [...flow.selected].sort((x, y) => x - y).map((i) => steps[i])
  if (a === undefined || b === undefined) return [{ spans: [['dim', '  Select two messages with Space.']] }]
  const half = Math.floor((columns - 3) / 2)
  const side = (role: Role, text: string | undefined): Span[] =>
    padSpans(movedLeft([[role, shown(text ?? '')]], left), half, signs.ellipsis)
  const join = (left: Span[], right: Span[], sign: string): Line => ({ spans: [...left, ['dim', ` ${sign} `], ...right] })
  const lines = [
    join(padSpans(heading(a, signs).spans, half, signs.ellipsis), clipSpans(heading(b, signs).spans, half, signs.ellipsis), signs.upright),
    ...differences(split(a.text), split(b.text)).map(([left, right]) => {
      if (left === right) return join(side('dim', left), side('dim', right), signs.upright)
      return join(side('fair', left), side('accent', right), left === undefined ? '+' : right === undefined ? '-' : '*')
    }),
  ]
  return lines
}

const split = (text: string): string[] => text.replace(/\r\n/g, '\n').trimEnd().split('\n').slice(0, LINES_MAX)
const LINES_MAX = 400

/** Lines of both, side by side: equal ones meet (longest common subsequence), others stand alone or opposite each other. */
export function differences(a: readonly string[], b: readonly string[]): [string | undefined, string | undefined][] {
  const width = b.length + 1
  const longest = new Uint16Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * width + j] =
        a[i] === b[j]
          ? (longest[(i + 1) * width + j + 1] as number) + 1
          : Math.max(longest[(i + 1) * width + j] as number, longest[i * width + j + 1] as number)
    }
  }
  const pairs: [string | undefined, string | undefined][] = []
  let gone: string[] = []
  let come: string[] = []
  const flush = (): void => {
    for (let k = 0; k < Math.max(gone.length, come.length); k++) pairs.push([gone[k], come[k]])
    gone = []
    come = []
  }
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      flush()
      pairs.push([a[i++], b[j++]])
    } else if (j >= b.length || (i < a.length && (longest[(i + 1) * width + j] as number) >= (longest[i * width + j + 1] as number)))
      gone.push(a[i++] as string)
    else come.push(b[j++] as string)
  }
  flush()
  return pairs
}
