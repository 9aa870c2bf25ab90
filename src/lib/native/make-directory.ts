import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a directory and what is missing above it. Not mkdir's own `recursive`: that never returns where a file system
 * answers "no such file" to the making of one (/proc).
 */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && statSync(path).isDirectory()) return
    const parent = dirname(path)
    if (code !== 'ENOENT' || parent === path) throw error
    makeDirectory(parent)
    try {
      mkdirSync(path)
    } catch (second) {
      // Another process was quicker.
      if ((second as NodeJS.ErrnoException).code !== 'EEXIST') throw second
    }
  }
}
