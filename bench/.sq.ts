import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { callTables } from '../src/lib/store/all-tables.js'
import { openDatabase } from '../src/lib/store/sqlite/driver.js'
import { inserter } from '../src/lib/store/sqlite/insert.js'
import { ensureSchema } from '../src/lib/store/sqlite/schema.js'
import { batches } from './store-load.js'

const variant: Record<string, (db: any) => void> = {
  full: () => {},
  noCdrIdx: (db) => {
    for (const r of db.prepare("select name from sqlite_master where type='index' and tbl_name='cdr' and sql is not null").all())
      db.exec(`drop index ${r.name}`)
  },
  noIdx: (db) => {
    for (const r of db
      .prepare("select name from sqlite_master where type='index' and sql is not null and name <> 'earshot_cdr_once'")
      .all())
      db.exec(`drop index ${r.name}`)
  },
  cache: (db) => {
    db.pragma('cache_size = -65536')
    db.pragma('wal_autocheckpoint = 10000')
  },
  syncOff: (db) => {
    db.pragma('synchronous = OFF')
  },
}
const res: Record<string, number[]> = {}
for (let rep = 0; rep < 3; rep++)
  for (const [name, f] of Object.entries(variant)) {
    const dir = mkdtempSync('/tmp/mysql/sq-')
    const db = openDatabase(join(dir, 'x.db'), { readonly: false })
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = NORMAL')
    ensureSchema(db, 'x')
    f(db)
    const ins = inserter(db)
    const next = batches()
    const pre = Array.from({ length: 12 }, next)
    ins(next())
    const cpu = process.cpuUsage()
    for (const b of pre) ins(b)
    const c = process.cpuUsage(cpu)
    ;(res[name] ??= []).push(Math.round((c.user + c.system) / 12000))
    db.close()
    rmSync(dir, { recursive: true })
  }
// pure JS cost
{
  const next = batches()
  const pre = Array.from({ length: 12 }, next)
  for (let rep = 0; rep < 3; rep++) {
    const cpu = process.cpuUsage()
    let n = 0
    for (const b of pre)
      for (const r of b)
        for (const t of callTables) for (const row of t.rows(r)) for (const c of t.columns) if (c.value?.(row) !== null) n++
    const c = process.cpuUsage(cpu)
    ;(res['js'] ??= []).push(Math.round((c.user + c.system) / 12000))
  }
}
console.log(res)
