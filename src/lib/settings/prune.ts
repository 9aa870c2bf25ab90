import type { SettingTable } from './table.js'

/** How long records are kept; `cdr prune` asks. */
export const pruneSettings = {
  older_than: {
    type: 'text',
    helpValue: 'SPAN',
    // A number alone would be seconds elsewhere: too easily all records.
    check: (text) =>
      /^(?:(?:\d+(?:\.\d+)?[smhdw])+|\d+(?:\.\d+)?y)$/i.test(text)
        ? undefined
        : { message: `"${text}" is no span of time with a unit`, next: 'Write 90d, 12w or 1y.' },
    help: 'Calls that began longer ago than this: 90d, 12w, 1y.',
  },
} as const satisfies SettingTable
