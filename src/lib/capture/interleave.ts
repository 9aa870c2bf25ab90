import type { Micros } from '../base/units.js'
import type { BlockBatch } from './ring.js'

/** Where blocks come from: a PacketRing. */
export interface BlockSource {
  /** A block is waiting. */
  ready(): boolean
  take(): BlockBatch
  /** So many blocks wait that order matters less than making room. */
  pressed(): boolean
}

/**
 * Packets of several interfaces in the order of time. A tap gives a call's two directions on two interfaces, and the answer
 * must not come before the question: so a block is handed on in runs, each up to where another interface's next packet begins.
 *
 *   a:  | 1  2        5  6 |             1 2, then 3 4, then 5 6; one interface alone: whole blocks
 *   b:  |       3  4       |  7 …
 *
 * Where an interface has no block waiting, what is older than `settled` cannot be overtaken any more.
 */
export class Interleave {
  readonly #sources: readonly Held[]

  constructor(sources: readonly BlockSource[]) {
    this.#sources = sources.map((source) => ({ source, block: undefined, next: 0 }))
  }

  /** Whether packets wait here for their turn. */
  get holding(): boolean {
    return this.#sources.some((held) => held.block !== undefined)
  }

  /** The next run, or undefined when there is nothing, or nothing yet. Release it before asking again. */
  next(settled: Micros): BlockBatch | undefined {
    let best: Held | undefined
    let bestAt = Number.POSITIVE_INFINITY
    let limit = Number.POSITIVE_INFINITY
    for (const held of this.#sources) {
      if (held.block === undefined && held.source.ready()) {
        held.block = held.source.take()
        held.next = 0
      }
      const at = held.block === undefined ? settled : timeOf(held.block, held.next)
      if (held.block !== undefined && at < bestAt) {
        limit = Math.min(limit, bestAt)
        best = held
        bestAt = at
      } else {
        limit = Math.min(limit, at)
      }
    }
    if (best?.block === undefined) return undefined
    if (bestAt > limit && !best.source.pressed()) return undefined
    return runOf(best, best.source.pressed() || this.#sources.length === 1 ? Number.POSITIVE_INFINITY : limit)
  }

  /** Gives back what is held; for the end. */
  drop(): void {
    for (const held of this.#sources) {
      held.block?.release()
      held.block = undefined
    }
  }
}

interface Held {
  readonly source: BlockSource
  block: BlockBatch | undefined
  /** The first packet of the block that was not handed on yet. */
  next: number
}

/** An empty block is over at once. */
const timeOf = (block: BlockBatch, index: number): number => block.micros[index < block.count ? index : 0] as number

function runOf(held: Held, limit: number): BlockBatch {
  const block = held.block as BlockBatch
  const from = held.next
  let to = from + 1
  if (limit === Number.POSITIVE_INFINITY) to = block.count
  else while (to < block.count && (block.micros[to] as number) <= limit) to++
  held.next = to
  if (to >= block.count) held.block = undefined
  if (from === 0 && to >= block.count) return block

  let capturedBytes = 0
  for (let i = from; i < to; i++) capturedBytes += block.captured[i] as number
  return {
    bytes: block.bytes,
    count: to - from,
    at: block.at.subarray(from, to),
    captured: block.captured.subarray(from, to),
    length: block.length.subarray(from, to),
    micros: block.micros.subarray(from, to),
    nanos: block.nanos?.subarray(from, to),
    linkType: block.linkType,
    interfaceName: block.interfaceName,
    capturedBytes,
    lastMicros: block.micros[to - 1] as Micros,
    release: to >= block.count ? block.release : () => {},
  }
}
