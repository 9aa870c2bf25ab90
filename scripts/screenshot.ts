/**
 * A terminal's screen as SVG: `tmux capture-pane -e -p | npx tsx scripts/screenshot.ts --columns 120 > screen.svg`.
 * Every sign stands in its own cell, so that the picture does not depend on the widths of a font.
 */
import { parseArgs } from 'node:util'
import stringWidth from 'string-width'

const { values } = parseArgs({ options: { columns: { type: 'string' }, title: { type: 'string', default: 'earshot live' } } })
const CELL = { width: 8.4, height: 18, size: 14 }
const PAPER = '#15191e'
const INK = '#d4d7da'
const basic = ['#2a2f36', '#e06c5f', '#53c8aa', '#e6a93c', '#5fa8e0', '#cc79a7', '#56b4e9', '#d4d7da']
const bright = ['#7a828c', '#f08a6c', '#7fe0c6', '#f3c86a', '#8cc4f0', '#e0a0c4', '#8fd0f5', '#ffffff']

/** Drawn as what they are: fonts leave seams between lines. */
const blocks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']

interface Style {
  ink: string | undefined
  paper: string | undefined
  bold: boolean
  dim: boolean
  inverse: boolean
}
const plain = (): Style => ({ ink: undefined, paper: undefined, bold: false, dim: false, inverse: false })

/** xterm's 256 colours: 16, a cube of 6, 24 greys. */
function indexed(n: number): string {
  if (n < 8) return basic[n] as string
  if (n < 16) return bright[n - 8] as string
  if (n >= 232) return `#${(8 + (n - 232) * 10).toString(16).padStart(2, '0').repeat(3)}`
  const level = (step: number): string => (step === 0 ? 0 : 55 + 40 * step).toString(16).padStart(2, '0')
  const cube = n - 16
  return `#${level(Math.floor(cube / 36))}${level(Math.floor(cube / 6) % 6)}${level(cube % 6)}`
}

function apply(style: Style, parameters: readonly number[]): void {
  for (let i = 0; i < parameters.length; i++) {
    const p = parameters[i] as number
    if (p === 0) Object.assign(style, plain())
    else if (p === 1) style.bold = true
    else if (p === 2) style.dim = true
    else if (p === 22) style.bold = style.dim = false
    else if (p === 7) style.inverse = true
    else if (p === 27) style.inverse = false
    else if (p === 39) style.ink = undefined
    else if (p === 49) style.paper = undefined
    else if (p >= 30 && p <= 37) style.ink = basic[p - 30]
    else if (p >= 90 && p <= 97) style.ink = bright[p - 90]
    else if (p >= 40 && p <= 47) style.paper = basic[p - 40]
    else if (p === 38 || p === 48) {
      const exact = parameters[i + 1] === 2
      const colour = exact
        ? `#${parameters
            .slice(i + 2, i + 5)
            .map((c) => c.toString(16).padStart(2, '0'))
            .join('')}`
        : indexed(parameters[i + 2] ?? 0)
      if (p === 38) style.ink = colour
      else style.paper = colour
      i += exact ? 4 : 2
    }
  }
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

let input = ''
for await (const chunk of process.stdin.setEncoding('utf8')) input += chunk
const rows = input.replace(/\n$/, '').split('\n')
const style = plain()
const papers: string[] = []
const texts: { x: number; y: number; cells: number; look: string; text: string; joins: boolean }[] = []
let widest = 0
rows.forEach((row, y) => {
  let x = 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is read here.
  for (const [, parameters, sign] of row.matchAll(/\u001b\[([0-9;]*)m|(\P{M}\p{M}*)/gu)) {
    if (sign === undefined) {
      apply(style, (parameters === '' ? '0' : (parameters as string)).split(';').map(Number))
      continue
    }
    const cells = Math.max(0, stringWidth(sign))
    if (cells === 0) continue
    const ink = style.inverse ? (style.paper ?? PAPER) : (style.ink ?? INK)
    const paper = style.inverse ? (style.ink ?? INK) : style.paper
    const left = (12 + x * CELL.width).toFixed(1)
    const top = 40 + y * CELL.height
    if (paper !== undefined)
      papers.push(`<rect x="${left}" y="${top}" width="${(cells * CELL.width + 0.3).toFixed(1)}" height="${CELL.height}" fill="${paper}"/>`)
    const block = blocks.indexOf(sign)
    if (block >= 0) {
      const tall = (CELL.height * (block + 1)) / blocks.length
      papers.push(
        `<rect x="${left}" y="${(top + CELL.height - tall).toFixed(1)}" width="${(CELL.width + 0.3).toFixed(1)}" height="${tall.toFixed(1)}" fill="${ink}"/>`,
      )
    } else if (sign !== ' ') {
      const last = texts.at(-1)
      const look = `fill="${ink}"${style.bold ? ' font-weight="bold"' : ''}${style.dim ? ' opacity="0.6"' : ''}`
      // Plain letters of one look, one after the other, are one piece of text of a known length.
      const joins = /^[!-~]$/.test(sign)
      if (joins && last?.joins === true && last.look === look && last.y === y && last.x + last.cells === x) {
        last.text += sign
        last.cells++
      } else texts.push({ x, y, cells, look, text: sign, joins })
    }
    x += cells
  }
  widest = Math.max(widest, x)
})
const columns = Number(values.columns ?? widest)
const width = 24 + columns * CELL.width
const height = 52 + rows.length * CELL.height
process.stdout.write(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width.toFixed(0)} ${height}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="${CELL.size}">
<rect width="100%" height="100%" rx="8" fill="${PAPER}"/>
<circle cx="20" cy="20" r="5.5" fill="#5a626b"/><circle cx="38" cy="20" r="5.5" fill="#5a626b"/><circle cx="56" cy="20" r="5.5" fill="#5a626b"/>
<text x="${(width / 2).toFixed(0)}" y="25" fill="#8a929b" text-anchor="middle" font-size="13">${escaped(values.title)}</text>
${merge(papers).join('\n')}
${texts.map(textElement).join('\n')}
</svg>
`)

function textElement({ x, y, cells, look, text, joins }: (typeof texts)[number]): string {
  const length = joins && cells > 1 ? ` textLength="${(cells * CELL.width).toFixed(1)}"` : ''
  return `<text x="${(12 + x * CELL.width).toFixed(1)}" y="${40 + y * CELL.height + 13.5}" ${look}${length}>${escaped(text)}</text>`
}

/** Neighbours of one colour in one line become one rectangle. */
function merge(rects: readonly string[]): string[] {
  const out: { x: number; y: string; width: number; height: string; fill: string }[] = []
  for (const rect of rects) {
    const [, x, y, w, height, fill] = /x="([^"]+)" y="([^"]+)" width="([^"]+)" height="([^"]+)" fill="([^"]+)"/.exec(
      rect,
    ) as RegExpExecArray
    const last = out.at(-1)
    if (last !== undefined && last.y === y && last.height === height && last.fill === fill && Math.abs(last.x + last.width - Number(x)) < 1)
      last.width = Number(x) + Number(w) - last.x
    else out.push({ x: Number(x), y: y as string, width: Number(w), height: height as string, fill: fill as string })
  }
  return out.map((r) => `<rect x="${r.x.toFixed(1)}" y="${r.y}" width="${r.width.toFixed(1)}" height="${r.height}" fill="${r.fill}"/>`)
}
