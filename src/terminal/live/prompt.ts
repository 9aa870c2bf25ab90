import { edit } from './edit.js'
import { parseFilter } from './filter.js'
import { filterOf, formKey } from './filter-form.js'
import type { Key } from './keys.js'
import { chosenCalls, placed, relistNow } from './list.js'
import { type Prompt, type SaveWhich, type Screen, saveFormats } from './model.js'
import { settingRows } from './settings-form.js'
import { changed, columnsPrompt, type Step, stay } from './step.js'

/** What keys do while something is asked: in the bottom line, or in a dialog in place of the page. */
type Of<K extends Prompt['kind']> = Extract<Prompt, { kind: K }>

export function promptKey(screen: Screen, key: Key): Step {
  const { prompt } = screen
  if (prompt === undefined) return stay(screen)
  if (key.name === 'escape') return stay({ ...screen, prompt: undefined })
  switch (prompt.kind) {
    case 'filter':
      return filterKey(screen, prompt, key)
    case 'form':
      return filterFormKey(screen, prompt, key)
    case 'settings':
      return settingsKey(screen, prompt, key)
    case 'alias':
      return aliasKey(screen, prompt, key)
    case 'save':
      return saveKey(screen, prompt, key)
    case 'columns':
      return columnsKey(screen, prompt, key)
    case 'quit':
      return ['y', 'Y', 'q', 'Q', 'enter'].includes(key.name)
        ? stay({ ...screen, prompt: undefined }, { kind: 'quit' })
        : stay({ ...screen, prompt: undefined })
    default:
      return prompt satisfies never
  }
}

function filterKey(screen: Screen, prompt: Of<'filter'>, key: Key): Step {
  const nowMs = screen.nowMicros / 1000
  if (key.name === 'enter') {
    const filter = parseFilter(prompt.text, nowMs, screen.messagesOf)
    if (typeof filter === 'string') return stay({ ...screen, prompt: { ...prompt, error: filter } })
    return stay(relistNow({ ...screen, prompt: undefined, list: { ...screen.list, filter, frozen: false } }))
  }
  const typed = edit(prompt, key)
  if (typed === undefined) return stay(screen)
  // What is not finished is not yet wrong: an error goes away with the next key and comes with Enter.
  return stay({ ...screen, prompt: { ...prompt, ...typed, error: undefined } })
}

function filterFormKey(screen: Screen, { form }: Of<'form'>, key: Key): Step {
  if (key.name !== 'enter') return stay({ ...screen, prompt: { kind: 'form', form: formKey(form, key) } })
  const context = { nowMs: screen.nowMicros / 1000, aliases: screen.settings.aliases, messagesOf: screen.messagesOf }
  const made = filterOf(form, context)
  if ('texts' in made) return stay({ ...screen, prompt: { kind: 'form', form: made } })
  return stay(relistNow({ ...screen, prompt: undefined, list: { ...screen.list, filter: made, form, frozen: false } }))
}

function settingsKey(screen: Screen, prompt: Of<'settings'>, { name }: Key): Step {
  const last = settingRows.length - 1
  const turn = (by: 1 | -1): Step => {
    const next = settingRows[prompt.row]?.turn(screen, by) ?? screen
    return next === screen ? stay(screen) : changed({ ...next, list: placed(next.list, next.rows) }, next.settings)
  }
  switch (name) {
    case 'up':
    case 'k':
    case 'shift-tab':
      return stay({ ...screen, prompt: { ...prompt, row: prompt.row === 0 ? last : prompt.row - 1 } })
    case 'down':
    case 'j':
    case 'tab':
      return stay({ ...screen, prompt: { ...prompt, row: prompt.row === last ? 0 : prompt.row + 1 } })
    case 'left':
    case 'h':
      return turn(-1)
    case 'right':
    case 'l':
    case 'space':
      return turn(1)
    case 'enter':
      return stay({ ...screen, prompt: prompt.row === 0 ? columnsPrompt(screen) : undefined })
    case 'q':
    case 'o':
    case 'f8':
      return stay({ ...screen, prompt: undefined })
    default:
      return stay(screen)
  }
}

