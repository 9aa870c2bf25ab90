import { gunzipSync, gzipSync } from 'node:zlib'
import { Lz4FrameReader, packLz4Frame } from '../codec/index.js'

/**
 * Compression of the spool's files, in the writing thread: each time a file is written to, what is added is one gzip member
 * or one lz4 frame of its own. So the file is whole at any moment: zcat, lz4 and Wireshark open it while the call runs.
 */
const table = {
  no: { suffix: '', pack: (pieces: readonly Uint8Array[]) => pieces, unpack: (bytes: Uint8Array) => bytes },
  /** Level 1: RTP gets little smaller from more. */
  gzip: {
    suffix: '.gz',
    pack: (pieces: readonly Uint8Array[]) => [gzipSync(concat(pieces), { level: 1 })],
    unpack: (bytes: Uint8Array) => gunzipSync(bytes),
  },
  lz4: {
    suffix: '.lz4',
    pack: (pieces: readonly Uint8Array[]) => [packLz4Frame(concat(pieces))],
    unpack: unpackLz4,
  },
} as const satisfies Record<string, Row>

function unpackLz4(bytes: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = []
  for (const piece of new Lz4FrameReader().read(bytes)) pieces.push(piece.slice())
  return concat(pieces)
}

interface Row {
  readonly suffix: string
  pack(pieces: readonly Uint8Array[]): readonly Uint8Array[]
  unpack(bytes: Uint8Array): Uint8Array
}

export type Compression = keyof typeof table
export const compressions = Object.keys(table) as readonly Compression[]

/** By the name. In VoIPmonitor's layout the name does not tell. */
export const compressionOf = (path: string): Compression => (path.endsWith('.gz') ? 'gzip' : path.endsWith('.lz4') ? 'lz4' : 'no')
export const suffixOf = (compression: Compression): string => table[compression].suffix
export const pack = (compression: Compression, pieces: readonly Uint8Array[]): readonly Uint8Array[] => table[compression].pack(pieces)
/** A whole file's bytes as they were. Throws for what is broken. */
export const unpack = (compression: Compression, bytes: Uint8Array): Uint8Array => table[compression].unpack(bytes)

export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0] as Uint8Array
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
