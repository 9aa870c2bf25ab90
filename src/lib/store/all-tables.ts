import { cdrTable } from './cdr-columns.js'
import { childTables } from './child-columns.js'

/** Raised when the tables change: an older store is brought forward by `earshot db migrate`, a newer one refused. */
export const schemaNumber = 2

/** Every table that a call has rows in, `cdr` first. */
// biome-ignore lint/suspicious/noExplicitAny: the rows of each table have a type of their own; see childTables.
export const callTables: readonly import('./table.js').Table<import('../call/record.js').CallRecord, any>[] = [cdrTable, ...childTables]
