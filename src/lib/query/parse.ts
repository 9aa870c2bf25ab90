import { QueryError } from './error.js'
import { allOf, anyOf, type Expression } from './expression.js'
import { type FieldName, type Language, recordLanguage } from './fields.js'
import { nearest } from './nearest.js'
import { type Operator, testOn } from './values.js'

/**
 * The language of `--where`, read by descent:
 *
 *   any    = all { or all }                 or, ||
 *   all    = one { and one }                and, &&
 *   one    = not one | ( any ) | test       not, !
 *   test   = field                          it is known; of problem: there is one
 *          | field op value                 = != < <= > >= ~ (contains) !~
 *          | field [not] in ( value , … )
 *   value  = a word up to a space, a comma, a bracket, && or ||, or "text" or 'text'
 */
const LENGTH_MAX = 20_000
const DEPTH_MAX = 100

const OPERATORS: readonly [sign: string, op: Operator][] = [
  ['==', '='],
  ['!=', '!='],
  ['<>', '!='],
  ['<=', '<='],
  ['>=', '>='],
  ['!~', '!~'],
  ['=', '='],
  ['<', '<'],
  ['>', '>'],
  ['~', '~'],
]

/** Reads an expression; throws QueryError. `nowMs` is the present, for times such as `-1h`. */
export function parseExpression(text: string, nowMs: number): Expression {
  return parseIn(recordLanguage, text, nowMs)
}

/** The same, of other fields. */
export function parseIn<F extends string>(language: Language<F, never>, text: string, nowMs: number): Expression<F> {
  return new Parser(language, text, nowMs).whole()
}

interface Named<F> {
  readonly name: F
  readonly unit: 'ms' | 's'
}

class Parser<F extends string = FieldName> {
  readonly #language: Language<F, never>
  readonly #text: string
  readonly #nowMs: number
  #at = 0
  #depth = 0

  constructor(language: Language<F, never>, text: string, nowMs: number) {
    this.#language = language
    this.#text = text
    this.#nowMs = nowMs
  }

