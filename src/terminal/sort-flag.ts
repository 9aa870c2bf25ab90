import { exitCodes, OperatorError } from '../lib/base/errors.js'
import { type CdrSort, sortColumns } from '../lib/store/cdr-store.js'

/** `--sort FIELD`, `--sort -FIELD`. */
const names = Object.keys(sortColumns) as CdrSort['column'][]

export const sortSummary = `Order: ${names.join(', ')}; with a dash before it (-mos) the other way. Default: started.`

export function sortOf(text: string | undefined): CdrSort {
  if (text === undefined) return { column: 'started', descending: false }
  const column = names.find((name) => name === text.replace(/^[+-]/, ''))
  if (column !== undefined) return { column, descending: text.startsWith('-') }
  throw new OperatorError('SORT', `Cannot sort by "${text}".`, { exit: exitCodes.usage, suggestions: [`Fields: ${names.join(', ')}`] })
}
