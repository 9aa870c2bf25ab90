/** Text on its way to a stream, in big pieces: 10,000 small writes cost more than the calls. */
export interface Out {
  write(text: string): boolean
  once(event: 'drain', listener: () => void): unknown
  readonly writableNeedDrain: boolean
  readonly isTTY?: boolean
  readonly columns?: number
}

const BUFFER_LENGTH = 1 << 16

export class TextOut {
  readonly stream: Out
  #text = ''

  constructor(stream: Out) {
    this.stream = stream
  }

  write(text: string): void {
    this.#text += text
    if (this.#text.length >= BUFFER_LENGTH) this.flush()
  }

  flush(): void {
    if (this.#text !== '') this.stream.write(this.#text)
    this.#text = ''
  }

  /** A live stream shows each line within the same turn of the event loop, and a file's thousands go out in big pieces. */
  soon(): void {
    setImmediate(() => this.flush())
  }

  /** Waits for a reader that is slower than we are, so that what it has not read does not gather in memory. */
  async drained(): Promise<void> {
    // Asked of the stream: it may have drained since it was last written to, and 'drain' does not come twice.
    if (this.stream.writableNeedDrain) await new Promise<void>((resolve) => this.stream.once('drain', resolve))
  }
}
