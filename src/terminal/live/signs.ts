import type { LiveState } from '../../lib/live/index.js'

/** The signs that screens draw with: Unicode, and what stands for them where only ASCII can be shown. */
export interface Signs {
  readonly states: Readonly<Record<LiveState, string>>
  readonly cursor: string
  readonly marked: string
  readonly ellipsis: string
  /** Of a sparkline, lowest first. */
  readonly sparks: readonly string[]
  readonly bars: readonly string[]
  readonly line: string
  readonly upright: string
  /** The edge of the part that the keys move. */
  readonly thick: string
  readonly right: string
  readonly left: string
  readonly self: string
  readonly mediaLine: string
  readonly mediaRight: string
  readonly mediaLeft: string
  readonly up: string
  readonly down: string
  readonly dot: string
  readonly live: string
  readonly paused: string
  readonly broken: string
}

export const unicodeSigns: Signs = {
  states: { setup: '○', ringing: '◔', answered: '●', ended: '·', failed: '✕', cancelled: '⊘', redirected: '↪' },
  cursor: '▸',
  marked: '✓',
  ellipsis: '…',
  sparks: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
  bars: [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'],
  line: '─',
  upright: '│',
  thick: '┃',
  right: '▶',
  left: '◀',
  self: '⟲',
  mediaLine: '╌',
  mediaRight: '▷',
  mediaLeft: '◁',
  up: '▲',
  down: '▼',
  dot: '·',
  live: '●',
  paused: '‖',
  broken: '✕',
}

export const asciiSigns: Signs = {
  states: { setup: 'o', ringing: '~', answered: '*', ended: '.', failed: 'x', cancelled: '/', redirected: '>' },
  cursor: '>',
  marked: '+',
  ellipsis: '~',
  sparks: ['_', '.', '-', '=', '+', '*', '%', '#'],
  bars: [' ', ' ', ' ', ' ', ' ', '#', '#', '#', '#'],
  line: '-',
  upright: '|',
  thick: '#',
  right: '>',
  left: '<',
  self: '@',
  mediaLine: '.',
  mediaRight: '>',
  mediaLeft: '<',
  up: '^',
  down: 'v',
  dot: '.',
  live: '*',
  paused: '=',
  broken: 'x',
}

export const signsFor = (unicode: boolean): Signs => (unicode ? unicodeSigns : asciiSigns)
