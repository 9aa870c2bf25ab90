import { OperatorError } from '../../base/errors.js'
import { schemaNumber } from '../all-tables.js'
import { ddl } from './ddl.js'
import type { Database } from './driver.js'
import { migrate } from './migrations.js'

/** Makes the tables in an empty file, brings an older one forward, leaves a current one alone. */
export function ensureSchema(db: Database, path: string): void {
  const version = schemaVersion(db)
  if (version === schemaNumber) return
  refuseNewer(version, path)
  if (version > 0) {
    migrate(db, version)
    return
  }
  const foreign = db.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").get() as { n: number }
  if (foreign.n > 0) {
    throw new OperatorError('NOT_A_STORE', `"${path}" is a database of something else: it has tables, but not Earshot's.`, {
      suggestions: ['Give another path to --store.'],
    })
  }
  db.transaction(() => {
    for (const statement of ddl()) db.exec(statement)
    db.pragma(`user_version = ${schemaNumber}`)
  })()
}

/** For a reader, which changes nothing. */
export function checkSchema(db: Database, path: string): void {
  const version = schemaVersion(db)
  refuseNewer(version, path)
  if (version > 0 && version < schemaNumber) {
    throw new OperatorError(
      'STORE_OLDER',
      `"${path}" was made by an older Earshot (tables ${version}, this program knows ${schemaNumber}).`,
      {
        suggestions: [`Bring it forward: earshot db migrate --store sqlite:${path}`],
      },
    )
  }
}

export const schemaVersion = (db: Database): number => db.pragma('user_version', { simple: true }) as number

function refuseNewer(version: number, path: string): void {
  if (version <= schemaNumber) return
  throw new OperatorError('STORE_NEWER', `"${path}" was made by a newer Earshot (tables ${version}, this program knows ${schemaNumber}).`, {
    suggestions: ['Update earshot, or give another path to --store.'],
  })
}
