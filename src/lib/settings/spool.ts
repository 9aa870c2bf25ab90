import type { SettingTable } from './table.js'

/** Where pcaps of calls are kept, and what of the packets. */
export const spoolPlaceSettings = {
  spooldir: {
    type: 'path',
    flag: 'spool',
    words: ['none'],
    fallback: 'the state directory for live packets, none for a file',
    live: true,
    helpGroup: 'OUTPUT',
    helpValue: 'DIR',
    help: 'Where pcaps of calls go, or none. Default for live packets: the state directory.',
  },
  save: {
    type: 'choice',
    default: 'rtp',
    options: ['sip', 'rtp', 'rtp-headers', 'rtp-zeroed', 'none'],
    helpGroup: 'OUTPUT',
    help: 'What goes into the pcaps: SIP only, SIP and RTP, RTP without payload, RTP with zeros as payload, or nothing.',
  },
} as const satisfies SettingTable

/** For commands that read pcaps. */
export const readSpoolSettings = {
  spooldir: {
    type: 'path',
    flag: 'spool',
    words: ['none'],
    fallback: 'your own spool, else the service’s',
    helpValue: 'DIR',
    help: 'Where the pcaps are. Default: your own spool, else the service’s.',
  },
} as const satisfies SettingTable

/** How much the spool may hold, and for how long. 0 is no limit. */
export const spoolLimitSettings = {
  maxpoolsize: {
    reload: true,
    type: 'integer',
    default: 0,
    unit: 'MiB',
    min: 0,
    help: 'The spool holds no more than this: the oldest calls’ packets go.',
  },
  maxpooldays: { reload: true, type: 'integer', default: 0, unit: 'days', min: 0, help: 'Packets of calls are kept this long.' },
  maxpoolsipsize: {
    reload: true,
    type: 'integer',
    default: 0,
    unit: 'MiB',
    min: 0,
    help: 'Signalling takes no more than this: the oldest calls go, with what media they have.',
  },
  maxpoolsipdays: {
    reload: true,
    type: 'integer',
    default: 0,
    unit: 'days',
    min: 0,
    help: 'Signalling is kept this long; then the call goes, with what media it has.',
  },
  maxpoolrtpsize: {
    reload: true,
    type: 'integer',
    default: 0,
    unit: 'MiB',
    min: 0,
    help: 'Media take no more than this: the oldest calls lose theirs and keep their SIP.',
  },
  maxpoolrtpdays: {
    reload: true,
    type: 'integer',
    default: 0,
    unit: 'days',
    min: 0,
    help: 'Media are kept this long; then the call keeps its SIP.',
  },
  autocleanspoolminpercent: {
    reload: true,
    type: 'integer',
    default: 1,
    unit: '%',
    min: 0,
    max: 90,
    help: 'This much of the disk stays free.',
  },
  autocleanmingb: {
    reload: true,
    type: 'integer',
    default: 5,
    unit: 'GiB',
    min: 0,
    help: 'This much stays free on the disk, but no more than a tenth of it.',
  },
} as const satisfies SettingTable

/** What goes into the spool, and how. */
export const spoolSettings = {
  spool_layout: {
    type: 'choice',
    default: 'earshot',
    options: ['earshot', 'voipmonitor'],
    help: 'One pcap per call; or SIP/ and RTP/ apart, under VoIPmonitor’s names.',
  },
  pcap_dump_zip: {
    type: 'choice',
    default: 'no',
    options: ['no', 'gzip', 'lz4'],
    help: 'Compress pcaps: gzip opens everywhere, lz4 costs less.',
  },
  mask_dtmf: {
    type: 'choice',
    default: 'no',
    options: ['no', 'yes'],
    help: 'Make dialled digits unreadable in pcaps and records: RFC 4733 events and SIP INFO.',
  },
  cleanspool: { reload: true, type: 'choice', default: 'yes', options: ['yes', 'no'], help: 'Delete what exceeds the limits.' },
} as const satisfies SettingTable
