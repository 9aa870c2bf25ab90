import { existsSync } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
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
  readonly #handle: FileHandle
  readonly #file: Writable
  #failure: Error | undefined

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.#path = path
    this.#temporary = temporary
    this.#handle = handle
    this.#file = handle.createWriteStream({ autoClose: false })
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
  static async create(path: string, options: { readonly force: boolean }): Promise<FileOut> {
    if (!options.force && existsSync(path)) {
      throw new OperatorError('EXISTS', `"${path}" exists already.`, { suggestions: ['Give another name, or --force to replace it.'] })
    }
    const temporary = `${path}.part-${process.pid}`
    try {
      return new FileOut(path, temporary, await open(temporary, 'wx'))
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
      await this.#handle.sync()
      await this.#handle.close()
      await rename(this.#temporary, this.#path)
    } catch (error) {
      await this.discard()
      throw error
    }
  }

  async discard(): Promise<void> {
    await this.#handle.close().catch(() => {})
    await rm(this.#temporary, { force: true })
  }
}
