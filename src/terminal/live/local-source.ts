import type { PacketBatch, PacketSource, SourceProgress, StopSignal } from '../../lib/base/packets.js'
import { type Micros, SECOND } from '../../lib/base/units.js'
import type { LadderStep } from '../../lib/call/ladder.js'
import type { TrackerOptions, TrackerTotals } from '../../lib/call/tracker.js'
import { type BoardCall, LiveCalls } from '../../lib/live/index.js'
import { KeptPackets } from '../../lib/sniffer/kept-packets.js'
import { runSniffer } from '../../lib/sniffer/run.js'
import type { SensorStats } from './model.js'
import { stepsOf } from './packets.js'
import type { LiveSource, Messages, Packets, SourceSink } from './source.js'

/** `live -i` and `live -r`: the pipeline runs in this program, and its calls' packets are kept in memory, bounded. */
export interface LocalOptions {
  readonly name: string
  readonly source: PacketSource
  readonly tracker: TrackerOptions
  readonly sipBytes: number
  readonly mediaBytes: number
  /** The run could not go on. */
  onFailure(error: unknown): void
}

/** News goes to the screen this often. */
const TAKE_MS = 250
/** While a file is read, the screen gets its turn after so long. */
const BREATHE_MS = 25

const decoder = new TextDecoder()

export function localSource(options: LocalOptions): LiveSource {
  const { name, source, tracker } = options
  const stop = new AbortController()
  const live = new LiveCalls({ sensorId: tracker.sensorId })
  let breathedMs = performance.now()
  const kept = new KeptPackets({
    sipBytes: options.sipBytes,
    mediaBytes: options.mediaBytes,
    breathe: async () => {
      if (performance.now() - breathedMs < BREATHE_MS) return
      await new Promise<void>((resolve) => setImmediate(resolve))
      breathedMs = performance.now()
    },
  })
  let done: Promise<void> = Promise.resolve()
  return {
    name,
    own: source.live,
    owns: (from) => from === name,
    start(sink) {
      live.watch()
      done = run(sink)
    },
    messages: async (call) => messagesOf(call, kept),
    texts: ({ view }) => kept.of(view.number, false).packets.map(({ bytes }) => decoder.decode(bytes)),
    packets: async (call, rtp) => packetsOf(call, kept, rtp, options),
    async close() {
      stop.abort()
      await done
    },
  }

  async function run(sink: SourceSink): Promise<void> {
    const state = source.live ? ('live' as const) : ('reading' as const)
    const take = (): void => {
      for (let left = 1; left > 0; ) {
        const changes = live.take()
        left = changes.left
        if (changes.added.length + changes.changed.length + changes.removed.length > 0 || source.live)
          sink.changes({ ...changes, source: name, reset: false })
      }
    }
    let totals: TrackerTotals | undefined
    let ended = 0
    const stats = new Meter(source, kept)
    const tell = (): void => sink.status({ name, state, detail: progress(source.progress()), services: totals && [stats.read(totals)] })
    sink.status({ name, state })
    const taking = setInterval(take, TAKE_MS)
    const telling = setInterval(tell, 1000)
    try {
      const { totals: all } = await runSniffer({
        source: source.live ? source : bySecond(source),
        tracker,
        records: undefined,
        spool: kept,
        live,
        signal: stop.signal,
        packetsMax: undefined,
        onRecord: () => {
          // The end of a file ends many calls at once.
          if (++ended % 1000 === 0) take()
        },
        onBatch: (now) => {
          totals = now
          // A short call must not begin and end between two looks.
          if (!source.live) take()
        },
      })
      take()
      sink.status({ name, state: 'done', services: [stats.read(all)] })
    } catch (error) {
      sink.status({ name, state: 'lost', detail: (error as Error).message })
      options.onFailure(error)
    } finally {
      clearInterval(taking)
      clearInterval(telling)
    }
  }
}

async function messagesOf(call: BoardCall, kept: KeptPackets): Promise<Messages> {
  const { packets, lost } = kept.of(call.view.number, false)
  const steps: readonly LadderStep[] = stepsOf(packets, [call.view.callId])
  return { steps, note: lost === 0 ? undefined : `${lost} older messages are no longer in memory` }
}

async function packetsOf(call: BoardCall, kept: KeptPackets, rtp: boolean, { mediaBytes }: LocalOptions): Promise<Packets> {
  const { packets, lost } = kept.of(call.view.number, rtp)
  if (rtp && mediaBytes === 0) return { packets, note: 'RTP is not kept (--keep 0)' }
  return { packets, note: lost === 0 ? undefined : `${lost} packets were no longer in memory` }
}

const progress = ({ bytes, total }: SourceProgress): string | undefined =>
  total === undefined || total === 0 ? undefined : `${Math.floor((100 * bytes) / total)} %`

/** A file's blocks cut where a second of capture time ends, so that samples are a second apart however fast it is read. */
function bySecond(source: PacketSource): PacketSource {
  return {
    live: false,
    oddities: source.oddities,
    progress: () => source.progress(),
    async *batches(signal: StopSignal) {
      for await (const batch of source.batches(signal)) {
        yield* slices(batch)
        batch.release()
      }
    },
  }
}

function* slices(batch: PacketBatch): Generator<PacketBatch> {
  const { count, micros } = batch
  for (let from = 0; from < count; ) {
    const second = Math.floor((micros[from] as number) / SECOND)
    let to = from + 1
    while (to < count && Math.floor((micros[to] as number) / SECOND) === second) to++
    yield {
      ...batch,
      count: to - from,
      at: batch.at.subarray(from, to),
      captured: batch.captured.subarray(from, to),
      length: batch.length.subarray(from, to),
      micros: micros.subarray(from, to),
      nanos: batch.nanos?.subarray(from, to),
      until: micros[to - 1] as Micros,
      release: () => {},
    }
    from = to
  }
}

/** What the sensors page shows of an own run. */
class Meter {
  readonly #source: PacketSource
  readonly #kept: KeptPackets
  readonly #startedMs = performance.now()
  #atMs = performance.now()
  #packets = 0
  #cpuMicros = 0

  constructor(source: PacketSource, kept: KeptPackets) {
    this.#source = source
    this.#kept = kept
  }

  read(totals: TrackerTotals): SensorStats {
    const nowMs = performance.now()
    const { user, system } = process.cpuUsage()
    const seconds = Math.max(0.001, (nowMs - this.#atMs) / 1000)
    const packetsPerSecond = (totals.packets - this.#packets) / seconds
    const cpuPercent = (user + system - this.#cpuMicros) / seconds / 1e4
    this.#atMs = nowMs
    this.#packets = totals.packets
    this.#cpuMicros = user + system
    return {
      service: 'live',
      uptimeSeconds: (nowMs - this.#startedMs) / 1000,
      ...totals,
      kernel: this.#source.kernel?.(),
      odd: {
        ...Object.fromEntries(this.#source.oddities.entries()),
        ...(this.#kept.lost > 0 ? { 'packets no longer in memory': this.#kept.lost } : {}),
      },
      cpuSeconds: (user + system) / 1e6,
      rssBytes: process.memoryUsage.rss(),
      packetsPerSecond,
      cpuPercent,
    }
  }
}
