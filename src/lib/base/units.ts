// Numbers that must not be mixed: each carries its unit in its type.

declare const unit: unique symbol
type Unit<Name extends string> = number & { readonly [unit]: Name }

/** Microseconds since the Unix epoch. A double holds them exactly until the year 2255. */
export type Micros = Unit<'Micros'>
/** RTP media clock, modulo 2^32. */
export type Ticks = Unit<'Ticks'>
/** RTP sequence number, modulo 2^16. */
export type Seq = Unit<'Seq'>
export type Hertz = Unit<'Hertz'>
/** An IPv4 address as its u32, or an interned IPv6 address above 2^32 (see AddressBook). */
export type Address = Unit<'Address'>
/** address × 65536 + port: one exact double. */
export type Endpoint = Unit<'Endpoint'>

/** How far `a` is ahead of `b` on its circle; negative when behind. Two shifts, no wrap-around branches. */
export const seqDelta = (a: Seq, b: Seq): number => ((a - b) << 16) >> 16
export const ticksDelta = (a: Ticks, b: Ticks): number => (a - b) | 0

export const SECOND = 1_000_000
