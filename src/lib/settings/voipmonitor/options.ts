/**
 * VoIPmonitor's options → our settings, one row each; from it come the reading of its file, `config import` and docs/voipmonitor-options.md.
 * An option is a setting of ours, or part of one, or it is ignored for a reason that is told.
 */
export type Option =
  /** `value` answers our text, undefined to leave our default. Without it the text is taken as it is. */
  | { readonly to: string; readonly changed?: string; readonly value?: (text: string) => string | undefined }
  /** Several options make one setting; translate.ts puts them together. */
  | { readonly part: 'store' | 'save' | 'pcap_dump_zip'; readonly note: string }
  | { readonly ignored: string }

const notRecorded = 'only calls are recorded so far'
const ownThreads = 'how work is spread over threads is decided here, not set'
const noTar = 'each call has a pcap of its own; there are no archives'
const noGraph = 'quality over time is kept in the records, not in graph files'
const noAudio = 'no audio files are made; any player opens the pcap’s RTP'
const noDecryption = 'media and signalling are not decrypted'
const otherProtocol = 'the client/server protocol is not spoken: use mirror-send and mirror-recv'
const always = (what: string): Option => ({ ignored: `${what}: always so` })
const integer = (min: number, otherwise?: string) => (text: string) => (/^\d+$/.test(text) && Number(text) >= min ? text : otherwise)

const storeNote = 'becomes part of the URL of the store'

