import type { SettingTable } from './table.js'

/** Who may ask, where, and with what. Tokens and keys are named by their files, never given. */

/** The manager inside a run that makes calls. It speaks to this host only; serve-manager speaks to others. */
export const ownManagerSettings = {
  manager: {
    type: 'switch',
    default: undefined,
    helpGroup: 'OUTPUT',
    help: 'Answer managers’ questions about this run: on a socket in the run directory, and on 127.0.0.1:5029 when that is free. Default for -i.',
  },
  managerport: {
    type: 'integer',
    default: 5029,
    unit: '',
    min: 0,
    max: 65_535,
    helpGroup: 'OUTPUT',
    help: 'TCP port of 127.0.0.1 for managers’ questions, when it is free; 0 takes any.',
  },
} as const satisfies SettingTable

export const serveManagerSettings = {
  listen: {
    type: 'list',
    default: [],
    fallback: '127.0.0.1:5029',
    helpValue: 'HOST:PORT',
    help: 'Addresses to listen on. Off loopback only TLS is answered. Default: --managerip and --managerport.',
  },
  managerip: {
    type: 'text',
    default: '127.0.0.1',
    helpValue: 'ADDRESS',
    unless: ['listen'],
    help: 'Address to listen on, when --listen is not given.',
  },
  managerport: {
    type: 'integer',
    default: 5029,
    unit: '',
    min: 0,
    max: 65_535,
    unless: ['listen'],
    help: 'TCP port to listen on, when --listen is not given; 0 takes a free one.',
  },
  tls_cert: {
    type: 'path',
    reload: true,
    helpValue: 'FILE',
    needs: ['tls_key'],
    credential: 'earshot-tls-cert',
    help: 'Certificate (PEM, with its chain) to show.',
  },
  tls_key: { type: 'path', reload: true, helpValue: 'FILE', needs: ['tls_cert'], credential: 'earshot-tls-key', help: 'Its key.' },
  insecure_voipmonitor: {
    type: 'switch',
    default: false,
    help: 'DANGER: answer VoIPmonitor’s protocol on all addresses, unencrypted and without asking who it is. Whoever reaches the port reads calls and packets.',
  },
} as const satisfies SettingTable

/** How a command that asks other managers says who it is. In a file `token_file` alone is the mirror's. */
export const accessSettings = {
  manager_token_file: {
    type: 'path',
    flag: 'token-file',
    ownKey: true,
    helpValue: 'FILE',
    fallback: 'EARSHOT_TOKEN, else the file "token" in the configuration directory',
    help: 'The token for other services: one line, or lines `HOST:PORT TOKEN`. Default: EARSHOT_TOKEN, else the file "token" in the configuration directory.',
  },
  manager_client_cert: {
    type: 'path',
    flag: 'client-cert',
    ownKey: true,
    helpValue: 'FILE',
    needs: ['manager_client_key'],
    help: 'A certificate that says who we are, instead of a token.',
  },
  manager_client_key: {
    type: 'path',
    flag: 'client-key',
    ownKey: true,
    helpValue: 'FILE',
    needs: ['manager_client_cert'],
    help: 'Its key.',
  },
} as const satisfies SettingTable
