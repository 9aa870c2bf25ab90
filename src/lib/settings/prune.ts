import type { SettingTable } from './table.js'

/** How long records are kept; `cdr prune` asks. */
export const pruneSettings = {
  older_than: {
    type: 'text',
    helpValue: 'SPAN',
    help: 'Calls that began longer ago than this: 90d, 12w, 1y.',
  },
} as const satisfies SettingTable
