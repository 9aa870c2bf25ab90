import type { PacketBatch } from '../../src/lib/base/packets.js'
import type { Micros } from '../../src/lib/base/units.js'
import type { CallHandle, PacketKind } from '../../src/lib/call/outputs.js'
import { openSpool, type SpoolOptions } from '../../src/lib/spool/index.js'
import { batchOf, type Packet } from './ladder.js'

/** Calls put into a spool without a tracker: who says what a packet is, is the test. */

let numbers = 0
export const callHandle = (callId: string, started: number): CallHandle => ({
  number: ++numbers,
  callId,
  started: started as Micros,
  tag: -1,
})

export interface SpooledCall {
  readonly callId: string
  /** Seconds of the ladder that its packets are told in. */
  readonly packets: readonly Packet[]
  readonly linkType?: number
  /** What is added to the times of the packets, seconds. */
  readonly later?: number
}

const LADDER_START = 1_700_000_000

/** What a packet is, by its port: 5060 is SIP, everything else RTP. The length of the headers is that of IPv4 over Ethernet. */
export function give(
  spool: { packet(call: CallHandle, batch: PacketBatch, index: number, kind: PacketKind, headersEnd: number): void },
  call: CallHandle,
  batch: PacketBatch,
): void {
  for (let i = 0; i < batch.count; i++) {
    const at = batch.at[i] as number
    const kind = new DataView(batch.bytes.buffer, batch.bytes.byteOffset).getUint16(at + 36) === 5060 ? 'sip' : 'rtp'
    spool.packet(call, batch, i, kind, kind === 'sip' ? at + (batch.captured[i] as number) : at + 54)
  }
}

/** Writes calls and closes the spool. Answers their paths below it. */
export async function spoolCalls(dir: string, calls: readonly SpooledCall[], options: Partial<SpoolOptions> = {}): Promise<string[]> {
  const spool = await openSpool({ dir, save: 'rtp', canWait: true, onNotice: () => {}, ...options })
  const paths: string[] = []
  for (const { callId, packets, linkType, later = 0 } of calls) {
    const plain = batchOf(packets, linkType)
    const batch = { ...plain, micros: plain.micros.map((time) => time + later * 1e6) }
    const call = callHandle(callId, (LADDER_START + later) * 1e6)
    give(spool, call, batch)
    spool.settle(batch, (batch.micros.at(-1) ?? 0) as Micros)
    paths.push(spool.pathOf(call) as string)
    spool.ended(call)
    await spool.drained()
  }
  await spool.close()
  return paths
}
