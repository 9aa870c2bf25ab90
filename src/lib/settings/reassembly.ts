import type { FragmentLimits } from '../reassembly/fragments.js'
import type { TcpLimits } from '../reassembly/tcp.js'
import type { SettingTable, ValuesOf } from './table.js'

/** How much may wait to be put together: IP fragments, and SIP over TCP. */
export const reassemblySettings = {
  max_fragmented_datagrams: { type: 'integer', default: 10_000, unit: 'datagrams', min: 1, help: 'IP datagrams put together at one time.' },
  max_fragment_memory: { type: 'integer', default: 64, unit: 'MiB', min: 1, help: 'Memory for waiting IP fragments.' },
  fragment_timeout: { type: 'integer', default: 30, unit: 's', min: 1, help: 'Give up an IP datagram that is not whole after this long.' },
  max_tcp_streams: {
    type: 'integer',
    default: 20_000,
    unit: 'connections',
    min: 1,
    help: 'SIP connections over TCP followed at one time, each direction.',
  },
  max_tcp_stream_memory: {
    type: 'integer',
    default: 512,
    unit: 'KiB',
    min: 64,
    help: 'Bytes waiting in one direction of a SIP connection over TCP.',
  },
  tcp_idle_timeout: { type: 'integer', default: 600, unit: 's', min: 1, help: 'Forget a SIP connection over TCP after this silence.' },
} as const satisfies SettingTable

type Values = ValuesOf<typeof reassemblySettings>

export const fragmentLimitsOf = (v: Values): FragmentLimits => ({
  datagramsMax: v.max_fragmented_datagrams,
  bytesMax: v.max_fragment_memory * 2 ** 20,
  timeoutSeconds: v.fragment_timeout,
})

export const tcpLimitsOf = (v: Values): TcpLimits => ({
  flowsMax: v.max_tcp_streams,
  flowBytesMax: v.max_tcp_stream_memory * 1024,
  idleSeconds: v.tcp_idle_timeout,
})
