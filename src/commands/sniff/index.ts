import { Flags } from '@oclif/core'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import type { PacketSource } from '../../lib/base/packets.js'
import { callJson, schemaVersion } from '../../lib/call/json.js'
import { callLimitsOf, callSettings } from '../../lib/settings/call.js'
import { fragmentLimitsOf, reassemblySettings, tcpLimitsOf } from '../../lib/settings/reassembly.js'
import { recordSettings } from '../../lib/settings/records.js'
import { sipSettings } from '../../lib/settings/sip.js'
import type { RecordQueue } from '../../lib/sniffer/record-queue.js'
import { recordsJson } from '../../lib/sniffer/records-status.js'
import { runSniffer, type SnifferResult } from '../../lib/sniffer/run.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { callLine } from '../../terminal/call-line.js'
import { callPrinter } from '../../terminal/call-printer.js'
import { defaultQueue, defaultSpool, defaultStore } from '../../terminal/defaults.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { count, progressLine } from '../../terminal/progress.js'
import { flagsFor, valuesOf } from '../../terminal/setting-flags.js'
import { parseSize } from '../../terminal/size.js'
import { sniffManager } from '../../terminal/sniff-manager.js'
import { stopOnSignals } from '../../terminal/stop-signals.js'

/** `earshot sniff`: chooses the source, the filter, the store and the spool, runs the pipeline, prints what comes out. */
export default class Sniff extends BaseCommand {
  static override summary = 'Listen for SIP and RTP, write a record and a pcap per call.'
  static override description = `Reads capture files (-r) or interfaces (-i). Trailing words are a BPF expression, as in tcpdump.
A file alone is only analysed: nothing is stored or spooled unless --store or --spool is given. An interface stores and spools by default.
Ctrl-C writes every open call before it ends.`
  static override examples = [
    { description: 'Analyse a capture', command: '<%= config.bin %> <%= command.id %> -r call.pcap' },
    { description: 'Watch a PBX: records to SQLite, a pcap per call', command: 'sudo <%= config.bin %> <%= command.id %> -i eth0' },
    { description: 'One host, as JSON lines', command: '<%= config.bin %> <%= command.id %> -i any -o ndjson host 10.0.0.1' },
    { description: 'From another tool', command: "ssh pbx 'tcpdump -U -w - port 5060' | <%= config.bin %> <%= command.id %> -r -" },
  ]
  /** The BPF expression. */
  static override strict = false
  static override flags = {
    interface: Flags.string({
      char: 'i',
      aliases: ['device'],
      charAliases: ['d'],
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
      helpGroup: 'INPUT',
      helpValue: 'IFACE',
      summary: 'Interfaces to listen on; "any" means all.',
      exclusive: ['read'],
    }),
    read: Flags.string({
      char: 'r',
      aliases: ['input'],
      charAliases: ['I'],
      multiple: true,
      // Words after the file are the BPF expression, not more files.
      multipleNonGreedy: true,
      helpGroup: 'INPUT',
      helpValue: 'FILE',
      summary: 'Capture file (pcap or pcapng, gzip too), a directory of them, or - for stdin. Repeatable.',
    }),
    'no-promiscuous': Flags.boolean({ char: 'p', helpGroup: 'INPUT', summary: 'Leave the interface out of promiscuous mode.' }),
    'ring-size': Flags.string({
      char: 'B',
      default: '64MiB',
      helpGroup: 'INPUT',
      helpValue: 'SIZE',
      summary: 'Kernel ring buffer of each interface.',
    }),
    snaplen: Flags.integer({
      char: 's',
      default: 65_535,
      min: 96,
      max: 262_144,
      helpGroup: 'INPUT',
      summary: 'Bytes kept of each packet.',
    }),
    count: Flags.integer({
      char: 'c',
      min: 1,
      helpGroup: 'INPUT',
      helpValue: 'N',
      summary: 'Stop after about N packets (at the end of a block).',
    }),
    store: Flags.string({
      helpGroup: 'OUTPUT',
      helpValue: 'URL',
      summary: 'Where records go: sqlite:PATH, mysql://user@host/database, or none. Default for -i: sqlite in the state directory.',
    }),
    spool: Flags.string({
      helpGroup: 'OUTPUT',
      helpValue: 'DIR',
      summary: 'Where pcaps of calls go, or none. Default for -i: the state directory.',
    }),
    queue: Flags.string({
      aliases: ['save-query-to-files-directory'],
      helpGroup: 'OUTPUT',
      helpValue: 'DIR',
      summary: 'Where records wait on disk while the store is away. Default for -i: the state directory.',
    }),
    save: Flags.option({ options: ['sip', 'rtp', 'rtp-headers', 'none'] as const })({
      default: 'rtp',
      helpGroup: 'OUTPUT',
      summary: 'What goes into the pcaps: SIP only, SIP and RTP, SIP and RTP headers, or nothing.',
    }),
    manager: Flags.boolean({
      allowNo: true,
      helpGroup: 'OUTPUT',
      summary:
        'Answer managers’ questions about this run: on a socket in the run directory, and on 127.0.0.1:5029 when that is free. Default for -i.',
    }),
    output: outputFlag,
    json: jsonFlag,
    quiet: Flags.boolean({ char: 'q', helpGroup: 'OUTPUT', summary: 'No summary and no progress on stderr.' }),
    verbose: Flags.boolean({
      char: 'v',
      helpGroup: 'OUTPUT',
      summary: 'Tell more: defaults chosen, the kernel filter, timings, every odd packet by reason.',
    }),
    ...flagsFor(sipSettings, 'CALLS'),
    ...flagsFor(recordSettings, 'LIMITS'),
    ...flagsFor(callSettings, 'LIMITS'),
    ...flagsFor(reassemblySettings, 'LIMITS'),
  }

