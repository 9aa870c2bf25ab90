import { tellingMethods } from '../../lib/call/call.js'
import { type CallJson, hostText } from '../../lib/call/json.js'
import { type BoardCall, type CallView, viewJson } from '../../lib/live/index.js'
import { QueryError } from '../../lib/query/error.js'
import { callStates, type Field, type FieldName, fields, type Language, languageOf } from '../../lib/query/fields.js'
import { parseIn } from '../../lib/query/parse.js'
import { predicateIn } from '../../lib/query/predicate.js'
import { asciiSigns } from './signs.js'

/**
 * Which calls the list shows: an expression of `cdr query --where`, or simply a piece of text that is somewhere in the call.
 * Beside the fields of records it knows what only a screen has: the states as it shows them, any text of the call, its
 * requests, its messages. A call is asked again only when it has changed.
 */
export interface Filter {
  readonly text: string
  readonly fits: (call: BoardCall) => boolean
}

/** The SIP messages of a call as text, where they are at hand; undefined where they are with a sensor. */
export type MessageTexts = (call: BoardCall) => readonly string[] | undefined

interface Asked extends CallJson {
  readonly view: CallView
  readonly messages: () => readonly string[]
}

/** Methods that can be asked for: every call has its INVITE. */
export const askedMethods = ['INVITE', ...tellingMethods] as const
export type AskedMethod = (typeof askedMethods)[number]

const states = Object.keys(asciiSigns.states)

const screenFields = {
  state: {
    ...fields.state,
    words: [...new Set([...states, ...callStates])],
    help: 'how the call stands, in the words of the list or of a record',
    of: ({ state, view }) => [view.state, state],
  },
  text: { type: 'text', help: 'any text of the call: numbers, names, addresses, Call-ID, codec', of: ({ view }) => textsOf(view) },
  method: {
    type: 'word',
    help: 'a request that came',
    words: askedMethods.map((method) => method.toLowerCase()),
    of: ({ view }) => ['invite', ...(view.methods ?? []).map((method) => method.toLowerCase())],
  },
  payload: { type: 'text', help: 'one of its SIP messages', of: ({ messages }) => messages() },
} as const satisfies Readonly<Record<string, Field<Asked>>>

type ScreenField = FieldName | keyof typeof screenFields
const language: Language<ScreenField, Asked> = languageOf<ScreenField, Asked>({ ...fields, ...screenFields })

export const everyCall: Filter = { text: '', fits: () => true }

/** What makes a text an expression rather than a piece of a number. */
const OPERATORS = /[=<>~()]|\b(?:and|or|not|in)\b/i

/** Answers a filter, or what is wrong with the expression. `nowMs` is the present, for times such as `-1h`. */
export function parseFilter(text: string, nowMs: number, messagesOf?: MessageTexts): Filter | string {
  const typed = text.trim()
  if (typed === '') return everyCall
  try {
    const asked = predicateIn(language, parseIn(language, spelledOut(typed, nowMs), nowMs))
    return remembering(typed, (call) => asked({ ...viewJson(call.view), view: call.view, messages: () => messagesOf?.(call) ?? [] }))
  } catch (error) {
    if (!(error instanceof QueryError)) throw error
    return `${error.message.split('\n')[0]} ${error.suggestions[0] ?? ''}`.trim()
  }
}

/**
 * What is typed as the expression that it means. `ringing` alone asks for calls that ring, where in the language it is a time
 * that is known; a text that is no expression is a piece of the call.
 */
export function spelledOut(typed: string, nowMs: number): string {
  if (states.includes(typed.toLowerCase())) return `state = ${typed.toLowerCase()}`
  if (OPERATORS.test(typed)) return typed
  try {
    parseIn(language, typed, nowMs)
    return typed
  } catch {
    // A number alone may be a status.
    const piece = `text ~ ${quoted(typed)}`
    return /^[1-6]\d\d$/.test(typed) ? `(${piece} or status = ${typed})` : piece
  }
}

/** A value as the language reads it, whatever is in it. */
export const quoted = (value: string): string => (/^[\w.+@:/*-]+$/.test(value) ? value : `"${value.replaceAll('"', '""')}"`)

function textsOf(view: CallView): string[] {
  return [
    view.caller,
    view.callee,
    view.callerName,
    view.callId,
    view.state,
    view.codec,
    hostText(view.callerAddr),
    hostText(view.calleeAddr),
    view.callerDomain,
    view.calleeDomain,
    view.callerAgent,
    view.calleeAgent,
  ].filter((text) => text !== undefined)
}

function remembering(text: string, test: (call: BoardCall) => boolean): Filter {
  const known = new WeakMap<CallView, boolean>()
  return {
    text,
    fits(call) {
      let fits = known.get(call.view)
      if (fits === undefined) {
        fits = test(call)
        known.set(call.view, fits)
      }
      return fits
    },
  }
}
