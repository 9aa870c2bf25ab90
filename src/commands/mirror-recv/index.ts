import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Flags } from '@oclif/core'
import { expiryOf } from '../../lib/access/index.js'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import type { PacketSource } from '../../lib/base/packets.js'
import type { SenderStats, ServiceStats } from '../../lib/manager/index.js'
import { destinationText } from '../../lib/mirror/dial.js'
import { memoryBound } from '../../lib/mirror/memory.js'
import { directoryTarget, fileTarget, PacketWriter, streamTarget, type Target } from '../../lib/mirror/packet-writer.js'
import { Receiver, type SensorState } from '../../lib/mirror/receiver.js'
import { StateFile } from '../../lib/mirror/state-file.js'
import { MirrorStreamSource } from '../../lib/mirror/stream-file.js'
import { metricsSettings } from '../../lib/settings/metrics.js'
import { mirrorRecvSettings, mirrorSenderSettings, mirrorSettings } from '../../lib/settings/mirror.js'
import { mirrorRecvServiceSettings } from '../../lib/settings/services.js'
import type { ValuesOf } from '../../lib/settings/table.js'
import { runSniffer } from '../../lib/sniffer/run.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { runPrinter } from '../../terminal/call-printer.js'
import { serviceConfigFlags } from '../../terminal/config-flags.js'
import type { Configuration } from '../../terminal/configuration.js'
import { defaultSpool, defaultStore, stateDir } from '../../terminal/defaults.js'
import { isService } from '../../terminal/log/log.js'
import { metricsPlan } from '../../terminal/metrics-plan.js'
import { admissionOf, checkSafety, sensorsOf } from '../../terminal/mirror-admission.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { count, counted } from '../../terminal/progress.js'
import { openRecordsOf, recordFlags, recordsLine } from '../../terminal/record-flags.js'
import { type ReloadPart, reload } from '../../terminal/service/reload.js'
import { logReload, metricsReload, sipPortReload, spoolLimitsReload } from '../../terminal/service/reload-parts.js'
import { logFlags, ServiceRun } from '../../terminal/service/run.js'
import { statusTeller } from '../../terminal/service/status.js'
import { serviceManager, snifferStats } from '../../terminal/service-manager.js'
import { ServiceObserver } from '../../terminal/service-observer.js'
import { flagsFor, valuesOf } from '../../terminal/setting-flags.js'
import { parseSize } from '../../terminal/size.js'
import { openSpoolOf, spoolFlags, spoolLine } from '../../terminal/spool-flags.js'
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
    ...flagsFor({ manager: mirrorRecvServiceSettings.manager, managerport: mirrorRecvServiceSettings.managerport }),
    ...flagsFor(metricsSettings),
    output: outputFlag,
    json: jsonFlag,
    quiet: Flags.boolean({ char: 'q', helpGroup: 'OUTPUT', summary: 'No messages on stderr but errors.' }),
    ...logFlags,
    ...flagsFor(receiverSettings, 'SENDERS'),
    ...trackerFlags,
    ...serviceConfigFlags,
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(MirrorRecv)
    const service = await ServiceRun.start('mirror-recv', flags, { live: flags.read === undefined })
    this.service = service
    const { say } = service.log
    const settings = valuesOf(mirrorRecvServiceSettings, flags)
    const target = flags.write === undefined ? undefined : await writeTarget(flags.write)
    if (target !== undefined && metricsPlan(settings) !== undefined)
      say('Metrics are of calls: there are none while packets are only written.', 'warning')
    const source =
      flags.read === undefined
        ? await this.#listen(settings, target, service)
        : new MirrorStreamSource(flags.read, settings.id_sensor > 0 ? settings.id_sensor : undefined)
    const receiver = source instanceof Receiver ? source : undefined
    const state = new StateFile(join(stateDir(), `${service.instance === undefined ? 'mirror-recv' : service.name}.json`))
    const before = receiver === undefined ? undefined : state.leftOver()
    if (before !== undefined && before.open_calls > 0)
      say(
        `The last run was killed at about ${before.updated}: calls open then: ${count(before.open_calls)}. What was known of them is lost; what their senders have not got rid of comes again.`,
        'warning',
      )
    let openCalls = 0
    const renewing = receiver && setInterval(() => state.write(openCalls, receiver.sensors()), STATE_MS)
    try {
      if (target !== undefined) await this.#write(source, target, flags, service)
      else
        await this.#makeCalls(source, flags, settings, service, (open) => {
          openCalls = open
        })
      await receiver?.close()
      state.remove()
    } finally {
      clearInterval(renewing)
    }
    for (const sensor of receiver?.sensors() ?? []) service.log.event('info', sensorLine(sensor))
    const odd = source.oddities.entries()
    if (odd.length > 0) service.log.event('info', `Odd: ${odd.map(([reason, n]) => `${reason} ${count(n)}`).join(', ')}`)
    await service.close()
  }

  async #listen(settings: Settings, target: Target | undefined, service: ServiceRun): Promise<Receiver> {
    const { say } = service.log
    const host = settings.mirror_bind_ip
    const { tls, secrets } = admissionOf(settings)
    checkSafety(host, settings, tls !== undefined, secrets !== undefined)
    const own = settings.id_sensor > 0 && settings.mirror_bind_sensor_id_by_sender === 'no' ? settings.id_sensor : undefined
    const receiver = await Receiver.listen({
      bind: { host, port: settings.mirror_bind_port },
      tls,
      allowPlain: settings.plain,
      secrets,
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
      onIdle: () => service.watchdog.beat(),
    })
    say(`Listening on ${destinationText({ host, port: receiver.port })}${tls === undefined ? '' : ' with TLS'}.`)
    return receiver
  }

  /** Who may come in, and how: also when only the files that settings name have changed. */
  #reloads(source: PacketSource, flags: RecvFlags, service: ServiceRun): ReloadPart[] {
    const logging = logReload(flags, service.log)
    if (!(source instanceof Receiver)) return [logging]
    const apply = (): string => {
      const settings = valuesOf(mirrorRecvServiceSettings, flags)
      const { tls, secrets } = admissionOf(settings)
      checkSafety(settings.mirror_bind_ip, settings, tls !== undefined, secrets !== undefined)
      source.admitWith({ tls, secrets })
      return `Who may come in was read again: ${tls === undefined ? 'no certificate' : 'certificate'}, ${secrets === undefined ? 'no tokens' : `tokens of ${count(sensorsOf(secrets()))} sensors`}.`
    }
    return [{ keys: ['tokens', 'tls_cert', 'tls_key', 'tls_ca'], apply, always: true }, logging]
  }

  async #write(source: PacketSource, target: Target, flags: RecvFlags, service: ServiceRun): Promise<void> {
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
    service.on({
      reload: () => reload(this.configuration as Configuration, service.log, this.#reloads(source, flags, service)),
      async reopen() {
        const name = await writer.reopen()
        return name === undefined ? [] : [name]
      },
    })
    service.ready()
    for await (const batch of source.batches(service.signal)) {
      service.watchdog.beat()
      await service.watchdog.whileWaiting(writer.write(batch))
      batch.release()
    }
    await writer.close()
    service.log.event(
      'info',
      `${count(writer.packets)} packets written${writer.otherLinkType > 0 ? `; ${count(writer.otherLinkType)} of another link type left out` : ''}`,
    )
  }

  async #makeCalls(
    source: PacketSource,
    flags: RecvFlags,
    settings: Settings,
    service: ServiceRun,
    onOpen: (calls: number) => void,
  ): Promise<void> {
    const { say } = service.log
    const format = outputFormat(flags)
    const live = source.live
    const storeUrl = settings.store ?? (live ? defaultStore() : 'none')
    const spoolDir = settings.save === 'none' ? 'none' : (settings.spooldir ?? (live ? defaultSpool() : 'none'))
    say(`Records: ${storeUrl}   Pcaps: ${spoolDir}`)
    const tracker = trackerOptionsOf(flags, undefined)
    // Each sensor's number is in its records; a number for all is the receiver's own.
    const records = await openRecordsOf(storeUrl, flags, { live, sensorId: tracker.sensorId, say })
    // Senders keep what the disk cannot take, so nothing need be left out of pcaps.
    const spool = await openSpoolOf(spoolDir, flags, { live, canWait: true, onNotice: say })
    const about = {
      name: service.name,
      version: this.config.version,
      sensorId: tracker.sensorId,
      spool,
      source: 'mirror',
      senders: source instanceof Receiver ? () => source.sensors().map(senderStats) : undefined,
    }
    const metrics = metricsPlan(settings)
    const managed = settings.manager && live
    const observer = new ServiceObserver({ live, calls: managed || metrics !== undefined, certificates: certificatesOf(settings.tls_cert) })
    const manager =
      managed || metrics !== undefined
        ? serviceManager({
            ...about,
            service: 'mirror-recv',
            sipPorts: tracker.sipPorts,
            spoolDir: spool === undefined ? undefined : spoolDir,
            tcpPort: settings.managerport,
            metricsOnly: !managed,
            metrics,
            asked: false,
            say,
          })
        : undefined
    const printer = runPrinter(format, process.stdout, { live, service: isService(process.env) })
    const result = await runSniffer({
      source,
      records,
      spool,
      maskDtmf: settings.mask_dtmf === 'yes',
      signal: service.signal,
      packetsMax: undefined,
      tracker,
      live: manager?.live,
      waiting: (work) => service.watchdog.whileWaiting(work),
      onStart: (status, change) => {
        const stats = (): ServiceStats => observer.complete(snifferStats(status(), about))
        service.on({
          status: statusTeller(stats),
          reload: () =>
            reload(this.configuration as Configuration, service.log, [
              ...this.#reloads(source, flags, service),
              sipPortReload(flags, change),
              metricsReload(flags, manager?.renewMetrics),
              {
                keys: [],
                always: true,
                apply() {
                  observer.certificates = certificatesOf(valuesOf(mirrorRecvServiceSettings, flags).tls_cert)
                  return undefined
                },
              },
              ...(spool === undefined ? [] : [spoolLimitsReload(flags, spool)]),
            ]),
        })
        void (manager?.start(stats) ?? Promise.resolve()).then(() => service.ready())
      },
      onRecord: (record) => {
        observer.ended(record)
        printer.call(record)
      },
      onBatch: ({ open, packets }) => {
        service.watchdog.beat()
        observer.batch(packets)
        onOpen(open)
      },
    })
    const { totals, seconds, records: stored, spool: spooled, notKept } = result
    await manager?.close()
    observer.close()
    await printer.end({ ...totals, seconds })
    const report = (text: string): void => service.log.event('info', text)
    report(`${counted(totals.packets, 'packet')}: ${counted(totals.calls, 'call')}, ${count(totals.sip)} SIP, ${count(totals.rtp)} RTP`)
    if (stored) report(recordsLine(stored))
    if (spooled) report(spoolLine(spooled))
    if (notKept + (stored ? stored.dropped + stored.refused : 0) > 0) process.exitCode = exitCodes.failure
  }
}

