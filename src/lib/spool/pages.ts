/** Pages of one size in one block of memory, handed out and taken back: what waits for the disk, bounded. The system gives memory only to pages that were used. */
export const PAGE_BYTES = 8192

export class Pages {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Bytes used of a page. */
  readonly used: Int32Array
  /** The page after this one in its file; -1 at the end. */
  readonly next: Int32Array
  readonly #free: Int32Array
  #freed = 0
  #fresh = 0
  readonly count: number

  constructor(bytes: number) {
    this.count = Math.max(16, Math.floor(bytes / PAGE_BYTES))
    const block = new ArrayBuffer(this.count * PAGE_BYTES)
    this.bytes = new Uint8Array(block)
    this.view = new DataView(block)
    this.used = new Int32Array(this.count)
    this.next = new Int32Array(this.count)
    this.#free = new Int32Array(this.count)
  }

  get available(): number {
    return this.#freed + this.count - this.#fresh
  }

  /** A page's number; -1 when there is none left. */
  take(): number {
    const page = this.#freed > 0 ? this.#free[--this.#freed]! : this.#fresh < this.count ? this.#fresh++ : -1
    if (page < 0) return -1
    this.used[page] = 0
    this.next[page] = -1
    return page
  }

  give(page: number): void {
    this.#free[this.#freed++] = page
  }
}
