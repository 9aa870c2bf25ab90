import type { CallRecord } from '../../src/lib/call/record.js'
import { openRecordQueue } from '../../src/lib/sniffer/record-queue.js'
import { sampleRecords } from '../contract/records.js'

/**
 * The recording half of a sniffer in a process of its own, to be killed: gives out records of calls as they end and says
 * of which the queue has taken hold (`taken N`: all below N). At the end of its work `closed STATUS`.
 */
export interface RecordOrder {
  readonly storeUrl: string
  readonly queueDir: string
  readonly from: number
  readonly to: number
  /** So many calls end at a time, so often. */
  readonly perTick: number
  readonly tickMs: number
}

/** Every third call has a last word that says more than its early record. */
export const hasLastWord = (n: number): boolean => n % 3 === 0
export const callIdOf = (n: number): string => `killed-${n}`

export function recordsOf(n: number, sample: CallRecord): CallRecord[] {
  const early = { ...sample, callId: callIdOf(n), started: (sample.started + n * 1000) as CallRecord['started'], revision: 1 }
  return hasLastWord(n) ? [early, { ...early, revision: 255, sipMessages: early.sipMessages + 1, statusText: 'last word' }] : [early]
}

if (process.argv[2]?.startsWith('{')) {
  const { storeUrl, queueDir, from, to, perTick, tickMs } = JSON.parse(process.argv[2]) as RecordOrder
  const [sample] = sampleRecords() as [CallRecord]
  const queue = await openRecordQueue({
    storeUrl,
    sensorId: undefined,
    live: true,
    queue: { dir: queueDir, bytesMax: 1 << 30, drop: 'oldest' },
    memoryBytesMax: 64 << 20,
    drop: 'oldest',
    onNotice: ({ message }) => process.stderr.write(`${message}\n`),
  })
  for (let n = from; n < to; n += perTick) {
    for (let i = n; i < Math.min(n + perTick, to); i++) for (const record of recordsOf(i, sample)) queue.offer(record)
    await queue.taken()
    process.stdout.write(`taken ${Math.min(n + perTick, to)}\n`)
    await new Promise((resolve) => setTimeout(resolve, tickMs))
  }
  process.stdout.write(`closed ${JSON.stringify(await queue.close())}\n`)
}
