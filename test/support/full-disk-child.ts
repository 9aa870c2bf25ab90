import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { recordText } from '../../src/lib/call/record-text.js'
import { Backlog, openJournal } from '../../src/lib/journal/index.js'
import { Recorder } from '../../src/lib/sniffer/recorder.js'
import { sampleRecords } from '../contract/records.js'
import { FaultyStore } from './faulty-store.js'

/** Records while the disk of the queue (its directory is the argument, a small file system of its own) fills up; prints what happened as JSON. */
const dir = process.argv[2] as string
const said: string[] = []
const store = new FaultyStore()
const journal = await openJournal(dir, 'sqlite:/test.db', { bytesMax: 1 << 30, drop: 'oldest' })
const recorder = new Recorder({
  open: store.open,
  journal,
  backlog: new Backlog({
    journal,
    memoryBytesMax: 1 << 30,
    drop: 'oldest',
    onJournal: (failure) => said.push((failure as NodeJS.ErrnoException | undefined)?.code ?? 'works again'),
    retryMs: 20,
  }),
  refusedFile: undefined,
  giveUpSeconds: undefined,
  onNotice: ({ kind }) => said.push(kind),
  onStatus: () => {},
  timing: { gatherMs: 1, retryMs: [2, 10] },
})
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const [sample] = sampleRecords()
const take = (from: number, to: number): Promise<void> =>
  recorder.take(Array.from({ length: to - from }, (_, i) => recordText({ ...sample!, callId: `call-${from + i}` })))

const filler = join(dir, 'filler')
writeFileSync(filler, Buffer.alloc(256 << 10))
await recorder.start(true)
store.behave = () => 'transient'
// Far more than the file system has room for.
for (let n = 0; n < 1000; n += 20) await take(n, n + 20)
const full = recorder.status
rmSync(filler)
await sleep(50)
await take(1000, 1010)
await sleep(50)
const relieved = recorder.status
store.behave = () => 'take'
for (let i = 0; recorder.status.waiting > 0 && i < 1000; i++) await sleep(10)
const end = await recorder.close(10)
process.stdout.write(`${JSON.stringify({ said, full, relieved, end, order: store.order })}\n`)
