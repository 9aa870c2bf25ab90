import type { SettingTable } from './table.js'

/** The mirror: what the sender does with packets, its buffers, and how the receiver puts senders together. Names and units are VoIPmonitor's where it has the thing. */
const yesNo = { type: 'choice', options: ['yes', 'no'] } as const

/** Both ends. */
export const mirrorSettings = {
  packetbuffer_compress: { ...yesNo, default: 'yes', help: 'Pack blocks before they are sent.' },
  packetbuffer_total_maxheap: {
    type: 'integer',
    default: 0,
    unit: 'MB',
    min: 0,
    max: 65_536,
    help: 'Memory for blocks that wait; 0 means 500 MB, or a quarter of the machine’s memory when that is less.',
  },
} as const satisfies SettingTable

export const mirrorSendSettings = {
  ringbuffer: { type: 'integer', default: 32, unit: 'MB', min: 1, max: 2000, help: 'Kernel ring buffer of each interface.' },
  packetbuffer_block_maxsize: {
    type: 'integer',
    default: 1024,
    unit: 'kB',
    min: 16,
    max: 2048,
    help: 'A block is closed when it holds so much.',
  },
  packetbuffer_block_maxtime: {
    type: 'integer',
    default: 100,
    unit: 'ms',
    min: 1,
    max: 10_000,
    help: 'A block is closed when it is so old.',
  },
  packetbuffer_file_totalmaxsize: {
    type: 'integer',
    default: 0,
    unit: 'MB',
    min: 0,
    help: 'Disk for blocks that memory cannot take; 0 means none. Needs --packetbuffer-file-path.',
  },
  packetbuffer_drop: {
    type: 'choice',
    options: ['oldest', 'newest'],
    default: 'oldest',
    help: 'What is given up when memory and disk are full.',
  },
  max_packet_rate: { type: 'integer', default: 0, unit: 'packets/s', min: 0, help: 'Send no more than this; 0 sends all.' },
} as const satisfies SettingTable

/** VoIPmonitor's protocol, sending. */
export const classicSendSettings = {
  packetbuffer_compress_method: {
    type: 'choice',
    options: ['auto', 'lz4', 'snappy'],
    default: 'auto',
    help: 'auto is lz4, or snappy for VoIPmonitor, whose receiver must be set to the same.',
  },
  mirror_require_confirmation: { ...yesNo, default: 'yes', help: 'VoIPmonitor’s protocol: wait for “block_ok” after each block.' },
  mirror_use_checksum: { ...yesNo, default: 'yes', help: 'VoIPmonitor’s protocol: fill in the checksum of blocks.' },
} as const satisfies SettingTable

export const mirrorRecvSettings = {
  mirror_bind_port: { type: 'integer', default: 5030, unit: '', min: 0, max: 65_535, help: 'TCP port to listen on; 0 takes a free one.' },
  mirror_bind_dlt: {
    type: 'integer',
    default: 1,
    unit: '',
    min: 0,
    max: 65_535,
    help: 'Link type of VoIPmonitor blocks that name none (1 is Ethernet).',
  },
  mirror_bind_sensor_id_by_sender: {
    ...yesNo,
    default: 'no',
    help: 'Records carry the sender’s id_sensor also when this receiver has one (--id-sensor).',
  },
  mirror_connect_maximum_time_diff_s: {
    type: 'integer',
    default: 2,
    unit: 's',
    min: 0,
    help: 'A sender’s clock that differs by more: its packets’ times are corrected (a VoIPmonitor sender is refused, time zones aside). 0 turns it off.',
  },
  receive_packetbuffer_maximum_time_diff_s: {
    type: 'integer',
    default: 30,
    unit: 's',
    min: 0,
    help: 'VoIPmonitor’s protocol: a block whose clock differs by more is refused. 0 turns it off.',
  },
  pcap_queue_dequeu_window_length: {
    type: 'integer',
    default: 2000,
    unit: 'ms',
    min: 0,
    max: 60_000,
    help: 'How long packets wait for older ones of other senders, where senders are merged.',
  },
} as const satisfies SettingTable
