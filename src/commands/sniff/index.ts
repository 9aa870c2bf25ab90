import { Flags } from '@oclif/core'
import { exitCodes } from '../../lib/base/errors.js'
import { schemaVersion } from '../../lib/call/json.js'
import type { ServiceStats } from '../../lib/manager/index.js'
import { ownManagerSettings } from '../../lib/settings/manager.js'
import { metricsSettings } from '../../lib/settings/metrics.js'
import { sniffSettings } from '../../lib/settings/services.js'
import { recordsJson } from '../../lib/sniffer/records-status.js'
import { runSniffer, type SnifferResult } from '../../lib/sniffer/run.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { runPrinter } from '../../terminal/call-printer.js'
import { serviceConfigFlags } from '../../terminal/config-flags.js'
import type { Configuration } from '../../terminal/configuration.js'
import { defaultSpool, defaultStore } from '../../terminal/defaults.js'
import { filterOf, inputFlags, interfacesOfInstance, openInput } from '../../terminal/input-flags.js'
import { isService } from '../../terminal/log/log.js'
import { metricsPlan } from '../../terminal/metrics-plan.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { count, counted, progressLine } from '../../terminal/progress.js'
import { openRecordsOf, recordFlags, recordsLine } from '../../terminal/record-flags.js'
import { reload } from '../../terminal/service/reload.js'
import { filterReload, logReload, metricsReload, sipPortReload, spoolLimitsReload } from '../../terminal/service/reload-parts.js'
import { logFlags, ServiceRun } from '../../terminal/service/run.js'
import { statusTeller } from '../../terminal/service/status.js'
import { serviceManager, snifferStats } from '../../terminal/service-manager.js'
import { ServiceObserver } from '../../terminal/service-observer.js'
import { flagsFor, valuesOf } from '../../terminal/setting-flags.js'
import { openSpoolOf, spoolFlags, spoolLine } from '../../terminal/spool-flags.js'
import { trackerFlags, trackerOptionsOf } from '../../terminal/tracker-flags.js'

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
  static override configurable = () => ({ service: 'sniff' as const, table: sniffSettings })
  static override flags = {
    ...inputFlags,
    count: Flags.integer({
      char: 'c',
      min: 1,
      helpGroup: 'INPUT',
      helpValue: 'N',
      summary: 'Stop after about N packets (at the end of a block).',
    }),
    ...recordFlags,
    ...spoolFlags,
    ...flagsFor(ownManagerSettings),
    ...flagsFor(metricsSettings),
    output: outputFlag,
    json: jsonFlag,
    quiet: Flags.boolean({ char: 'q', helpGroup: 'OUTPUT', summary: 'No summary and no progress on stderr.' }),
    verbose: Flags.boolean({
      char: 'v',
      helpGroup: 'OUTPUT',
      summary: 'Tell more: defaults chosen, the kernel filter, timings, every odd packet by reason.',
    }),
    ...logFlags,
    ...trackerFlags,
    ...serviceConfigFlags,
  }

  async run(): Promise<void> {
    const { flags, argv } = await this.parse(Sniff)
    const progress = progressLine(flags.quiet ? ({ isTTY: false } as NodeJS.WriteStream) : process.stderr)
    const settings = interfacesOfInstance(valuesOf(sniffSettings, flags), flags)
    const live = settings.interface.length > 0
    const service = await ServiceRun.start('sniff', flags, { live, clear: () => progress.clear() })
    this.service = service
    const { say } = service.log
    const expression = filterOf(argv as string[], settings)
    const { openFilter } = expression === '' ? { openFilter: undefined } : await import('../../lib/capture/bpf-compile.js')
    const tracker = trackerOptionsOf(flags, openFilter?.(expression))
    const source = await openInput(Sniff.id, settings, { read: flags.read, expression, onNotice: say })
    const format = outputFormat(flags)
    const storeUrl = settings.store ?? (live ? defaultStore() : 'none')
    const spoolDir = settings.save === 'none' ? 'none' : (settings.spooldir ?? (live ? defaultSpool() : 'none'))
    if (flags.verbose || live) say(`Records: ${storeUrl}   Pcaps: ${spoolDir}`)
    const { sensorId } = tracker
    const records = await openRecordsOf(storeUrl, flags, { live, sensorId, say })
    const spool = await openSpoolOf(spoolDir, flags, { live, onNotice: say })
    const { version } = this.config
    const about = { name: service.name, version, sensorId, spool, source: live ? settings.interface.join(',') : 'read_from_file' }
    const metrics = metricsPlan(settings)
    const managed = settings.manager ?? live
    const observer = new ServiceObserver({ live, calls: managed || metrics !== undefined })
    const manager =
      managed || metrics !== undefined
        ? serviceManager({
            ...about,
            service: 'sniff',
            sipPorts: tracker.sipPorts,
            spoolDir: spool === undefined ? undefined : spoolDir,
            tcpPort: settings.managerport,
            metricsOnly: !managed,
            metrics,
            asked: settings.manager === true,
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
      packetsMax: flags.count,
      tracker,
      live: manager?.live,
      waiting: (work) => service.watchdog.whileWaiting(work),
      onStart: (status, change) => {
        const stats = (): ServiceStats => observer.complete(snifferStats(status(), about))
        service.on({
          status: statusTeller(stats),
          reload: () =>
            reload(this.configuration as Configuration, service.log, [
              filterReload(flags, argv as string[], source, change),
              sipPortReload(flags, change),
              metricsReload(flags, manager?.renewMetrics),
              ...(spool === undefined ? [] : [spoolLimitsReload(flags, spool)]),
              logReload(flags, service.log),
            ]),
        })
        void (manager?.start(stats) ?? Promise.resolve()).then(() => service.ready())
      },
      onRecord: (record) => {
        observer.ended(record)
        progress.clear()
        printer.call(record)
      },
      onBatch: ({ packets, open, calls }) => {
        service.watchdog.beat()
        observer.batch(packets)
        progress.update({ packets, calls: live ? open : calls, source: source.progress(), dropped: source.kernel?.().dropped })
      },
    })
    progress.clear()
    await manager?.close()
    observer.close()
    await printer.end(totalsOf(result))
    const lost = result.notKept + (result.records ? result.records.dropped + result.records.refused : 0)
    if (lost > 0) process.exitCode = exitCodes.failure
    this.#summary(result, flags.verbose === true, (text) => service.log.event('info', text))
    await service.close()
  }

  #summary({ totals, oddities, seconds, records, spool, kernel }: SnifferResult, verbose: boolean, say: (text: string) => void): void {
    if (kernel) {
      say(`${counted(kernel.received, 'packet')} received by filter, ${count(kernel.dropped)} dropped by kernel`)
    }
    const rate = seconds > 0 ? Math.round(totals.packets / seconds) : 0
    say(
      `${counted(totals.packets, 'packet')} in ${seconds.toFixed(2)} s (${count(rate)}/s): ${counted(totals.calls, 'call')}, ${count(totals.sip)} SIP, ${count(totals.rtp)} RTP`,
    )
    if (records) say(recordsLine(records))
    if (spool) say(spoolLine(spool))
    if (totals.filtered > 0) say(`${count(totals.filtered)} packets did not match the filter`)
    const odd = verbose ? oddities : oddities.filter(([reason]) => !usual.has(reason))
    if (odd.length > 0) say(`Odd: ${odd.map(([reason, n]) => `${reason} ${count(n)}`).join(', ')}`)
  }
}

/** What every wire carries besides calls; told with -v only. */
const usual = new Set(['not IP', 'other IP protocol', 'other UDP', 'SIP keep-alive'])

function totalsOf({ totals, oddities, seconds, records, spool, kernel }: SnifferResult): Record<string, unknown> {
  return {
    schema_version: schemaVersion,
    ...totals,
    seconds,
    packets_per_second: seconds > 0 ? Math.round(totals.packets / seconds) : 0,
    odd: Object.fromEntries(oddities),
    records: records ? recordsJson(records, Date.now()) : null,
    spool: spool ? { ...spool, dropped: Object.fromEntries(spool.dropped) } : null,
    kernel: kernel ?? null,
  }
}
