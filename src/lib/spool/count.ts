import { join } from 'node:path'
import { bytesOf, filesOfMinute } from './disk.js'
import type { Minute, Minutes } from './minutes.js'

/** What a minute holds by the disk, files not opened: how much of a call's one file is signalling is taken from what was known of the minute, or of all. */
export function countMinute(dir: string, minute: Minute, all: Minutes): { sipBytes: number; mediaBytes: number; files: number } {
  const known = minute.sipBytes + minute.mediaBytes > 0 ? minute : all
  const sipPart = minute.trimmed ? 1 : known.sipBytes / Math.max(1, known.sipBytes + known.mediaBytes)
  let sipBytes = 0
  let mediaBytes = 0
  let files = 0
  for (const { path, kind } of filesOfMinute(dir, minute.key)) {
    const bytes = bytesOf(join(dir, path))
    if (bytes === undefined) continue
    files++
    const ofSip = kind === 'both' ? sipPart : kind === 'sip' ? 1 : 0
    sipBytes += bytes * ofSip
    mediaBytes += bytes * (1 - ofSip)
  }
  return { sipBytes, mediaBytes, files }
}