  async run(): Promise<void> {
    const { flags, argv } = await this.parse(Sniff)
    const say = (text: string): void => {
      if (!flags.quiet) process.stderr.write(`${text}\n`)
    }
    const live = flags.interface !== undefined
    const sip = valuesOf(sipSettings, flags)
    const reassembly = valuesOf(reassemblySettings, flags)
    const expression = (argv as string[]).join(' ')
    const { openFilter } = expression === '' ? { openFilter: undefined } : await import('../../lib/capture/bpf-compile.js')
    const filter = openFilter?.(expression)
    const source = live ? await this.#openLive(flags, expression, say) : await this.#openFiles(flags.read ?? [])
    const format = outputFormat(flags)
    const storeUrl = flags.store ?? (live ? defaultStore() : 'none')
    const spoolDir = flags.save === 'none' ? 'none' : (flags.spool ?? (live ? defaultSpool() : 'none'))
    const progress = progressLine(flags.quiet ? ({ isTTY: false } as NodeJS.WriteStream) : process.stderr)
    if (flags.verbose || live) say(`Records: ${storeUrl}   Pcaps: ${spoolDir}`)
    const records =
      storeUrl === 'none' ? undefined : await this.#openRecords(storeUrl, sip.id_sensor, live, flags, say, () => progress.clear())
    const spool =
      spoolDir === 'none' || flags.save === 'none'
        ? undefined
        : await (await import('../../lib/spool/index.js')).openSpool({ dir: spoolDir, save: flags.save, canWait: !live, onNotice: say })

    const sensorId = sip.id_sensor === 0 ? undefined : sip.id_sensor
    const manager =
      (flags.manager ?? live)
        ? sniffManager({
            version: this.config.version,
            sensorId,
            sipPorts: sip.sip_port,
            spoolDir: spool === undefined ? undefined : spoolDir,
            spool,
            source: live ? (flags.interface ?? []).join(',') : 'read_from_file',
            asked: flags.manager === true,
            say,
          })
        : undefined
    const stop = stopOnSignals()
    // A table can only be drawn when all its rows are there: a live run prints a line as each call ends.
    const printer = live && format === 'table' ? undefined : callPrinter(format, process.stdout)
    const result = await runSniffer({
      source,
      records,
      spool,
      signal: stop.signal,
      packetsMax: flags.count,
      tracker: {
        limits: callLimitsOf(valuesOf(callSettings, flags)),
        fragments: fragmentLimitsOf(reassembly),
        tcp: tcpLimitsOf(reassembly),
        sipPorts: sip.sip_port,
        sensorId,
        filter,
      },
      live: manager?.live,
      onStart: (status) => manager?.start(status),
      onRecord: (record) => {
        progress.clear()
        if (printer) void printer.call(callJson(record))
        else process.stdout.write(`${callLine(callJson(record))}\n`)
      },
      onBatch: ({ packets, open, calls }) =>
        progress.update({ packets, calls: live ? open : calls, source: source.progress(), dropped: source.kernel?.().dropped }),
    })
    progress.clear()
    await manager?.close()
    stop.dispose()
    await printer?.end(totalsOf(result))
    const lost = result.notKept + (result.records ? result.records.dropped + result.records.refused : 0)
    if (lost > 0) process.exitCode = exitCodes.failure
    this.#summary(result, flags.verbose === true, say)
  }

