import { hostText } from '../../lib/call/json.js'
import { type BoardCall, type CallView, viewJson } from '../../lib/live/index.js'
import { QueryError } from '../../lib/query/error.js'
import { parseExpression } from '../../lib/query/parse.js'
import { type CallPredicate, predicateOf } from '../../lib/query/predicate.js'
import { asciiSigns } from './signs.js'

/**
 * Which calls the list shows: an expression of `cdr query --where`, or simply a piece of text that is somewhere in the call.
 * A call is asked again only when it has changed.
 */
export interface Filter {
  readonly text: string
  readonly fits: (call: BoardCall) => boolean
}

export const everyCall: Filter = { text: '', fits: () => true }

const states: ReadonlySet<string> = new Set(Object.keys(asciiSigns.states))

/** What makes a text an expression rather than a piece of a number. */
const OPERATORS = /[=<>~()]|\b(?:and|or|not|in)\b/i

/** Answers a filter, or what is wrong with the expression. `nowMs` is the present, for times such as `-1h`. */
export function parseFilter(text: string, nowMs: number): Filter | string {
  const typed = text.trim()
  if (typed === '') return everyCall
  // `ringing` alone asks for calls that ring, where in the language it is a time that is known.
  if (states.has(typed.toLowerCase())) return remembering(typed, (view) => view.state === typed.toLowerCase())
  try {
    const asked = predicateOf(parseExpression(typed, nowMs))
    return remembering(typed, (view) => asks(asked, view))
  } catch (error) {
    if (!(error instanceof QueryError)) throw error
    if (!OPERATORS.test(typed)) return remembering(typed, containing(typed))
    return `${error.message.split('\n')[0]} ${error.suggestions[0] ?? ''}`.trim()
  }
}

const asks = (predicate: CallPredicate, view: CallView): boolean => predicate(viewJson(view))

/** Smart case: small letters find both, a capital finds itself. */
function containing(piece: string): (view: CallView) => boolean {
  const fold = piece === piece.toLowerCase()
  const has = (text: string | undefined): boolean => text !== undefined && (fold ? text.toLowerCase() : text).includes(piece)
  return (v) =>
    has(v.caller) ||
    has(v.callee) ||
    has(v.callerName) ||
    has(v.callId) ||
    has(v.state) ||
    has(v.codec) ||
    has(hostText(v.callerAddr)) ||
    has(hostText(v.calleeAddr)) ||
    has(v.callerDomain) ||
    has(v.calleeDomain) ||
    has(v.callerAgent) ||
    has(v.calleeAgent) ||
    (v.status !== undefined && String(v.status) === piece)
}

function remembering(text: string, test: (view: CallView) => boolean): Filter {
  const known = new WeakMap<CallView, boolean>()
  return {
    text,
    fits({ view }) {
      let fits = known.get(view)
      if (fits === undefined) {
        fits = test(view)
        known.set(view, fits)
      }
      return fits
    },
  }
}
