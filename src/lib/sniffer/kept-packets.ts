import type { HeldPacket } from '../base/held.js'
import type { PacketBatch } from '../base/packets.js'
import type { Micros } from '../base/units.js'
import type { CallHandle, MarkedPackets, PacketKind } from '../call/outputs.js'
import type { PacketSpool, SpoolSummary } from './run.js'

/**
 * The packets of calls in memory, for a screen that has no spool: SIP and media in a pool of pages each, so that a flood of
 * RTP never costs a ladder. Bounded: when a pool is full its oldest page goes, whosever it is, and its call knows how many
 * packets that were.
 *
 *   page   | next packet: length u32, captured u32, link type u32, nanos u32, micros f64, bytes … | next … |
 */
export interface KeepOptions {
  readonly sipBytes: number
  /** 0 keeps no media. */
  readonly mediaBytes: number
  /** Asked now and then while a file is read: lets others have the thread. */
  readonly breathe?: () => Promise<void>
}

const SIP_PAGE = 4096
const MEDIA_PAGE = 8192
const HEAD = 24

interface Kept {
  readonly number: number
  readonly sip: Pages
  readonly media: Pages
}

interface Pages {
  /** Oldest first. */
  readonly pages: Page[]
  lost: number
}

interface Page {
  readonly owner: Pages
  readonly number: number
  readonly at: number
  readonly size: number
  used: number
  packets: number
}

export class KeptPackets implements PacketSpool {
  readonly #sip: Pool
  readonly #media: Pool
  readonly #calls = new Map<number, Kept>()
  /** By tag: what a call's packets are filed under on the short way. */
  readonly #tagged: (Kept | undefined)[] = []
  readonly #freeTags: number[] = []
  readonly #breathe: (() => Promise<void>) | undefined

  constructor({ sipBytes, mediaBytes, breathe }: KeepOptions) {
    // A call whose last page is gone is forgotten with it.
    const gone = (page: Page): void => {
      const kept = this.#calls.get(page.number)
      if (kept !== undefined && kept.sip.pages.length === 0 && kept.media.pages.length === 0) this.#calls.delete(page.number)
    }
    this.#sip = new Pool(sipBytes, SIP_PAGE, gone)
    this.#media = new Pool(mediaBytes, MEDIA_PAGE, gone)
    this.#breathe = breathe
  }

  get bytes(): number {
    return this.#sip.bytes + this.#media.bytes
  }

  /** Packets that had to go because younger ones came. */
  get lost(): number {
    return this.#sip.lost + this.#media.lost
  }

  packet(call: CallHandle, batch: PacketBatch, index: number, kind: PacketKind): void {
    if (kind !== 'sip' && !this.#media.open) return
    this.#put(this.#keptOf(call), kind === 'sip' ? this.#sip : this.#media, batch, index)
  }

  marked(batch: PacketBatch, { marks, index, tag }: MarkedPackets): void {
    for (let i = 0; i < marks; i++) {
      const kept = this.#tagged[tag[i] as number]
      if (kept === undefined) continue
      // Its pages may all have gone, and it with them.
      if (kept.media.pages.length === 0) this.#calls.set(kept.number, kept)
      this.#put(kept, this.#media, batch, index[i] as number)
    }
  }

  held(call: CallHandle, packet: HeldPacket, kind: PacketKind): void {
    const pool = kind === 'sip' ? this.#sip : this.#media
    if (!pool.open) return
    const kept = this.#keptOf(call)
    const { bytes, length, micros, nanos, linkType } = packet
    pool.put(kept.number, kind === 'sip' ? kept.sip : kept.media, bytes, length, linkType, micros, nanos)
  }

  pathOf(): undefined {
    return undefined
  }

  ended(call: CallHandle): void {
    if (call.tag < 0) return
    this.#tagged[call.tag] = undefined
    this.#freeTags.push(call.tag)
    call.tag = -1
  }

  settle(): void {}

  async drained(): Promise<void> {
    await this.#breathe?.()
  }

  /** Nothing goes to a disk. */
  async close(): Promise<SpoolSummary> {
    const dropped: SpoolSummary['dropped'] = this.lost === 0 ? [] : [['no longer in memory', this.lost]]
    return { files: 0, packets: 0, bytes: 0, dropped, leftOut: 0, kept: { deletedFiles: 0, deletedBytes: 0, trimmedFiles: 0 } }
  }

  /** What is kept of a call, in order of time, and how many packets were kept once and are not any more. */
  of(number: number, media: boolean): { readonly packets: HeldPacket[]; readonly lost: number } {
    const kept = this.#calls.get(number)
    if (kept === undefined) return { packets: [], lost: 0 }
    const packets = [...this.#sip.read(kept.sip), ...(media ? this.#media.read(kept.media) : [])]
    packets.sort((a, b) => a.micros - b.micros || a.nanos - b.nanos)
    return { packets, lost: kept.sip.lost + (media ? kept.media.lost : 0) }
  }

  #keptOf(call: CallHandle): Kept {
    let kept = this.#calls.get(call.number)
    if (kept === undefined) {
      kept = { number: call.number, sip: { pages: [], lost: 0 }, media: { pages: [], lost: 0 } }
      this.#calls.set(call.number, kept)
    }
    if (call.tag < 0 && this.#media.open) {
      call.tag = this.#freeTags.pop() ?? this.#tagged.length
      this.#tagged[call.tag] = kept
    }
    // Its pages may all have gone, and it with them, while the tag still pointed there.
    else if (call.tag >= 0 && this.#tagged[call.tag] !== kept) this.#tagged[call.tag] = kept
    return kept
  }

  #put(kept: Kept, pool: Pool, batch: PacketBatch, index: number): void {
    const at = batch.at[index] as number
    const bytes = batch.bytes.subarray(at, at + (batch.captured[index] as number))
    const nanos = batch.nanos === undefined ? 0 : (batch.nanos[index] as number)
    pool.put(
      kept.number,
      pool === this.#sip ? kept.sip : kept.media,
      bytes,
      batch.length[index] as number,
      batch.linkType,
      batch.micros[index] as number,
      nanos,
    )
  }
}

/**
 * Pages one after the other, round and round, in one block of memory that the system gives only as far as it is used. A page
 * is of the usual size, or as large as its one packet.
 */
class Pool {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #pageSize: number
  readonly #gone: (page: Page) => void
  /** In use, oldest first, from `#first` on. */
  #pages: Page[] = []
  #first = 0
  /** Where the next page goes. */
  #next = 0
  lost = 0

