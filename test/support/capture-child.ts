import { openLive } from '../../src/lib/capture/live-source.js'
import type { CaptureOrder, CaptureReport } from './capture-in-namespace.js'

/** Captures inside the namespace it is started in: says when it listens, and at the end of its standard input what it saw. */
const order = JSON.parse(process.argv[2] ?? '{}') as CaptureOrder
const stop = new AbortController()
process.stdin.on('end', () => stop.abort()).resume()

const report: CaptureReport = {
  frames: [],
  silences: 0,
  linkTypes: [],
  until: [],
  kernel: { received: 0, dropped: 0 },
  oddities: [],
  cpuMicros: 0,
  packets: 0,
  bytes: 0,
}
try {
  const source = openLive({
    ringBytes: 8 << 20,
    snaplenBytes: 262_144,
    promiscuous: true,
    ...order.options,
    onNotice: (text) => process.stdout.write(`notice ${text}\n`),
  })
  process.stdout.write('listening\n')
  const before = process.cpuUsage()
  for await (const batch of source.batches(stop.signal)) {
    if (batch.count === 0) report.silences++
    report.until.push(batch.until)
    if (!report.linkTypes.includes(batch.linkType)) report.linkTypes.push(batch.linkType)
    report.packets += batch.count
    for (let i = 0; i < batch.count; i++) {
      report.bytes += batch.length[i] as number
      if (order.countOnly) continue
      const at = batch.at[i] as number
      report.frames.push({
        hex: Buffer.from(batch.bytes.subarray(at, at + (batch.captured[i] as number))).toString('hex'),
        length: batch.length[i] as number,
        micros: batch.micros[i] as number,
        nanos: batch.nanos?.[i] ?? -1,
      })
    }
    // A consumer that is too slow, for the tests that want losses.
    if (order.sleepMs !== undefined && report.packets < (order.sleepPackets ?? 0))
      await new Promise((wake) => setTimeout(wake, order.sleepMs))
    batch.release()
  }
  const used = process.cpuUsage(before)
  report.cpuMicros = used.user + used.system
  report.kernel = source.kernel()
  report.oddities = source.oddities.entries()
  process.stdout.write(`report ${JSON.stringify(report)}\n`)
} catch (error) {
  const { name, message, code, exit, suggestions } = error as Error & { code: string; exit: number; suggestions: string[] }
  process.stdout.write(`error ${JSON.stringify({ name, message, code, exit, suggestions })}\n`)
}
