import type { PacketBatch } from '../base/packets.js'
import { utf8Bytes } from '../base/text.js'

/**
 * The writing side of pcapng (draft-ietf-opsawg-pcapng): one section, little-endian, nanoseconds. Blocks go into a caller's buffer, whose
 * `at` is a multiple of four; each function answers where the next block begins. Give it the room that `…Room` says.
 */
const SECTION = 0x0a0d0d0a
const ORDER_MAGIC = 0x1a2b3c4d
const INTERFACE = 1
const STATISTICS = 5
const ENHANCED_PACKET = 6

const option = { end: 0, comment: 1, name: 2, description: 3, resolution: 9, dropped: 5 } as const
const NANOSECONDS = 9

export const sectionRoom = 28
export const interfaceRoom = (name: string, description: string): number =>
  48 + padded(utf8Bytes(name).length) + padded(utf8Bytes(description).length)
export const packetRoom = (captured: number): number => 32 + padded(captured)
export const statisticsRoom = (comment: string): number => 44 + padded(utf8Bytes(comment).length)

const padded = (bytes: number): number => (bytes + 3) & ~3

export function writeSection(out: DataView, at: number): number {
  out.setUint32(at, SECTION, true)
  out.setUint32(at + 4, sectionRoom, true)
  out.setUint32(at + 8, ORDER_MAGIC, true)
  out.setUint16(at + 12, 1, true)
  out.setUint16(at + 14, 0, true)
  // Length of the section: not known.
  out.setUint32(at + 16, 0xffff_ffff, true)
  out.setUint32(at + 20, 0xffff_ffff, true)
  out.setUint32(at + 24, sectionRoom, true)
  return at + sectionRoom
}

export function writeInterface(out: DataView, at: number, linkType: number, name: string, description: string, snaplen = 262_144): number {
  out.setUint32(at, INTERFACE, true)
  out.setUint16(at + 8, linkType, true)
  out.setUint16(at + 10, 0, true)
  out.setUint32(at + 12, snaplen, true)
  let to = writeText(out, at + 16, option.name, name)
  to = writeText(out, to, option.description, description)
  out.setUint32(to, option.resolution | (1 << 16), true)
  out.setUint32(to + 4, NANOSECONDS, true)
  return close(out, at, to + 8)
}

/** Packet `index` of a batch; `bytes` and `out` are the same memory. */
export function writePacket(bytes: Uint8Array, out: DataView, at: number, interfaceId: number, batch: PacketBatch, index: number): number {
  const captured = batch.captured[index] as number
  const from = batch.at[index] as number
  const micros = batch.micros[index] as number
  const nanos = batch.nanos === undefined ? 0 : (batch.nanos[index] as number)
  const block = packetRoom(captured)
  // 64 bits of nanoseconds do not fit a double: in two halves of micros, exactly.
  const high = Math.floor(micros / 2 ** 32) * 1000
  const low = (micros % 2 ** 32) * 1000 + nanos
  // The padding first: what belongs to the block then overwrites it.
  out.setUint32(at + block - 8, 0, true)
  out.setUint32(at, ENHANCED_PACKET, true)
  out.setUint32(at + 4, block, true)
  out.setUint32(at + 8, interfaceId, true)
  out.setUint32(at + 12, high + Math.floor(low / 2 ** 32), true)
  out.setUint32(at + 16, low % 2 ** 32, true)
  out.setUint32(at + 20, captured, true)
  out.setUint32(at + 24, batch.length[index] as number, true)
  out.setUint32(at + block - 4, block, true)
  bytes.set(batch.bytes.subarray(from, from + captured), at + 28)
  return at + block
}

/** Statistics of an interface, with a remark that other programs show and pass over. */
export function writeStatistics(out: DataView, at: number, interfaceId: number, micros: number, dropped: number, comment: string): number {
  out.setUint32(at, STATISTICS, true)
  out.setUint32(at + 8, interfaceId, true)
  const high = Math.floor(micros / 2 ** 32) * 1000
  const low = (micros % 2 ** 32) * 1000
  out.setUint32(at + 12, high + Math.floor(low / 2 ** 32), true)
  out.setUint32(at + 16, low % 2 ** 32, true)
  const to = writeText(out, at + 20, option.comment, comment)
  out.setUint32(to, option.dropped | (8 << 16), true)
  out.setUint32(to + 4, dropped % 2 ** 32, true)
  out.setUint32(to + 8, Math.floor(dropped / 2 ** 32), true)
  return close(out, at, to + 12)
}

function writeText(out: DataView, at: number, code: number, text: string): number {
  const bytes = utf8Bytes(text)
  if (bytes.length === 0) return at
  const end = at + 4 + padded(bytes.length)
  out.setUint32(end - 4, 0, true)
  out.setUint16(at, code, true)
  out.setUint16(at + 2, bytes.length, true)
  new Uint8Array(out.buffer, out.byteOffset).set(bytes, at + 4)
  return end
}

/** The end of the options, and the length on both sides. */
function close(out: DataView, at: number, optionsEnd: number): number {
  out.setUint32(optionsEnd, option.end, true)
  const length = optionsEnd + 8 - at
  out.setUint32(at + 4, length, true)
  out.setUint32(at + length - 4, length, true)
  return at + length
}
