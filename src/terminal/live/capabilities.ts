import type { ColourDepth, Theme } from './style.js'

/** What the terminal can show, from what it says of itself and what the person wants. */
export const colourChoices = ['auto', 'always', 'never'] as const
export type ColourChoice = (typeof colourChoices)[number]

export interface TerminalFacts {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Of the stream, as Node knows it: 1, 4, 8, 24 bits. */
  readonly depth: number
  readonly colour: ColourChoice
  readonly ascii: boolean
}

/** A screen needs a keyboard and a terminal that can put its cursor somewhere: the shell of an editor says that it cannot. */
export const canDraw = (
  { stdin, stdout }: { readonly stdin: { isTTY?: boolean }; readonly stdout: { isTTY?: boolean } },
  env: TerminalFacts['env'],
): boolean => stdin.isTTY === true && stdout.isTTY === true && env['TERM'] !== 'dumb'

export function themeFor({ env, depth, colour, ascii }: TerminalFacts): Theme {
  return { depth: colourDepth(env, depth, colour), unicode: !ascii && knowsUnicode(env) }
}

function colourDepth(env: TerminalFacts['env'], depth: number, colour: ColourChoice): ColourDepth {
  if (colour === 'never') return 1
  // no-color.org: present and not empty, whatever it is.
  if (colour === 'auto' && (env['NO_COLOR'] ?? '') !== '') return 1
  const known = depth >= 24 ? 24 : depth >= 8 ? 8 : depth >= 4 ? 4 : 1
  return colour === 'always' && known === 1 ? 4 : known
}

/** POSIX: LC_ALL over LC_CTYPE over LANG. The Linux console has glyphs for little more than Latin. */
function knowsUnicode(env: TerminalFacts['env']): boolean {
  if (env['TERM'] === 'linux') return false
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find((value) => (value ?? '') !== '') ?? ''
  return /utf-?8/i.test(locale)
}
