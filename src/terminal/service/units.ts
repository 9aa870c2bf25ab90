/** systemd's units, all from one table: services that run, each also as a template for instances, and jobs with timers. */

interface ServiceRow {
  readonly about: string
  /** Opens interfaces: packet sockets need CAP_NET_RAW, promiscuous mode and large rings CAP_NET_ADMIN. */
  readonly captures: boolean
  /** Files under /etc/earshot/credentials that it is given. */
  readonly credentials: readonly string[]
  /** Bound of Node's young generation, where its own (16 MiB) is too much. */
  readonly youngMib?: number
}

interface JobRow {
  readonly about: string
  /** Words behind the program. */
  readonly words: string
  /** The shell reads them. */
  readonly shell: boolean
  readonly environment: Readonly<Record<string, string>>
  readonly calendar: string
  readonly credentials: readonly string[]
}

/** What they are for is in docs/service.md. All are there, and empty, after an installation: an empty one is as good as none. */
export const credentials = {
  'earshot-db-password': 'password of the database in mysql:// URLs',
  'earshot-mirror-token': 'token with which mirror-send proves who it is',
  'earshot-mirror-tokens': 'tokens of the sensors that mirror-recv lets in',
  'earshot-tls-cert': 'certificate (PEM) of a service that is reached from other machines',
  'earshot-tls-key': 'its key',
} as const

const TLS = ['earshot-tls-cert', 'earshot-tls-key']

export const serviceRows: Readonly<Record<string, ServiceRow>> = {
  sniff: { about: 'calls from SIP and RTP on the wire', captures: true, credentials: ['earshot-db-password'] },
  'mirror-send': {
    about: 'sends the packets of this host to a receiver',
    captures: true,
    credentials: ['earshot-mirror-token', ...TLS],
    youngMib: 1,
  },
  'mirror-recv': {
    about: 'calls from the packets of many senders',
    captures: false,
    credentials: ['earshot-db-password', 'earshot-mirror-tokens', ...TLS],
  },
  'serve-manager': {
    about: 'answers questions about the calls of this host',
    captures: false,
    credentials: ['earshot-db-password', ...TLS],
  },
}

/** Put in by systemd, from Environment= or a drop-in; and by the shell, for which systemd leaves it (`$$`). */
const variable = (name: string): string => `\${${name}}`
const shellVariable = (name: string): string => `$${variable(name)}`
const DAY = '$$(date -u -d yesterday +%%F)'

export const jobRows: Readonly<Record<string, JobRow>> = {
  'cdr-export': {
    about: 'writes the calls of yesterday to a file',
    // One `date` makes both the name and the span, so a job that is late still takes one whole day.
    words: `-w "${shellVariable('STATE_DIRECTORY')}/export/calls-${DAY}.${shellVariable('FORMAT')}" --between "${DAY}..$$(date -u +%%F)" --force --quiet`,
    shell: true,
    environment: { FORMAT: 'ndjson.gz' },
    calendar: '*-*-* 00:10:00 UTC',
    credentials: ['earshot-db-password'],
  },
  'cdr-prune': {
    about: 'removes records that are older than its section of earshot.conf says',
    words: '--quiet',
    shell: false,
    environment: {},
    calendar: '*-*-* 03:30:00 UTC',
    credentials: ['earshot-db-password'],
  },
}

export const unitNames: readonly string[] = [...Object.keys(serviceRows), ...Object.keys(jobRows)]

/** The program as systemd is to start it: absolute paths, words apart. */
export type Program = readonly string[]

export interface UnitFile {
  /** "earshot-sniff@.service". */
  readonly name: string
  readonly text: string
}

/** The files of one service or job; of a service that may have instances: also the template. */
export function unitsOf(name: string, program: Program): readonly UnitFile[] {
  const service = serviceRows[name]
  if (service !== undefined)
    return [
      { name: `earshot-${name}.service`, text: serviceUnit(name, service, program, false) },
      { name: `earshot-${name}@.service`, text: serviceUnit(name, service, program, true) },
    ]
  const job = jobRows[name] as JobRow
  return [
    { name: `earshot-${name}.service`, text: jobUnit(name, job, program) },
    { name: `earshot-${name}.timer`, text: timerUnit(job) },
  ]
}

