import { hostname } from 'node:os'
import { join } from 'node:path'
import { Flags } from '@oclif/core'
import { OperatorError } from '../../lib/base/errors.js'
import type { PacketSource } from '../../lib/base/packets.js'
import type { LinkStats, ServiceStats } from '../../lib/manager/index.js'
import { readTls, readToken } from '../../lib/mirror/auth-files.js'
import { type Compression, numberBlock, OwnPacker } from '../../lib/mirror/block.js'
import { BlockQueue } from '../../lib/mirror/block-queue.js'
import { destinationText, isLoopback, parseDestination, shardOrder } from '../../lib/mirror/dial.js'
import { DiskBuffer } from '../../lib/mirror/disk-buffer.js'
import { writeMirrorStream, writePackets } from '../../lib/mirror/local-writer.js'
import { memoryBound } from '../../lib/mirror/memory.js'
import { fileTarget, PacketWriter, streamTarget } from '../../lib/mirror/packet-writer.js'
import { openPreFilter, type PreFilter } from '../../lib/mirror/pre-filter.js'
import { Reopening } from '../../lib/mirror/reopening.js'
import { runSender, type SenderResult, type SenderStatus } from '../../lib/mirror/sender.js'
import { SpareBuffers } from '../../lib/mirror/spare-buffers.js'
import { streamBeginning } from '../../lib/mirror/stream-file.js'
import { ClassicPacker } from '../../lib/mirror/voipmonitor.js'
import type { FileLock } from '../../lib/native/lock-file.js'
import { makeDirectory } from '../../lib/native/make-directory.js'
import { metricsSettings } from '../../lib/settings/metrics.js'
import { classicSendSettings, mirrorDestinationSettings, mirrorSendSettings, mirrorSettings } from '../../lib/settings/mirror.js'
import { mirrorSendServiceSettings } from '../../lib/settings/services.js'
import { sipSettings } from '../../lib/settings/sip.js'
import type { ValuesOf } from '../../lib/settings/table.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { serviceConfigFlags } from '../../terminal/config-flags.js'
import type { Configuration } from '../../terminal/configuration.js'
import { filterOf, inputFlags, interfacesOfInstance, openInput } from '../../terminal/input-flags.js'
import { metricsPlan } from '../../terminal/metrics-plan.js'
import { count, counted } from '../../terminal/progress.js'
import { reload } from '../../terminal/service/reload.js'
import { filterReload, logReload, metricsReload } from '../../terminal/service/reload-parts.js'
import { logFlags, ServiceRun } from '../../terminal/service/run.js'
import { statusTeller } from '../../terminal/service/status.js'
import { processStats, type StatsParts, serviceManager } from '../../terminal/service-manager.js'
import { ServiceObserver } from '../../terminal/service-observer.js'
import { flagsFor, valuesOf } from '../../terminal/setting-flags.js'

const { id_sensor } = sipSettings
const sensorSettings = { id_sensor }
/** Its ring is smaller than that of a sniffer. */
const captureOfSender = { ringbuffer: mirrorSendServiceSettings.ringbuffer }

/** `earshot mirror-send`: chooses source, filters, buffers and destinations, and runs the sender. */
export default class MirrorSend extends BaseCommand {
  static override summary = 'Send every packet, packed, to a receiver that makes the calls of them.'
  static override description =
    `Captures as sniff does, but processes nothing: packets go in packed blocks to mirror-recv, or to a VoIPmonitor receiver.
When the receiver is away, blocks wait in memory and then on disk; they are sent in order when it is back. Capture never waits for the network.
Trailing words are a BPF expression, as in tcpdump.`
  static override examples = [
    {
      description: 'A PBX to its receiver, with TLS',
      command: 'sudo <%= config.bin %> <%= command.id %> -i eth0 --to recv.example.com --id-sensor 7 --token-file /etc/earshot/token',
    },
    {
      description: 'An hour of outage on disk',
      command:
        'sudo <%= config.bin %> <%= command.id %> -i eth0 --to 10.0.0.9 --packetbuffer-file-path /var/lib/earshot/mirror --packetbuffer-file-totalmaxsize 20000',
    },
    {
      description: 'To a VoIPmonitor receiver',
      command: 'sudo <%= config.bin %> <%= command.id %> -i eth0 --to 10.0.0.9:5030 --protocol voipmonitor --plain',
    },
    {
      description: 'Through ssh, without a port',
      command: 'ssh pbx earshot <%= command.id %> -i eth0 -w - --write-format mirror | <%= config.bin %> mirror-recv -r -',
    },
  ]
  /** The BPF expression. */
  static override strict = false
  static override configurable = () => ({ service: 'mirror-send' as const, table: mirrorSendServiceSettings })
  static override flags = {
    ...inputFlags,
    ...flagsFor(captureOfSender, 'INPUT'),
    ...flagsFor(mirrorDestinationSettings),
    write: Flags.string({
      char: 'w',
      helpGroup: 'OUTPUT',
      helpValue: 'FILE',
      summary: 'Write the packets to a file, or - for stdout, instead of sending them.',
    }),
    'write-format': Flags.option({ options: ['pcapng', 'mirror'] as const })({
      default: 'pcapng',
      helpGroup: 'OUTPUT',
      summary: 'How -w writes: pcapng, or the mirror’s packed stream for mirror-recv -r.',
    }),
    ...flagsFor(metricsSettings),
    quiet: Flags.boolean({ char: 'q', helpGroup: 'OUTPUT', summary: 'No messages on stderr but errors.' }),
    ...logFlags,
    ...flagsFor(sensorSettings, 'DESTINATION'),
    ...flagsFor({ max_packet_rate: mirrorSendSettings.max_packet_rate }, 'FILTER'),
    ...flagsFor({ ...mirrorSettings, ...bufferSettings() }, 'BUFFER'),
    ...flagsFor(classicSendSettings, 'DESTINATION'),
    ...serviceConfigFlags,
  }

