// The writing thread of the spool: takes shipments of packets, appends them to the files of their calls.
import { parentPort, workerData } from 'node:worker_threads'
import { PcapFiles } from './files.js'
import { Shipment, type ShipmentMessage, type ShipmentReply } from './shipment.js'

const { dir, memoryBytes } = workerData as { dir: string; memoryBytes: number }
const files = new PcapFiles(dir, memoryBytes)
const shipments = new Map<number, Shipment>()
let ticked = 0

const reply = (id: number): void => {
  const { bytes, dropped, trouble, waiting } = files
  files.trouble = undefined
  parentPort?.postMessage({ id, bytes, files: files.files, dropped, waiting, trouble } satisfies ShipmentReply)
}

parentPort?.on('message', (message: ShipmentMessage | 'close') => {
  if (message === 'close') {
    files.close()
    reply(-1)
    parentPort?.close()
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
