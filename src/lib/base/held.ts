import type { PacketBatch } from './packets.js'
import type { Micros } from './units.js'

/** A packet kept longer than its batch, because what it carries is not whole yet (a fragment, a TCP segment). */
export interface HeldPacket {
  /** The frame as captured, copied. */
  readonly bytes: Uint8Array
  /** Bytes it had on the wire. */
  readonly length: number
  readonly micros: Micros
  /** What is left below a microsecond, 0–999 ns. */
  readonly nanos: number
  readonly linkType: number
}

export function holdPacket(batch: PacketBatch, index: number): HeldPacket {
  const at = batch.at[index] as number
  return {
    bytes: batch.bytes.slice(at, at + (batch.captured[index] as number)),
    length: batch.length[index] as number,
    micros: batch.micros[index] as Micros,
    nanos: batch.nanos?.[index] ?? 0,
    linkType: batch.linkType,
  }
}