export const options: Readonly<Record<string, Option>> = {
  // The database.
  mysqlhost: { part: 'store', note: storeNote },
  mysqlport: { part: 'store', note: storeNote },
  mysqldb: { part: 'store', note: storeNote },
  mysqlusername: { part: 'store', note: storeNote },
  mysqlpassword: {
    part: 'store',
    note: 'handed over apart from the URL: EARSHOT_DB_PASSWORD inside the process, a file of its own with config import -w',
  },
  mysqlsocket: { part: 'store', note: storeNote },
  mysqlsslcacert: { part: 'store', note: `${storeNote}; the certificate of the server is verified` },
  mysqlsslcert: { part: 'store', note: storeNote },
  mysqlsslkey: { part: 'store', note: storeNote },
  ipv6: { part: 'store', note: 'form of addresses in tables that we make; IPv6 calls are always seen' },
  nocdr: { part: 'store', note: 'yes: store = none' },
  sqldriver: { ignored: 'MySQL and MariaDB are spoken to directly' },
  mysqlsslcapath: { ignored: 'name the one file with mysqlsslcacert' },
  mysqlsslciphers: { ignored: 'the ciphers of the runtime are used' },
  query_cache: { to: 'query_cache' },
  save_query_to_files: { ignored: 'query_cache says it' },
  save_query_to_files_directory: { to: 'queue' },
  utc: { to: 'utc' },
  timezone: { ignored: 'the time zone of the system (TZ) counts' },
  cleandatabase: { to: 'older_than', changed: 'days; `earshot cdr prune` asks, run by its timer', value: days },
  cleandatabase_cdr: { to: 'older_than', changed: 'days; `earshot cdr prune` asks, run by its timer', value: days },
  partition_operations_enable_fromto: { ignored: 'making a partition takes milliseconds: no hours need be chosen' },
  disable_partition_operations: { ignored: 'partitions of tables that VoIPmonitor made are left alone; ours are made ahead' },
  sqlcallend: always('callend is written'),
  time_precision_in_ms: always('milliseconds are kept where the columns can hold them'),
  cdr_sipport: always('ports of SIP are written where the column is there'),
  cdr_rtpport: always('ports of RTP are written where the column is there'),
  dscp: always('DSCP is written where the column is there'),
  cdr_ua_normalisation: { ignored: 'agents are stored as they are' },
  cdr_sip_response_normalisation: { ignored: 'the text of a response is stored as it is, beside its number' },
  cdr_reason_normalisation: { ignored: 'the text of a Reason is stored as it is' },
  mysqlloadconfig: { ignored: 'settings come from files, not from the database' },
  cdr_stat: { ignored: 'no tables of statistics: `cdr stats` computes from the records' },

  // The wire.
  interface: { to: 'interface' },
  filter: { to: 'filter' },
  promisc: { to: 'promisc' },
  snaplen: { to: 'snaplen', changed: '0, its "automatic", means our default', value: integer(96) },
  ringbuffer: { to: 'ringbuffer' },
  max_buffer_mem: {
    to: 'packetbuffer_total_maxheap',
    changed: 'for mirrors; a sniffer has no packet buffer besides the kernel’s',
    value: integer(1),
  },
  packetbuffer_total_maxheap: { to: 'packetbuffer_total_maxheap' },
  sipport: { to: 'sipport' },
  id_sensor: { to: 'id_sensor', changed: '-1 means none, as 0 does', value: (text) => (text === '-1' ? '0' : text) },
  name_sensor: { to: 'name_sensor' },
  interface_ip_filter: { ignored: 'say it in filter: host A or host B' },
  interface_libpcap_filter: { ignored: 'one filter for all interfaces; or run an instance for each: [sniff@eth1]' },
  deduplicate: { ignored: 'not there: capture each wire once, or leave the copy out with filter' },
  interfaces_optimize: { ignored: 'the network card is the administrator’s: ethtool -G' },
  threading_mod: { ignored: ownThreads },
  t2_boost: { ignored: ownThreads },
  scanpcapdir: { ignored: 'a directory is read once: sniff -r DIR' },
  udp_port_vxlan: { ignored: 'tunnels are recognised by their content and usual ports' },

  // Manager.
  managerip: { to: 'managerip', changed: 'off loopback only TLS with a token is answered; serve-manager listens there' },
  managerport: { to: 'managerport' },
  managersocket: { ignored: 'every service has a socket in the run directory' },
  manager_enable_unencrypted: { ignored: 'on loopback always, elsewhere only with serve-manager --insecure-voipmonitor' },

  // Mirror.
  mirror_destination_ip: {
    to: 'mirror_destination_ip',
    changed: 'run mirror-send; VoIPmonitor’s protocol, unencrypted as it was (protocol, plain)',
  },
  mirror_destination_port: { to: 'mirror_destination_port' },
  mirror_bind_ip: { to: 'mirror_bind_ip', changed: 'run mirror-recv; senders without TLS and tokens come in as they did (plain, anyone)' },
  mirror_bind_port: { to: 'mirror_bind_port' },
  mirror_bind_dlt: { to: 'mirror_bind_dlt' },
  mirror_bind_sensor_id_by_sender: { to: 'mirror_bind_sensor_id_by_sender' },
  mirror_require_confirmation: { to: 'mirror_require_confirmation' },
  mirror_use_checksum: { to: 'mirror_use_checksum' },
  mirror_connect_maximum_time_diff_s: { to: 'mirror_connect_maximum_time_diff_s' },
  receive_packetbuffer_maximum_time_diff_s: { to: 'receive_packetbuffer_maximum_time_diff_s' },
  pcap_queue_dequeu_window_length: {
    to: 'pcap_queue_dequeu_window_length',
    changed: '-1, its "automatic", means our default',
    value: integer(0),
  },
  packetbuffer_compress: { to: 'packetbuffer_compress' },
  packetbuffer_compress_method: {
    to: 'packetbuffer_compress_method',
    changed: 'no means automatic',
    value: (text) => (text === 'no' ? undefined : text),
  },
  packetbuffer_block_maxsize: { to: 'packetbuffer_block_maxsize' },
  packetbuffer_block_maxtime: { to: 'packetbuffer_block_maxtime' },
  packetbuffer_file_totalmaxsize: { to: 'packetbuffer_file_totalmaxsize' },
  packetbuffer_file_path: { to: 'packetbuffer_file_path' },
  receiver_check_id_sensor: always('sensors are kept apart; --together joins some'),
  server_bind: { ignored: otherProtocol },
  server_bind_port: { ignored: otherProtocol },
  server_destination: { ignored: otherProtocol },
  server_destination_port: { ignored: otherProtocol },
  server_password: { ignored: otherProtocol },
  packetbuffer_sender: { ignored: otherProtocol },

  // Calls.
  rtptimeout: { to: 'rtptimeout' },
  sipwithoutrtptimeout: { to: 'sipwithoutrtptimeout' },
  absolute_timeout: { to: 'absolute_timeout' },
  onewaytimeout: { to: 'onewaytimeout' },
  bye_timeout: { to: 'bye_timeout' },
  bye_confirmed_timeout: { to: 'bye_confirmed_timeout' },
  sdp_multiplication: { to: 'sdp_multiplication' },
  max_sip_packets_in_call: { to: 'max_sip_packets_in_call' },
  max_invite_packets_in_call: { to: 'max_invite_packets_in_call' },
  rtp_streams_max_in_call: { to: 'max_rtp_streams_in_call', changed: '0 means our default', value: integer(1) },
  callslimit: { to: 'max_calls', changed: '0 means our default', value: integer(1) },
  sip_tcp_reassembly_stream_timeout: { to: 'tcp_idle_timeout', value: integer(1) },
  cdronlyanswered: { ignored: 'every call has a record: choose with --where' },
  cdronlyrtp: { ignored: 'every call has a record: choose with --where' },
  dtmf2db: {
    to: 'max_dtmf_in_call',
    changed: 'no: digits are not kept',
    value: (text) => (/^(no|0|false)$/i.test(text) ? '0' : undefined),
  },
  natalias: { ignored: 'media behind NAT is found without it: the end that is known leads to the other' },
  rtp_check_both_sides_by_sdp: { ignored: 'a stream belongs to the calls whose SDP fits it best, both ends first' },
  callidmerge_header: { ignored: 'legs have records of their own; `cdr show` finds the related ones' },
  matchheader: { ignored: 'legs are related by streams, addresses, Call-ID and numbers, not by a header' },
  custom_headers_cdr: { ignored: 'headers are in the pcap; none are columns yet' },
  'sip-register': { ignored: notRecorded },
  'sip-options': { ignored: notRecorded },
  'sip-subscribe': { ignored: notRecorded },
  'sip-notify': { ignored: notRecorded },
  'sip-message': { ignored: notRecorded },
  inbanddtmf: { ignored: 'digits are found in RFC 4733 events and SIP INFO, not in the audio' },
  silencedetect: { ignored: 'media are not decoded' },
  clippingdetect: { ignored: 'media are not decoded' },
  fasdetect: { ignored: 'media are not decoded' },
  faxdetect: { ignored: 'media are not decoded' },
  jitterbuffer_f1: { ignored: 'MOS follows the E-model from loss and jitter; no buffers are simulated' },
  jitterbuffer_f2: { ignored: 'MOS follows the E-model from loss and jitter; no buffers are simulated' },
  jitterbuffer_adapt: { ignored: 'MOS follows the E-model from loss and jitter; no buffers are simulated' },

  // The spool.
  spooldir: { to: 'spooldir' },
  savesip: { part: 'save', note: 'with savertp becomes save' },
  savertp: { part: 'save', note: 'becomes save; header: rtp-headers' },
  null_rtppayload: { part: 'save', note: 'yes: save = rtp-zeroed' },
  savertcp: { ignored: 'RTCP is kept where RTP is' },
  saveudptl: { ignored: 'T.38 is kept where RTP is' },
  savertp_video: { ignored: 'video is kept as audio is' },
  savegraph: { ignored: noGraph },
  saveaudio: { ignored: noAudio },
  tar: { ignored: noTar },
  tar_compress_sip: { ignored: noTar },
  tar_sip_level_zstd: { ignored: noTar },
  tar_sip_strategy_zstd: { ignored: noTar },
  tar_compress_rtp: { ignored: noTar },
  tar_compress_graph: { ignored: noTar },
  tar_graph_level_zstd: { ignored: noTar },
  pcap_dump_zip: {
    part: 'pcap_dump_zip',
    note: 'yes, zip, lzma, zstd: gzip; lzo, snappy, lz4 (they cost little and save little of RTP): no',
  },
  pcap_dump_zip_rtp: { part: 'pcap_dump_zip', note: 'as pcap_dump_zip, and before it: one pcap holds SIP and RTP' },
  pcap_dump_zip_sip: { ignored: 'one pcap holds SIP and RTP: pcap_dump_zip_rtp counts' },
  cleanspool: { to: 'cleanspool' },
  maxpoolsize: { to: 'maxpoolsize' },
  maxpoolsize_2: { ignored: 'there is one spool' },
  maxpooldays: { to: 'maxpooldays' },
  maxpoolsipsize: { to: 'maxpoolsipsize' },
  maxpoolsipdays: { to: 'maxpoolsipdays' },
  maxpoolrtpsize: { to: 'maxpoolrtpsize' },
  maxpoolrtpdays: { to: 'maxpoolrtpdays' },
  autocleanspoolminpercent: { to: 'autocleanspoolminpercent' },
  autocleanmingb: { to: 'autocleanmingb' },
  cleanspool_enable_fromto: { ignored: 'cleaning goes on all the time in small steps: no hours need be chosen' },
  cachedir: { ignored: 'pcaps grow where they stay' },
  pcapcommand: { ignored: 'nothing is run for a call; `cdr query --follow` gives each to a script' },
  maxpcapsize: { ignored: 'a call’s pcap has no limit of its own; the spool has' },
  openfile_max: { ignored: 'systemd’s LimitNOFILE=' },
  watchdog: { ignored: 'systemd watches and restarts (WatchdogSec=)' },
}

