/**
 * What a packet costs in the tracker alone, batch by batch, so that a busy machine blurs the mean but not the median:
 * no store, no spool, the file read beforehand.
 *
 *   npx tsx bench/hot-path.ts FILE [packets to leave out at the start]
 */
import { AddressBook } from '../src/lib/base/address.js'
import { CallTracker } from '../src/lib/call/tracker.js'
import { openFiles } from '../src/lib/capture/file-source.js'
import { trackerOptions } from '../test/support/analyse.js'

const [file, warmUp = '1000000'] = process.argv.slice(2)
if (file === undefined) throw new Error('Say which capture: npx tsx bench/hot-path.ts FILE')
const tracker = new CallTracker(trackerOptions, new AddressBook(), { onRecord: () => {} })
const perPacket: number[] = []
let packets = 0
for await (const batch of (await openFiles([file])).batches(new AbortController().signal)) {
  const from = process.hrtime.bigint()
  tracker.accept(batch)
  const nanoseconds = Number(process.hrtime.bigint() - from)
  packets += batch.count
  if (packets > Number(warmUp) && batch.count > 100) perPacket.push(nanoseconds / batch.count)
  batch.release()
}
perPacket.sort((a, b) => a - b)
const at = (part: number): string => (perPacket[Math.floor(part * (perPacket.length - 1))] as number).toFixed(0)
console.log(`${packets} packets, ns a packet: least ${at(0)}, tenth ${at(0.1)}, median ${at(0.5)}, ninetieth ${at(0.9)}`)
