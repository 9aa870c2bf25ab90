/**
 * How long after the end of a call its row can be read by another connection: calls on a veth pair, the built program with
 * its defaults, SQLite and (when mariadbd is here) MariaDB asked every few milliseconds. The time of the end is the capture
 * time of the last packet, as it is in the row. Needs root.
 *
 *   npx tsx bench/row-latency.ts [--calls 200] [--rate 50]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openDatabase } from '../src/lib/store/sqlite/driver.js'
import { pcapOf } from '../test/support/frames.js'
import { type Packet, sip } from '../test/support/ladder.js'
import { haveMariadb, startMariadb } from '../test/support/mariadb.js'
import { NetworkNamespace } from '../test/support/netns.js'

const { values } = parseArgs({ options: { calls: { type: 'string', default: '200' }, rate: { type: 'string', default: '50' } } })
const calls = Number(values.calls)
const dir = mkdtempSync(join(tmpdir(), 'earshot-latency-'))
const namespace = new NetworkNamespace()
namespace.veth('va', 'vb')

const A = '10.0.0.1:5060'
const B = '10.0.0.2:5060'
const question = 'SELECT call_id, last_us FROM earshot_cdr'
interface Row {
  readonly call_id: string
  readonly last_us: number
}
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Every second call is refused. */
function packets(n: number): Packet[] {
  const callId = `call-${n}`
  const answer = n % 2 === 0 ? [] : [sip(0, B, A, '486 Busy Here', { callId, toTag: 'b' })]
  const whole = [
    sip(0, B, A, '200 OK', { callId, toTag: 'b' }),
    sip(0, A, B, 'BYE', { callId, cseq: '2 BYE', toTag: 'b' }),
    sip(0, B, A, '200 OK', { callId, cseq: '2 BYE', toTag: 'b' }),
  ]
  return [sip(0, A, B, 'INVITE', { callId }), ...(n % 2 === 0 ? whole : answer)]
}

async function measure(label: string, store: string, rows: () => Promise<Row[]>): Promise<void> {
  const sniff = namespace.spawn(
    process.execPath,
    join(import.meta.dirname, '..', 'bin', 'run.js'),
    ...['sniff', '-i', 'vb', '-q', '--store', store, '--queue', join(dir, 'queue'), '--spool', join(dir, 'spool')],
  )
  sniff.stdout?.resume()
  sniff.stderr?.pipe(process.stderr)
  while (!namespace.run('cat', '/proc/net/packet').trim().includes('\n')) await sleep(50)
  await sleep(500)
  const frames = Array.from({ length: calls }, (_, n) => packets(n)).flat()
  const step = Math.round((1e6 * calls) / Number(values.rate) / frames.length)
  const file = join(dir, 'calls.pcap')
  writeFileSync(
    file,
    pcapOf(
      1,
      frames.map(({ frame }) => frame),
      step,
    ),
  )
  const sender = namespace.spawn('tcpreplay', '-q', '-i', 'va', file)
  sender.stdout?.resume()
  sender.stderr?.resume()
  const seen = new Map<string, number>()
  const deadline = Date.now() + 60_000
  while (seen.size < calls && Date.now() < deadline) {
    for (const { call_id, last_us } of await rows()) if (!seen.has(call_id)) seen.set(call_id, Date.now() - last_us / 1000)
    await sleep(5)
  }
  const sorted = [...seen.values()].sort((a, b) => a - b)
  const at = (share: number): string => `${Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)} ms`
  console.log(
    `end of call → row, ${label} | ${seen.size} of ${calls} calls, ${values.rate}/s | median ${at(0.5)}, 99 % ${at(0.99)}, worst ${at(1)}`,
  )
  sniff.kill('SIGTERM')
  await new Promise((resolve) => sniff.once('exit', resolve))
}

try {
  const path = join(dir, 'calls.db')
  await measure('SQLite', `sqlite:${path}`, async () => {
    try {
      const db = openDatabase(path, { readonly: true })
      try {
        return db.prepare(question).all() as Row[]
      } finally {
        db.close()
      }
    } catch {
      return []
    }
  })
  if (haveMariadb) {
    const server = await startMariadb()
    await server.sql('CREATE DATABASE latency')
    await measure('MariaDB', server.url('latency'), () => server.sql<Row>(question, 'latency').catch(() => []))
    await server.dispose()
  }
} finally {
  namespace.destroy()
  rmSync(dir, { recursive: true })
}
