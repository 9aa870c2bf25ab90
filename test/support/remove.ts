import { rmSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

/** Removes a directory into which processes that were just ended may still write a last file. */
export async function removeDirectory(path: string, tries = 100): Promise<void> {
  for (;;) {
    try {
      rmSync(path, { recursive: true, force: true })
      return
    } catch (error) {
      if (--tries === 0) throw error
      await pause(100)
    }
  }
}