/** What this command reads of its flags by hand. */
interface RecvFlags {
  readonly quiet: boolean
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

/** The one that senders are shown. */
function certificatesOf(file: string | undefined): ServiceStats['certificates'] {
  const notAfterMs = file === undefined ? undefined : expiryOf(readFileSync(file))
  return notAfterMs === undefined ? undefined : [{ use: 'mirror', notAfterMs }]
}

/** What a manager is told of a sensor. */
const senderStats = (state: SensorState): SenderStats => {
  const { sensorId, name, address, connected, protocol, packets, bytes, lagMs, skewMs, sender, gaps, duplicates, waitingHere } = state
  return {
    ...{ sensorId, name, address, connected, protocol, packets, bytes, lagMs, skewMs, gaps, duplicates },
    waitingBytes: waitingHere.bytes,
    bufferBytes: sender && sender.memoryBytes + sender.diskBytes,
    dropped: sender?.dropped ?? {},
  }
}

function sensorLine({ sensorId, name, address, packets, blocks, gaps, duplicates, skewMs, sender }: SensorState): string {
  const lost = Object.entries(sender?.dropped ?? {}).filter(([, n]) => n > 0)
  return [
    `Sensor ${sensorId ?? '(no id)'} ${name} from ${address}: ${counted(packets, 'packet')} in ${counted(blocks, 'block')}`,
    ...(gaps > 0 ? [`${count(gaps)} blocks never came`] : []),
    ...(duplicates > 0 ? [`${count(duplicates)} blocks came twice`] : []),
    ...(skewMs !== undefined && Math.abs(skewMs) >= 100 ? [`clock ${skewMs} ms behind ours`] : []),
    ...(lost.length > 0 ? [`lost there: ${lost.map(([stage, n]) => `${stage} ${count(n)}`).join(', ')}`] : []),
  ].join('; ')
}