  async run(): Promise<void> {
    const { flags, argv } = await this.parse(MirrorSend)
    const settings = interfacesOfInstance(valuesOf(mirrorSendServiceSettings, flags), flags)
    const live = settings.interface.length > 0
    const service = await ServiceRun.start('mirror-send', flags, { live })
    this.service = service
    const { say } = service.log
    const report = (text: string): void => service.log.event('info', text)
    const name = settings.name_sensor ?? hostname()
    const expression = filterOf(argv as string[], settings)
    const classic = settings.protocol === 'voipmonitor'
    const compression: Compression =
      settings.packetbuffer_compress === 'no'
        ? 'none'
        : settings.packetbuffer_compress_method === 'auto'
          ? classic
            ? 'snappy'
            : 'lz4'
          : settings.packetbuffer_compress_method
    const destinations = settings.mirror_destination_ip.map((text) => parseDestination(text, settings.mirror_destination_port))
    if (destinations.length === 0 && flags.write === undefined)
      throw new OperatorError('MIRROR_USAGE', 'Nowhere to send: neither --to nor -w was given.', {
        exit: 2,
        suggestions: ['A receiver: --to HOST', 'Standard output: -w -'],
      })
    const tls = flags.write === undefined ? tlsFor(destinations, settings, classic) : undefined
    const preFilter = await preFilterFor(settings.send, live ? '' : expression, settings.max_packet_rate)
    const source = await openInput(MirrorSend.id, settings, {
      read: flags.read,
      expression: flags.write === undefined ? withoutOwnStream(expression, destinations) : expression,
      onNotice: say,
    })
    const blockBytes = settings.packetbuffer_block_maxsize * 1024
    const software = `earshot ${this.config.version}`

    if (flags.write !== undefined) {
      if (metricsPlan(settings) !== undefined) say('Metrics are of sending: there are none while packets are only written.', 'warning')
      const target = flags.write === '-' ? streamTarget(process.stdout) : await fileTarget(flags.write)
      const reloading = (): Promise<void> =>
        reload(this.configuration as Configuration, service.log, [
          filterReload(flags, argv as string[], source, undefined),
          logReload(flags, service.log),
        ])
      const parts = { source, preFilter, signal: service.signal, onBatch: () => service.watchdog.beat() }
      let packets: number
      if (flags['write-format'] === 'mirror') {
        const hello = {
          sensorId: settings.id_sensor,
          name,
          stream: '0'.repeat(32),
          software,
          compressions: [compression],
        }
        const reopening = new Reopening()
        service.on({ reload: reloading, reopen: async () => namesOf(await reopening.ask()) })
        service.ready()
        packets = await writeMirrorStream(parts, new OwnPacker(compression, blockBytes), streamBeginning(hello), target, reopening)
      } else {
        const writer = new PacketWriter(target, { format: 'pcapng', fileBytesMax: 0, fileSecondsMax: 0, filesMax: 0 })
        service.on({ reload: reloading, reopen: async () => namesOf(await writer.reopen()) })
        service.ready()
        await writePackets(parts, writer)
        packets = writer.packets
      }
      report(`${count(packets)} packets written${lossText([...kernelLoss(source), ...(preFilter?.dropped() ?? [])])}`)
      await service.close()
      return
    }

    const memoryMax = memoryBound(settings.packetbuffer_total_maxheap)
    const diskMax = settings.packetbuffer_file_totalmaxsize * 2 ** 20
    const diskDir = settings.packetbuffer_file_path
    if (diskMax > 0 !== (diskDir !== undefined))
      throw new OperatorError('MIRROR_USAGE', 'A disk buffer needs both a place and a size.', {
        exit: 2,
        suggestions: ['--packetbuffer-file-path DIR --packetbuffer-file-totalmaxsize MB'],
      })
    const lock = diskDir === undefined ? undefined : await lockBuffer(diskDir)
    const disk = diskDir === undefined ? undefined : new DiskBuffer({ dir: diskDir, maxBytes: diskMax, onNotice: say })
    if (disk !== undefined && disk.packets > 0) say(`${count(disk.packets)} packets of the last run wait on disk and are sent first.`)
    // A block that waits for its confirmation may be under way twice: its bytes are not to be written over when the first is confirmed.
    const memory = classic && settings.mirror_require_confirmation === 'yes' ? undefined : new SpareBuffers()
    const queue = new BlockQueue({
      memoryMax,
      disk,
      drop: settings.packetbuffer_drop,
      ...(!classic && { seal: numberBlock }),
      spare: (bytes) => memory?.give(bytes),
    })
    const token = tokenOf(settings)
    const order = settings.shard ? shardOrder(destinations, settings.id_sensor > 0 ? `${settings.id_sensor}` : name) : destinations
    say(`Sending to ${order.map(destinationText).join(', then ')}${tls === undefined ? ', without TLS' : ' with TLS'}.`)
    const about = {
      name: service.name,
      version: this.config.version,
      sensorId: settings.id_sensor > 0 ? settings.id_sensor : undefined,
      source: live ? settings.interface.join(',') : 'read_from_file',
    }
    const metrics = metricsPlan(settings)
    const observer = new ServiceObserver({ live, calls: false })
    const manager =
      !live && metrics === undefined
        ? undefined
        : serviceManager({
            ...about,
            service: 'mirror-send',
            sipPorts: [],
            spoolDir: undefined,
            spool: undefined,
            tcpPort: undefined,
            metricsOnly: !live,
            metrics,
            asked: false,
            say,
          })
    const result = await runSender({
      source,
      queue,
      preFilter,
      packer: classic
        ? new ClassicPacker(compression, blockBytes, settings.id_sensor, memory)
        : new OwnPacker(compression, blockBytes, memory),
      destinations: order,
      protocol: settings.protocol,
      tls,
      identity: { sensorId: settings.id_sensor, name, token, software },
      compression,
      memoryMax,
      diskMax,
      confirm: settings.mirror_require_confirmation === 'yes',
      checksum: settings.mirror_use_checksum === 'yes',
      blockMs: settings.packetbuffer_block_maxtime,
      lingerMs: 5000,
      signal: service.signal,
      onNotice: say,
      onBatch: () => service.watchdog.beat(),
      onStart: (status, change) => {
        const stats = (): ServiceStats => {
          const now = status()
          observer.batch(now.packets)
          return observer.complete(senderStats(now, source, about))
        }
        service.on({
          status: statusTeller(stats),
          reload: () =>
            reload(this.configuration as Configuration, service.log, [
              filterReload(flags, argv as string[], source, undefined, (text) => withoutOwnStream(text, destinations)),
              {
                keys: ['token_file', 'tls_ca', 'tls_cert', 'tls_key'],
                always: true,
                apply: () => {
                  const now = valuesOf(mirrorSendServiceSettings, flags)
                  change({ tls: tlsFor(destinations, now, classic), token: tokenOf(now) })
                  return undefined
                },
              },
              metricsReload(flags, manager?.renewMetrics),
              logReload(flags, service.log),
            ]),
        })
        void (manager?.start(stats) ?? Promise.resolve()).then(() => service.ready())
      },
    })
    await manager?.close()
    observer.close()
    lock?.release()
    this.#summary(result, report)
    await service.close()
  }

