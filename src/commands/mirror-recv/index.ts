import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Flags } from '@oclif/core'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import type { PacketSource } from '../../lib/base/packets.js'
import { callJson } from '../../lib/call/json.js'
import type { SenderStats } from '../../lib/manager/index.js'
import { readSecrets, readTls } from '../../lib/mirror/auth-files.js'
import { destinationText, isLoopback } from '../../lib/mirror/dial.js'
import { memoryBound } from '../../lib/mirror/memory.js'
import { directoryTarget, fileTarget, PacketWriter, streamTarget, type Target } from '../../lib/mirror/packet-writer.js'
import { Receiver, type SensorState } from '../../lib/mirror/receiver.js'
import { StateFile } from '../../lib/mirror/state-file.js'
import { MirrorStreamSource } from '../../lib/mirror/stream-file.js'
import { mirrorRecvSettings, mirrorSenderSettings, mirrorSettings } from '../../lib/settings/mirror.js'
import { mirrorRecvServiceSettings } from '../../lib/settings/services.js'
import type { ValuesOf } from '../../lib/settings/table.js'
import { runSniffer } from '../../lib/sniffer/run.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { callLine } from '../../terminal/call-line.js'
import { callPrinter } from '../../terminal/call-printer.js'
import { serviceConfigFlags } from '../../terminal/config-flags.js'
import { defaultSpool, defaultStore, stateDir } from '../../terminal/defaults.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { count } from '../../terminal/progress.js'
import { openRecordsOf, recordFlags, recordsLine } from '../../terminal/record-flags.js'
import { hasSenders, sensorSecrets } from '../../terminal/sensor-secrets.js'
import { flagsFor, valuesOf } from '../../terminal/setting-flags.js'
import { parseSize } from '../../terminal/size.js'
import { sniffManager } from '../../terminal/sniff-manager.js'
import { openSpoolOf, spoolFlags, spoolLine } from '../../terminal/spool-flags.js'
import { stopOnSignals } from '../../terminal/stop-signals.js'
import { openTokens } from '../../terminal/tokens.js'
import { trackerFlags, trackerOptionsOf } from '../../terminal/tracker-flags.js'

/** Only the receiver needs it, and it never packs. */
const { packetbuffer_total_maxheap } = mirrorSettings
const receiverSettings = { ...mirrorRecvSettings, packetbuffer_total_maxheap }
const STATE_MS = 1000

