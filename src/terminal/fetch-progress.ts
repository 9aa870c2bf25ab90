/** A bar on stderr for what is fetched; nothing when stderr is no terminal or it is done within a second. */
export interface FetchProgress {
  /** Bytes that came, of how many where that is known. */
  update(done: number, total: number | undefined): void
  clear(): void
}

const SILENT_MS = 1000
const EVERY_MS = 200

export function fetchProgress(stream: NodeJS.WriteStream): FetchProgress {
  if (!stream.isTTY) return { update: () => {}, clear: () => {} }
  const startedMs = performance.now()
  let drawnMs = startedMs + SILENT_MS - EVERY_MS
  let drawn = false
  return {
    update(done, total) {
      const nowMs = performance.now()
      if (nowMs - drawnMs < EVERY_MS) return
      drawnMs = nowMs
      drawn = true
      const rate = done / ((nowMs - startedMs) / 1000)
      const bar =
        total === undefined || total === 0 ? '' : `[${'#'.repeat(Math.min(20, Math.round((done / total) * 20))).padEnd(20, '.')}] `
      const left = total === undefined ? '' : ` of ${mebibytes(total)}, ${Math.ceil(Math.max(0, total - done) / Math.max(1, rate))} s left`
      stream.write(`\r\u001b[K${`${bar}${mebibytes(done)}${left} (${mebibytes(rate)}/s)`.slice(0, (stream.columns || 80) - 1)}`)
    },
    clear() {
      if (drawn) stream.write('\r\u001b[K')
      drawn = false
    },
  }
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
