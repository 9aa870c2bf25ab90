import { resolve, sep } from 'node:path'
import { OperatorError } from '../base/errors.js'

/** Full path of a call's pcap; a path in a record must not lead outside the spool, whoever wrote the record. */
export function spoolFile(dir: string, path: string): string {
  const root = resolve(dir)
  const full = resolve(root, path)
  if (full.startsWith(root + sep)) return full
  throw new OperatorError('SPOOL_PATH', `The record names a pcap outside the spool: "${path}".`, {
    suggestions: ['The database was not written by Earshot, or was tampered with: do not open the file.'],
  })
}