/** `earshot mirror-recv`: a receiver as the source of the pipeline, or of packets that are written. */
export default class MirrorRecv extends BaseCommand {
  static override summary = 'Receive the packets of many mirror-send, and make calls of them.'
  static override description =
    `Treats senders as interfaces: each sensor's packets become calls, records and pcaps as with sniff. VoIPmonitor's senders are understood, too.
With -w packets are only written: one stream, or files in a directory. Without --tls-cert only senders on this machine may come in, unless --plain says otherwise.`
  static override examples = [
    { description: 'Senders on this machine, for a try', command: '<%= config.bin %> <%= command.id %>' },
    {
      description: 'Senders from anywhere, with TLS and a token for each sensor',
      command:
        '<%= config.bin %> <%= command.id %> --mirror-bind-ip 0.0.0.0 --tls-cert cert.pem --tls-key key.pem --tokens /etc/earshot/mirror-tokens',
    },
    { description: 'Into Wireshark’s terminal', command: '<%= config.bin %> <%= command.id %> -w - | tshark -r -' },
    { description: 'SIP on sensor 7, its RTP on sensor 8', command: '<%= config.bin %> <%= command.id %> --together 7,8' },
  ]
  static override configurable = () => ({ service: 'mirror-recv' as const, table: mirrorRecvServiceSettings })
  static override flags = {
    read: Flags.string({
      char: 'r',
      helpGroup: 'SENDERS',
      helpValue: 'FILE',
      summary: 'Read a stream of mirror-send -w … --write-format mirror from a file, or - for stdin, instead of listening.',
    }),
    ...flagsFor(mirrorSenderSettings),
    ...recordFlags,
    ...spoolFlags,
    write: Flags.string({
      char: 'w',
      helpGroup: 'OUTPUT',
      helpValue: 'FILE|DIR',
      summary:
        'Write packets, make no calls: - for stdout, a file, or an existing directory (or a name that ends with /) for rotating files.',
    }),
    'write-format': Flags.option({ options: ['pcapng', 'pcap'] as const })({
      default: 'pcapng',
      helpGroup: 'OUTPUT',
      summary: 'For - or a file; pcap holds one link type only.',
    }),
    'rotate-size': Flags.string({
      char: 'C',
      default: '1GiB',
      helpGroup: 'OUTPUT',
      helpValue: 'SIZE',
      summary: 'Begin another file after this size; 0 means never.',
    }),
    'rotate-seconds': Flags.integer({
      char: 'G',
      default: 3600,
      min: 0,
      helpGroup: 'OUTPUT',
      summary: 'Begin another file after so long; 0 means never.',
    }),
    files: Flags.integer({
      char: 'W',
      default: 0,
      min: 0,
      helpGroup: 'OUTPUT',
      summary: 'Keep so many files, the oldest go; 0 keeps all.',
    }),
    ...flagsFor({ manager: mirrorRecvServiceSettings.manager }),
    output: outputFlag,
    json: jsonFlag,
    quiet: Flags.boolean({ char: 'q', helpGroup: 'OUTPUT', summary: 'No messages on stderr but errors.' }),
    ...flagsFor(receiverSettings, 'SENDERS'),
    ...trackerFlags,
    ...serviceConfigFlags,
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(MirrorRecv)
    const say = (text: string): void => {
      if (!flags.quiet) process.stderr.write(`${text}\n`)
    }
    const settings = valuesOf(mirrorRecvServiceSettings, flags)
    const target = flags.write === undefined ? undefined : await writeTarget(flags.write)
    const stop = stopOnSignals()
    const source =
      flags.read === undefined
        ? await this.#listen(settings, target, say)
        : new MirrorStreamSource(flags.read, settings.id_sensor > 0 ? settings.id_sensor : undefined)
    const receiver = source instanceof Receiver ? source : undefined
    const state = new StateFile(join(stateDir(), 'mirror-recv.json'))
    const before = receiver === undefined ? undefined : state.leftOver()
    if (before !== undefined && before.open_calls > 0)
      say(
        `The last run was killed at about ${before.updated}: ${count(before.open_calls)} calls were open then. What was known of them is lost; what their senders have not got rid of comes again.`,
      )
    let openCalls = 0
    const renewing = receiver && setInterval(() => state.write(openCalls, receiver.sensors()), STATE_MS)
    try {
      if (target !== undefined) await this.#write(source, target, flags, stop.signal, say)
      else
        await this.#makeCalls(source, flags, settings, stop.signal, say, (open) => {
          openCalls = open
        })
      await receiver?.close()
      state.remove()
    } finally {
      clearInterval(renewing)
      stop.dispose()
    }
    for (const sensor of receiver?.sensors() ?? []) say(sensorLine(sensor))
    const odd = source.oddities.entries()
    if (odd.length > 0) say(`Odd: ${odd.map(([reason, n]) => `${reason} ${count(n)}`).join(', ')}`)
  }

  async #listen(settings: Settings, target: Target | undefined, say: (text: string) => void): Promise<Receiver> {
    const host = settings.mirror_bind_ip
    const tls =
      settings.tls_cert === undefined ? undefined : readTls({ ca: settings.tls_ca, cert: settings.tls_cert, key: settings.tls_key })
    const file = settings.tokens === undefined ? undefined : readSecrets(settings.tokens)
    const tokens = openTokens(undefined)
    const secret = file !== undefined || hasSenders(tokens)
    checkSafety(host, settings, tls !== undefined, secret)
    const own = settings.id_sensor > 0 && settings.mirror_bind_sensor_id_by_sender === 'no' ? settings.id_sensor : undefined
    const receiver = await Receiver.listen({
      bind: { host, port: settings.mirror_bind_port },
      tls: tls?.cert && tls.key && { cert: tls.cert, key: tls.key, ...(tls.ca && { ca: tls.ca }) },
      allowPlain: settings.plain,
      // Decided here for the whole run: the last sender that is removed must not open the door to everyone.
      secrets: secret ? () => sensorSecrets(tokens, file) : undefined,
      allowClassic: settings.anyone,
      sensorId: own,
      together: settings.together.map(sensorList),
      mergeAll: target !== undefined,
      windowMs: settings.pcap_queue_dequeu_window_length,
      memoryMax: memoryBound(settings.packetbuffer_total_maxheap),
      differenceSecondsMax: settings.mirror_connect_maximum_time_diff_s,
      classic: {
        linkType: settings.mirror_bind_dlt,
        connectDifferenceSecondsMax: settings.mirror_connect_maximum_time_diff_s,
        blockDifferenceSecondsMax: settings.receive_packetbuffer_maximum_time_diff_s,
      },
      positions: target?.positions ?? [],
      holdAcks: target !== undefined,
      onNotice: say,
    })
    say(`Listening on ${destinationText({ host, port: receiver.port })}${tls === undefined ? '' : ' with TLS'}.`)
    return receiver
  }

  async #write(source: PacketSource, target: Target, flags: RecvFlags, signal: AbortSignal, say: (text: string) => void): Promise<void> {
    const writer = new PacketWriter(
      target,
      {
        format: target.rotates ? 'pcapng' : flags['write-format'],
        fileBytesMax: parseSize(flags['rotate-size']),
        fileSecondsMax: flags['rotate-seconds'],
        filesMax: flags.files,
      },
      source instanceof Receiver ? { onPiece: () => source.acknowledgements() } : {},
    )
    for await (const batch of source.batches(signal)) {
      await writer.write(batch)
      batch.release()
    }
    await writer.close()
    say(
      `${count(writer.packets)} packets written${writer.otherLinkType > 0 ? `; ${count(writer.otherLinkType)} of another link type left out` : ''}`,
    )
  }

  async #makeCalls(
    source: PacketSource,
    flags: RecvFlags,
    settings: Settings,
    signal: AbortSignal,
    say: (text: string) => void,
    onOpen: (calls: number) => void,
  ): Promise<void> {
    const format = outputFormat(flags)
    const live = source.live
    const storeUrl = settings.store ?? (live ? defaultStore() : 'none')
    const spoolDir = settings.save === 'none' ? 'none' : (settings.spooldir ?? (live ? defaultSpool() : 'none'))
    say(`Records: ${storeUrl}   Pcaps: ${spoolDir}`)
    const tracker = trackerOptionsOf(flags, undefined)
    // Each sensor's number is in its records; a number for all is the receiver's own.
    const records = await openRecordsOf(storeUrl, flags, { live, sensorId: tracker.sensorId, say, clear: () => {} })
    // Senders keep what the disk cannot take, so nothing need be left out of pcaps.
    const spool = await openSpoolOf(spoolDir, flags, { live, canWait: true, onNotice: say })
    const manager =
      settings.manager && live
        ? sniffManager({
            service: 'mirror-recv',
            version: this.config.version,
            sensorId: tracker.sensorId,
            sipPorts: tracker.sipPorts,
            spoolDir: spool === undefined ? undefined : spoolDir,
            spool,
            source: 'mirror',
            ...(source instanceof Receiver && { senders: () => source.sensors().map(senderStats) }),
            asked: false,
            say,
          })
        : undefined
    const printer = live && format === 'table' ? undefined : callPrinter(format, process.stdout)
    const result = await runSniffer({
      source,
      records,
      spool,
      maskDtmf: settings.mask_dtmf === 'yes',
      signal,
      packetsMax: undefined,
      tracker,
      live: manager?.live,
      onStart: (status) => manager?.start(status),
      onRecord: (record) => {
        if (printer) void printer.call(callJson(record))
        else process.stdout.write(`${callLine(callJson(record))}\n`)
      },
      onBatch: ({ open }) => onOpen(open),
    })
    const { totals, seconds, records: stored, spool: spooled, notKept } = result
    await manager?.close()
    await printer?.end({ ...totals, seconds })
    say(`${count(totals.packets)} packets: ${count(totals.calls)} calls, ${count(totals.sip)} SIP, ${count(totals.rtp)} RTP`)
    if (stored) say(recordsLine(stored))
    if (spooled) say(spoolLine(spooled))
    if (notKept + (stored ? stored.dropped + stored.refused : 0) > 0) process.exitCode = exitCodes.failure
  }
}

