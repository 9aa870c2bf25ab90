import { StoreFailure } from '../failure.js'
import type { Connection, MysqlError } from './driver.js'

/**
 * A server that is killed while it makes a table may leave a file of it behind, which it neither uses nor removes (not even with
 * its database), and which keeps the table from being made for ever after. A partition gets another name then; for a whole
 * table there is nothing but to say what to do.
 */
export async function runPastLeftovers(db: Connection, shown: string, statement: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await db.run(attempt === 1 ? statement : statement.replace(/PARTITION (p\d{6}) /g, `PARTITION $1_${attempt} `))
      return
    } catch (error) {
      if (!isLeftover(error as MysqlError)) throw error
      if (attempt >= NAMES_MAX || !/PARTITION p\d{6} /.test(statement)) throw leftoverFailure(shown, statement, error as MysqlError)
    }
  }
}

const NAMES_MAX = 9

const isLeftover = ({ errno = 0, message }: MysqlError): boolean => errno === 1813 || /errno: 184\b|Tablespace .*exists/i.test(message)

function leftoverFailure(shown: string, statement: string, cause: MysqlError): StoreFailure {
  const table = /TABLE (?:IF NOT EXISTS )?`(\w+)`/.exec(statement)?.[1] ?? ''
  return new StoreFailure(
    'store',
    'STORE_LEFTOVER',
    `${shown}: the server cannot make the table "${table}", because a file of it was left behind when the server was killed while making it.`,
    {
      cause,
      suggestions: [
        `Remove the file ${table}.ibd (or ${table}#P#….ibd) from the directory of this database in the server’s data, and start again.`,
        'Or give another database to --store.',
      ],
    },
  )
}
