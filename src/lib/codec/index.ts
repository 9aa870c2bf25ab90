import type { Codec } from './codec.js'
import { lz4Codec } from './lz4.js'
import { snappyCodec } from './snappy.js'

/** Block codecs by name: the one place that knows which there are. */
export type { Codec } from './codec.js'
export { crc32c } from './crc32c.js'
export { isLz4Frame, Lz4FrameError, Lz4FrameReader, packLz4Frame } from './lz4-frame.js'
export { snappyPlainLength } from './snappy.js'

export const codecs = { lz4: lz4Codec, snappy: snappyCodec } as const satisfies Record<string, Codec>
export type CodecName = keyof typeof codecs
