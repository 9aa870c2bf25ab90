import { closeSync, openSync, readFileSync } from 'node:fs'

/**
 * What signals mean to a service:
 *
 *   TERM, INT   end: write every open call first; a second one ends at once (exit code 130)
 *   HUP         read the configuration again. But when the terminal of the run is gone: end
 *   USR1        open files that are being written anew
 *   USR2        tell how it goes
 */
export interface SignalActions {
  stop(): void
  reload(): void
  reopen(): void
  tell(): void
}

export function onSignals(actions: SignalActions): () => void {
  const ignored = ignoresHangup()
  const hadTerminal = hasTerminal()
  let stopping = false
  const stop = (): void => {
    if (stopping) process.exit(130)
    stopping = true
    actions.stop()
  }
  // With nohup the run is to outlive its terminal.
  const hangUp = (): void => (hadTerminal && !ignored && !hasTerminal() ? stop() : actions.reload())
  const handlers: readonly (readonly [signal: NodeJS.Signals, handler: () => void])[] = [
    ['SIGINT', stop],
    ['SIGTERM', stop],
    ['SIGHUP', hangUp],
    ['SIGUSR1', () => actions.reopen()],
    ['SIGUSR2', () => actions.tell()],
  ]
  for (const [signal, handler] of handlers) process.on(signal, handler)
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler)
  }
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}

/** Whether SIGHUP was ignored when the process began, as nohup leaves it: bit 0 of SigIgn in proc_pid_status(5). */
function ignoresHangup(): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
    return (BigInt(`0x${mask}`) & 1n) === 1n
  } catch {
    return false
  }
}
