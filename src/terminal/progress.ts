import type { SourceProgress } from '../lib/base/packets.js'

/**
 * A line on stderr that tells how far a long run has come; nothing at all when stderr is no terminal or the run is short.
 * For a file: bytes, packets/s and time left. For an interface: packets and what the kernel dropped.
 */
export interface ProgressLine {
  update(now: {
    readonly packets: number
    readonly calls: number
    readonly source: SourceProgress
    readonly dropped: number | undefined
  }): void
  /** Wipes the line, so that other output can be written. */
  clear(): void
}

/** Work that counts one kind of thing: how many, and how fast. */
export function workLine(
  stream: NodeJS.WriteStream,
  quiet = false,
  startedMs = performance.now(),
): { update(done: number, what: string): void; clear(): void } {
  if (quiet || !stream.isTTY) return { update: () => {}, clear: () => {} }
  let drawnMs = startedMs + SILENT_MS - EVERY_MS
  let drawn = false
  return {
    update(done, what) {
      // Looking at the clock costs more than counting.
      if (done % 256 !== 0) return
      const nowMs = performance.now()
      if (nowMs - drawnMs < EVERY_MS) return
      drawnMs = nowMs
      drawn = true
      stream.write(`\r\u001b[K${count(done)} ${what} (${count(Math.round((1000 * done) / (nowMs - startedMs)))}/s)`)
    },
    clear() {
      if (drawn) stream.write('\r\u001b[K')
      drawn = false
    },
  }
}

const SILENT_MS = 1000
const EVERY_MS = 200

export function progressLine(stream: NodeJS.WriteStream, startedMs = performance.now()): ProgressLine {
  if (!stream.isTTY) return { update: () => {}, clear: () => {} }
  let drawnMs = startedMs + SILENT_MS - EVERY_MS
  let drawn = false
  return {
    update({ packets, calls, source, dropped }) {
      const nowMs = performance.now()
      if (nowMs - drawnMs < EVERY_MS) return
      drawnMs = nowMs
      drawn = true
      const seconds = (nowMs - startedMs) / 1000
      const rate = `${count(packets)} packets (${count(Math.round(packets / seconds))}/s), ${count(calls)} calls`
      const text = dropped === undefined ? `${share(source, seconds)}  ${rate}` : `${rate}, ${count(dropped)} dropped by kernel`
      stream.write(`\r\u001b[K${text.slice(0, (stream.columns || 80) - 1)}`)
    },
    clear() {
      if (drawn) stream.write('\r\u001b[K')
      drawn = false
    },
  }
}

function share({ bytes, total }: SourceProgress, seconds: number): string {
  if (total === undefined || total === 0) return mebibytes(bytes)
  const part = Math.min(1, bytes / total)
  const filled = Math.round(part * 20)
  const left = part > 0.01 ? `, ${Math.ceil((seconds * (1 - part)) / part)} s left` : ''
  return `[${'#'.repeat(filled)}${'.'.repeat(20 - filled)}] ${mebibytes(bytes)} of ${mebibytes(total)}${left}`
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
export const count = (n: number): string => n.toLocaleString('en-US')
/** `1 file`, `2 files`. */
export const counted = (n: number, noun: string): string => `${count(n)} ${noun}${n === 1 ? '' : 's'}`
