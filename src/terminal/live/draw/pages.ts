import { listRows } from '../list.js'
import type { Screen } from '../model.js'
import { signsFor } from '../signs.js'
import { previewLines, streamsOf } from './call.js'
import { helpLines } from './help.js'
import { diffLines, rawLines } from './raw.js'
import { sensorLines } from './sensors.js'
import { statisticsLines } from './statistics.js'

/** How far each long part of the screen goes: its lines, whatever the signs are that they are drawn with. */
const lengths: Readonly<Record<Exclude<keyof Screen['scroll'], 'streams'>, (screen: Screen) => number>> = {
  help: (screen) => helpLines(screen, signsFor(false)).length,
  statistics: (screen) => statisticsLines(screen, signsFor(false)).length,
  sensors: (screen) => sensorLines(screen, signsFor(false)).length,
  raw: (screen) => rawLines(screen, signsFor(false)).length,
  diff: (screen) => diffLines(screen, signsFor(false)).length,
  message: (screen) => previewLines(screen).length,
}

/** The last line that may stand at the top; of the streams, the last one that the cursor can be on. */
export function lastTop(screen: Screen, part: keyof Screen['scroll']): number {
  if (part === 'streams') return Math.max(0, streamsOf(screen.flow.calls).length - 1)
  return Math.max(0, lengths[part](screen) - (listRows(screen.rows) + 1))
}
