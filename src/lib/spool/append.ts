import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeDirectory } from '../native/make-directory.js'
import { fileHeaderLength, writeFileHeader } from '../pcap/write.js'

/** Appending to many pcaps, in the writing thread: whole records in one write each, few open files. */
export interface AppendJob {
  /** Below the spool. */
  readonly path: string
  readonly linkType: number
  readonly nanos: boolean
  /** The call's first chunk: a file that an earlier run left under this name is replaced. */
  readonly fresh: boolean
  /** No more will come. */
  readonly last: boolean
  readonly buffer: ArrayBuffer
  readonly used: number
}

const OPEN_MAX = 256

export class Appender {
  readonly #dir: string
  /** Open files in order of use. */
  readonly #open = new Map<string, number>()
  readonly #directories = new Set<string>()

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Throws what the file system says; the file then ends with its last whole record. */
  append(job: AppendJob): void {
    const fd = this.#fileOf(job)
    const before = fstatSync(fd).size
    try {
      if (before === 0) {
        const header = new Uint8Array(fileHeaderLength)
        writeFileHeader(new DataView(header.buffer), 0, job.linkType, job.nanos)
        writeAll(fd, header)
      }
      writeAll(fd, new Uint8Array(job.buffer, 0, job.used))
    } catch (error) {
      ftruncateSync(fd, before)
      throw error
    } finally {
      if (job.last) this.#close(job.path, fd)
    }
  }

  close(): void {
    for (const fd of this.#open.values()) closeSync(fd)
    this.#open.clear()
  }

  #fileOf(job: AppendJob): number {
    const known = this.#open.get(job.path)
    if (known !== undefined && !job.fresh) {
      this.#open.delete(job.path)
      this.#open.set(job.path, known)
      return known
    }
    if (known !== undefined) this.#close(job.path, known)
    const full = join(this.#dir, job.path)
    const directory = dirname(full)
    if (!this.#directories.has(directory)) {
      makeDirectory(directory)
      if (this.#directories.size > 10_000) this.#directories.clear()
      this.#directories.add(directory)
    }
    // A link planted in the spool must not lead the writer elsewhere.
    const { O_WRONLY, O_CREAT, O_APPEND, O_TRUNC, O_NOFOLLOW } = constants
    const fd = openSync(full, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | (job.fresh ? O_TRUNC : 0), 0o640)
    this.#open.set(job.path, fd)
    if (this.#open.size > OPEN_MAX) {
      const [oldest, oldFd] = this.#open.entries().next().value as [string, number]
      this.#close(oldest, oldFd)
    }
    return fd
  }

  #close(path: string, fd: number): void {
    this.#open.delete(path)
    closeSync(fd)
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at)
}
