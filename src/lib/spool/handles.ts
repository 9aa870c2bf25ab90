import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync, writevSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeDirectory } from '../native/make-directory.js'

/** Appending to many files with few of them open: the one used longest ago is closed first. */
const OPEN_MAX = 512
const DIRECTORIES_MAX = 10_000

export class Handles {
  readonly #dir: string
  /** In order of use. */
  readonly #open = new Map<string, number>()
  readonly #directories = new Set<string>()

  constructor(dir: string) {
    this.#dir = dir
  }

  /**
   * Appends to the file of this path, which is `size` bytes long; `fresh` replaces what an earlier run left under the name.
   * and then its size is answered. Throws what the file system says; the file then is as it was.
   */
  append(path: string, pieces: readonly Uint8Array[], size: number, fresh: boolean): number | undefined {
    const fd = this.#fileOf(path, fresh)
    let replaced: number | undefined
    if (fresh) {
      const { size: before } = fstatSync(fd)
      if (before > 0) {
        ftruncateSync(fd, 0)
        replaced = before
      }
    }
    try {
      writeAll(fd, pieces)
      return replaced
    } catch (error) {
      ftruncateSync(fd, size)
      throw error
    }
  }

  close(path: string): void {
    const fd = this.#open.get(path)
    if (fd === undefined) return
    this.#open.delete(path)
    closeSync(fd)
  }

  closeAll(): void {
    for (const fd of this.#open.values()) closeSync(fd)
    this.#open.clear()
    this.#directories.clear()
  }

  #fileOf(path: string, fresh: boolean): number {
    const known = this.#open.get(path)
    if (known !== undefined && !fresh) {
      this.#open.delete(path)
      this.#open.set(path, known)
      return known
    }
    if (known !== undefined) this.close(path)
    const full = join(this.#dir, path)
    this.#makeDirectory(dirname(full))
    let fd: number
    try {
      fd = openForAppending(full)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      // An empty directory may have been cleaned away since.
      this.#directories.delete(dirname(full))
      this.#makeDirectory(dirname(full))
      fd = openForAppending(full)
    }
    this.#open.set(path, fd)
    if (this.#open.size > OPEN_MAX) this.close(this.#open.keys().next().value as string)
    return fd
  }

  #makeDirectory(directory: string): void {
    if (this.#directories.has(directory)) return
    makeDirectory(directory)
    if (this.#directories.size >= DIRECTORIES_MAX) this.#directories.clear()
    this.#directories.add(directory)
  }
}

/** A link planted in the spool must not lead the writer elsewhere. */
function openForAppending(path: string): number {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants
  return openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o640)
}

function writeAll(fd: number, pieces: readonly Uint8Array[]): void {
  let written = writevSync(fd, pieces)
  for (const piece of pieces) {
    // Cut short: the rest piece by piece, so that the file system says why.
    let at = Math.min(written, piece.length)
    written -= at
    while (at < piece.length) at += writeSync(fd, piece, at)
  }
}