function aliasKey(screen: Screen, prompt: Of<'alias'>, key: Key): Step {
  if (key.name === 'enter') {
    const aliases = new Map(screen.settings.aliases)
    const name = prompt.text.trim()
    if (name === '') aliases.delete(prompt.ip)
    else aliases.set(prompt.ip, name)
    return changed({ ...screen, prompt: undefined }, { ...screen.settings, aliases })
  }
  const typed = edit(prompt, key)
  return stay(typed === undefined ? screen : { ...screen, prompt: { ...prompt, ...typed } })
}

const whichOrder: readonly SaveWhich[] = ['marked', 'current', 'shown']

function saveKey(screen: Screen, prompt: Of<'save'>, key: Key): Step {
  switch (key.name) {
    case 'enter': {
      const path = prompt.text.trim()
      if (path === '') return stay(screen)
      const calls = callsToSave(screen, prompt.which)
      return stay({ ...screen, prompt: undefined }, { kind: 'save', calls, path, format: prompt.format })
    }
    case 'tab': {
      const format = saveFormats[(saveFormats.indexOf(prompt.format) + 1) % saveFormats.length] ?? 'rtp'
      const text = prompt.text.replace(/\.(pcap|txt)$/, format === 'text' ? '.txt' : '.pcap')
      return stay({ ...screen, prompt: { ...prompt, format, text, at: Math.min(prompt.at, text.length) } })
    }
    case 'up':
    case 'down': {
      const possible = whichOrder.filter((which) => which !== 'marked' || screen.list.marked.size > 0)
      const step = key.name === 'down' ? 1 : possible.length - 1
      const which = possible[(possible.indexOf(prompt.which) + step) % possible.length] ?? 'current'
      return stay({ ...screen, prompt: { ...prompt, which } })
    }
    default: {
      const typed = edit(prompt, key)
      return stay(typed === undefined ? screen : { ...screen, prompt: { ...prompt, ...typed } })
    }
  }
}

export function callsToSave(screen: Screen, which: SaveWhich): Screen['flow']['calls'] {
  if (which === 'shown') return screen.list.rows
  if (which === 'current' && screen.page !== 'calls') return screen.flow.calls
  if (which === 'current') return chosenCalls({ ...screen, list: { ...screen.list, marked: new Set() } })
  return chosenCalls(screen)
}

/** Space shows or hides a column, + and - move it, Enter is done. */
function columnsKey(screen: Screen, prompt: Of<'columns'>, key: Key): Step {
  const set = (part: Partial<Of<'columns'>>): Step => stay({ ...screen, prompt: { ...prompt, ...part } })
  const { cursor, order, chosen } = prompt
  const name = order[cursor]
  if (name === undefined) return stay(screen)
  switch (key.name) {
    case 'up':
    case 'k':
      return set({ cursor: Math.max(0, cursor - 1) })
    case 'down':
    case 'j':
      return set({ cursor: Math.min(order.length - 1, cursor + 1) })
    case 'space':
      return set({ chosen: chosen.includes(name) ? chosen.filter((n) => n !== name) : [...chosen, name] })
    case '+':
    case '-': {
      const to = key.name === '-' ? cursor - 1 : cursor + 1
      if (to < 0 || to >= order.length) return stay(screen)
      const moved = order.toSpliced(cursor, 1).toSpliced(to, 0, name)
      return set({ order: moved, cursor: to })
    }
    case 'enter': {
      const columns = order.filter((n) => chosen.includes(n))
      if (columns.length === 0) return stay(screen)
      return changed({ ...screen, prompt: undefined }, { ...screen.settings, columns })
    }
    default:
      return stay(screen)
  }
}
