/** Frames made by hand for tests of filters and live capture: each function wraps what is inside it. Checksums are left 0 where nobody looks. */

export type Bytes = Uint8Array

export const join = (...parts: readonly (Bytes | readonly number[])[]): Bytes => Uint8Array.from(parts.flatMap((part) => [...part]))
const word = (value: number): number[] => [(value >>> 8) & 255, value & 255]
const address4 = (text: string): number[] => text.split('.').map(Number)
const address6 = (last: number): number[] => [0x20, 0x01, 0x0d, 0xb8, ...Array<number>(10).fill(0), ...word(last)]

export const text = (value: string): Bytes => new TextEncoder().encode(value)

export const ethernet = (type: number, inside: Bytes): Bytes => join([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1], word(type), inside)
/** 802.3 with LLC/SNAP. */
export const snap = (type: number, inside: Bytes): Bytes => ethernet(inside.length + 8, join([0xaa, 0xaa, 3, 0, 0, 0], word(type), inside))
/** A tag for the inside of an Ethernet frame of type 0x8100, 0x88a8 …: `ethernet(0x8100, vlan(5, 0x0800, packet))`. */
export const vlan = (id: number, type: number, inside: Bytes): Bytes => join(word(id), word(type), inside)

export const udp = (from: number, to: number, inside: Bytes): Bytes => join(word(from), word(to), word(8 + inside.length), [0, 0], inside)
export const tcp = (from: number, to: number, inside: Bytes): Bytes =>
  join(word(from), word(to), [0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0], inside)

export interface Ipv4Options {
  readonly source?: string
  readonly destination?: string
  readonly id?: number
  /** In bytes, a multiple of 8. */
  readonly fragmentAt?: number
  readonly more?: boolean
  /** Option bytes, a multiple of 4. */
  readonly options?: readonly number[]
}

export function ipv4(protocol: number, inside: Bytes, o: Ipv4Options = {}): Bytes {
  const options = o.options ?? []
  const flags = (o.more === true ? 0x2000 : 0) | ((o.fragmentAt ?? 0) >> 3)
  const header = [
    ...[0x45 + options.length / 4, 0, ...word(20 + options.length + inside.length), ...word(o.id ?? 1), ...word(flags)],
    ...[64, protocol, 0, 0, ...address4(o.source ?? '10.0.0.1'), ...address4(o.destination ?? '10.0.0.2'), ...options],
  ]
  let sum = 0
  for (let i = 0; i < header.length; i += 2) sum += ((header[i] as number) << 8) | (header[i + 1] as number)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  header.splice(10, 2, ...word(~sum))
  return join(header, inside)
}

/** From 2001:db8::1 to 2001:db8::2, unless other last groups are given. */
export const ipv6 = (next: number, inside: Bytes, source = 1, destination = 2): Bytes =>
  join([0x60, 0, 0, 0], word(inside.length), [next, 64], address6(source), address6(destination), inside)
/** RFC 8200 4.5. */
export const ipv6Fragment = (next: number, at: number, more: boolean, inside: Bytes): Bytes =>
  join([next, 0], word(at | (more ? 1 : 0)), [0, 0, 0, 9], inside)
/** Eight bytes of hop-by-hop or destination options that say nothing (PadN). */
export const ipv6Options = (next: number, inside: Bytes): Bytes => join([next, 0, 1, 4, 0, 0, 0, 0], inside)

export const gre = (type: number, inside: Bytes): Bytes => join([0, 0], word(type), inside)
export const vxlan = (inside: Bytes): Bytes => join([8, 0, 0, 0, 0, 0, 7, 0], inside)
export const authentication = (next: number, inside: Bytes): Bytes => join([next, 4, 0, 0], Array<number>(20).fill(1), inside)
export const sll2 = (type: number, inside: Bytes): Bytes => join(word(type), [0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], inside)

/** A pcap file of microseconds, little-endian; packet i is i seconds after 2023-11-14 22:13:20 UTC. */
export function pcapOf(linkType: number, frames: readonly Bytes[], stepMicros = 1_000_000): Bytes {
  const header = Uint32Array.of(0xa1b2c3d4, 0x00040002, 0, 0, 262_144, linkType)
  const parts: Bytes[] = [new Uint8Array(header.buffer)]
  frames.forEach((frame, i) => {
    const micros = i * stepMicros
    const record = Uint32Array.of(1_700_000_000 + Math.floor(micros / 1_000_000), micros % 1_000_000, frame.length, frame.length)
    parts.push(new Uint8Array(record.buffer), frame)
  })
  return new Uint8Array(Buffer.concat(parts))
}
