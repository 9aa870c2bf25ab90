/**
 * What compression of a block looks like, whatever the algorithm. The caller owns both buffers and knows the plain size:
 * a decoder fills exactly the buffer it is given, so a lying block costs the time of one block and no memory.
 */
export interface Codec {
  readonly name: string
  /** The most bytes that `compress` can need for so many plain ones. */
  bound(bytes: number): number
  /** Answers the bytes written to `out`; 0 when they do not fit. */
  compress(plain: Uint8Array, out: Uint8Array): number
  /** Fills `out` exactly; false when `packed` is broken or of another size. */
  decompress(packed: Uint8Array, out: Uint8Array): boolean
}
