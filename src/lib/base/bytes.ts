// The one file that may index without a check: callers prove the range once with `fits`.

export const EMPTY: Uint8Array = new Uint8Array(0)
export const fits = (b: Uint8Array, at: number, length: number): boolean => at + length <= b.length
export const u8 = (b: Uint8Array, at: number): number => b[at]!
export const u16 = (b: Uint8Array, at: number): number => (b[at]! << 8) | b[at + 1]!
export const u24 = (b: Uint8Array, at: number): number => (b[at]! << 16) | (b[at + 1]! << 8) | b[at + 2]!
export const u32 = (b: Uint8Array, at: number): number => ((b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!) >>> 0
export const u16le = (b: Uint8Array, at: number): number => b[at]! | (b[at + 1]! << 8)
export const u32le = (b: Uint8Array, at: number): number => (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)) >>> 0