/** Other spellings that VoIPmonitor takes. */
export const aliases: Readonly<Record<string, string>> = {
  sql_time_utc: 'utc',
  threading_expanded: 't2_boost',
  packetbuffer_sender_require_confirmation: 'mirror_require_confirmation',
  pcap_queue_deque_window_length: 'pcap_queue_dequeu_window_length',
  autocleanspoolmingb: 'autocleanmingb',
  match_header: 'matchheader',
  custom_headers: 'custom_headers_cdr',
  mirror_bind: 'mirror_bind_ip',
  mirror_destination: 'mirror_destination_ip',
}

/** Whole groups that are ignored for one reason; an option of the table above comes first. */
export const families: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^maxpool.*_2$|^spooldir_(2|rtp|graph|audio)|_2$/, 'there is one spool and one store'],
  [/^maxpool|^autoclean|^cleanspool/, 'SIP, RTP and the whole have limits: maxpoolsip…, maxpoolrtp…, maxpool…'],
  [/^tar(_|$)/, noTar],
  [/graph/, noGraph],
  [/audio|^ogg_|^mp3_|^wav|transcribe|whisper/, noAudio],
  [/^ssl|^srtp|dtls|sessionkey/, noDecryption],
  [
    /^pcap_dump|^dumpallpackets|^traffic_dumper|^convert_dlt|^spooldir|^convertchar|^save|^spool/,
    'how files are written is decided here, not set',
  ],
  [
    /^t2_|thread|^usleep|_usleep$|^sched_pol|^numa|^hugepages|^dpdk|^eth_max|^preprocess|^pre_process|^process_rtp|queue|_batch|^use_blocks|^auto_enable|heap|^abort_if|^exit_if|^packetbuffer|^lock_|^destroy_|^cleanup_/,
    ownThreads,
  ],
  [/^server_|^client_server|^remote_|^cloud_|^next_server/, otherProtocol],
  [/^mirror_|^receive/, 'the mirror needs no such setting'],
  [/register|^sip_(options|subscribe|notify|message|send)/, notRecorded],
  [
    /^charts?_|^cdr_stat|^cdr_problems|^cdr_summary|^rtp_stat|^store_|^enable_fraud|^enable_billing|^fraud|^billing/,
    'no tables of statistics: `cdr stats` computes from the records',
  ],
  [
    /^cleandatabase|^database_backup|partition|^mysql|^sql|^disable_|^only_cdr|duplicity|^autoload|^alter_|^enable_|^cdr_|^create_|^query_|^message|^load_query|^destination_number_mode|^update_dst/,
    'the store decides, or has no such thing',
  ],
  [/^hep|^ipfix|^ribbon|^audiocodes|^kamailio|^siprec|^udp_port|^tcp_port|^icmp/, 'packets from the wire and from mirrors only, so far'],
  [/^ss7|^diameter|^skinny|^mgcp|^http|^webrtc|^ipacc|^tcpreassembly|^ssh|^gtp|^mos_lqo|^fax|^t38|^udptl|^isup/, 'SIP and its RTP only'],
  [/^pii_|^anonymize/, 'mask_dtmf hides digits; other masking is not there yet'],
  [/^jitterbuffer|^mos|^plc|^ignore_mos|^ignorertcp/, 'MOS follows the E-model from loss and jitter; no buffers are simulated'],
  [
    /norecord|pauserecording|^capture_rules|^only_sip|^hide_message|telnum|^filtercommand/,
    'there are no rules per call: every call is recorded alike',
  ],
  [/^sip_tcp_reassembly|^sip_only_tcp/, 'limits of TCP: max_tcp_streams, max_tcp_stream_memory'],
  [/^dedup/, 'not there: capture each wire once, or leave the copy out with filter'],
  [
    /^ignore_|^quick_save|^redirect_response|^response_|^get_reason|^keep_final|^remove_rtp|^detect_alone|^call_branches|^call_id|^callidmerge|^last_dest|^both_side|^sdp_|^rtpip|^rtpfromsdp|^rtp_|^rtpmap|^check_diff|^vlan_|^allow_zero|^dtmf2pcap|^jitter_force|^sipoverlap|^srvcc|^conference|^redirect_/,
    'the rules for calls and streams are fixed: docs/records.md',
  ],
  [
    /^custom_headers|^fbasename|^remote|^passerted|^ppreferred|^domainport|^callernum|^cdrproxy|^skipdefault|^mo_mt|^national_prefix|^separate_storage|^active_call/,
    'which headers become columns is fixed: docs/schema.md',
  ],
  [/^sip_msg/, notRecorded],
  [/^silence|^sipalg|^energylevel/, 'media are not decoded'],
  [/^get_customer|^get_radius|^odbc|^csv_/, 'MySQL, MariaDB and SQLite only'],
  [/^mirror/, 'the mirror needs no such setting'],
  [
    /^memory_|^jemalloc|^bt_|^coredump|^all_unlink|^interrupts|^syslog|^printinsert|^socket_use|^safe_|^processing_limit|^storing_|^batch_length|^livesniffer|^libpcap|^use_oneshot|^pcap_(if|dpdk|dispatch|split)|^pcapsplit|^bogus|^udpfrag|^interface_ip|^rrd|^git_|^php_|^ws_|^virtualudp|^watchdog|^systemd|^scanpcap|^sniffer_mode|^process_pcap|^pcap_destination|^rtcp_params|^libsrtp|^use_id_sensor/,
    'a matter of its own machinery',
  ],
  [/^upgrade|^curl|^keycheck|^vmcodecs|^local_|^international|^country|^geo|^gui|config/, 'this belongs to its GUI, updates and licence'],
  [/^allow_missing_header/, 'VoIPmonitor itself has it no more'],
  [/^manager/, 'see docs/manager.md'],
  [/./, 'no such setting here'],
]

function days(text: string): string | undefined {
  return /^[1-9]\d*$/.test(text) ? `${text}d` : undefined
}
