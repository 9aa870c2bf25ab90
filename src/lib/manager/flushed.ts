import { setTimeout as sleep } from 'node:timers/promises'
import type { ManagerBackend } from './backend.js'

/** A disk that hangs is not waited for longer than this. */
const FLUSH_MS = 2000

/** A call that runs, or has ended this moment, has its last seconds in memory: they are to be in its pcap before that is read. */
export async function flushed({ flush }: ManagerBackend, path: string): Promise<void> {
  if (flush === undefined) return
  const late = new AbortController()
  await Promise.race([flush(path).catch(() => {}), sleep(FLUSH_MS, undefined, { signal: late.signal }).catch(() => {})])
  late.abort()
}
