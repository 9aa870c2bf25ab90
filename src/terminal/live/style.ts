import { cellsOf } from './text.js'

/**
 * What a piece of the screen means, and how each kind of terminal shows it. Colours keep apart for the colour-blind (after
 * Okabe and Ito: blue-green, orange, vermilion, never red against green), and none is alone: what is bad is bold as well.
 */
export type Role =
  | 'text'
  | 'dim'
  | 'title'
  | 'accent'
  | 'good'
  | 'fair'
  | 'bad'
  | 'caller'
  | 'callee'
  | 'bar'
  | 'key'
  | 'cursor'
  | 'mark'
  | 'input'
  | Hue
/** Calls, or transactions, told apart in one ladder. */
export type Hue = 'hue0' | 'hue1' | 'hue2' | 'hue3' | 'hue4' | 'hue5'
export const hues: readonly Hue[] = ['hue0', 'hue1', 'hue2', 'hue3', 'hue4', 'hue5']

export type Span = readonly [role: Role, text: string]
/** One line of the screen; `on` colours the whole of it, to the edge. */
export interface Line {
  readonly spans: readonly Span[]
  readonly on?: 'cursor' | 'bar' | undefined
}

export type ColourDepth = 1 | 4 | 8 | 24
export interface Theme {
  readonly depth: ColourDepth
  readonly unicode: boolean
}

/** SGR parameters: foreground of each role by colour depth. `[16 colours, 256 colours, true colour, without colour]`. */
const looks: Readonly<Record<Role, readonly [sixteen: string, indexed: string, exact: string, plain: string]>> = {
  text: ['', '', '', ''],
  dim: ['90', '38;5;245', '38;2;138;138;138', '2'],
  title: ['1', '1', '1', '1'],
  accent: ['36', '38;5;74', '38;2;86;180;233', ''],
  good: ['36', '38;5;79', '38;2;64;200;170', ''],
  fair: ['33', '38;5;214', '38;2;230;159;0', ''],
  bad: ['1;31', '1;38;5;202', '1;38;2;232;110;40', '1'],
  caller: ['36', '38;5;74', '38;2;86;180;233', ''],
  callee: ['33', '38;5;180', '38;2;215;175;135', ''],
  bar: ['', '38;5;252', '38;2;208;208;208', ''],
  key: ['1', '1;38;5;231', '1;38;2;255;255;255', '1'],
  cursor: ['', '', '', ''],
  mark: ['35', '38;5;175', '38;2;204;121;167', '1'],
  input: ['1', '1', '1', '1'],
  hue0: ['36', '38;5;74', '38;2;86;180;233', ''],
  hue1: ['33', '38;5;214', '38;2;230;159;0', ''],
  hue2: ['35', '38;5;175', '38;2;204;121;167', ''],
  hue3: ['32', '38;5;79', '38;2;64;200;170', ''],
  hue4: ['93', '38;5;227', '38;2;240;228;66', ''],
  hue5: ['31', '38;5;202', '38;2;232;110;40', ''],
}
/** Backgrounds of whole lines. */
const grounds: Readonly<Record<'cursor' | 'bar', readonly [string, string, string, string]>> = {
  cursor: ['7', '48;5;24;38;5;255', '48;2;20;70;110;38;2;238;238;238', '7'],
  bar: ['7', '48;5;236;38;5;250', '48;2;44;48;54;38;2;190;190;190', '7'],
}
const place = { 4: 0, 8: 1, 24: 2, 1: 3 } as const

/** The line as bytes for a terminal, exactly `columns` wide. */
export function ansi({ spans, on }: Line, columns: number, theme: Theme): string {
  const depth = place[theme.depth]
  const ground = on === undefined ? '' : grounds[on][depth]
  // An inverse line stays one block: colours on top of it would be unreadable.
  const flat = ground === '7'
  let out = ground === '' ? '' : `\u001b[0;${ground}m`
  let now = ''
  let cells = 0
  for (const [role, text] of spans) {
    if (text === '') continue
    const look = flat ? (role === 'bad' || role === 'key' ? '1' : '') : looks[role][depth]
    if (look !== now) {
      out += look === '' ? `\u001b[0${ground === '' ? '' : `;${ground}`}m` : `\u001b[0;${ground === '' ? '' : `${ground};`}${look}m`
      now = look
    }
    out += theme.unicode ? text : asciiOf(text)
    cells += cellsOf(text)
  }
  if (on !== undefined && cells < columns) {
    if (now !== '') out += `\u001b[0;${ground}m`
    out += ' '.repeat(columns - cells)
  }
  return on !== undefined || now !== '' ? `${out}\u001b[0m` : out
}

/** Signs of our own sentences that have a likeness in ASCII. */
const likenesses: Readonly<Record<string, string>> = { '…': '~', '–': '-', '·': '.', '×': 'x', '→': '>' }

/** What a terminal without Unicode shows of a text; takes as many cells. */
function asciiOf(text: string): string {
  return text.replace(/[^\u0020-\u007e]/gu, (sign) => likenesses[sign] ?? '?'.repeat(cellsOf(sign)))
}

/** The line as text alone: for tests, for terminals that are none. */
export const plain = ({ spans }: Line): string =>
  spans
    .map(([, text]) => text)
    .join('')
    .trimEnd()

export const line = (...spans: readonly Span[]): Line => ({ spans })
export const text = (content: string, role: Role = 'text'): Line => ({ spans: [[role, content]] })
export const widthOf = (spans: readonly Span[]): number => spans.reduce((sum, [, content]) => sum + cellsOf(content), 0)
