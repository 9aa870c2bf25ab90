import { writeFileSync } from 'node:fs'
import { OperatorError } from '../../lib/base/errors.js'
import type { HeldPacket } from '../../lib/base/held.js'
import type { PacketBatch } from '../../lib/base/packets.js'
import type { Micros } from '../../lib/base/units.js'
import { LadderReader, type LadderStep } from '../../lib/call/ladder.js'
import { fileHeaderLength, recordHeaderLength, writeFileHeader, writeRecordHeader } from '../../lib/pcap/write.js'

/** Kept packets as a ladder, and as a pcap. */

export function stepsOf(packets: readonly HeldPacket[], callIds: readonly string[]): readonly LadderStep[] {
  const reader = new LadderReader(callIds)
  for (const batch of batchesOf(packets)) reader.accept(batch)
  return reader.steps
}

/** A batch each time the link type changes. */
export function* batchesOf(packets: readonly HeldPacket[]): Generator<PacketBatch> {
  for (let from = 0; from < packets.length; ) {
    const linkType = (packets[from] as HeldPacket).linkType
    let to = from
    let size = 0
    while (to < packets.length && packets[to]?.linkType === linkType) size += (packets[to++] as HeldPacket).bytes.length
    const part = packets.slice(from, to)
    const bytes = new Uint8Array(size)
    const at = new Uint32Array(part.length)
    let used = 0
    part.forEach((packet, i) => {
      at[i] = used
      bytes.set(packet.bytes, used)
      used += packet.bytes.length
    })
    yield {
      bytes,
      count: part.length,
      at,
      captured: Uint32Array.from(part, (p) => p.bytes.length),
      length: Uint32Array.from(part, (p) => p.length),
      micros: Float64Array.from(part, (p) => p.micros),
      nanos: part.some((p) => p.nanos > 0) ? Uint16Array.from(part, (p) => p.nanos) : undefined,
      linkType,
      until: (part.at(-1)?.micros ?? 0) as Micros,
      release: () => {},
    }
    from = to
  }
}

/**
 * The packets of several calls as one capture had them: legs share their media, and what two calls have is one packet; what one
 * call has twice was on the wire twice.
 */
export function mergedPackets(calls: readonly (readonly HeldPacket[])[]): readonly HeldPacket[] {
  if (calls.length < 2) return calls[0] ?? []
  const merged: HeldPacket[] = []
  const taken = new Map<string, number>()
  for (const packets of calls) {
    const own = new Map<string, number>()
    for (const packet of packets) {
      const key = `${packet.micros} ${packet.nanos} ${packet.linkType} ${packet.length} ${fingerprint(packet.bytes)}`
      const times = (own.get(key) ?? 0) + 1
      own.set(key, times)
      if (times <= (taken.get(key) ?? 0)) continue
      taken.set(key, times)
      merged.push(packet)
    }
  }
  return merged
}

/** FNV-1a, 32 bits: enough beside a time in microseconds. */
function fingerprint(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/** Writes packets, in order of time, to a new file; of several link types each gets its own. Answers the paths. */
export function savePcap(path: string, packets: readonly HeldPacket[]): string[] {
  const ordered = [...packets].sort((a, b) => a.micros - b.micros || a.nanos - b.nanos)
  const types = [...new Set(ordered.map((p) => p.linkType))]
  return types.map((linkType, i) => {
    const target = i === 0 ? path : path.replace(/(\.pcap)?$/, `.linktype${linkType}.pcap`)
    saveFile(
      target,
      pcapOf(
        ordered.filter((p) => p.linkType === linkType),
        linkType,
      ),
    )
    return target
  })
}

/** Never over a file that is there. */
export function saveFile(path: string, content: Uint8Array | string): void {
  try {
    writeFileSync(path, content, { flag: 'wx' })
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST'
    throw new OperatorError('SAVE', exists ? `"${path}" exists already.` : `Cannot write "${path}": ${(error as Error).message}.`, {
      cause: error,
      suggestions: ['Give another name.'],
    })
  }
}

function pcapOf(packets: readonly HeldPacket[], linkType: number): Uint8Array {
  const nanos = packets.some((p) => p.nanos > 0)
  const bytes = new Uint8Array(fileHeaderLength + packets.reduce((sum, p) => sum + recordHeaderLength + p.bytes.length, 0))
  const view = new DataView(bytes.buffer)
  let at = writeFileHeader(view, 0, linkType, nanos)
  for (const packet of packets) {
    at = writeRecordHeader(view, at, packet.micros, nanos ? packet.nanos : -1, packet.bytes.length, packet.length)
    bytes.set(packet.bytes, at)
    at += packet.bytes.length
  }
  return bytes
}