  whole(): Expression<F> {
    if (this.#text.length > LENGTH_MAX)
      throw this.#wrong(0, 1, `The expression is longer than ${LENGTH_MAX} characters.`, ['Say it with blocks and *, or ask in parts.'])
    const expression = this.#any()
    this.#skip()
    if (this.#at < this.#text.length) throw this.#wrong(this.#at, 1, 'Here "and" or "or" is missing.', ['caller = 2000 and mos < 3.6'])
    return expression
  }

  #any(): Expression<F> {
    const items = [this.#all()]
    while (this.#word('or') || this.#sign('||')) items.push(this.#all())
    return anyOf(items)
  }

  #all(): Expression<F> {
    const items = [this.#one()]
    while (this.#word('and') || this.#sign('&&')) items.push(this.#one())
    return allOf(items)
  }

  #one(): Expression<F> {
    if (this.#depth >= DEPTH_MAX)
      throw this.#wrong(this.#at, 1, `More than ${DEPTH_MAX} brackets one within the other.`, ['Write it flatter.'])
    this.#depth++
    try {
      if (this.#word('not') || (this.#peek('!') && !this.#peek('!=') && !this.#peek('!~') && this.#sign('!')))
        return { kind: 'not', item: this.#one() }
      this.#skip()
      const open = this.#at
      if (!this.#sign('(')) return this.#test()
      const inside = this.#any()
      if (!this.#sign(')')) throw this.#wrong(open, 1, 'This bracket is not closed.', ['Add a ) at its end.'])
      return inside
    } finally {
      this.#depth--
    }
  }

  #test(): Expression<F> {
    this.#skip()
    const at = this.#at
    const typed = /^[A-Za-z_][A-Za-z0-9_]*/.exec(this.#text.slice(at, at + 64))?.[0] ?? ''
    if (typed === '') {
      const what = at >= this.#text.length ? 'The expression ends where a field should follow.' : 'Here a field should be.'
      throw this.#wrong(at, 1, what, ['Tests look like: mos < 3.6, caller = +420*, ip = 192.0.2.0/24'])
    }
    const { names } = this.#language
    const field = names.get(typed.toLowerCase())
    if (field === undefined) {
      const close = nearest(typed, names.keys())
      throw this.#wrong(at, typed.length, `There is no field "${typed}".`, [
        ...(close === undefined ? [] : [`Did you mean ${close}?`]),
        `Fields: ${[...names.keys()].join(', ')}`,
      ])
    }
    this.#at += typed.length
    const negative = this.#word('not')
    if (this.#word('in')) {
      const list = this.#list(field)
      return negative ? { kind: 'not', item: list } : list
    }
    if (negative)
      throw this.#wrong(this.#at, 1, 'After "not" here only "in (…)" can follow.', [`not ${typed} = …`, `${typed} not in (…, …)`])
    const op = this.#operator()
    // A field alone: it is known.
    if (op === undefined) return { kind: 'test', field: field.name, test: { kind: 'known' } }
    return this.#value(field, op)
  }

  #list(field: Named<F>): Expression<F> {
    if (!this.#sign('(')) throw this.#wrong(this.#at, 1, 'After "in" a list in brackets follows.', ['status in (486, 5xx)'])
    const items = [this.#value(field, '=')]
    while (this.#sign(',')) items.push(this.#value(field, '='))
    if (!this.#sign(')')) throw this.#wrong(this.#at, 1, 'This list is not closed.', ['status in (486, 5xx)'])
    return anyOf(items)
  }

  #value({ name, unit }: Named<F>, op: Operator): Expression<F> {
    this.#skip()
    const at = this.#at
    const quote = this.#text[at]
    const quoted = quote === '"' || quote === "'"
    const value = quoted ? this.#quoted(quote as string) : this.#bare()
    if (value === '' && !quoted) throw this.#wrong(at, 1, `A value for ${name} is missing.`, ['mos < 3.6', `An empty text is written ""`])
    const made = testOn(name, this.#language.fields[name], op, value, { unit, nowMs: this.#nowMs, quoted })
    if (typeof made !== 'string') return made
    throw this.#wrong(at, this.#at - at, `"${value}" is nothing to compare ${name} with.`, [made])
  }

  #bare(): string {
    const from = this.#at
    this.#at = from + (/^(?:(?!&&|\|\|)[^\s,)])*/.exec(this.#text.slice(from))?.[0].length ?? 0)
    return this.#text.slice(from, this.#at)
  }

  /** A quote within is written twice; a backslash stays for the pattern to read. */
  #quoted(quote: string): string {
    const from = this.#at++
    let value = ''
    for (; this.#at < this.#text.length; this.#at++) {
      const sign = this.#text[this.#at] as string
      if (sign !== quote) value += sign
      else if (this.#text[this.#at + 1] === quote) {
        value += quote
        this.#at++
      } else {
        this.#at++
        return value
      }
    }
    throw this.#wrong(from, 1, 'This quotation is not closed.', [`Add a ${quote} at its end.`])
  }

  #operator(): Operator | undefined {
    this.#skip()
    return OPERATORS.find(([sign]) => this.#sign(sign))?.[1]
  }

  #peek(sign: string): boolean {
    this.#skip()
    return this.#text.startsWith(sign, this.#at)
  }

  #sign(sign: string): boolean {
    if (!this.#peek(sign)) return false
    this.#at += sign.length
    return true
  }

  #word(word: string): boolean {
    this.#skip()
    const end = this.#at + word.length
    if (this.#text.slice(this.#at, end).toLowerCase() !== word || /[A-Za-z0-9_]/.test(this.#text[end] ?? '')) return false
    this.#at = end
    return true
  }

  #skip(): void {
    while (this.#at < this.#text.length && /\s/.test(this.#text[this.#at] as string)) this.#at++
  }

  #wrong(at: number, length: number, message: string, suggestions: string[]): QueryError {
    return new QueryError(this.#text, at, length, message, suggestions)
  }
}
