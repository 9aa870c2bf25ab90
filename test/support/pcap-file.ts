import type { PacketBatch } from '../../src/lib/base/packets.js'

/** A batch as a pcap of microseconds, written byte by byte here: not with the code under test. */
export function pcapOf(batch: PacketBatch): Buffer {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b2c3d4, 0)
  header.writeUInt16LE(2, 4)
  header.writeUInt16LE(4, 6)
  header.writeUInt32LE(262_144, 16)
  header.writeUInt32LE(batch.linkType, 20)
  const records = Array.from({ length: batch.count }, (_, i) => {
    const micros = batch.micros[i] as number
    const record = Buffer.alloc(16)
    record.writeUInt32LE(Math.floor(micros / 1e6), 0)
    record.writeUInt32LE(Math.round(micros % 1e6), 4)
    record.writeUInt32LE(batch.captured[i] as number, 8)
    record.writeUInt32LE(batch.length[i] as number, 12)
    const at = batch.at[i] as number
    return Buffer.concat([record, batch.bytes.subarray(at, at + (batch.captured[i] as number))])
  })
  return Buffer.concat([header, ...records])
}
