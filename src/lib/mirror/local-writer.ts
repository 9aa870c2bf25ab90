import type { PacketBatch, PacketSource } from '../base/packets.js'
import type { BlockPacker } from './block.js'
import type { PacketWriter, Target } from './packet-writer.js'
import type { PreFilter } from './pre-filter.js'
import type { Reopening } from './reopening.js'
import { streamBlock } from './stream-file.js'

/** The sender without a network: what passes the filters is written here, as pcapng or as the mirror's own stream. */
export interface LocalWriteParts {
  readonly source: PacketSource
  readonly preFilter: PreFilter | undefined
  readonly signal: AbortSignal
  onBatch?(): void
}

export async function writePackets(parts: LocalWriteParts, writer: PacketWriter): Promise<void> {
  for await (const batch of parts.source.batches(parts.signal)) {
    await writer.write(parts.preFilter === undefined ? batch : reduced(batch, parts.preFilter.keep(batch)))
    batch.release()
    parts.onBatch?.()
  }
  await writer.close()
}

/** Answers the packets written. Each file is a stream of its own. */
export async function writeMirrorStream(
  parts: LocalWriteParts,
  packer: BlockPacker,
  beginning: Uint8Array,
  target: Target,
  reopening: Reopening,
): Promise<number> {
  let number = 0
  let packets = 0
  const close = async (until: PacketBatch['until']): Promise<void> => {
    const block = packer.take(until)
    if (block === undefined) return
    packets += block.packets
    await target.write(streamBlock(block, number++))
  }
  await target.write(beginning)
  for await (const batch of parts.source.batches(parts.signal)) {
    const keep = parts.preFilter?.keep(batch)
    for (let from = 0; from < batch.count; ) {
      from = packer.add(batch, from, keep)
      if (from < batch.count) await close(batch.until)
    }
    // A live batch is old enough already; a file's are put together.
    if (parts.source.live) await close(batch.until)
    batch.release()
    parts.onBatch?.()
    if (!reopening.wanted) continue
    await close(batch.until)
    if (!(await reopening.grant(target))) continue
    number = 0
    await target.write(beginning)
  }
  await close(0 as PacketBatch['until'])
  await target.close()
  return packets
}

/** A batch without what the filter left out. */
function reduced(batch: PacketBatch, keep: Int32Array): PacketBatch {
  const kept: number[] = []
  for (let i = 0; i < batch.count; i++) if ((keep[i] as number) >= 0) kept.push(i)
  return {
    ...{ bytes: batch.bytes, linkType: batch.linkType, until: batch.until, interfaceName: batch.interfaceName, origin: batch.origin },
    count: kept.length,
    at: Uint32Array.from(kept, (i) => batch.at[i] as number),
    captured: Uint32Array.from(kept, (i) => keep[i] as number),
    length: Uint32Array.from(kept, (i) => batch.length[i] as number),
    micros: Float64Array.from(kept, (i) => batch.micros[i] as number),
    nanos: batch.nanos && Uint16Array.from(kept, (i) => batch.nanos?.[i] as number),
    release: () => {},
  }
}
