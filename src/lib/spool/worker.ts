// The writing thread of the spool: takes shipments of packets, appends them to the files of their calls, and in between keeps
// the spool within its limits.
import { parentPort, workerData } from 'node:worker_threads'
import { PcapFiles } from './files.js'
import { Keeper } from './keeper.js'
import { type FlushReply, Shipment, type ShipmentReply, type WriterData, type WriterOrder } from './shipment.js'

/** The keeper's steps are short: so often, they leave nine tenths of the thread to the writing. */
const STEP_EVERY_MS = 100

const data = workerData as WriterData
const keeper = new Keeper(data)
const files = new PcapFiles(data, keeper)
const shipments = new Map<number, Shipment>()
let ticked = 0

const reply = (id: number): void => {
  const { bytes, writes, dropped, trouble, waiting } = files
  const { notice, stats: kept } = keeper
  files.trouble = undefined
  keeper.notice = undefined
  parentPort?.postMessage({ id, bytes, files: files.files, writes, dropped, waiting, trouble, notice, kept } satisfies ShipmentReply)
}

const stepping = setInterval(() => keeper.step(), STEP_EVERY_MS)

parentPort?.on('message', async (message: WriterOrder) => {
  if (message === 'close') {
    clearInterval(stepping)
    files.close()
    await keeper.close()
    reply(-1)
    parentPort?.close()
    return
  }
  if ('limits' in message) {
    keeper.limitTo(message.limits)
    return
  }
  if ('flush' in message) {
    files.flush(message.flush)
    parentPort?.postMessage({ flushed: message.number } satisfies FlushReply)
    return
  }
  const { id, buffer, count, opened, ended, now } = message
  if (buffer !== undefined) shipments.set(id, new Shipment(buffer))
  for (const { file, path } of opened) files.open(file, path)
  if (count > 0) files.accept(shipments.get(id) as Shipment, count)
  for (const file of ended) files.end(file)
  if (now - ticked >= 1e6 || now < ticked) {
    ticked = now
    files.tick(now)
  }
  reply(id)
})
