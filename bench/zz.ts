import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { recordText } from '../src/lib/call/record-text.js'
import { openSqliteWriter } from '../src/lib/store/sqlite/writer.js'
import { BATCH, batches } from './store-load.js'

const w = await openSqliteWriter(mkdtempSync('/var/tmp/records/zz-') + '/b.db')
const next = batches()
const N = Math.ceil(24000 / BATCH)
for (let i = 0; i < N / 2; i++) await w.insertTexts!(next().map(recordText))
const texts = Array.from({ length: N }, () => next().map(recordText))
const cpus = () =>
  new Map(
    readdirSync('/proc/self/task').map((t) => {
      const f = readFileSync(`/proc/self/task/${t}/stat`, 'utf8').split(') ')[1]!.split(' ')
      return [t, Number(f[11]) + Number(f[12])] as const
    }),
  )
const c0 = cpus()
const t0 = performance.now()
for (const t of texts) await w.insertTexts!(t)
const ms = performance.now() - t0
const n = N * BATCH
console.log(
  Math.round((n / ms) * 1000),
  '/s',
  [...cpus()]
    .map(([t, c]) => ((c - (c0.get(t) ?? 0)) * 1e4) / n)
    .filter((x) => x > 0.5)
    .map((x) => x.toFixed(1)),
)
await w.close()
