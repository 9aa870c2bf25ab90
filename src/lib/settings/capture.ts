import type { SettingTable } from './table.js'

/** Where packets come from. */
export const captureSettings = {
  interface: {
    type: 'list',
    default: [],
    char: 'i',
    aliases: ['device'],
    charAliases: ['d'],
    helpValue: 'IFACE',
    exclusive: ['read'],
    ownOfInstance: true,
    help: 'Interfaces to listen on; "any" means all. Without it an instance (sniff@eth1) listens on the one it is named after.',
  },
  promisc: {
    type: 'switch',
    default: true,
    inverted: true,
    flag: 'no-promiscuous',
    char: 'p',
    help: 'Leave the interface out of promiscuous mode.',
  },
  snaplen: { type: 'integer', default: 65_535, unit: 'bytes', min: 96, max: 262_144, char: 's', help: 'Bytes kept of each packet.' },
  ringbuffer: {
    type: 'size',
    default: '64MiB',
    unit: 'MiB',
    min: 2 ** 20,
    max: 2 ** 31,
    flag: 'ring-size',
    char: 'B',
    helpValue: 'SIZE',
    help: 'Kernel ring buffer of each interface.',
  },
  filter: {
    type: 'text',
    fallback: 'everything',
    helpValue: 'EXPR',
    live: true,
    help: 'BPF expression, as in tcpdump; words at the end of the command line replace it.',
  },
} as const satisfies SettingTable
