import { OperatorError } from '../../lib/base/errors.js'
import { logSettings } from '../../lib/settings/log.js'
import type { LogLevel } from '../log/levels.js'
import { defaultLogFormat, type Log, openLog } from '../log/log.js'
import { flagsFor, valuesOf } from '../setting-flags.js'
import { stopOnSignals } from '../stop-signals.js'
import { checkInstance, serviceName } from './instance.js'
import { Notifier } from './notify.js'
import { leaveTerminal, onSignals } from './signals.js'
import { Watchdog } from './watchdog.js'

/** What all services do alike: their log, their signals, and what they tell the service manager. */

export const logFlags = flagsFor(logSettings)

export interface RunFlags {
  readonly quiet: boolean
  readonly instance?: string | undefined
  readonly [setting: string]: unknown
}

/** -q leaves only errors, whatever the setting says. */
export const levelOf = (flags: RunFlags): LogLevel => (flags.quiet ? 'error' : valuesOf(logSettings, flags).log_level)

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
  static async start(service: string, flags: RunFlags, options: { live: boolean; clear?: () => void }): Promise<ServiceRun> {
    const { instance } = flags
    if (instance !== undefined) checkInstance(instance)
    const name = serviceName(service, instance)
    const { log_format } = valuesOf(logSettings, flags)
    const log = await openLog({
      format: log_format === 'auto' ? defaultLogFormat() : log_format,
      level: levelOf(flags),
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
    if (status === undefined) this.log.event('notice', 'Status: nothing is counted here yet.')
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
