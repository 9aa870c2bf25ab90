import { OperatorError } from '../base/errors.js'
import type { CdrReader } from './cdr-store.js'
import type { RecordWriter } from './sqlite/writer.js'

/** Stores by their URL: `sqlite:PATH`. The engines load only when one is opened. */
export async function openWriter(url: string): Promise<RecordWriter> {
  const path = sqlitePath(url)
  const { openSqliteWriter } = await import('./sqlite/writer.js')
  return openSqliteWriter(path)
}

export async function openReader(url: string): Promise<CdrReader> {
  const path = sqlitePath(url)
  const { openSqlite } = await import('./sqlite/store.js')
  return openSqlite(path, { readonly: true })
}

function sqlitePath(url: string): string {
  const path = /^sqlite:(?:\/\/(?=\/))?(.+)$/s.exec(url)?.[1]
  if (path !== undefined) return path
  const mysql = /^(mysql|mariadb):/.test(url)
  throw new OperatorError('STORE_URL', mysql ? 'MySQL and MariaDB come with a later release.' : `"${url}" is not a store.`, {
    exit: 2,
    suggestions: ['Give --store sqlite:PATH, for example sqlite:calls.db'],
  })
}
