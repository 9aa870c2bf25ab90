import { exitCodes, OperatorError } from '../base/errors.js'

/** An expression that cannot be read: says where, with a mark under the place, and what was likely meant. */
export class QueryError extends OperatorError {
  /** Offset in the expression. */
  readonly at: number

  constructor(text: string, at: number, length: number, message: string, suggestions: string[]) {
    // A long expression shows the surroundings of the place only.
    const from = Math.max(0, at - 60)
    const shown = text.slice(from, from + 120).replace(/\s/g, ' ')
    const mark = `${' '.repeat(at - from)}${'^'.repeat(Math.max(1, Math.min(length, 120 - (at - from))))}`
    super('QUERY', `${message}\n  ${shown}\n  ${mark}`, { exit: exitCodes.usage, suggestions })
    this.at = at
  }
}
