// The package has no types of its own; these are the block calls that are used.
declare module 'lz4' {
  interface Lz4 {
    /** Answers the bytes written to output[from, to), 0 when they do not fit. Any Uint8Array will do. */
    encodeBlock(input: Uint8Array, output: Uint8Array, from: number, to: number): number
    /** Answers the bytes written, a negative number for a broken block. Never writes outside `output`. */
    decodeBlock(input: Uint8Array, output: Uint8Array): number
  }
  const lz4: Lz4
  export default lz4
}
