import { readdirSync, renameSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type FileLock, lockFile } from '../native/lock-file.js'
import { makeDirectory } from '../native/make-directory.js'
import { crc32 } from './crc32.js'

/**
 * Where a journal lies: a directory for each store, because what waits for one store must never go to another, and one for
 * each process that writes to it at the same time: `NAME`, `NAME.2`, `NAME.3` … A place belongs to who holds its lock.
 */
export interface Place {
  readonly dir: string
  readonly lock: FileLock
}

/** Processes with one queue directory and one store. */
const PLACES_MAX = 64
const NAME_MAX = 80

/** A store's URL as a name of a directory: which store it is, not who asks and how. */
export function placeName(storeUrl: string): string {
  const socket = /[?&](socket=[^&]*)/.exec(storeUrl)?.[1] ?? ''
  const file = /^sqlite:(?:\/\/(?=\/))?(.+)$/s.exec(storeUrl)?.[1]
  const identity = file === undefined ? storeUrl.replace(/\/\/[^/@]*@/, '//').replace(/\?.*$/s, '') + socket : `sqlite:${resolve(file)}`
  const readable = identity.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[.-]+/, '')
  return `${readable.slice(0, NAME_MAX)}-${crc32(new TextEncoder().encode(identity)).toString(16).padStart(8, '0')}`
}

/** Takes the first place that nobody holds. Throws the file system's error when none can be made. */
export function claimPlace(root: string, name: string): Place {
  for (let n = 1; n <= PLACES_MAX; n++) {
    const dir = join(root, n === 1 ? name : `${name}.${n}`)
    makeDirectory(dir)
    const lock = lockFile(join(dir, 'lock'))
    if (lock !== undefined) return { dir, lock }
  }
  throw new Error(`${PLACES_MAX} programs use it already`)
}

export const segmentName = (number: number): string => `${String(number).padStart(8, '0')}.journal`
export const segmentNumber = (name: string): number | undefined => {
  const digits = /^(\d{8,15})\.journal$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** Names of the segments in a place, oldest first. */
export const segmentsIn = (dir: string): string[] =>
  readdirSync(dir)
    .filter((name) => segmentNumber(name) !== undefined)
    .sort((a, b) => segmentNumber(a)! - segmentNumber(b)!)

/** Moves what processes that are gone left in the other places of this store into this one. */
export function adoptOthers({ dir }: Place): void {
  const root = dirname(dir)
  const name = basename(dir).replace(/\.\d+$/, '')
  let next = (segmentNumber(segmentsIn(dir).at(-1) ?? '') ?? 0) + 1
  for (let n = 1; n <= PLACES_MAX; n++) {
    const other = join(root, n === 1 ? name : `${name}.${n}`)
    if (other === dir) continue
    let left: string[]
    try {
      left = segmentsIn(other)
    } catch {
      continue
    }
    if (left.length === 0) continue
    const lock = lockFile(join(other, 'lock'))
    if (lock === undefined) continue
    for (const segment of left) renameSync(join(other, segment), join(dir, segmentName(next++)))
    lock.release()
  }
}
