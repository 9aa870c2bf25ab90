import type { ServiceStats } from '../manager/index.js'
import { type Stage, stages } from './losses.js'

/**
 * Whether a service is well, from what it counts: a row a check. Pure; `/healthz`, `service status` and the tests ask the same
 * table.
 */
export type Level = 'ok' | 'warning' | 'failing'

export interface Verdict {
  readonly level: Level
  /** What is so, in a sentence. */
  readonly what: string
  /** Why it matters or where it comes from, and what to do; when it is not ok. */
  readonly why?: string
  readonly next?: string
}

export interface CheckRow {
  readonly help: string
  /** Undefined: nothing to check in such a service. */
  of(stats: ServiceStats, nowMs: number): Verdict | undefined
}

/** From where on a number is a warning, and from where on the service fails. */
export const healthLimits = {
  /** Seconds that the capture's clock may stand still. */
  captureSeconds: { warning: 10, failing: 30 },
  /** Seconds without a packet: a warning only, nights are quiet. */
  silentSeconds: { warning: 600 },
  /** Lost in the last minute, of all. */
  lossRatio: { warning: 0, failing: 0.01 },
  /** Age of the oldest record that is not in the store. */
  recordSeconds: { warning: 60, failing: 900 },
  /** Free space on the spool's disk; one that is kept within its limits stays above. */
  freeRatio: { warning: 0.02, failing: 0.005 },
  /** Filled part of a sender's buffers. */
  bufferRatio: { warning: 0.5, failing: 0.9 },
  certificateDays: { warning: 14, failing: 0 },
  loopDelayMs: { warning: 2000, failing: 15_000 },
} as const

/** Above the one: a warning; above the other: failing. */
const rising = (value: number, { warning, failing }: { readonly warning: number; readonly failing?: number }): Level =>
  failing !== undefined && value >= failing ? 'failing' : value > warning ? 'warning' : 'ok'

const number = (n: number): string => n.toLocaleString('en-US')
const percent = (ratio: number): string => `${(100 * ratio).toFixed(ratio < 0.01 ? 2 : 1)} %`
const secondsText = (s: number): string =>
  s < 120
    ? `${Math.round(s)} s`
    : s < 7200
      ? `${Math.round(s / 60)} min`
      : s < 172_800
        ? `${Math.round(s / 3600)} h`
        : `${Math.floor(s / 86_400)} days`