type Lines = readonly (string | false)[]
const unit = (sections: readonly (readonly [title: string, lines: Lines])[]): string =>
  `# Made by earshot service install. Change it with a drop-in (systemctl edit), which stays when this file is made anew.\n${sections
    .map(([title, lines]) => `\n[${title}]\n${lines.filter((line) => line !== false).join('\n')}\n`)
    .join('')}`

function serviceUnit(name: string, { about, captures, credentials, youngMib }: ServiceRow, program: Program, template: boolean): string {
  const instance = template ? ' (%i)' : ''
  return unit([
    [
      'Unit',
      [
        `Description=Earshot ${name}${instance}: ${about}`,
        'Documentation=man:earshot(1)',
        'Wants=network-online.target',
        `After=network-online.target mariadb.service mysql.service${captures && template ? ' sys-subsystem-net-devices-%i.device' : ''}`,
        '# A service that cannot start is tried for a while, then left alone: systemctl reset-failed begins anew.',
        'StartLimitIntervalSec=30min',
        'StartLimitBurst=60',
      ],
    ],
    [
      'Service',
      [
        'Type=notify',
        'NotifyAccess=main',
        `ExecStart=${commandLine(program)} ${name}`,
        'ExecReload=/bin/kill -HUP $MAINPID',
        template && 'Environment=EARSHOT_INSTANCE=%i',
        youngMib !== undefined && '# Little lives long in it: with less room for what is new, Node takes 10 MB less of the host.',
        youngMib !== undefined && `Environment=NODE_OPTIONS=--max-semi-space-size=${youngMib}`,
        '# Told by the loop over the packets, not by a timer: one that is stuck is ended and started anew.',
        'WatchdogSec=30',
        '# The end reads what is captured (10 s at the most) and writes all open calls (30 s at the most).',
        'TimeoutStopSec=60',
        'Restart=on-failure',
        'RestartSec=10',
        !captures && '# Wrong settings do not get better by trying. (An interface that is not there yet may.)',
        !captures && 'RestartPreventExitStatus=2',
        'LimitNOFILE=65536',
        '',
        ...identity(credentials),
        '# Services share the directory of their sockets: it stays while one of them stops.',
        'RuntimeDirectory=earshot',
        'RuntimeDirectoryMode=0750',
        'RuntimeDirectoryPreserve=yes',
        '',
        ...(captures
          ? [
              '# Packet sockets; NET_ADMIN for promiscuous mode and rings above the usual bound.',
              'AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN',
              'CapabilityBoundingSet=CAP_NET_RAW CAP_NET_ADMIN',
            ]
          : ['CapabilityBoundingSet=', 'PrivateUsers=yes']),
        ...sandbox(`AF_UNIX AF_INET AF_INET6 AF_NETLINK${captures ? ' AF_PACKET' : ''}`),
      ],
    ],
    ['Install', ['WantedBy=multi-user.target']],
  ])
}

function jobUnit(name: string, { about, words, shell, environment, credentials }: JobRow, program: Program): string {
  const command = `${commandLine(program)} ${name.replace('-', ' ')} ${words}`
  return unit([
    [
      'Unit',
      [
        `Description=Earshot ${name.replace('-', ' ')}: ${about}`,
        'Documentation=man:earshot(1)',
        'After=network-online.target mariadb.service mysql.service',
      ],
    ],
    [
      'Service',
      [
        'Type=oneshot',
        ...Object.entries(environment).map(([key, value]) => `Environment=${key}=${value}`),
        shell && `ExecStartPre=/bin/mkdir -p -m 0750 ${variable('STATE_DIRECTORY')}/export`,
        shell ? `ExecStart=/bin/sh -c '${command}'` : `ExecStart=${command}`,
        'TimeoutStartSec=6h',
        'Nice=10',
        '',
        ...identity(credentials),
        '',
        'CapabilityBoundingSet=',
        'PrivateUsers=yes',
        ...sandbox('AF_UNIX AF_INET AF_INET6 AF_NETLINK'),
      ],
    ],
  ])
}

