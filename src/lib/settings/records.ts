import type { SettingTable } from './table.js'

/** Where records go. */
export const storeSettings = {
  store: {
    type: 'text',
    fallback: 'the state directory for live packets, none for a file',
    live: true,
    helpGroup: 'OUTPUT',
    helpValue: 'URL',
    check: withoutPassword,
    help: 'Where records go: sqlite:PATH, mysql://user@host/database, or none. Default for live packets: sqlite in the state directory.',
  },
  queue: {
    type: 'path',
    fallback: 'the state directory for live packets',
    live: true,
    aliases: ['save-query-to-files-directory'],
    helpGroup: 'OUTPUT',
    helpValue: 'DIR',
    help: 'Where records wait on disk while the store is away. Default for live packets: the state directory.',
  },
} as const satisfies SettingTable

/** VoIPmonitor's habit is local time; ours is not, because an hour a year comes twice there. */
export const timeSettings = {
  utc: {
    type: 'choice',
    default: 'yes',
    options: ['yes', 'no'],
    helpGroup: 'OUTPUT',
    help: 'Times in VoIPmonitor’s tables and the spool’s directories are UTC; with "no" they are local time, as in a VoIPmonitor that was not told utc = yes.',
  },
} as const satisfies SettingTable

/** For commands that read records, or look after them. */
export const readStoreSettings = {
  store: {
    type: 'text',
    fallback: 'your own database, else the service’s',
    helpValue: 'URL',
    check: withoutPassword,
    help: 'Where records are: sqlite:PATH or mysql://user@host/database. Default: your own database, else the service’s.',
  },
} as const satisfies SettingTable

/** A URL is seen by everyone who lists processes or reads a file of settings. */
function withoutPassword(url: string): { message: string; next: string } | undefined {
  return /^[a-z]+:\/\/[^/@]*:[^/@]*@/i.test(url)
    ? {
        message: 'a password stands in the URL, which every user of this machine can read',
        next: 'Put it into a file of its own and write ?password-file=FILE, or use EARSHOT_DB_PASSWORD or the systemd credential earshot-db-password.',
      }
    : undefined
}

/** How records wait while their store is away. Where they wait is `queue`. */
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
