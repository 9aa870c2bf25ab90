/**
 * A failure the operator can act on. `code` is for programs, `message` says what happened, `suggestions` what to do.
 * oclif prints these fields, and the `cause` chain, for any error that carries them; the library needs no oclif import.
 */
export class OperatorError extends Error {
  readonly code: string
  readonly suggestions: string[]
  /** Process exit code, one of `exitCodes`. */
  readonly exit: number

  constructor(code: string, message: string, options: { suggestions: string[]; cause?: unknown; exit?: number }) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.suggestions = options.suggestions
    this.exit = options.exit ?? exitCodes.failure
  }
}

/** What every command's exit code means; documented in docs/exit-codes.md. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  partial: 4,
  unreachable: 5,
  expired: 6,
} as const
