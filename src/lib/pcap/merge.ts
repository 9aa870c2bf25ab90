import type { PacketBatch } from '../base/packets.js'
import { interfaceRoom, packetRoom, sectionRoom, writeInterface, writePacket, writeSection } from './pcapng-write.js'
import { fileHeaderLength, recordHeaderLength, writeFileHeader, writeRecordHeader } from './write.js'

/**
 * Several captures, each in order of time, as one: a pcap when all have the same link type, else a pcapng with an interface
 * for each. Times and bytes stay as they are; equal times keep the order in which the captures are given.
 */
const CHUNK_BYTES = 256 << 10

interface Input {
  readonly batches: AsyncIterator<PacketBatch>
  batch: PacketBatch
  next: number
  interface: number
}

/** Answers the pieces of the file. Every piece is new: it may be kept. A capture keeps the link type and the clock of its first batch. */
export async function* mergedCapture(captures: readonly AsyncIterable<PacketBatch>[]): AsyncGenerator<Uint8Array, void, void> {
  const inputs: Input[] = []
  for (const capture of captures) {
    const batches = capture[Symbol.asyncIterator]()
    const batch = await nextBatch(batches)
    if (batch !== undefined) inputs.push({ batches, batch, next: 0, interface: 0 })
  }
  const nanos = inputs.some(({ batch }) => batch.nanos !== undefined)
  const linkTypes = [...new Set(inputs.map(({ batch }) => batch.linkType))]
  for (const input of inputs) input.interface = linkTypes.indexOf(input.batch.linkType)
  const format = linkTypes.length > 1 ? pcapng(linkTypes) : pcap(linkTypes[0] ?? 1, nanos)
  yield format.begin()
  let chunk = new Uint8Array(CHUNK_BYTES)
  let view = new DataView(chunk.buffer)
  let used = 0
  while (inputs.length > 0) {
    const input = earliest(inputs)
    const { batch, next: index } = input
    const needed = format.room(batch.captured[index] as number)
    if (used + needed > chunk.length) {
      yield chunk.subarray(0, used)
      chunk = new Uint8Array(Math.max(CHUNK_BYTES, needed))
      view = new DataView(chunk.buffer)
      used = 0
    }
    format.packet(chunk, view, used, input)
    used += needed
    if (++input.next < batch.count) continue
    batch.release()
    const following = await nextBatch(input.batches)
    if (following === undefined) inputs.splice(inputs.indexOf(input), 1)
    else {
      input.batch = following
      input.next = 0
    }
  }
  if (used > 0) yield chunk.subarray(0, used)
}

interface Format {
  /** The file's head. */
  begin(): Uint8Array
  room(captured: number): number
  /** `bytes` and `out` are the same memory. */
  packet(bytes: Uint8Array, out: DataView, at: number, input: Input): void
}

const pcap = (linkType: number, nanos: boolean): Format => ({
  begin() {
    const head = new Uint8Array(fileHeaderLength)
    writeFileHeader(new DataView(head.buffer), 0, linkType, nanos)
    return head
  },
  room: (captured) => recordHeaderLength + captured,
  packet(bytes, out, at, { batch, next: i }) {
    const to = writeRecordHeader(out, at, batch.micros[i]!, nanos ? (batch.nanos?.[i] ?? 0) : -1, batch.captured[i]!, batch.length[i]!)
    bytes.set(batch.bytes.subarray(batch.at[i], batch.at[i]! + batch.captured[i]!), to)
  },
})

const pcapng = (linkTypes: readonly number[]): Format => ({
  begin() {
    const head = new Uint8Array(linkTypes.reduce((sum, type) => sum + interfaceRoom(nameOf(type), ''), sectionRoom))
    const out = new DataView(head.buffer)
    return head.subarray(
      0,
      linkTypes.reduce((at, type) => writeInterface(out, at, type, nameOf(type), ''), writeSection(out, 0)),
    )
  },
  room: packetRoom,
  packet(bytes, out, at, { batch, next, interface: id }) {
    writePacket(bytes, out, at, id, batch, next)
  },
})

const nameOf = (linkType: number): string => `linktype${linkType}`

function earliest(inputs: readonly Input[]): Input {
  let best = inputs[0] as Input
  for (const input of inputs) {
    const ahead = input.batch.micros[input.next]! - best.batch.micros[best.next]!
    const nanos = (input.batch.nanos?.[input.next] ?? 0) - (best.batch.nanos?.[best.next] ?? 0)
    if (ahead < 0 || (ahead === 0 && nanos < 0)) best = input
  }
  return best
}

async function nextBatch(batches: AsyncIterator<PacketBatch>): Promise<PacketBatch | undefined> {
  for (;;) {
    const { done, value } = await batches.next()
    if (done === true) return undefined
    if (value.count > 0) return value
    value.release()
  }
}