/** What this command reads of its flags by hand. */
interface RecvFlags {
  readonly 'write-format': 'pcapng' | 'pcap'
  readonly 'rotate-size': string
  readonly 'rotate-seconds': number
  readonly files: number
  readonly output: OutputFormat
  readonly json: boolean
  readonly [setting: string]: unknown
}
type OutputFormat = Parameters<typeof outputFormat>[0]['output']
type Settings = ValuesOf<typeof mirrorRecvServiceSettings>

/** A port open to other machines must be safe, or its owner must have said that it need not be. */
function checkSafety(host: string, settings: Settings, tls: boolean, secret: boolean): void {
  if (isLoopback(host)) return
  if (!tls && !settings.plain)
    throw new OperatorError('MIRROR_PLAIN', `Other machines could send to ${host} without encryption.`, {
      exit: 2,
      suggestions: [
        'With TLS: --tls-cert FILE --tls-key FILE. A certificate for a try: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=$(hostname) -addext subjectAltName=DNS:$(hostname) -keyout key.pem -out cert.pem',
        'If the network is safe: --plain',
      ],
    })
  if (!secret && settings.tls_ca === undefined && !settings.anyone)
    throw new OperatorError('MIRROR_ANYONE', `Anyone who reaches ${host} could send packets as any sensor.`, {
      exit: 2,
      suggestions: [
        'A token for each sensor: earshot manager token add NAME --role send --id-sensor 7',
        'Or a file of them: --tokens FILE',
        'Or certificates: --tls-ca FILE',
        'Or, if that is meant: --anyone',
      ],
    })
}

