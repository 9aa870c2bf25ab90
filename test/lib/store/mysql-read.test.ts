import { afterAll, beforeAll, describe, test } from 'vitest'
import { openMysqlReader } from '../../../src/lib/store/mysql/read.js'
import { openMysqlWriter } from '../../../src/lib/store/mysql/writer.js'
import { cdrStoreContract } from '../../contract/cdr-store.js'
import { haveMariadb, startMariadb, type TestServer } from '../../support/mariadb.js'
import { haveCaptures } from '../../support/shared.js'
import { makeTheirDatabase } from '../../support/voipmonitor-db.js'

// Reading from a real MariaDB: the same contract as SQLite, on tables of ours in both forms of addresses and on VoIPmonitor's own.

interface Form {
  readonly name: string
  readonly database: string
  readonly parameters: string
  readonly ipv6: boolean
  /** VoIPmonitor has made it: latin1, whole seconds, daily partitions. */
  readonly theirs: boolean
}
const forms: readonly Form[] = [
  {
    name: 'MariaDB, addresses as bytes, rows sent as text',
    database: 'ours_bytes',
    parameters: 'ipv6=yes&bulk=no',
    ipv6: true,
    theirs: false,
  },
  { name: 'MariaDB, addresses as numbers', database: 'ours_numbers', parameters: 'ipv6=no', ipv6: false, theirs: false },
  { name: 'MariaDB, tables of VoIPmonitor', database: 'theirs', parameters: 'ipv6=no', ipv6: false, theirs: true },
]

if (haveMariadb) {
  let server: TestServer
  beforeAll(async () => {
    server = await startMariadb()
  })
  afterAll(() => server?.dispose())

  for (const { name, database, parameters, ipv6, theirs } of forms) {
    if (theirs && !haveCaptures) {
      describe.skip(`${name} [needs ../shared/captures]`, () => test('reads', () => {}))
      continue
    }
    cdrStoreContract(
      name,
      async () => {
        const url = server.url(database, parameters)
        if (theirs) await makeTheirDatabase(server, database, { partitioned: true, milliseconds: false, ipv6 })
        return {
          async open() {
            const writer = await openMysqlWriter(url)
            const reader = await openMysqlReader(url)
            return {
              ...reader,
              async insert(records) {
                const { stored, updated, duplicates } = await writer.insert(records)
                return { stored, updated, duplicates }
              },
              async close() {
                await writer.close()
                await reader.close()
              },
            }
          },
          rows: async (table) => (await server.sql<{ n: number }>(`SELECT count(*) AS n FROM ${table}`, database))[0]?.n ?? -1,
        }
      },
      { ipv6, latin1: theirs },
    )
  }
} else describe.skip('MariaDB [needs mariadb-server]', () => test('reads', () => {}))
