import type { DatagramSender } from '../../lib/native/datagram.js'

/**
 * What the service manager is told (sd_notify(3)): ready, how it goes, alive, reloading, stopping. Without NOTIFY_SOCKET all of
 * it does nothing.
 */
export class Notifier {
  readonly #sender: DatagramSender | undefined
  /** The service manager ends us when it hears nothing for so long; undefined when it does not watch. */
  readonly watchdogMs: number | undefined
  #status = ''

  private constructor(sender: DatagramSender | undefined, watchdogMs: number | undefined) {
    this.#sender = sender
    this.watchdogMs = watchdogMs
  }

  /** Takes the variables out of the environment: they are for this process, not for its children. */
  static async open(environment: NodeJS.ProcessEnv, onTrouble: (text: string) => void): Promise<Notifier> {
    const { NOTIFY_SOCKET: path, WATCHDOG_USEC: micros, WATCHDOG_PID: pid } = environment
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name]
    if (path === undefined || path === '') return new Notifier(undefined, undefined)
    // Somebody else is to be watched.
    const watched = micros !== undefined && /^[1-9]\d{0,15}$/.test(micros) && (pid === undefined || pid === String(process.pid))
    try {
      const { DatagramSender } = await import('../../lib/native/datagram.js')
      return new Notifier(new DatagramSender(path), watched ? Number(micros) / 1000 : undefined)
    } catch (error) {
      onTrouble(`The service manager cannot be told anything: ${(error as Error).message}.`)
      return new Notifier(undefined, undefined)
    }
  }

  /** Whether anybody listens. */
  get used(): boolean {
    return this.#sender !== undefined
  }

  ready(): void {
    this.#sender?.send('READY=1', true)
  }

  /** One line of text. Nothing is sent when it has not changed. */
  status(text: string): void {
    if (text === this.#status) return
    this.#status = text
    this.#sender?.send(`STATUS=${text.replaceAll('\n', ' ')}`, false)
  }

  alive(): void {
    this.#sender?.send('WATCHDOG=1', false)
  }

  /** To be followed by `ready` when the reload is over. */
  reloading(): void {
    // Node's hrtime is CLOCK_MONOTONIC.
    this.#sender?.send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`, true)
  }

  stopping(): void {
    this.#sender?.send('STOPPING=1', true)
  }

  close(): void {
    this.#sender?.close()
  }
}
