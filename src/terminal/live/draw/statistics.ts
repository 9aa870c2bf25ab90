import { type BoardTotals, boardTrail, problemsOfView } from '../../../lib/live/index.js'
import { minutes, mosRole } from '../columns.js'
import { listRows } from '../list.js'
import type { Screen } from '../model.js'
import type { Signs } from '../signs.js'
import type { Line, Role, Span } from '../style.js'
import { shown } from '../text.js'
import { callsPerSecond } from './frame.js'
import { count, padSpans, pair, scrolled } from './parts.js'
import { bar, plot } from './plot.js'

/** All calls of the board as numbers: now, since the start, by response, what is wrong, and the last minutes as plots. */
export const drawStatistics = (screen: Screen, signs: Signs): Line[] =>
  scrolled(statisticsLines(screen, signs), screen.scroll.statistics, listRows(screen.rows) + 1)

export function statisticsLines(screen: Screen, signs: Signs): Line[] {
  const half = Math.floor(screen.columns / 2)
  const left = [...nowLines(screen), { spans: [] }, ...classLines(screen.board.totals, half, signs)]
  const right = [...sinceLines(screen.board.totals), { spans: [] }, ...problemLines(screen)]
  const lines: Line[] = [{ spans: [] }]
  for (let i = 0; i < Math.max(left.length, right.length); i++)
    lines.push({ spans: [...padSpans(left[i]?.spans ?? [], half, signs.ellipsis), ...(right[i]?.spans ?? [])] })
  return [...lines, { spans: [] }, ...history(screen, signs)]
}

const NAME = 18
const title = (text: string): Line => ({ spans: [['title', `  ${text}`]] })
const fact = (name: string, value: string, role: Role = 'text'): Line => ({ spans: [['text', '  '], ...pair(name, value, NAME, role)] })

/** Answered of all that came to an end or were answered (RFC 6076 counts attempts; so does this, as far as they were seen). */
export function successPercent({ answered, refused }: BoardTotals): number | undefined {
  return answered + refused === 0 ? undefined : (100 * answered) / (answered + refused)
}

function nowLines(screen: Screen): Line[] {
  const states: Record<string, number> = {}
  let mosSum = 0
  let mosCount = 0
  for (const { view, over } of screen.board.calls.values()) {
    if (over) continue
    states[view.state] = (states[view.state] ?? 0) + 1
    if (view.mos !== undefined) {
      mosSum += view.mos
      mosCount++
    }
  }
  const mos = mosCount === 0 ? undefined : mosSum / mosCount
  return [
    title('Now'),
    fact('running', count(screen.board.running)),
    fact('  setting up', count((states['setup'] ?? 0) + (states['ringing'] ?? 0))),
    fact('  talking', count(states['answered'] ?? 0)),
    fact('calls a second', callsPerSecond(screen).toFixed(1)),
    fact('mean MOS', mos === undefined ? '–' : mos.toFixed(2), mosRole(mos)),
  ]
}

function sinceLines(totals: BoardTotals): Line[] {
  const asr = successPercent(totals)
  return [
    title('Since the start'),
    fact('calls', `${count(totals.begun)}${totals.left > 0 ? ` (${count(totals.left)} did not fit)` : ''}`),
    fact('answered', count(totals.answered)),
    fact('ASR', asr === undefined ? '–' : `${asr.toFixed(1)} %`),
    fact('mean PDD', totals.pddCount === 0 ? '–' : `${(totals.pddSumMs / totals.pddCount / 1000).toFixed(2)} s`),
    fact('mean talk (ACD)', totals.talkCount === 0 ? '–' : minutes(totals.talkSumMs / totals.talkCount)),
  ]
}

const classNames = ['no response', '1xx', '2xx', '3xx', '4xx', '5xx', '6xx']

function classLines({ classes }: BoardTotals, width: number, signs: Signs): Line[] {
  const sum = classes.reduce((a, b) => a + b, 0)
  const roles: readonly Role[] = ['dim', 'text', 'good', 'fair', 'fair', 'bad', 'bad']
  return [
    title('Responses of finished calls'),
    ...classNames.map((name, i): Line => {
      const n = classes[i] as number
      const spans: Span[] = [
        ['dim', `  ${name.padEnd(NAME - 6)}`],
        [roles[i] as Role, `${bar(sum === 0 ? 0 : n / sum, Math.max(4, width - NAME - 14), signs)} `],
        [n === 0 ? 'dim' : 'text', count(n).padStart(7)],
      ]
      return { spans }
    }),
  ]
}

/** What is wrong most: final responses, and what is odd about the calls that run. */
function problemLines({ board }: Screen): Line[] {
  const found = new Map<string, number>()
  const add = (name: string): void => void found.set(name, (found.get(name) ?? 0) + 1)
  for (const { view, over } of board.calls.values()) {
    if (over) continue
    if (view.mos !== undefined && view.mos < 3.6) add('MOS below 3.6')
    if ((view.lossPercent ?? 0) >= 1) add('loss of 1 % or more')
    if ((view.jitterMs ?? 0) >= 20) add('jitter of 20 ms or more')
    for (const problem of problemsOfView(view)) add(problem.replaceAll('_', ' '))
  }
  const running = [...found].map(([name, n]) => ({ name, n }))
  const finals = [...board.totals.statuses].map(([status, { count: n, text }]) => ({ name: `${status} ${shown(text)}`, n }))
  const all = [...running, ...finals].sort((a, b) => b.n - a.n).slice(0, 7)
  return [
    title('Most frequent problems'),
    ...(all.length === 0
      ? [fact('none', '')]
      : all.map(
          ({ name, n }): Line => ({
            spans: [
              ['fair', `  ${count(n).padStart(6)}  `],
              ['text', name],
            ],
          }),
        )),
  ]
}

function history({ board, columns }: Screen, signs: Signs): Line[] {
  const { history: trail } = board
  const values = (value: number): (number | undefined)[] => trail.last(trail.length, value)
  const running = values(boardTrail.running)
  const begun = values(boardTrail.begun)
  const top = (list: readonly (number | undefined)[], least: number): number => Math.max(least, ...list.map((v) => v ?? 0))
  const drawn = (
    text: string,
    list: readonly (number | undefined)[],
    low: number,
    high: number,
    digits: number,
    role: (v: number) => Role,
  ): Line[] => [
    { spans: [['dim', `  ${text}`]] },
    ...plot({ values: list, width: columns - 1, height: 4, low, high, label: (v) => v.toFixed(digits), role, signs }),
  ]
  return [
    ...drawn('running calls, a column a second', running, 0, top(running, 4), 0, () => 'accent'),
    ...drawn('calls begun a second', begun, 0, top(begun, 4), 0, () => 'callee'),
    ...drawn('mean MOS', values(boardTrail.mos), 1, 4.5, 1, (v) => (mosRole(v) === 'text' ? 'accent' : mosRole(v))),
  ]
}
