import { statSync } from 'node:fs'
import type { Micros } from '../lib/base/units.js'
import { type CallJson, isoMicros, isoTime } from '../lib/call/json.js'
import { LadderReader, type LadderStep } from '../lib/call/ladder.js'
import { QualitySeries, type StreamSeries } from '../lib/call/quality-series.js'
import { openFiles } from '../lib/capture/file-source.js'

/** What the spool holds of one call, read in one pass: its ladder, its packets by kind, its quality over time. */
export interface CallFile {
  /** One as a rule; packets of another link type, or media in VoIPmonitor's layout, lie beside. */
  readonly paths: readonly string[]
  readonly bytes: number
  readonly packets: number
  /** Of the call's own streams, and UDP of any other kind (RTCP, T.38 …). */
  readonly rtp: number
  readonly other: number
  /** Packets that were written without their end (--save rtp-headers, a short snaplen). */
  readonly cut: number
  readonly first: string | null
  readonly last: string | null
  readonly ladder: readonly LadderStep[]
  readonly messagesLeft: number
  readonly quality: { readonly from: string; readonly stepSeconds: number; readonly streams: readonly StreamSeries[] } | undefined
}

export async function readCallFile(paths: readonly string[], call: CallJson): Promise<CallFile> {
  let [packets, rtp, other, cut] = [0, 0, 0, 0]
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const ladder: LadderReader = new LadderReader(call.call_id, (frame, time) => {
    if (series?.accept(frame, time) === true) rtp++
    else other++
  })
  const series = call.streams.length === 0 ? undefined : new QualitySeries(call.streams, ladder.addresses, isoMicros)
  const source = await openFiles(paths)
  for await (const batch of source.batches(new AbortController().signal)) {
    packets += batch.count
    for (let i = 0; i < batch.count; i++) {
      if ((batch.captured[i] as number) < (batch.length[i] as number)) cut++
      first = Math.min(first, batch.micros[i] as number)
      last = Math.max(last, batch.micros[i] as number)
    }
    ladder.accept(batch)
    batch.release()
  }
  const streams = series?.series() ?? []
  return {
    paths,
    bytes: paths.reduce((sum, path) => sum + statSync(path).size, 0),
    packets,
    rtp,
    other,
    cut,
    first: packets === 0 ? null : isoTime(first as Micros),
    last: packets === 0 ? null : isoTime(last as Micros),
    // Several files are read one after the other.
    ladder: [...ladder.steps].sort((a, b) => a.time - b.time),
    messagesLeft: ladder.left,
    quality:
      series === undefined || streams.length === 0
        ? undefined
        : { from: isoTime(series.from as Micros), stepSeconds: series.stepMicros / 1e6, streams },
  }
}
