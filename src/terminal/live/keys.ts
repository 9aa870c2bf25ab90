/**
 * What a terminal sends, as names of keys: `a`, `A`, `ctrl-l`, `up`, `f2`, `escape`; a mouse as `click`, `wheel-up`. Pure:
 * the caller decides when a lone ESC is the key and not the beginning of something.
 */
export interface Key {
  readonly name: string
  /** What to insert where text is typed. */
  readonly text?: string
  /** Of a mouse, from 0. */
  readonly row?: number
  readonly column?: number
}

const sequences: Readonly<Record<string, string>> = {
  '[A': 'up',
  '[B': 'down',
  '[C': 'right',
  '[D': 'left',
  OA: 'up',
  OB: 'down',
  OC: 'right',
  OD: 'left',
  '[H': 'home',
  '[F': 'end',
  OH: 'home',
  OF: 'end',
  '[1~': 'home',
  '[4~': 'end',
  '[7~': 'home',
  '[8~': 'end',
  '[2~': 'insert',
  '[3~': 'delete',
  '[5~': 'pageup',
  '[6~': 'pagedown',
  '[Z': 'shift-tab',
  OP: 'f1',
  OQ: 'f2',
  OR: 'f3',
  OS: 'f4',
  '[P': 'f1',
  '[Q': 'f2',
  '[R': 'f3',
  '[S': 'f4',
  '[11~': 'f1',
  '[12~': 'f2',
  '[13~': 'f3',
  '[14~': 'f4',
  // The Linux console has its own.
  '[[A': 'f1',
  '[[B': 'f2',
  '[[C': 'f3',
  '[[D': 'f4',
  '[[E': 'f5',
  '[15~': 'f5',
  '[17~': 'f6',
  '[18~': 'f7',
  '[19~': 'f8',
  '[20~': 'f9',
  '[21~': 'f10',
  '[23~': 'f11',
  '[24~': 'f12',
}
const PASTE_BEGIN = '\u001b[200~'
const PASTE_END = '\u001b[201~'

/** Keys in what was read, and what is left because it is not whole. */
export function readKeys(input: string): { readonly keys: Key[]; readonly rest: string } {
  const keys: Key[] = []
  let at = 0
  while (at < input.length) {
    if (input.startsWith(PASTE_BEGIN, at)) {
      const end = input.indexOf(PASTE_END, at)
      if (end < 0) return { keys, rest: input.slice(at) }
      // A pasted text is text, whatever is in it: no key of it does anything.
      keys.push({ name: 'paste', text: input.slice(at + PASTE_BEGIN.length, end) })
      at = end + PASTE_END.length
      continue
    }
    if (input[at] === '\u001b') {
      const found = escaped(input, at)
      if (found === undefined) return { keys, rest: input.slice(at) }
      if (found.key !== undefined) keys.push(found.key)
      at = found.end
      continue
    }
    const sign = String.fromCodePoint(input.codePointAt(at) as number)
    keys.push(plainKey(sign))
    at += sign.length
  }
  return { keys, rest: '' }
}

/** After a pause, what was left is what it looks like: ESC, or ESC and a letter. */
export function restKeys(rest: string): Key[] {
  if (rest.startsWith(PASTE_BEGIN)) return [{ name: 'paste', text: rest.slice(PASTE_BEGIN.length) }]
  const [first, ...more] = rest
  if (first === undefined) return []
  return [first === '\u001b' ? { name: 'escape' } : plainKey(first), ...more.map(plainKey)]
}

function plainKey(sign: string): Key {
  const code = sign.codePointAt(0) as number
  if (code === 13 || code === 10) return { name: 'enter' }
  if (code === 9) return { name: 'tab' }
  if (code === 27) return { name: 'escape' }
  if (code === 127 || code === 8) return { name: 'backspace' }
  if (code === 0) return { name: 'ctrl-space' }
  if (code < 32) return { name: `ctrl-${String.fromCharCode(code + 96)}` }
  return { name: sign === ' ' ? 'space' : sign, text: sign }
}

/** The sequence that begins with the ESC at `at`; undefined while it is not whole. */
function escaped(input: string, at: number): { key: Key | undefined; end: number } | undefined {
  const second = input[at + 1]
  if (second === undefined) return undefined
  if (second === 'O') {
    const third = input[at + 2]
    return third === undefined ? undefined : named(input.slice(at + 1, at + 3), at + 3)
  }
  if (second !== '[') {
    const key = plainKey(String.fromCodePoint(input.codePointAt(at + 1) as number))
    return key.name === 'escape' ? { key, end: at + 1 } : { key: { name: `alt-${key.name}` }, end: at + 1 + (key.text?.length ?? 1) }
  }
  // ECMA-48 5.4: parameters 30–3F, intermediates 20–2F, a final byte 40–7E.
  let end = at + 2
  if (input[end] === '[') end++
  while (end < input.length && /[\u0020-\u003f]/.test(input[end] as string)) end++
  if (end >= input.length) return input.length - at > 32 ? { key: undefined, end: input.length } : undefined
  end++
  const body = input.slice(at + 1, end)
  const mouse = /^\[<(\d{1,4});(\d{1,5});(\d{1,5})([Mm])$/.exec(body)
  if (mouse !== null) return { key: mouseKey(mouse), end }
  return named(body, end)
}

function named(body: string, end: number): { key: Key | undefined; end: number } {
  const known = sequences[body]
  if (known !== undefined) return { key: { name: known }, end }
  // With modifiers: ESC [ 1 ; 5 A. Shift, Alt and Ctrl are bits of the second number less one.
  const modified = /^\[(\d+);(\d+)([~A-Z])$/.exec(body)
  if (modified === null) return { key: undefined, end }
  const base = sequences[modified[3] === '~' ? `[${modified[1]}~` : `[${modified[3]}`]
  const bits = Number(modified[2]) - 1
  if (base === undefined) return { key: undefined, end }
  return { key: { name: `${bits & 4 ? 'ctrl-' : ''}${bits & 2 ? 'alt-' : ''}${bits & 1 ? 'shift-' : ''}${base}` }, end }
}

/** SGR mouse reports (xterm): button, column, row, M for a press. */
function mouseKey([, button, column, row, kind]: RegExpExecArray): Key | undefined {
  const place = { row: Number(row) - 1, column: Number(column) - 1 }
  const code = Number(button)
  if (code === 64) return { name: 'wheel-up', ...place }
  if (code === 65) return { name: 'wheel-down', ...place }
  return code === 0 && kind === 'M' ? { name: 'click', ...place } : undefined
}
