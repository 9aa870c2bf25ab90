import { lstatSync, renameSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { openFiles } from '../capture/file-source.js'
import { recordHeaderLength, writeFileHeader, writeRecordHeader } from '../pcap/write.js'
import { type Compression, compressionOf, pack } from './compression.js'
import { Signalling } from './signalling.js'

/**
 * A call's file without its media: read once from the beginning to the end, its SIP written to a file beside, which then takes
 * its place. Whoever has the old one open reads on in it.
 */
const PIECE_BYTES = 1 << 20

export interface Kinds {
  /** Bytes of records, as a pcap has them. */
  readonly sip: number
  readonly media: number
}

/** How much of a file is signalling. Throws when it cannot be read. */
export async function kindsOf(full: string): Promise<Kinds> {
  const signalling = new Signalling()
  let sip = 0
  let media = 0
  for await (const batch of (await openFiles([full])).batches(new AbortController().signal)) {
    for (let i = 0; i < batch.count; i++) {
      const size = recordHeaderLength + (batch.captured[i] as number)
      if (signalling.is(batch, i)) sip += size
      else media += size
    }
    batch.release()
  }
  return { sip, media }
}

/** Answers false, the file untouched, when there are no media in it. Throws when it cannot be read whole or written; then, too, it is as it was. */
export async function trimFile(spool: string, path: string): Promise<boolean> {
  const full = join(spool, path)
  const part = `${full}.part`
  // An earlier one was killed in the middle.
  rmSync(part, { force: true })
  try {
    const before = lstatSync(full)
    const dropped = await writeSignalling(full, part, compressionOf(path))
    const { ino, size, mtimeMs } = lstatSync(full)
    if (ino !== before.ino || size !== before.size || mtimeMs !== before.mtimeMs) throw new Error(`"${path}" was written to meanwhile`)
    if (dropped > 0) renameSync(part, full)
    return dropped > 0
  } finally {
    rmSync(part, { force: true })
  }
}

/** Answers the number of packets left out. */
async function writeSignalling(from: string, to: string, compression: Compression): Promise<number> {
  const source = await openFiles([from])
  const file = await open(to, 'wx', 0o640)
  try {
    const signalling = new Signalling()
    let piece = new Uint8Array(PIECE_BYTES)
    let used = 0
    let dropped = 0
    let begun = false
    const flush = async (): Promise<void> => {
      for (const bytes of pack(compression, [piece.subarray(0, used)])) await file.writeFile(bytes)
      used = 0
    }
    for await (const batch of source.batches(new AbortController().signal)) {
      if (!begun) used = writeFileHeader(new DataView(piece.buffer), 0, batch.linkType, batch.nanos !== undefined)
      begun = true
      for (let i = 0; i < batch.count; i++) {
        if (!signalling.is(batch, i)) {
          dropped++
          continue
        }
        const at = batch.at[i] as number
        const captured = batch.captured[i] as number
        const needed = recordHeaderLength + captured
        if (used + needed > piece.length) {
          await flush()
          if (needed > piece.length) piece = new Uint8Array(needed)
        }
        used = writeRecordHeader(
          new DataView(piece.buffer),
          used,
          batch.micros[i] as number,
          batch.nanos?.[i] ?? -1,
          captured,
          batch.length[i] as number,
        )
        piece.set(batch.bytes.subarray(at, at + captured), used)
        used += captured
      }
      batch.release()
    }
    const [oddity] = source.oddities.entries()
    if (oddity !== undefined) throw new Error(`"${from}": ${oddity[0]}`)
    if (used > 0) await flush()
    return dropped
  } finally {
    await file.close()
  }
}
