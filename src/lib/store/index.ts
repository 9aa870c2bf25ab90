import { OperatorError } from '../base/errors.js'
import type { CdrReader, RecordWriter } from './cdr-store.js'
import type { StoreAdmin } from './store-admin.js'

export interface WriterOptions {
  /** The number this sensor writes under; another that uses it at the same time is noticed (MySQL). */
  readonly sensorId?: number | undefined
  /** Who writes, when it opens the store more than once: not another. */
  readonly instance?: string
  readonly onNotice?: (text: string) => void
}

/** Stores by their URL: `sqlite:PATH`, `mysql://user@host/database`. The engines load only when one is opened. */
export async function openWriter(url: string, options: WriterOptions = {}): Promise<RecordWriter> {
  if (isMysql(url)) {
    const { openMysqlWriter } = await import('./mysql/writer.js')
    return openMysqlWriter(url, options)
  }
  const path = sqlitePath(url)
  const { openSqliteWriter } = await import('./sqlite/writer.js')
  return openSqliteWriter(path)
}

/** Fails as opening would when this is not the URL of a store; opens nothing. */
export async function checkStoreUrl(url: string): Promise<void> {
  if (isMysql(url)) (await import('./mysql/url.js')).parseMysqlUrl(url)
  else sqlitePath(url)
}

/** For the commands that look after a store: sensors, prune, migrate. */
export async function openAdmin(url: string): Promise<StoreAdmin> {
  if (isMysql(url)) return (await import('./mysql/admin.js')).openMysqlAdmin(url)
  return (await import('./sqlite/admin.js')).openSqliteAdmin(sqlitePath(url))
}

export async function openReader(url: string): Promise<CdrReader> {
  if (isMysql(url)) {
    const { openMysqlReader } = await import('./mysql/read.js')
    return openMysqlReader(url)
  }
  const path = sqlitePath(url)
  const { openSqlite } = await import('./sqlite/store.js')
  return openSqlite(path, { readonly: true })
}

export const isMysql = (url: string): boolean => /^(mysql|mariadb):/.test(url)

export function sqlitePath(url: string): string {
  const path = /^sqlite:(?:\/\/(?=\/))?(.+)$/s.exec(url)?.[1]
  if (path !== undefined) return path
  throw new OperatorError('STORE_URL', `"${url}" is not a store.`, {
    exit: 2,
    suggestions: ['Give --store sqlite:PATH, for example sqlite:calls.db', 'Or --store mysql://user@host/voipmonitor'],
  })
}