  constructor(bytes: number, pageSize: number, gone: (page: Page) => void) {
    this.#pageSize = pageSize
    this.#bytes = new Uint8Array(bytes)
    this.#view = new DataView(this.#bytes.buffer)
    this.#gone = gone
  }

  get open(): boolean {
    return this.#bytes.length >= this.#pageSize
  }

  get bytes(): number {
    return (this.#pages.length - this.#first) * this.#pageSize
  }

  put(number: number, owner: Pages, bytes: Uint8Array, length: number, linkType: number, micros: number, nanos: number): void {
    const needed = HEAD + bytes.length
    let page = owner.pages.at(-1)
    if (page === undefined || page.used + needed > page.size) {
      const size = Math.max(this.#pageSize, needed)
      if (size > this.#bytes.length) {
        this.lost++
        owner.lost++
        return
      }
      page = this.#take(number, owner, size)
    }
    const at = page.at + page.used
    const view = this.#view
    view.setUint32(at, length, true)
    view.setUint32(at + 4, bytes.length, true)
    view.setUint32(at + 8, linkType, true)
    view.setUint32(at + 12, nanos, true)
    view.setFloat64(at + 16, micros, true)
    this.#bytes.set(bytes, at + HEAD)
    page.used += needed
    page.packets++
  }

  *read({ pages }: Pages): Generator<HeldPacket> {
    for (const page of pages) {
      for (let at = page.at; at < page.at + page.used; ) {
        const captured = this.#view.getUint32(at + 4, true)
        yield {
          bytes: this.#bytes.slice(at + HEAD, at + HEAD + captured),
          length: this.#view.getUint32(at, true),
          linkType: this.#view.getUint32(at + 8, true),
          nanos: this.#view.getUint32(at + 12, true),
          micros: this.#view.getFloat64(at + 16, true) as Micros,
        }
        at += HEAD + captured
      }
    }
  }

  #take(number: number, owner: Pages, size: number): Page {
    if (this.#next + size > this.#bytes.length) {
      // What is behind here is the oldest there is; then it goes on at the beginning.
      while ((this.#pages[this.#first]?.at ?? -1) >= this.#next) this.#dropOldest()
      this.#next = 0
    }
    for (;;) {
      const oldest = this.#pages[this.#first]
      if (oldest === undefined || oldest.at < this.#next || oldest.at >= this.#next + size) break
      this.#dropOldest()
    }
    const page: Page = { owner, number, at: this.#next, size, used: 0, packets: 0 }
    this.#next += size
    owner.pages.push(page)
    this.#pages.push(page)
    return page
  }

  #dropOldest(): void {
    const page = this.#pages[this.#first] as Page
    this.#first++
    if (this.#first > 1024 && this.#first > this.#pages.length / 2) {
      this.#pages = this.#pages.slice(this.#first)
      this.#first = 0
    }
    // A call's pages are in the same order as all pages.
    page.owner.pages.shift()
    page.owner.lost += page.packets
    this.lost += page.packets
    this.#gone(page)
  }
}
