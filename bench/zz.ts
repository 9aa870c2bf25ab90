import { spawnSync } from 'node:child_process'
import { openMysqlWriter } from '../src/lib/store/mysql/writer.js'
import { openSqlite } from '../src/lib/store/sqlite/store.js'
import { quickOptions, startMariadb } from '../test/support/mariadb.js'
import { batches } from './store-load.js'

const s = await startMariadb(quickOptions)
try {
  const w = await openMysqlWriter(s.url('q'))
  const next = batches()
  const recs = [next(), next()]
  for (const r of recs) await w.insert(r)
  await w.close()
  const lite = openSqlite('/var/tmp/records/q.db', { readonly: false })
  for (const r of recs) await lite.insert(r)
  await lite.close()
  const run = (args: string[], extra: string[] = []) => {
    const r = Array.from({ length: 7 }, () => {
      const t = performance.now()
      const p = spawnSync('/usr/bin/time', ['-f', '%U %S', process.execPath, ...extra, 'bin/run.js', ...args], { encoding: 'utf8' })
      const [u, sy] = p.stderr.trim().split('\n').at(-1)!.split(' ').map(Number)
      if (p.status) console.log(p.stderr)
      return [performance.now() - t, (u! + sy!) * 1000]
    }).sort((a, b) => a[0]! - b[0]!)
    return `best ${r[0]![0]!.toFixed(0)} ms wall, CPU ${Math.min(...r.map((x) => x[1]!)).toFixed(0)} ms`
  }
  console.log('version', run(['--version']))
  console.log('sqlite last 50', run(['cdr', 'query', '--last', '50', '-o', 'ndjson', '--store', 'sqlite:/var/tmp/records/q.db']))
  console.log('mysql last 50', run(['cdr', 'query', '--last', '50', '-o', 'ndjson', '--store', s.url('q')]))
  run(['cdr', 'query', '--last', '50', '-o', 'ndjson', '--store', s.url('q')], ['--cpu-prof', '--cpu-prof-dir=/var/tmp/records/sprof'])
} finally {
  await s.dispose()
}