  async #openRecords(
    storeUrl: string,
    sensorId: number,
    live: boolean,
    flags: { queue?: string | undefined },
    say: (text: string) => void,
    clear: () => void,
  ): Promise<RecordQueue> {
    const { openRecordQueue } = await import('../../lib/sniffer/record-queue.js')
    const settings = valuesOf(recordSettings, flags)
    // A file can be read again: its records wait on disk only when somebody names a place.
    const dir = settings.query_cache === 'no' ? undefined : (flags.queue ?? (live ? defaultQueue() : undefined))
    return openRecordQueue({
      storeUrl,
      sensorId: sensorId === 0 ? undefined : sensorId,
      live,
      queue: dir === undefined ? undefined : { dir, bytesMax: settings.queue_max * 2 ** 20, drop: settings.queue_drop },
      memoryBytesMax: settings.queue_memory_max * 2 ** 20,
      drop: settings.queue_drop,
      onNotice: ({ kind, message, suggestions }) => {
        const text = [`Records: ${message}`, ...suggestions.map((next) => `  → ${next}`)].join('\n')
        clear()
        if (kind === 'good') say(text)
        else process.stderr.write(`${text}\n`)
      },
    })
  }

  async #openFiles(paths: readonly string[]): Promise<PacketSource> {
    if (paths.length === 0) {
      throw new OperatorError('NO_INPUT', 'Nothing to listen to: neither -i nor -r was given.', {
        exit: 2,
        suggestions: ['A capture file: earshot sniff -r call.pcap', 'An interface: sudo earshot sniff -i any'],
      })
    }
    const { openFiles } = await import('../../lib/capture/file-source.js')
    return openFiles(paths)
  }

  async #openLive(
    flags: { interface?: string[] | undefined; 'ring-size': string; snaplen: number; 'no-promiscuous': boolean; verbose: boolean },
    expression: string,
    say: (text: string) => void,
  ): Promise<PacketSource> {
    const { openLive } = await import('../../lib/capture/live-source.js')
    return openLive({
      interfaces: flags.interface ?? [],
      ringBytes: parseSize(flags['ring-size']),
      snaplenBytes: flags.snaplen,
      promiscuous: !flags['no-promiscuous'],
      expression,
      onNotice: say,
    })
  }

  #summary({ totals, oddities, seconds, records, kernel }: SnifferResult, verbose: boolean, say: (text: string) => void): void {
    if (kernel) {
      say(`${count(kernel.received)} packets received by filter, ${count(kernel.dropped)} dropped by kernel`)
    }
    const rate = seconds > 0 ? Math.round(totals.packets / seconds) : 0
    say(
      `${count(totals.packets)} packets in ${seconds.toFixed(2)} s (${count(rate)}/s): ${count(totals.calls)} calls, ${count(totals.sip)} SIP, ${count(totals.rtp)} RTP`,
    )
    if (records)
      say(
        [
          `Stored ${count(records.stored)} records`,
          ...recordsTold.flatMap(([key, text]) => (records[key] > 0 ? [`${count(records[key])} ${text}`] : [])),
        ].join(', '),
      )
    if (totals.filtered > 0) say(`${count(totals.filtered)} packets did not match the filter`)
    const odd = verbose ? oddities : oddities.filter(([reason]) => !usual.has(reason))
    if (odd.length > 0) say(`Odd: ${odd.map(([reason, n]) => `${reason} ${count(n)}`).join(', ')}`)
  }
}

const recordsTold = [
  ['updated', 'updated'],
  ['duplicates', 'were there already'],
  ['waiting', 'wait on disk'],
  ['refused', 'refused'],
  ['dropped', 'lost'],
] as const

/** What every wire carries besides calls; told with -v only. */
const usual = new Set(['not IP', 'other IP protocol', 'other UDP', 'SIP keep-alive'])

function totalsOf({ totals, oddities, seconds, records, kernel }: SnifferResult): Record<string, unknown> {
  return {
    schema_version: schemaVersion,
    ...totals,
    seconds,
    packets_per_second: seconds > 0 ? Math.round(totals.packets / seconds) : 0,
    odd: Object.fromEntries(oddities),
    records: records ? recordsJson(records, Date.now()) : null,
    kernel: kernel ?? null,
  }
}
