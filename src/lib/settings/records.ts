import type { SettingTable } from './table.js'

/** How records wait while their store is away. Where they wait is `--queue`. */
export const recordSettings = {
  query_cache: {
    type: 'choice',
    default: 'yes',
    options: ['yes', 'no'],
    help: 'Keep records on disk until the store has them (live runs). With "no" they wait in memory, and a crash loses them.',
  },
  queue_max: {
    type: 'integer',
    default: 1024,
    unit: 'MiB',
    min: 1,
    max: 1 << 20,
    help: 'Room for records on disk; a record takes 2 to 3 KiB.',
  },
  queue_memory_max: {
    type: 'integer',
    default: 64,
    unit: 'MiB',
    min: 1,
    max: 4096,
    help: 'Room for records in memory: those on their way, and all that wait when there is no queue on disk or its disk fails.',
  },
  queue_drop: {
    type: 'choice',
    default: 'oldest',
    options: ['oldest', 'newest'],
    help: 'Which records give way, counted, when the room is used up.',
  },
} as const satisfies SettingTable
