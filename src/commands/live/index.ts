import { Flags } from '@oclif/core'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import type { PacketSource } from '../../lib/base/packets.js'
import { callLimitsOf, callSettings } from '../../lib/settings/call.js'
import { fragmentLimitsOf, reassemblySettings, tcpLimitsOf } from '../../lib/settings/reassembly.js'
import { sipSettings } from '../../lib/settings/sip.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { readOptions } from '../../terminal/input-flags.js'
import { themeFor } from '../../terminal/live/capabilities.js'
import { parseFilter } from '../../terminal/live/filter.js'
import type { SourceFlags } from '../../terminal/live/open-sources.js'
import type { LiveSource } from '../../terminal/live/source.js'
import { accessFlags } from '../../terminal/manager-access.js'
import { flagsFor, valuesOf } from '../../terminal/setting-flags.js'
import { parseSize } from '../../terminal/size.js'
import { stopOnSignals } from '../../terminal/stop-signals.js'

/** `earshot live`: chooses where calls come from and what the terminal can show, then hands over to the screen. */
export default class Live extends BaseCommand {
  static override summary = 'Watch calls on a screen: quality while they run, ladders, streams, statistics.'
  static override description = `Attaches to the services of this host; --sensor and --all-sensors to others; --store shows records.
With -i or -r it reads an interface or a capture file itself; trailing words are then a BPF expression, as in tcpdump.
Keys are sngrep's; F1 shows them. Where stdout is no terminal, it prints a line whenever a call changes its state.`
  static override examples = [
    { description: 'What the services of this host see', command: '<%= config.bin %> <%= command.id %>' },
    { description: 'A sensor far away', command: '<%= config.bin %> <%= command.id %> --sensor pbx.example.com' },
    { description: 'Watch an interface', command: 'sudo <%= config.bin %> <%= command.id %> -i eth0' },
    { description: 'Look through a capture', command: '<%= config.bin %> <%= command.id %> -r call.pcap' },
    {
      description: 'Only bad calls of one host',
      command: "sudo <%= config.bin %> <%= command.id %> -i any --where 'mos < 3.6' host 10.0.0.1",
    },
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
      exclusive: ['read', 'sensor', 'all-sensors', 'store'],
    }),
    read: Flags.string({ ...readOptions, exclusive: ['sensor', 'all-sensors', 'store'] }),
    sensor: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpGroup: 'INPUT',
      helpValue: 'NAME|HOST',
      summary: 'Attach to this sensor: a name of the list, or HOST[:PORT], unix:PATH. Repeatable.',
    }),
    'all-sensors': Flags.boolean({
      helpGroup: 'INPUT',
      summary: 'Attach to every sensor of the list in the store.',
      exclusive: ['sensor'],
    }),
    store: Flags.string({
      helpGroup: 'INPUT',
      helpValue: 'URL',
      summary:
        'Show the records of this store, sqlite:PATH or mysql://user@host/database; with --sensor NAME or --all-sensors: the list of sensors.',
    }),
    spool: Flags.string({ helpGroup: 'INPUT', helpValue: 'DIR', summary: 'Where the pcaps of the records are.' }),
    limit: Flags.integer({
      char: 'l',
      default: 5000,
      min: 1,
      max: 50_000,
      helpGroup: 'INPUT',
      summary: 'Records shown at first, the latest.',
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
    keep: Flags.string({
      default: '128MiB',
      helpGroup: 'INPUT',
      helpValue: 'SIZE',
      summary: 'Memory for RTP that can still be saved, the youngest; 0 keeps none. SIP has 64 MiB of its own.',
    }),
    where: Flags.string({
      helpGroup: 'SCREEN',
      helpValue: 'EXPR',
      summary: 'Show only calls that fit: the language of cdr query --where, or a piece of text. Changed with F3.',
    }),
    color: Flags.option({ options: ['auto', 'always', 'never'] as const })({
      default: 'auto',
      helpGroup: 'SCREEN',
      summary: 'Colours; auto obeys NO_COLOR and what the terminal says of itself.',
    }),
    ascii: Flags.boolean({ helpGroup: 'SCREEN', summary: 'Draw with ASCII only.' }),
    mouse: Flags.boolean({ helpGroup: 'SCREEN', summary: 'Click and wheel; selecting text then needs Shift.' }),
    config: Flags.string({
      char: 'f',
      helpGroup: 'SCREEN',
      helpValue: 'FILE',
      summary: 'Columns, names and keys; default ~/.config/earshot/live.json.',
    }),
    ...accessFlags,
    ...flagsFor(sipSettings, 'CALLS'),
    ...flagsFor(callSettings, 'LIMITS'),
    ...flagsFor(reassemblySettings, 'LIMITS'),
  }

  async run(): Promise<void> {
    const { flags, argv } = await this.parse(Live)
    const filter = parseFilter(flags.where ?? '', Date.now())
    if (typeof filter === 'string')
      throw new OperatorError('WHERE', filter, { exit: 2, suggestions: ["For example: --where 'mos < 3.6 and caller ~ 555'"] })
    let failure: unknown
    const notices: string[] = []
    const onFailure = (error: unknown): void => {
      failure = error
    }
    const sources =
      flags.interface !== undefined || flags.read !== undefined
        ? [await this.#own(flags, (argv as string[]).join(' '), onFailure, (text) => notices.push(text))]
        : await this.#others(flags, argv as string[])
    if (!process.stdout.isTTY || !process.stdin.isTTY) {
      const { printLines } = await import('../../terminal/live/print-lines.js')
      const stop = stopOnSignals()
      await printLines(
        sources,
        (line) => process.stdout.write(`${line}\n`),
        (call) => filter.fits(call as never),
        stop.signal,
      )
      stop.dispose()
    } else {
      const [{ runSession }, { readSettings, settingsPath }] = await Promise.all([
        import('../../terminal/live/session.js'),
        import('../../terminal/live/settings-file.js'),
      ])
      const path = flags.config ?? settingsPath()
      const file = readSettings(path)
      const theme = themeFor({ env: process.env, depth: process.stdout.getColorDepth(), colour: flags.color, ascii: flags.ascii })
      await runSession({ sources, theme, mouse: flags.mouse, filter, file, settingsPath: path })
    }
    for (const notice of notices) process.stderr.write(`${notice}\n`)
    if (failure !== undefined) throw failure
  }

  /** The own pipeline. */
  async #own(
    flags: LiveFlags,
    expression: string,
    onFailure: (error: unknown) => void,
    onNotice: (text: string) => void,
  ): Promise<LiveSource> {
    const sip = valuesOf(sipSettings, flags)
    const reassembly = valuesOf(reassemblySettings, flags)
    const { openFilter } = expression === '' ? { openFilter: undefined } : await import('../../lib/capture/bpf-compile.js')
    const { localSource } = await import('../../terminal/live/local-source.js')
    return localSource({
      name: (flags.interface ?? flags.read ?? []).map((path) => path.split('/').at(-1) as string).join(','),
      source: await this.#open(flags, expression, onNotice),
      sipBytes: SIP_BYTES,
      mediaBytes: parseSize(flags.keep),
      onFailure,
      tracker: {
        limits: callLimitsOf(valuesOf(callSettings, flags)),
        fragments: fragmentLimitsOf(reassembly),
        tcp: tcpLimitsOf(reassembly),
        sipPorts: sip.sipport,
        sensorId: sip.id_sensor === 0 ? undefined : sip.id_sensor,
        filter: openFilter?.(expression),
      },
    })
  }

  async #open(flags: LiveFlags, expression: string, onNotice: (text: string) => void): Promise<PacketSource> {
    if (flags.read !== undefined) return (await import('../../lib/capture/file-source.js')).openFiles(flags.read)
    return (await import('../../lib/capture/live-source.js')).openLive({
      interfaces: flags.interface ?? [],
      ringBytes: parseSize(flags['ring-size']),
      snaplenBytes: flags.snaplen,
      promiscuous: !flags['no-promiscuous'],
      expression,
      onNotice,
    })
  }

  /** Records, or managers here and elsewhere. */
  async #others(flags: LiveFlags, words: readonly string[]): Promise<LiveSource[]> {
    if (words.length > 0) {
      throw new OperatorError('WORDS', `"${words.join(' ')}" is a BPF expression, and nothing is captured here.`, {
        exit: exitCodes.usage,
        suggestions: ["Choose among the calls with --where 'caller ~ 555'", 'Or capture: earshot live -i eth0 host 10.0.0.1'],
      })
    }
    const { openSources } = await import('../../terminal/live/open-sources.js')
    return openSources(flags)
  }
}

const SIP_BYTES = 64 << 20

interface LiveFlags extends SourceFlags {
  readonly interface?: string[] | undefined
  readonly read?: string[] | undefined
  readonly 'ring-size': string
  readonly snaplen: number
  readonly 'no-promiscuous': boolean
  readonly keep: string
  readonly [setting: string]: unknown
}
