import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs'

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

/**
 * Lets go of a terminal that is gone. Node resets the modes of its terminals when it ends, and aborts when one does not answer;
 * descriptors that were opened anew it leaves alone.
 */
export function leaveTerminal(): void {
  if (hasTerminal()) return
  for (const fd of [0, 1, 2]) {
    if (!leadsToTerminal(fd)) continue
    closeSync(fd)
    // The lowest free number: the one just closed.
    openSync('/dev/null', 'r+')
  }
}

/** isatty(3) says no of a terminal that is gone. */
function leadsToTerminal(fd: number): boolean {
  try {
    return /^\/dev\/(pts|tty)/.test(readlinkSync(`/proc/self/fd/${fd}`))
  } catch {
    return false
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
