import { Flags } from '@oclif/core'
import { OperatorError } from '../../lib/base/errors.js'
import { type LogLevel, logLevelNames } from '../log/levels.js'
import { defaultLogFormat, type Log, logFormats, openLog } from '../log/log.js'
import { stopOnSignals } from '../stop-signals.js'
import { checkInstance, serviceName } from './instance.js'
import { Notifier } from './notify.js'
import { leaveTerminal, onSignals } from './signals.js'
import { Watchdog } from './watchdog.js'

/** What all services do alike: their log, their signals, and what they tell the service manager. */

export const logFlags = {
  'log-format': Flags.option({ options: logFormats })({
    helpGroup: 'LOG',
    summary:
      'How messages are written to stderr: for people, for the journal, or as JSON lines. Default: journal under systemd, else human.',
  }),
  'log-level': Flags.option({ options: logLevelNames })({
    helpGroup: 'LOG',
    summary: 'Leave out messages that weigh less. Default: info; with -q error.',
  }),
}

export interface LogFlags {
  readonly 'log-format'?: (typeof logFormats)[number] | undefined
  readonly 'log-level'?: LogLevel | undefined
  readonly quiet: boolean
  readonly instance?: string | undefined
}

export interface ServiceActions {
  /** Numbers for STATUS= and SIGUSR2, the same that a manager is told. */
  status?(): ServiceStatus
  /** SIGHUP. What it did is in the log. */
  reload?(): Promise<void>
  /** SIGUSR1: answers the files that were opened anew. */
  reopen?(): Promise<readonly string[]>
}

export interface ServiceStatus {
  /** A few words: "1,234 packets/s, 12 calls". */
  readonly line: string
  readonly fields: Readonly<Record<string, unknown>>
}

const STATUS_MS = 5000

export class ServiceRun {
  readonly name: string
  readonly instance: string | undefined
  readonly log: Log
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  readonly watchdog: Watchdog
  readonly #stop = new AbortController()
  readonly #notifier: Notifier
  readonly #dispose: () => void
  #actions: ServiceActions = {}
  #showing: NodeJS.Timeout | undefined
  #ready = false
  #reloading: Promise<void> | undefined
  #reloadAgain = false

  private constructor(name: string, instance: string | undefined, log: Log, notifier: Notifier, live: boolean) {
    this.name = name
    this.instance = instance
    this.log = log
    this.#notifier = notifier
    this.signal = this.#stop.signal
    this.watchdog = new Watchdog(notifier.watchdogMs, () => notifier.alive())
    const actions = {
      stop: () => this.stop(),
      reload: () => void this.#reload(),
      reopen: () => void this.#reopen(),
      tell: () => this.#tell(),
    }
    if (live) this.#dispose = onSignals(actions)
    else {
      const first = stopOnSignals()
      first.signal.addEventListener('abort', actions.stop, { once: true })
      this.#dispose = first.dispose
    }
  }

  /** `live`: it goes on until it is stopped. Who reads a file has TERM and INT only. */
  static async start(service: string, flags: LogFlags, options: { live: boolean; clear?: () => void }): Promise<ServiceRun> {
    const { instance } = flags
    if (instance !== undefined) checkInstance(instance)
    const name = serviceName(service, instance)
    const log = await openLog({
      format: flags['log-format'] ?? defaultLogFormat(),
      level: flags['log-level'] ?? (flags.quiet ? 'error' : 'info'),
      service,
      instance,
      clear: options.clear,
    })
    const notifier = await Notifier.open(process.env, (text) => log.say(text, 'warning'))
    return new ServiceRun(name, instance, log, notifier, options.live)
  }

  /** What it does on signals, and how it goes: from now on known. */
  on(actions: ServiceActions): void {
    this.#actions = actions
  }

  /** Everything is open that was wanted. */
  ready(): void {
    if (this.#ready) return
    this.#ready = true
    this.watchdog.beat()
    if (!this.#notifier.used) return
    this.#notifier.ready()
    this.#showStatus()
    this.#showing = setInterval(() => this.#showStatus(), STATUS_MS).unref()
  }

  /** As SIGTERM does. */
  stop(): void {
    if (this.signal.aborted) return
    this.#notifier.stopping()
    this.#notifier.status('Ending: open calls are written.')
    this.#stop.abort()
  }

  /** The last messages are out. */
  async close(): Promise<void> {
    clearInterval(this.#showing)
    this.watchdog.close()
    this.#dispose()
    await this.log.close()
    this.#notifier.close()
    leaveTerminal()
  }

  #showStatus(): void {
    if (this.signal.aborted || this.#reloading !== undefined) return
    const status = this.#actions.status?.()
    if (status !== undefined) this.#notifier.status(status.line)
  }

  #tell(): void {
    const status = this.#actions.status?.()
    if (status === undefined) this.log.event('notice', 'Status: it is only beginning.')
    else this.log.event('notice', `Status: ${status.line}`, status.fields)
  }

  async #reopen(): Promise<void> {
    try {
      const files = (await this.#actions.reopen?.()) ?? []
      this.log.event('notice', files.length === 0 ? 'There is no file to open anew.' : `Opened anew: ${files.join(', ')}`)
    } catch (error) {
      this.log.event('error', `Cannot open a file anew: ${textOf(error)}`)
    }
  }

  /** One after another; what is asked meanwhile is done once more. */
  async #reload(): Promise<void> {
    if (this.#reloading !== undefined) {
      this.#reloadAgain = true
      return
    }
    this.#notifier.reloading()
    this.#reloading = (async () => {
      try {
        if (this.#actions.reload === undefined) this.log.event('notice', 'There is nothing to load anew.')
        else await this.#actions.reload()
      } catch (error) {
        this.log.event('error', `Not loaded anew, everything stays as it was: ${textOf(error)}`)
      }
    })()
    await this.#reloading
    this.#reloading = undefined
    if (this.#ready) this.#notifier.ready()
    this.#showStatus()
    if (this.#reloadAgain) {
      this.#reloadAgain = false
      await this.#reload()
    }
  }
}

const textOf = (error: unknown): string =>
  error instanceof OperatorError ? [error.message, ...error.suggestions].join(' → ') : (error as Error).message
