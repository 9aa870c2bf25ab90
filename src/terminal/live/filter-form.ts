import { parseNetwork } from '../../lib/query/network.js'
import { edit, type Typed } from './edit.js'
import { type AskedMethod, askedMethods, everyCall, type Filter, type MessageTexts, parseFilter, quoted, spelledOut } from './filter.js'
import type { Key } from './keys.js'

/**
 * sngrep's filter dialog: what is filled in becomes one expression of the filter's language, which then stands where a typed
 * one would, and can be typed on. Pure.
 */
export const formTexts = ['from', 'to', 'source', 'destination', 'payload', 'expression'] as const
export type FormText = (typeof formTexts)[number]
/** In the order of the dialog. */
export const formRows = ['from', 'to', 'source', 'destination', 'payload', 'methods', 'expression'] as const
export type FormRow = (typeof formRows)[number]

export interface FilterForm {
  readonly texts: Readonly<Record<FormText, Typed>>
  readonly methods: readonly AskedMethod[]
  readonly row: FormRow
  /** The box under the cursor. */
  readonly methodAt: number
  readonly error: { readonly row: FormRow; readonly text: string } | undefined
}

export interface FormContext {
  readonly nowMs: number
  /** Names of addresses: what has a name can be asked by it. */
  readonly aliases: ReadonlyMap<string, string>
  readonly messagesOf: MessageTexts | undefined
}

const typed = (text: string): Typed => ({ text, at: text.length })

export function emptyForm(expression = ''): FilterForm {
  const texts = Object.fromEntries(formTexts.map((name) => [name, typed('')])) as Record<FormText, Typed>
  return { texts: { ...texts, expression: typed(expression) }, methods: [], row: 'from', methodAt: 0, error: undefined }
}

/** The expression, or what cannot be part of one. */
export function composed({ texts, methods }: FilterForm, { nowMs, aliases, messagesOf }: FormContext): string | FilterForm['error'] {
  const value = (name: FormText): string => texts[name].text.trim()
  const parts: string[] = []
  const from = value('from')
  if (from !== '') parts.push(partyTest(from, ['caller', 'caller_name', 'caller_domain']))
  const to = value('to')
  if (to !== '') parts.push(partyTest(to, ['callee', 'callee_domain']))
  for (const [row, field] of [
    ['source', 'caller_ip'],
    ['destination', 'callee_ip'],
  ] as const) {
    if (value(row) === '') continue
    const networks = networksOf(value(row), aliases)
    if (typeof networks === 'string')
      return { row, text: `"${networks}" is no address, block or name of an address: 192.0.2.1, 192.0.2.0/24.` }
    parts.push(networks.length === 1 ? `${field} = ${networks[0]}` : `${field} in (${networks.join(', ')})`)
  }
  const payload = value('payload')
  if (payload !== '') {
    if (messagesOf === undefined)
      return { row: 'payload', text: 'The messages of these calls are with their sensor; only -i and -r have them at hand.' }
    parts.push(`payload ~ ${quoted(payload)}`)
  }
  if (methods.length > 0) {
    const words = askedMethods.filter((method) => methods.includes(method)).map((method) => method.toLowerCase())
    parts.push(words.length === 1 ? `method = ${words[0]}` : `method in (${words.join(', ')})`)
  }
  const expression = value('expression')
  if (expression !== '') {
    const wrong = parseFilter(expression, nowMs)
    if (typeof wrong === 'string') return { row: 'expression', text: wrong }
    parts.push(parts.length === 0 ? expression : bracketed(spelledOut(expression, nowMs)))
  }
  return parts.join(' and ')
}

/** `1001` is looked for in every field, `1001@example.com` in the number and the domain. */
function partyTest(value: string, fields: readonly [number: string, ...others: string[]]): string {
  const [number] = fields
  const at = value.lastIndexOf('@')
  if (at > 0 && at < value.length - 1)
    return `${number} ~ ${quoted(value.slice(0, at))} and ${fields.at(-1)} ~ ${quoted(value.slice(at + 1))}`
  // Digits are a number.
  if (/^[+\d*#]+$/.test(value)) return `${number} ~ ${quoted(value)}`
  return `(${fields.map((field) => `${field} ~ ${quoted(value)}`).join(' or ')})`
}

/** Addresses and blocks, the names of addresses in their place; the first piece that is neither. */
function networksOf(text: string, aliases: ReadonlyMap<string, string>): string[] | string {
  const networks: string[] = []
  for (const piece of text.split(',').map((part) => part.trim())) {
    if (piece === '') continue
    const named = [...aliases].filter(([, name]) => name.toLowerCase() === piece.toLowerCase()).map(([ip]) => ip)
    if (named.length === 0 && parseNetwork(piece) === undefined) return piece
    networks.push(...(named.length > 0 ? named : [piece]))
  }
  return networks.length > 0 ? networks : text
}

const bracketed = (expression: string): string => (/\bor\b|\|\|/i.test(expression) ? `(${expression})` : expression)

/** The filter that the form makes, or the form with what is wrong. */
export function filterOf(form: FilterForm, context: FormContext): Filter | FilterForm {
  const text = composed(form, context)
  if (typeof text !== 'string') return { ...form, row: text?.row ?? form.row, error: text }
  if (text === '') return everyCall
  const filter = parseFilter(text, context.nowMs, context.messagesOf)
  return typeof filter === 'string' ? { ...form, row: 'expression', error: { row: 'expression', text: filter } } : filter
}

/** The form after a key; Enter and Esc are not its own. */
export function formKey(form: FilterForm, key: Key): FilterForm {
  const to = (by: number): FilterForm => {
    const at = formRows.indexOf(form.row) + by
    return { ...form, row: formRows[(at + formRows.length) % formRows.length] as FormRow }
  }
  switch (key.name) {
    case 'up':
    case 'shift-tab':
      return to(-1)
    case 'down':
    case 'tab':
      return to(1)
    case 'ctrl-l':
    case 'f5':
      return { ...emptyForm(), row: form.row }
    default:
      return form.row === 'methods' ? methodsKey(form, key) : textKey(form, form.row, key)
  }
}

function methodsKey(form: FilterForm, { name }: Key): FilterForm {
  const last = askedMethods.length - 1
  switch (name) {
    case 'left':
      return { ...form, methodAt: Math.max(0, form.methodAt - 1) }
    case 'right':
      return { ...form, methodAt: Math.min(last, form.methodAt + 1) }
    case 'home':
      return { ...form, methodAt: 0 }
    case 'end':
      return { ...form, methodAt: last }
    case 'space': {
      const method = askedMethods[form.methodAt] as AskedMethod
      const { methods } = form
      return { ...form, methods: methods.includes(method) ? methods.filter((m) => m !== method) : [...methods, method] }
    }
    default:
      return form
  }
}

function textKey(form: FilterForm, row: FormText, key: Key): FilterForm {
  const next = edit(form.texts[row], key)
  return next === undefined ? form : { ...form, texts: { ...form.texts, [row]: next }, error: undefined }
}