function sensorList(text: string): number[] {
  const ids = text.split(',').map(Number)
  if (ids.length < 2 || ids.some((id) => !Number.isInteger(id) || id < 1 || id > 65_535))
    throw new OperatorError('MIRROR_TOGETHER', `"${text}" is not a list of sensors.`, {
      exit: 2,
      suggestions: ['Two numbers or more: --together 7,8'],
    })
  return ids
}

async function writeTarget(path: string): Promise<Target> {
  if (path === '-') return streamTarget(process.stdout)
  const isDirectory = path.endsWith('/') || (statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false)
  return isDirectory ? directoryTarget(path) : fileTarget(path)
}

/** What a manager is told of a sensor. */
const senderStats = ({ sensorId, name, address, connected, protocol, packets, lagMs, skewMs, sender }: SensorState): SenderStats => ({
  ...{ sensorId, name, address, connected, protocol, packets, lagMs, skewMs },
  bufferBytes: sender && sender.memoryBytes + sender.diskBytes,
  dropped: sender?.dropped ?? {},
})

function sensorLine({ sensorId, name, address, packets, blocks, gaps, duplicates, skewMs, sender }: SensorState): string {
  const lost = Object.entries(sender?.dropped ?? {}).filter(([, n]) => n > 0)
  return [
    `Sensor ${sensorId ?? '(no id)'} ${name} from ${address}: ${count(packets)} packets in ${count(blocks)} blocks`,
    ...(gaps > 0 ? [`${count(gaps)} blocks never came`] : []),
    ...(duplicates > 0 ? [`${count(duplicates)} blocks came twice`] : []),
    ...(skewMs !== undefined && Math.abs(skewMs) >= 100 ? [`clock ${skewMs} ms behind ours`] : []),
    ...(lost.length > 0 ? [`lost there: ${lost.map(([stage, n]) => `${stage} ${count(n)}`).join(', ')}`] : []),
  ].join('; ')
}
