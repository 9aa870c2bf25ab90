import type { Frame } from './draw/frame.js'
import { ansi, type Theme } from './style.js'

/**
 * Puts frames on a terminal: only lines that changed are sent, within one synchronized update, so that a slow line carries
 * little and nothing flickers. A terminal that does not keep up gets fewer frames, never a queue of old ones.
 */
export interface Out {
  write(text: string): boolean
  readonly writableNeedDrain?: boolean
}

const HIDE = '\u001b[?25l'
const SHOW = '\u001b[?25h'
// Terminals that know DEC mode 2026 draw all of it at once; others ignore it.
const BEGIN = '\u001b[?2026h'
const END = '\u001b[?2026l'

export class Painter {
  readonly #out: Out
  #theme: Theme
  #lines: string[] = []
  #columns = 0
  #cursor = ''

  constructor(out: Out, theme: Theme) {
    this.#out = out
    this.#theme = theme
  }

  get theme(): Theme {
    return this.#theme
  }

  set theme(theme: Theme) {
    this.#theme = theme
    this.forget()
  }

  /** The next frame is sent whole: after a change of size, or when something else wrote to the screen. */
  forget(): void {
    this.#lines = []
    this.#cursor = ''
  }

  /** Answers false when the terminal still has the last frame to take. */
  paint({ lines, cursor }: Frame, columns: number): boolean {
    if (this.#out.writableNeedDrain === true) return false
    const fresh = this.#lines.length !== lines.length || this.#columns !== columns
    let text = ''
    const next = lines.map((line) => ansi(line, columns, this.#theme))
    next.forEach((line, row) => {
      // The rest of the line is wiped before it is written: after its last column the cursor may hang at the edge.
      if (fresh || line !== this.#lines[row]) text += `\u001b[${row + 1};1H\u001b[0m\u001b[2K${line}`
    })
    const place = cursor === undefined ? HIDE : `\u001b[${cursor.row + 1};${cursor.column + 1}H${SHOW}`
    if (text === '' && place === this.#cursor) return true
    this.#lines = next
    this.#columns = columns
    this.#cursor = place
    this.#out.write(`${BEGIN}${HIDE}${fresh ? '\u001b[0m\u001b[2J' : ''}${text}${cursor === undefined ? '' : place}${END}`)
    return true
  }
}

/**
 * When the next frame may come: at most ten a second. News waits a while to be drawn together; an answer to a key comes at
 * once as long as the second has room.
 */
const FRAMES_PER_SECOND = 10
const NEWS_MS = 200
const KEY_MS = 20

export class FramePace {
  readonly #drawnMs: number[] = []

  /** How long to wait from now on. */
  waitMs(nowMs: number, urgent: boolean): number {
    const last = this.#drawnMs.at(-1) ?? Number.NEGATIVE_INFINITY
    const [oldest = Number.NEGATIVE_INFINITY] = this.#drawnMs.length < FRAMES_PER_SECOND ? [] : this.#drawnMs
    return Math.max(0, last + (urgent ? KEY_MS : NEWS_MS) - nowMs, oldest + 1000 - nowMs)
  }

  drawn(nowMs: number): void {
    this.#drawnMs.push(nowMs)
    if (this.#drawnMs.length > FRAMES_PER_SECOND) this.#drawnMs.shift()
  }
}