const bytesText = (bytes: number): string =>
  bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${Math.round(bytes / 2 ** 20)} MiB`

export const checks = {
  capture: {
    help: 'packets are being read: the capture’s clock goes with ours, and something has come lately',
    of({ live, captureTime = 0, lastPacketMs, source, uptimeSeconds }, nowMs) {
      if (live !== true) return undefined
      const { captureSeconds, silentSeconds } = healthLimits
      // Before the first batch the clock stands at nothing.
      const behind = captureTime > 0 ? Math.max(0, nowMs / 1000 - captureTime / 1e6) : uptimeSeconds
      const silent = lastPacketMs === undefined ? uptimeSeconds : Math.max(0, (nowMs - lastPacketMs) / 1000)
      const level = source === 'mirror' ? 'ok' : rising(behind, captureSeconds)
      if (level !== 'ok')
        return {
          level,
          what: `Nothing has been read from ${source} for ${secondsText(behind)}.`,
          why: 'The thread of the packets stands still, or is far behind: packets are lost in the kernel meanwhile.',
          next: 'Look at the load of the machine (top -H) and at the log; restart the service if it stays so.',
        }
      if (rising(silent, silentSeconds) !== 'ok')
        return {
          level: 'warning',
          what: `No packet has come for ${secondsText(silent)}.`,
          why: source === 'mirror' ? 'No sender sends.' : `Nothing arrives at ${source}, or the filter leaves nothing of it.`,
          next:
            source === 'mirror'
              ? 'Look at the senders: earshot sensor status'
              : `Is it the right interface, is its mirror port on? tcpdump -c 5 -i ${source?.split(',')[0] ?? 'any'}`,
        }
      return {
        level,
        what: lastPacketMs === undefined ? 'It listens; no packet has come yet.' : `The last packet came ${secondsText(silent)} ago.`,
      }
    },
  },
  packets: {
    help: 'no packet was lost in the last minute, at any stage',
    of({ lately, link, senders }) {
      if (lately === undefined) return undefined
      const lost = Object.entries(lately.dropped).filter(([, n]) => n > 0) as [Stage, number][]
      const sum = lost.reduce((total, [, n]) => total + n, 0)
      const of = Math.max(1, lately.packets + (lately.dropped['kernel'] ?? 0))
      const level = sum === 0 ? 'ok' : rising(sum / of, healthLimits.lossRatio)
      if (level === 'ok') return { level, what: `None of ${number(lately.packets)} packets was lost in the last ${lately.seconds} s.` }
      const [worst] = lost.reduce((a, b) => (b[1] > a[1] ? b : a))
      return {
        level,
        what: `${number(sum)} of ${number(of)} packets (${percent(Math.min(1, sum / of))}) were lost in the last ${lately.seconds} s.`,
        why: lost
          .map(([stage, n]) => `${number(n)} ${stages[stage]}`)
          .join('; ')
          .concat('.'),
        next: nextForLoss(worst, link !== undefined, senders !== undefined),
      }
    },
  },
  records: {
    help: 'the store takes records, and none is lost',
    of({ records, lately }) {
      if (records === undefined) return undefined
      const { waiting = 0, waitingSeconds = 0, state = 'ok', failure } = records
      const lost = lately?.records ?? 0
      if (lost > 0)
        return {
          level: 'failing',
          what: `${number(lost)} records were lost in the last ${lately?.seconds} s.`,
          why: failure?.message ?? 'Their queue is full, or the store refuses what they hold.',
          next: 'Bring the store back; give the queue more room (--queue-max), the log names the reason.',
        }
      const level =
        state === 'refused' || state === 'given up' ? 'failing' : waiting === 0 ? 'ok' : rising(waitingSeconds, healthLimits.recordSeconds)
      if (level === 'ok' && state === 'ok') return { level, what: `The store takes records; ${number(waiting)} are on their way.` }
      return {
        level: level === 'ok' ? 'warning' : level,
        what: `${number(waiting)} records wait for the store, the oldest for ${secondsText(waitingSeconds)}.`,
        why: failure === undefined ? 'The store is slower than calls end.' : `The store says: ${failure.message}`,
        next: 'Nothing is lost while there is room in the queue. Is the database up, reachable, and its disk not full?',
      }
    },
  },
  spool: {
    help: 'pcaps can be written',
    of({ spool }) {
      if (spool === undefined) return undefined
      if (spool.trouble !== undefined)
        return {
          level: 'failing',
          what: `Pcaps cannot be written${spool.directory === undefined ? '' : ` to ${spool.directory}`}.`,
          why: `${spool.trouble}. Calls are recorded, their packets are not kept.`,
          next: 'Make room on the disk, or the directory writable for the service; it goes on by itself.',
        }
      return { level: 'ok', what: `Pcaps are written${spool.directory === undefined ? '' : ` to ${spool.directory}`}.` }
    },
  },
  disk: {
    help: 'the disk of the spool has room',
    of({ spool }) {
      const disk = spool?.disk
      if (disk === undefined || disk.bytes === 0) return undefined
      const ratio = disk.free / disk.bytes
      const { warning, failing } = healthLimits.freeRatio
      const what = `${bytesText(disk.free)} of ${bytesText(disk.bytes)} (${percent(ratio)}) are free on the disk of the spool.`
      if (ratio >= warning) return { level: 'ok', what }
      return {
        level: ratio < failing ? 'failing' : 'warning',
        what,
        why: 'What others write there counts, too: the spool gives up its oldest pcaps first.',
        next: 'earshot spool usage and earshot spool plan show what it holds and what goes next; limits: --maxpoolsize, --maxpooldays.',
      }
    },
  },
  link: {
    help: 'the receiver of the mirror is there, and the buffers have room',
    of({ link }) {
      if (link === undefined) return undefined
      const { connected, to, trouble, waitingPackets, memoryBytes, memoryMax, diskBytes, diskMax } = link
      const filled = (memoryBytes + diskBytes) / Math.max(1, memoryMax + diskMax)
      const full = rising(filled, healthLimits.bufferRatio)
      const level = full === 'failing' ? full : connected ? full : 'warning'
      const what = `${connected ? `Connected to ${to}` : `Not connected to ${to}`}; ${number(waitingPackets)} packets wait, the buffers are ${percent(filled)} full.`
      if (level === 'ok') return { level, what }
      return {
        level,
        what,
        why: connected ? 'The receiver, or the way to it, is slower than the packets come.' : (trouble ?? 'The connection is lost.'),
        next: connected
          ? 'More room: --packetbuffer-total-maxheap, --packetbuffer-file-totalmaxsize; less to send: --send rtp-headers or sip.'
          : 'Is the receiver up and its port open? It is tried again all the time; nothing is lost while the buffers have room.',
      }
    },
  },
  senders: {
    help: 'the sensors that send to this receiver are connected and lose nothing',
    of({ senders, lately }) {
      if (senders === undefined) return undefined
      const away = senders.filter(({ connected }) => !connected)
      const lost = lately?.atSenders ?? 0
      if (away.length === 0 && lost > 0)
        return {
          level: 'warning',
          what: `Senders say that they lost ${number(lost)} packets in the last ${lately?.seconds} s.`,
          why: 'In their kernels, or in buffers that were full: earshot_mirror_sender_packets_dropped_total tells which sensor and where.',
          next: 'On the sensor: a larger ring (ringbuffer), larger buffers, or less to send (--send rtp-headers).',
        }
      if (away.length === 0) return { level: 'ok', what: `All senders are connected (${number(senders.length)}).` }
      const names = away.slice(0, 5).map(({ sensorId, name }) => `${sensorId ?? '(no id)'} ${name}`)
      return {
        level: 'warning',
        what: `${number(away.length)} of ${number(senders.length)} senders are away: ${names.join(', ')}${away.length > 5 ? ' …' : ''}.`,
        why: 'They have been here since the start of this receiver; what they capture waits at their side, as long as their buffers last.',
        next: 'On the sensor: systemctl status earshot-mirror-send, and its log.',
      }
    },
  },
  certificates: {
    help: 'the certificates in use are valid for a while',
    of({ certificates }, nowMs) {
      if (certificates === undefined || certificates.length === 0) return undefined
      const first = certificates.reduce((a, b) => (b.notAfterMs < a.notAfterMs ? b : a))
      const days = (first.notAfterMs - nowMs) / 86_400_000
      const { warning, failing } = healthLimits.certificateDays
      if (days >= warning) return { level: 'ok', what: `The certificate of the ${first.use} is valid for ${Math.floor(days)} days.` }
      return {
        level: days < failing ? 'failing' : 'warning',
        what:
          days < 0
            ? `The certificate of the ${first.use} has expired.`
            : `The certificate of the ${first.use} expires in ${secondsText(days * 86_400)}.`,
        why: 'Clients and senders refuse it from then on.',
        next: 'Put the new one in its place and reload or restart the service.',
      }
    },
  },
  thread: {
    help: 'the thread of the packets is not overloaded',
    of({ loopDelay }) {
      if (loopDelay === undefined) return undefined
      const level = rising(loopDelay.maxMs, healthLimits.loopDelayMs)
      const what = `The thread of the packets came ${number(Math.round(loopDelay.maxMs))} ms late at most in the last minute.`
      if (level === 'ok') return { level, what }
      return {
        level,
        what,
        why: 'The machine is too slow for this load, it swaps, or its disk holds it up.',
        next: 'Look at top -H and vmstat 1; capture less (a filter), or share the traffic out between hosts.',
      }
    },
  },
} as const satisfies Readonly<Record<string, CheckRow>>

export type CheckName = keyof typeof checks

function nextForLoss(worst: Stage, sends: boolean, receives: boolean): string {
  switch (worst) {
    case 'kernel':
      return `A larger ring takes bursts: ${sends ? '--ringbuffer MB' : '-B 512MiB'}. When it lasts: capture less (a filter), or share the traffic out between hosts.`
    case 'parse':
      return receives
        ? 'The senders may cut packets (snaplen): look at their configuration.'
        : 'Does a switch or a snaplen cut packets? -v tells the reasons; a capture of some of them helps us.'
    case 'spool':
      return 'The disk is slower than the packets come, or full: --pcap-dump-zip lz4 writes less, --save rtp-headers much less.'
    case 'link':
      return 'More room: --packetbuffer-total-maxheap, --packetbuffer-file-totalmaxsize. Is the receiver up?'
    default:
      return worst satisfies never
  }
}