const timerUnit = ({ about, calendar }: JobRow): string =>
  unit([
    ['Unit', [`Description=Earshot ${about}, every day`]],
    [
      'Timer',
      [`OnCalendar=${calendar}`, 'RandomizedDelaySec=5min', '# A host that was off then does it when it is on again.', 'Persistent=yes'],
    ],
    ['Install', ['WantedBy=timers.target']],
  ])

const identity = (names: readonly string[]): Lines => [
  'User=earshot',
  'Group=earshot',
  'StateDirectory=earshot',
  'StateDirectoryMode=0750',
  'UMask=0027',
  ...names.map((name) => `LoadCredential=${name}:/etc/earshot/credentials/${name}`),
]

const sandbox = (families: string): Lines => [
  'NoNewPrivileges=yes',
  'ProtectSystem=strict',
  '# A spool elsewhere needs: ReadWritePaths=/srv/spool',
  'ProtectHome=yes',
  'PrivateTmp=yes',
  'PrivateDevices=yes',
  'PrivateMounts=yes',
  'DevicePolicy=closed',
  'ProtectHostname=yes',
  'ProtectClock=yes',
  'ProtectControlGroups=yes',
  'ProtectKernelLogs=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelTunables=yes',
  'ProtectProc=invisible',
  'ProcSubset=pid',
  'LockPersonality=yes',
  'RemoveIPC=yes',
  'RestrictNamespaces=yes',
  'RestrictRealtime=yes',
  'RestrictSUIDSGID=yes',
  `RestrictAddressFamilies=${families}`,
  'SystemCallArchitectures=native',
  'SystemCallFilter=@system-service',
  'SystemCallFilter=~@privileged @resources',
  'SystemCallErrorNumber=EPERM',
  '# Not MemoryDenyWriteExecute=yes: V8 makes machine code while it runs, and without that it is many times slower.',
]

/** Words that systemd leaves as they are: quoted where they hold blanks, with % and $ doubled (systemd.service(5)). */
const commandLine = (program: Program): string =>
  program
    .map((word) => word.replaceAll('%', '%%').replaceAll('$', '$$$$'))
    .map((word) => (/[\s"'\\;]/.test(word) ? `"${word.replace(/["\\]/g, '\\$&')}"` : word))
    .join(' ')

/** sysusers.d(5): the user that all services run as. */
export const sysusers = `#Type Name    ID Description            Home             Shell
u     earshot -  "Earshot VoIP monitor" /var/lib/earshot /usr/sbin/nologin
`

/** The configuration that a new installation begins with. */
export const configSkeleton = `# Earshot. A section for each service, or for one instance of it: [sniff@eth1] is that of earshot-sniff@eth1.
# Keys are the flags of the command without their dashes (earshot sniff --help, docs/settings.md).
# All of them with their meanings: earshot config init. What is in force, and from where: earshot config show --origin.

[sniff]
# Interfaces, separated by commas; any is all of them.
interface = any
# Number of this sensor in the records. Every sensor of one database needs its own.
#id_sensor = 1
# Records. The password goes into /etc/earshot/credentials/earshot-db-password.
#store = mysql://earshot@db.example.com/earshot

[mirror-send]
#interface = any
#to = receiver.example.com
#id_sensor = 1

[mirror-recv]
#mirror_bind_ip = 0.0.0.0
#tls_cert = /etc/earshot/server.pem
#tls_key = /etc/earshot/server.key

[serve-manager]
#listen = 127.0.0.1:5029

# For earshot-cdr-prune.timer, when it is enabled.
[cdr-prune]
older_than = 1y
`
