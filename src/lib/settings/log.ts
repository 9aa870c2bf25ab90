import type { SettingTable } from './table.js'

/** What a service says of itself, on stderr. */
export const logSettings = {
  log_format: {
    type: 'choice',
    default: 'auto',
    options: ['auto', 'human', 'journal', 'json'],
    helpGroup: 'LOG',
    help: 'How messages are written: for people, for the journal (with priorities), or as JSON lines. auto: journal under systemd, else human.',
  },
  log_level: {
    type: 'choice',
    default: 'info',
    options: ['debug', 'info', 'notice', 'warning', 'error'],
    reload: true,
    helpGroup: 'LOG',
    help: 'Leave out messages that weigh less; -q leaves only errors.',
  },
} as const satisfies SettingTable
