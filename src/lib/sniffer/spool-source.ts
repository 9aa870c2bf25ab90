import type { SpoolSource } from '../manager/index.js'
import { callFiles, expiryOf } from '../spool/find.js'
import { packetsOf } from '../spool/packets.js'

/** The spool as a manager gives it away. */
export const spoolSource = (directory: string): SpoolSource => ({
  directory,
  files: (path, media) => callFiles(directory, path, { media }),
  packets: (files, sipOnly) => packetsOf(files, { sipOnly }),
  expired: (path, what) => expiryOf(directory, path, what),
})
