import stringWidth from 'string-width'
import { printable } from '../../lib/base/text-safe.js'

/**
 * Text in cells of a terminal. Strangers write what is shown, so it is made of pieces on whose width every terminal agrees:
 * control bytes become `·`; joiners, variation selectors and skin tones go, so that an emoji is one sign of two cells; flags
 * become their letters; a mark that has nothing to stand on gets a dotted circle.
 */
const ASCII = /^[\u0020-\u007e]*$/
const PLAIN = /^[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u0530]*$/
const IGNORED = /[\p{Default_Ignorable_Code_Point}\p{Emoji_Modifier}]/gu
const FLAG_LETTER = /[\u{1f1e6}-\u{1f1ff}]/gu
/** Hebrew, Arabic, Syriac, Thaana, NKo … and their presentation forms. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u
/** A mark that is strong from left to right, and takes no cell: what follows a name in Hebrew stays in its column. */
const LEFT_TO_RIGHT_MARK = '\u200e'

/** Text from the wire as what can be shown. */
export function shown(text: string): string {
  if (PLAIN.test(text)) return text
  return printable(text)
    .replace(IGNORED, '')
    .replace(FLAG_LETTER, (sign) => String.fromCharCode(0x41 + ((sign.codePointAt(0) as number) - 0x1f1e6)))
    .replace(/(\p{M}{1,2})\p{M}*/gu, '$1')
    .replace(/^(?=\p{M})/u, '◌')
}

const widths = new Map<string, number>()
const WIDTHS_MAX = 10_000

/** Cells of one code point: 0 for a mark, 2 for what is wide. */
function signWidth(sign: string): number {
  const known = widths.get(sign)
  if (known !== undefined) return known
  const width = stringWidth(sign)
  if (widths.size >= WIDTHS_MAX) widths.clear()
  widths.set(sign, width)
  return width
}

/** Cells that a text made by `shown` takes. */
export function cellsOf(text: string): number {
  if (PLAIN.test(text)) return text.length
  let cells = 0
  for (const sign of text) cells += signWidth(sign)
  return cells
}

/** As much as fits into `cells`, with an ellipsis where something is left out. */
export function clip(text: string, cells: number, ellipsis = '…'): string {
  if (cells <= 0) return ''
  if (cellsOf(text) <= cells) return text
  const room = cells - ellipsis.length
  if (room < 0) return ''
  if (PLAIN.test(text)) return text.slice(0, room) + ellipsis
  let kept = ''
  let used = 0
  for (const sign of text) {
    const width = signWidth(sign)
    if (used + width > room) break
    kept += sign
    used += width
  }
  return kept + ellipsis
}

/** Exactly `cells` wide. */
export function fitted(text: string, cells: number, right = false, ellipsis = '…'): string {
  const clipped = clip(text, cells, ellipsis)
  const space = ' '.repeat(Math.max(0, cells - cellsOf(clipped)))
  const guarded = !ASCII.test(clipped) && RIGHT_TO_LEFT.test(clipped) ? clipped + LEFT_TO_RIGHT_MARK : clipped
  return right ? space + guarded : guarded + space
}

/** The middle goes when it is too long: both ends of an address or a Call-ID tell something. */
export function fitEnds(text: string, cells: number, ellipsis = '…'): string {
  if (cellsOf(text) <= cells || !ASCII.test(text) || cells < 8) return fitted(text, cells, false, ellipsis)
  const head = Math.ceil((cells - ellipsis.length) / 2)
  const tail = cells - ellipsis.length - head
  return text.slice(0, head) + ellipsis + text.slice(text.length - tail)
}
