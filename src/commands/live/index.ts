import { Flags } from '@oclif/core'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import { captureSettings } from '../../lib/settings/capture.js'
import type { SettingTable } from '../../lib/settings/table.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { openInput, readOptions } from '../../terminal/input-flags.js'
import { canDraw } from '../../terminal/live/capabilities.js'
import { type Filter, type MessageTexts, parseFilter } from '../../terminal/live/filter.js'
import type { SourceFlags } from '../../terminal/live/open-sources.js'
import { type LiveSource, messagesOf } from '../../terminal/live/source.js'
import { accessFlags } from '../../terminal/manager-access.js'
import { flagsFor, valuesOf } from '../../terminal/setting-flags.js'
import { parseSize } from '../../terminal/size.js'
import { stopOnSignals } from '../../terminal/stop-signals.js'
import { trackerFlags, trackerOptionsOf } from '../../terminal/tracker-flags.js'

/** Rows of a capture of its own; its expression is words at the end. */
const ownCapture = {
  interface: {
    ...captureSettings.interface,
    exclusive: ['read', 'sensor', 'all-sensors', 'store'],
    help: 'Interfaces to listen on; "any" means all.',
  },
  promisc: captureSettings.promisc,
  ringbuffer: captureSettings.ringbuffer,
  snaplen: captureSettings.snaplen,
} as const satisfies SettingTable

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
    ...flagsFor(ownCapture, 'INPUT'),
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
    keep: Flags.string({
      default: '128MiB',
      helpGroup: 'INPUT',
      helpValue: 'SIZE',
      summary: 'Memory for RTP that can still be saved, the youngest; 0 keeps none. SIP has 64 MiB of its own.',
    }),
    where: Flags.string({
      helpGroup: 'SCREEN',
      helpValue: 'EXPR',
      summary: 'Show only calls that fit: the language of cdr query --where, or a piece of text. Changed with F3 and F7.',
    }),
    color: Flags.option({ options: ['auto', 'always', 'never'] as const })({
      helpGroup: 'SCREEN',
      summary: 'Colours; auto, the default, obeys NO_COLOR and what the terminal says of itself.',
    }),
    ascii: Flags.boolean({ helpGroup: 'SCREEN', summary: 'Draw with ASCII only.' }),
    mouse: Flags.boolean({ helpGroup: 'SCREEN', summary: 'Click and wheel; selecting text then needs Shift.' }),
    config: Flags.string({
      char: 'f',
      helpGroup: 'SCREEN',
      helpValue: 'FILE',
      summary: 'Settings, names and keys; default ~/.config/earshot/live.json.',
    }),
    ...accessFlags,
    ...trackerFlags,
  }

  async run(): Promise<void> {
    const { flags, argv } = await this.parse(Live)
    // Said before anything is opened.
    filterOf(flags.where)
    let failure: unknown
    const notices: string[] = []
    const onFailure = (error: unknown): void => {
      failure = error
    }
    const sources =
      flags['interface'] !== undefined || flags.read !== undefined
        ? [await this.#own(flags, (argv as string[]).join(' '), onFailure, (text) => notices.push(text))]
        : await this.#others(flags, argv as string[])
    const filter = filterOf(flags.where, messagesOf(sources))
    if (!canDraw(process, process.env)) {
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
      await runSession({
        sources,
        terminal: { env: process.env, depth: process.stdout.getColorDepth() },
        look: { ...(flags.color !== undefined && { colour: flags.color }), ...(flags.ascii && { ascii: true }) },
        mouse: flags.mouse,
        filter,
        file,
        settingsPath: path,
      })
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
    const { openFilter } = expression === '' ? { openFilter: undefined } : await import('../../lib/capture/bpf-compile.js')
    const { localSource } = await import('../../terminal/live/local-source.js')
    const settings = { ...valuesOf(ownCapture, flags), filter: undefined }
    return localSource({
      name: (flags.read ?? settings.interface).map((path) => path.split('/').at(-1) as string).join(','),
      source: await openInput('live', settings, { read: flags.read, expression, onNotice }),
      sipBytes: SIP_BYTES,
      mediaBytes: parseSize(flags.keep),
      onFailure,
      tracker: trackerOptionsOf(flags, openFilter?.(expression)),
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

function filterOf(where = '', messages?: MessageTexts): Filter {
  const filter = parseFilter(where, Date.now(), messages)
  if (typeof filter !== 'string') return filter
  throw new OperatorError('WHERE', filter, { exit: 2, suggestions: ["For example: --where 'mos < 3.6 and caller ~ 555'"] })
}

const SIP_BYTES = 64 << 20

interface LiveFlags extends SourceFlags {
  readonly read?: string[] | undefined
  readonly keep: string
  readonly [setting: string]: unknown
}
