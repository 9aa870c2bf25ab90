import type { SettingTable } from './table.js'

/** The mirror: what the sender does with packets, its buffers, and how the receiver puts senders together. Names and units are VoIPmonitor's where it has the thing. */
/** Of a certificate, at either end. */
const tlsKey = {
  type: 'path',
  reload: true,
  helpGroup: 'SECURITY',
  helpValue: 'FILE',
  needs: ['tls_cert'],
  credential: 'earshot-tls-key',
  help: 'Its key.',
} as const
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
  packetbuffer_file_path: {
    type: 'path',
    helpValue: 'DIR',
    help: 'Where blocks wait when memory is full. They survive a restart, and a kill.',
  },
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

/** To whom, as whom, and how safe. */
export const mirrorDestinationSettings = {
  mirror_destination_ip: {
    type: 'list',
    default: [],
    flag: 'to',
    aliases: ['mirror-destination', 'mirror-destination-ip'],
    helpGroup: 'DESTINATION',
    helpValue: 'HOST[:PORT]',
    unless: ['write'],
    help: 'Receivers: the first that answers is taken, and the next when it is lost.',
  },
  mirror_destination_port: {
    type: 'integer',
    default: 5030,
    unit: '',
    min: 1,
    max: 65_535,
    flag: 'to-port',
    aliases: ['mirror-destination-port'],
    helpGroup: 'DESTINATION',
    help: 'Port of receivers that are given without one.',
  },
  shard: {
    type: 'switch',
    default: false,
    helpGroup: 'DESTINATION',
    help: 'Share the receivers with other senders: each sensor begins with its own, chosen by a stable hash.',
  },
  protocol: {
    type: 'choice',
    default: 'earshot',
    options: ['earshot', 'voipmonitor'],
    helpGroup: 'DESTINATION',
    help: 'What the receiver speaks: ours, or VoIPmonitor’s classic mirror stream.',
  },
  name_sensor: {
    type: 'text',
    fallback: 'the name of the host',
    aliases: ['name'],
    helpGroup: 'DESTINATION',
    help: 'Name of this sensor; the host’s name by default.',
  },
  plain: {
    type: 'switch',
    default: false,
    helpGroup: 'SECURITY',
    help: 'Send without TLS also to other machines. To this machine it is always plain, unless --tls-ca is given.',
  },
  tls_ca: {
    type: 'path',
    reload: true,
    helpGroup: 'SECURITY',
    helpValue: 'FILE',
    fallback: 'the system’s authorities',
    help: 'Authority, or the receiver’s own certificate, to trust; the system’s authorities by default.',
  },
  tls_cert: {
    type: 'path',
    reload: true,
    helpGroup: 'SECURITY',
    helpValue: 'FILE',
    needs: ['tls_key'],
    credential: 'earshot-tls-cert',
    help: 'This sensor’s certificate, where the receiver wants one.',
  },
  tls_key: tlsKey,
  token_file: {
    type: 'path',
    reload: true,
    helpGroup: 'SECURITY',
    helpValue: 'FILE',
    credential: 'earshot-mirror-token',
    fallback: 'EARSHOT_MIRROR_TOKEN',
    help: 'File with this sensor’s token. Or put the token into EARSHOT_MIRROR_TOKEN.',
  },
  send: {
    type: 'choice',
    default: 'all',
    options: ['all', 'sip', 'rtp-headers'],
    helpGroup: 'FILTER',
    help: 'Everything; SIP only (TCP and fragments go along); or RTP without its payload (no audio leaves this machine).',
  },
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
  mirror_bind_ip: { type: 'text', default: '127.0.0.1', aliases: ['bind'], helpValue: 'ADDRESS', help: 'Address to listen on.' },
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

/** Who may send, and which senders belong together. */
export const mirrorSenderSettings = {
  together: {
    type: 'list',
    default: [],
    whole: true,
    helpGroup: 'SENDERS',
    helpValue: 'ID,ID…',
    help: 'Sensors that see parts of the same calls (SIP here, RTP there): merged in the order of time, with the first one’s id. Repeatable.',
  },
  tokens: {
    type: 'path',
    reload: true,
    helpGroup: 'SECURITY',
    helpValue: 'FILE',
    credential: 'earshot-mirror-tokens',
    help: 'Who may send: lines of id_sensor and token, sha256:DIGEST or cert:FINGERPRINT.',
  },
  anyone: {
    type: 'switch',
    default: false,
    helpGroup: 'SECURITY',
    help: 'Take senders from other machines without a token; with --tokens: VoIPmonitor’s senders, which have none.',
  },
  plain: { type: 'switch', default: false, helpGroup: 'SECURITY', help: 'Take streams without TLS also from other machines.' },
  tls_cert: {
    type: 'path',
    reload: true,
    helpGroup: 'SECURITY',
    helpValue: 'FILE',
    needs: ['tls_key'],
    credential: 'earshot-tls-cert',
    help: 'Certificate (PEM) of this receiver.',
  },
  tls_key: tlsKey,
  tls_ca: {
    type: 'path',
    reload: true,
    helpGroup: 'SECURITY',
    helpValue: 'FILE',
    needs: ['tls_cert'],
    help: 'Senders must show a certificate of this authority.',
  },
} as const satisfies SettingTable
