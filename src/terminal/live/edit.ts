import type { Key } from './keys.js'

/** A line of text being typed. Pure. */
export interface Typed {
  readonly text: string
  /** Where the next sign goes, in code units. */
  readonly at: number
}

const TEXT_MAX = 1000

/** The text after this key; undefined when the key is not one of editing. */
export function edit({ text, at }: Typed, key: Key): Typed | undefined {
  const before = text.slice(0, at)
  const after = text.slice(at)
  const last = [...before].at(-1) ?? ''
  const [next = ''] = after
  switch (key.name) {
    case 'left':
    case 'ctrl-b':
      return { text, at: at - last.length }
    case 'right':
    case 'ctrl-f':
      return { text, at: at + next.length }
    case 'home':
    case 'ctrl-a':
      return { text, at: 0 }
    case 'end':
    case 'ctrl-e':
      return { text, at: text.length }
    case 'backspace':
      return { text: before.slice(0, before.length - last.length) + after, at: at - last.length }
    case 'delete':
    case 'ctrl-d':
      return { text: before + after.slice(next.length), at }
    case 'ctrl-u':
      return { text: after, at: 0 }
    case 'ctrl-k':
      return { text: before, at }
    case 'ctrl-w': {
      const kept = before.replace(/\S*\s*$/, '')
      return { text: kept + after, at: kept.length }
    }
    default: {
      if (key.text === undefined) return undefined
      // biome-ignore lint/suspicious/noControlCharactersInRegex: a pasted line end is a space here.
      const typed = key.text.replace(/[\u0000-\u001f\u007f]+/g, ' ')
      // As much as there is room for, in whole signs.
      const kept = typed.slice(0, Math.max(0, TEXT_MAX - text.length)).replace(/[\ud800-\udbff]$/, '')
      return { text: before + kept + after, at: at + kept.length }
    }
  }
}
