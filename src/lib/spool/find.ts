import { lstatSync, readdirSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { OperatorError } from '../base/errors.js'
import { type Expiry, Ledger } from './ledger.js'
import { mediaPath, minuteOf, stemOf } from './names.js'

/** Finding a call's files by the path in its record, and what became of those that are not there. */

/** Full path of a call's pcap; a path in a record must not lead outside the spool, whoever wrote the record. */
export function spoolFile(dir: string, path: string): string {
  const root = resolve(dir)
  const full = resolve(root, path)
  if (full.startsWith(root + sep)) return full
  throw outside(path)
}

/**
 * Full paths of all files of a call: its own, those with packets of other link types, and its media where they lie apart.
 * Empty when nothing is there; without `media`, those that lie apart are left out. Links are not followed, neither of a file nor of a directory on the way.
 */
export function callFiles(dir: string, path: string, options: { readonly media: boolean } = { media: true }): string[] {
  return [...new Set(options.media ? [path, mediaPath(path)] : [path])].flatMap((own) => {
    const full = spoolFile(dir, own)
    const directory = dirname(full)
    checkConfined(dir, directory, path)
    const stem = basename(stemOf(full))
    return names(directory)
      .filter((name) => isPart(name, stem) && isFile(join(directory, name)))
      .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
      .map((name) => join(directory, name))
  })
}

/** Since when the packets of a call are gone, or its media; undefined when the spool did not let them go. */
export function expiryOf(dir: string, path: string, what: Expiry['what']): Expiry | undefined {
  const minute = minuteOf(path)
  return new Ledger(dir).expiries().findLast((expiry) => expiry.what === what && expiry.from <= minute && minute <= expiry.to)
}

/** The call's own file, or one with packets of another link type beside it, compressed or not. */
function isPart(name: string, stem: string): boolean {
  return name.startsWith(stem) && /^(?:~linktype\d+)?\.pcap(?:\.gz|\.lz4)?$/.test(name.slice(stem.length))
}

function checkConfined(dir: string, directory: string, path: string): void {
  try {
    const root = realpathSync(dir)
    if (realpathSync(directory).startsWith(root + sep)) return
  } catch {
    // What is not there leads nowhere.
    return
  }
  throw outside(path)
}

function outside(path: string): OperatorError {
  return new OperatorError('SPOOL_PATH', `The record names a pcap outside the spool: "${path}".`, {
    suggestions: ['The database was not written by Earshot, or was tampered with: do not open the file.'],
  })
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function isFile(path: string): boolean {
  try {
    return lstatSync(path).isFile()
  } catch {
    return false
  }
}
