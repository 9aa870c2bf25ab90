import { OperatorError } from '../base/errors.js'

/**
 * What a failed insert means for the records that were to be stored. Every engine sorts its own errors into these:
 *
 * - `transient`: the store is away, busy, full or slow; the same records go in when it is back.
 * - `record`: one of these records is refused for what it holds, and always will be; the others would go in.
 * - `store`: it answers, but takes nothing until somebody changes something (rights, tables, a damaged file).
 */
export type FailureKind = 'transient' | 'record' | 'store'

export class StoreFailure extends OperatorError {
  readonly kind: FailureKind

  constructor(kind: FailureKind, code: string, message: string, options: { suggestions: string[]; cause?: unknown; exit?: number }) {
    super(code, message, options)
    this.kind = kind
  }
}

/** What no engine has sorted counts against the store, never against a record: nothing is set aside by mistake. */
export const failureKind = (error: unknown): FailureKind => (error instanceof StoreFailure ? error.kind : 'store')
