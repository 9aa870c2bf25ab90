import type { Typed } from '../edit.js'
import type { Signs } from '../signs.js'
import { type Line, type Role, type Span, widthOf } from '../style.js'
import { cellsOf, clip, shown } from '../text.js'

/** Pieces that every page is drawn with. */

/** As many of the spans as fit. */
export function clipSpans(spans: readonly Span[], cells: number, ellipsis: string): Span[] {
  const kept: Span[] = []
  let left = cells
  for (const [role, text] of spans) {
    const width = cellsOf(text)
    if (width <= left) {
      kept.push([role, text])
      left -= width
      continue
    }
    kept.push([role, clip(text, left, ellipsis)])
    break
  }
  return kept
}

/** One text at the left edge, one at the right; the left one gives way. */
export function between(left: readonly Span[], right: readonly Span[], columns: number, ellipsis: string): Span[] {
  const rightWidth = widthOf(right)
  const kept = clipSpans(left, Math.max(0, columns - rightWidth - 1), ellipsis)
  const space = columns - widthOf(kept) - rightWidth
  return space < 0 ? clipSpans(left, columns, ellipsis) : [...kept, ['text', ' '.repeat(space)], ...right]
}

/** Exactly `cells` wide. */
export function padSpans(spans: readonly Span[], cells: number, ellipsis: string): Span[] {
  const kept = clipSpans(spans, cells, ellipsis)
  const space = cells - widthOf(kept)
  return space > 0 ? [...kept, ['text', ' '.repeat(space)]] : kept
}

/** Exactly `count` lines. */
export function padLines(lines: readonly Line[], count: number): Line[] {
  return [...lines.slice(0, count), ...Array.from({ length: Math.max(0, count - lines.length) }, () => ({ spans: [] }))]
}

/** The part of a long page that is on the screen; `top` may be beyond its end. */
export function scrolled(lines: readonly Line[], top: number, height: number): Line[] {
  const from = Math.max(0, Math.min(top, lines.length - height))
  return padLines(lines.slice(from, from + height), height)
}

/** A text being typed, the part of it around the cursor where it is too long; `cursor` counts cells. */
export function typedSpans(
  { text, at }: Typed,
  width: number,
  role: Role,
  { ellipsis }: Signs,
): { readonly spans: readonly Span[]; readonly cursor: number } {
  const before = [...shown(text.slice(0, at))]
  let cells = 0
  let from = before.length
  // The cursor has a cell of its own, and so has the sign for what is left out.
  while (from > 0 && cells + cellsOf(before[from - 1] as string) <= width - 2) cells += cellsOf(before[--from] as string)
  const head = (from > 0 ? ellipsis : '') + before.slice(from).join('')
  const cursor = cellsOf(head)
  return { spans: [[role, head + clip(shown(text.slice(at)), width - cursor, ellipsis)]], cursor }
}

/** Names and values in two columns. */
export function pair(name: string, value: string, nameWidth: number, role: Role = 'text'): Span[] {
  return [
    ['dim', name.padEnd(nameWidth)],
    [role, value],
  ]
}

export const count = (n: number): string => n.toLocaleString('en-US')

/** `1.2k`, `3.4M`: for what changes all the time and need not be exact. */
export function short(n: number): string {
  if (n < 1000) return String(Math.round(n))
  if (n < 1e6) return `${(n / 1e3).toFixed(n < 1e4 ? 1 : 0)}k`
  if (n < 1e9) return `${(n / 1e6).toFixed(n < 1e7 ? 1 : 0)}M`
  return `${(n / 1e9).toFixed(1)}G`
}

export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MiB`

/** Names of keys as they stand on keyboards. */
export function keyTitle(key: string): string {
  const named: Readonly<Record<string, string>> = {
    escape: 'Esc',
    enter: 'Enter',
    space: 'Space',
    tab: 'Tab',
    up: 'Up',
    down: 'Down',
    left: 'Left',
    right: 'Right',
    pageup: 'PgUp',
    pagedown: 'PgDn',
    home: 'Home',
    end: 'End',
  }
  if (/^f\d+$/.test(key)) return key.toUpperCase()
  if (key.startsWith('ctrl-')) return `Ctrl-${key.slice(5).toUpperCase()}`
  return named[key] ?? key
}
