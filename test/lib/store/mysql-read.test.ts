import { afterAll, beforeAll, describe, test } from 'vitest'
import { openMysqlReader } from '../../../src/lib/store/mysql/read.js'
import { openMysqlWriter } from '../../../src/lib/store/mysql/writer.js'
import { cdrStoreContract } from '../../contract/cdr-store.js'
import { haveMariadb, startMariadb, type TestServer } from '../../support/mariadb.js'

// Reading from a real MariaDB: the same contract as SQLite, on tables of ours in both forms of addresses.

if (haveMariadb) {
  let server: TestServer
  beforeAll(async () => {
    server = await startMariadb()
  })
  afterAll(() => server?.dispose())

  for (const [name, ipv6] of [
    ['MariaDB, addresses as bytes', 'ipv6=yes'],
    ['MariaDB, addresses as numbers', 'ipv6=no'],
  ] as const) {
    cdrStoreContract(
      name,
      async () => {
        const database = `earshot_${ipv6.replace('=', '_')}`
        const url = server.url(database, ipv6)
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
      { ipv6: ipv6 === 'ipv6=yes' },
    )
  }
} else describe.skip('MariaDB [needs mariadb-server]', () => test('reads', () => {}))
