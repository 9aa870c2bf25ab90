import { createHash } from 'node:crypto'
import { Counters } from '../../src/lib/base/counters.js'
import type { BatchOrigin, PacketBatch, PacketSource, StopSignal } from '../../src/lib/base/packets.js'
import type { Micros } from '../../src/lib/base/units.js'

/** Numbered packets for the mirror's tests: each says who it is, so that what arrives can be compared with what was sent. */

const FRAME_LENGTH = 100

/** Frame `i` of sensor `sensor`: half noise of its own, half constant, so that it packs like speech does. It says that it is IPv4. */
export function frameOf(sensor: number, i: number): Uint8Array {
  const frame = new Uint8Array(FRAME_LENGTH)
  new DataView(frame.buffer).setUint32(0, i)
  frame[4] = sensor
  frame.set(createHash('sha256').update(`${sensor} ${i}`).digest(), 8)
  frame.set([0x08, 0x00], 12)
  return frame
}

export const numberOf = (batch: PacketBatch, index: number): number => {
  const at = batch.at[index] as number
  return new DataView(batch.bytes.buffer, batch.bytes.byteOffset).getUint32(at)
}

export interface BatchOptions {
  readonly sensor?: number
  readonly linkType?: number
  readonly nanos?: boolean
  readonly startMicros?: number
  readonly stepMicros?: number
  readonly interfaceName?: string
  readonly origin?: BatchOrigin
}

/** A batch of frames `from` … `to - 1`. */
export function numberedBatch(from: number, to: number, o: BatchOptions = {}): PacketBatch {
  const count = to - from
  const bytes = new Uint8Array(count * FRAME_LENGTH)
  const start = o.startMicros ?? 1_700_000_000_000_000
  const step = o.stepMicros ?? 100
  for (let i = 0; i < count; i++) bytes.set(frameOf(o.sensor ?? 1, from + i), i * FRAME_LENGTH)
  const micros = Float64Array.from({ length: count }, (_, i) => start + (from + i) * step)
  return {
    bytes,
    count,
    at: Uint32Array.from({ length: count }, (_, i) => i * FRAME_LENGTH),
    captured: new Uint32Array(count).fill(FRAME_LENGTH),
    length: Uint32Array.from({ length: count }, (_, i) => FRAME_LENGTH + (i % 7)),
    micros,
    nanos: o.nanos ? Uint16Array.from({ length: count }, (_, i) => i % 1000) : undefined,
    linkType: o.linkType ?? 1,
    until: (micros[count - 1] ?? start) as Micros,
    interfaceName: o.interfaceName,
    origin: o.origin,
    release: () => {},
  }
}

/** A source of these batches, as a file would be; or as an interface, when `live`. `gate` is awaited before each. */
export function sourceOf(batches: Iterable<PacketBatch>, o: { live?: boolean; gate?: () => Promise<void> } = {}): PacketSource {
  return {
    live: o.live ?? false,
    oddities: new Counters(),
    progress: () => ({ bytes: 0, total: undefined }),
    async *batches(signal: StopSignal) {
      for (const batch of batches) {
        await o.gate?.()
        if (signal.aborted) return
        yield batch
      }
    },
  }
}

/** Waits until the condition holds; fails with its name after a while. */
export async function until(what: string, holds: () => boolean, withinMs = 10_000): Promise<void> {
  for (const end = Date.now() + withinMs; !holds(); ) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`)
    await new Promise((wake) => setTimeout(wake, 10))
  }
}
