import type { Notice } from '../lib/base/notice.js'
import { recordSettings, storeSettings, timeSettings } from '../lib/settings/records.js'
import type { RecordQueue } from '../lib/sniffer/record-queue.js'
import type { RecordsStatus } from '../lib/sniffer/records-status.js'
import { defaultQueue } from './defaults.js'
import { count, counted } from './progress.js'
import { flagsFor, valuesOf } from './setting-flags.js'

/** Where records go: the flags of commands that make calls, the queue they open, and what is said of it at the end. */
export const recordFlags = {
  ...flagsFor({ ...storeSettings, ...timeSettings }),
  ...flagsFor(recordSettings, 'LIMITS'),
}

/** Undefined where nothing is stored. */
export async function openRecordsOf(
  storeUrl: string,
  flags: Readonly<Record<string, unknown>>,
  options: { live: boolean; sensorId: number | undefined; say: Notice },
): Promise<RecordQueue | undefined> {
  if (storeUrl === 'none') return undefined
  const { openRecordQueue } = await import('../lib/sniffer/record-queue.js')
  const settings = valuesOf({ ...recordSettings, ...storeSettings }, flags)
  // A file can be read again: its records wait on disk only when somebody names a place.
  const dir = settings.query_cache === 'no' ? undefined : (settings.queue ?? (options.live ? defaultQueue() : undefined))
  return openRecordQueue({
    storeUrl,
    sensorId: options.sensorId,
    live: options.live,
    queue: dir === undefined ? undefined : { dir, bytesMax: settings.queue_max * 2 ** 20, drop: settings.queue_drop },
    memoryBytesMax: settings.queue_memory_max * 2 ** 20,
    drop: settings.queue_drop,
    onNotice: ({ kind, message, suggestions }) => {
      const text = [`Records: ${message}`, ...suggestions.map((next) => `  → ${next}`)].join('\n')
      // Trouble is told also to those who want to hear nothing.
      options.say(text, kind === 'good' ? 'notice' : 'error')
    },
  })
}

const recordsTold = [
  ['updated', 'updated'],
  ['duplicates', 'were there already'],
  ['waiting', 'wait on disk'],
  ['refused', 'refused'],
  ['dropped', 'lost'],
] as const

export const recordsLine = (records: RecordsStatus): string =>
  [
    `Stored ${counted(records.stored, 'record')}`,
    ...recordsTold.flatMap(([key, text]) => (records[key] > 0 ? [`${count(records[key])} ${text}`] : [])),
  ].join(', ')