  #summary({ packets, blocks, bytesSent, dropped, kept }: SenderResult, say: (text: string) => void): void {
    say(`${counted(packets, 'packet')} in ${counted(blocks, 'block')}, ${count(bytesSent)} bytes sent${lossText(dropped)}`)
    if (kept > 0) say(`${count(kept)} packets wait on disk for the next run.`)
    if (dropped.some(([stage]) => !chosen.has(stage))) process.exitCode = 4
  }
}

/** Two senders in one buffer would take each other's packets. */
async function lockBuffer(dir: string): Promise<FileLock> {
  try {
    const { lockFile } = await import('../../lib/native/lock-file.js')
    makeDirectory(dir)
    const lock = lockFile(join(dir, 'lock'))
    if (lock !== undefined) return lock
  } catch (error) {
    throw new OperatorError('MIRROR_BUFFER', `Cannot keep packets in "${dir}": ${(error as Error).message}.`, {
      cause: error,
      suggestions: ['Give a directory that this user may write to: --packetbuffer-file-path DIR'],
    })
  }
  throw new OperatorError('MIRROR_BUFFER', `Another mirror-send keeps its packets in "${dir}".`, {
    suggestions: ['Give each its own: --packetbuffer-file-path DIR, or packetbuffer_file_path in its section [mirror-send@NAME].'],
  })
}

