import { closeSync, createWriteStream, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'
import { createGzip, type Gzip } from 'node:zlib'
import { exitCodes, OperatorError } from '../lib/base/errors.js'

/**
 * A file that is there whole or not at all: written beside its place under another name, synced, and renamed when it is complete.
 * A name that ends in .gz is compressed.
 */
export class FileOut {
  readonly stream: Writable
  readonly #path: string
  readonly #temporary: string
  #descriptor: number | undefined
  readonly #file: Writable
  #failure: Error | undefined

  private constructor(path: string, temporary: string, descriptor: number) {
    this.#path = path
    this.#temporary = temporary
    this.#descriptor = descriptor
    this.#file = createWriteStream('', { fd: descriptor, autoClose: false })
    const gzip: Gzip | undefined = path.endsWith('.gz') ? createGzip() : undefined
    gzip?.pipe(this.#file)
    this.stream = gzip ?? this.#file
    this.#file.on('error', (error: Error) => {
      this.#failure = error
      // Whoever waits for room must not wait for ever.
      this.stream.emit('drain')
    })
  }

  /** Throws when the file exists already and may not be replaced, or its directory cannot be written to. */
  static create(path: string, options: { readonly force: boolean }): FileOut {
    if (!options.force && existsSync(path)) {
      throw new OperatorError('EXISTS', `"${path}" exists already.`, { suggestions: ['Give another name, or --force to replace it.'] })
    }
    const temporary = `${path}.part-${process.pid}`
    try {
      return new FileOut(path, temporary, openSync(temporary, 'wx'))
    } catch (error) {
      throw new OperatorError('WRITE', `Cannot write to "${dirname(path)}": ${(error as Error).message}.`, {
        cause: error,
        suggestions: ['Check the path, its permissions and the space on its disk.'],
      })
    }
  }

  /** Throws the error that writing ran into, so that a long work ends soon. */
  check(): void {
    if (this.#failure === undefined) return
    throw new OperatorError('WRITE', `Cannot write "${this.#path}": ${this.#failure.message}.`, {
      cause: this.#failure,
      exit: exitCodes.failure,
      suggestions: ['Make room on its disk, or choose fewer calls or fields.'],
    })
  }

  async commit(): Promise<void> {
    try {
      // Not stream.finished: that waits for the file to be closed, and it is synced before.
      const done = new Promise<void>((resolve) => this.#file.once('finish', resolve).once('error', () => resolve()))
      this.stream.end()
      await done
      this.check()
      fsyncSync(this.#descriptor as number)
      this.#close()
      renameSync(this.#temporary, this.#path)
    } catch (error) {
      this.discard()
      throw error
    }
  }

  discard(): void {
    this.#file.destroy()
    this.#close()
    rmSync(this.#temporary, { force: true })
  }

  #close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}