const tokenOf = ({ token_file }: { readonly token_file: string | undefined }): string | undefined =>
  token_file === undefined ? process.env['EARSHOT_MIRROR_TOKEN'] : readToken(token_file)

const namesOf = (name: string | undefined): string[] => (name === undefined ? [] : [name])

/** A sender makes no calls: it counts what it sends, and what it could not. */
function senderStats(status: SenderStatus, source: PacketSource, about: Omit<StatsParts, 'spool'>): ServiceStats {
  return {
    ...processStats(about),
    captureTime: status.captureTime,
    packets: status.packets,
    bytes: source.progress().bytes,
    rtp: 0,
    rtcp: 0,
    sip: 0,
    filtered: 0,
    calls: 0,
    open: 0,
    kernel: source.kernel?.(),
    link: linkStats(status),
    odd: Object.fromEntries(source.oddities.entries()),
  }
}

function linkStats({ dropped, oldestMicros, packets: _, untilMicros: __, captureTime: ___, ...same }: SenderStatus): LinkStats {
  const lost = Object.entries(dropped).filter(([stage]) => stage !== 'kernel')
  return {
    ...same,
    lagMs: oldestMicros === 0 ? 0 : Math.max(0, Math.round(Date.now() - oldestMicros / 1000)),
    dropped: Object.fromEntries(lost.filter(([stage]) => !chosen.has(stage))),
    leftOut: Object.fromEntries(lost.filter(([stage]) => chosen.has(stage))),
  }
}

/** Left out because the operator asked for it, by an expression or a protocol: no loss. */
const chosen = new Set(['filter', 'not SIP', 'rate cap', 'not IP'])

function bufferSettings() {
  const { max_packet_rate: _, ...rest } = mirrorSendSettings
  return rest
}

const kernelLoss = (source: PacketSource): [string, number][] => {
  const dropped = source.kernel?.().dropped ?? 0
  return dropped > 0 ? [['kernel', dropped]] : []
}
const lossText = (dropped: [stage: string, packets: number][]): string =>
  dropped.length === 0 ? '' : `; left out or lost: ${dropped.map(([stage, n]) => `${stage} ${count(n)}`).join(', ')}`

async function preFilterFor(
  content: 'all' | 'sip' | 'rtp-headers',
  expression: string,
  packetsPerSecondMax: number,
): Promise<PreFilter | undefined> {
  // On an interface the kernel filters; in a file it is done here, just as wide.
  const { openFilter } = expression === '' ? { openFilter: undefined } : await import('../../lib/capture/bpf-compile.js')
  return openPreFilter({ openFilter, expression, content, packetsPerSecondMax })
}

/**
 * On the interface that leads to the receiver the sender would capture what it sends, and send that, and so on. So TCP on the receivers' ports
 * is left out; first, because a `vlan` in the operator's words shifts what stands behind it.
 */
function withoutOwnStream(expression: string, destinations: readonly { port: number }[]): string {
  const ports = [...new Set(destinations.map(({ port }) => port))].map((port) => `tcp port ${port}`).join(' or ')
  return expression === '' ? `not (${ports})` : `not (${ports}) and (${expression})`
}

/** TLS to other machines; plain to this one, or where it was asked for. */
function tlsFor(
  destinations: readonly { host: string }[],
  settings: Pick<ValuesOf<typeof mirrorDestinationSettings>, 'plain' | 'tls_ca' | 'tls_cert' | 'tls_key'>,
  classic: boolean,
) {
  const local = destinations.every(({ host }) => isLoopback(host))
  const wanted = settings.tls_ca !== undefined || settings.tls_cert !== undefined
  if (classic) {
    if (!local && !settings.plain)
      throw new OperatorError('MIRROR_PLAIN', 'VoIPmonitor’s protocol has no encryption, and the receiver is another machine.', {
        exit: 2,
        suggestions: ['If the network between is safe (or a tunnel): --plain'],
      })
    return undefined
  }
  if (settings.plain || (local && !wanted)) return undefined
  return readTls({ ca: settings.tls_ca, cert: settings.tls_cert, key: settings.tls_key })
}
