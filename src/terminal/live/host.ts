import { writeSync } from 'node:fs'
import type { Instance } from 'ink'
import type { Key } from './keys.js'

/**
 * The terminal as a guest has it: the other screen, raw keys, perhaps the mouse; and everything given back as it was on
 * every way out. Ink owns the keyboard (raw mode, reading, the end); frames go past it, because it measures and keeps every
 * text it draws, and clears the terminal for every frame that fills it (docs/decisions/007-live-screen.md).
 */
export interface Host {
  /** Writes to the terminal. */
  readonly out: NodeJS.WriteStream
  /** False while the terminal is given back: nothing may be drawn. */
  readonly active: boolean
  /** Gives the terminal back, stops this program as Ctrl-Z does, and takes it again when that goes on. */
  suspend(): void
  /** Gives the terminal back for good. */
  close(): void
}

export interface HostOptions {
  readonly mouse: boolean
  onKeys(keys: readonly Key[]): void
  onResize(): void
  /** The screen has to be drawn anew. */
  onResume(): void
  /** Told to end by a signal. */
  onStop(): void
}

// Other screen, paste in brackets, no wrapping at the edge, cursor off. xterm 1000 and 1006: clicks and wheel, with numbers.
const ENTER = '\u001b[?1049h\u001b[?2004h\u001b[?7l\u001b[?25l\u001b[2J'
const MOUSE_ON = '\u001b[?1000h\u001b[?1006h'
const LEAVE = '\u001b[?1000l\u001b[?1006l\u001b[?2004l\u001b[?7h\u001b[?2026l\u001b[0m\u001b[?25h\u001b[?1049l'

const WARNINGS_MAX = 20

export function openHost({ mouse, onKeys, onResize, onResume, onStop }: HostOptions): Host {
  const { stdin, stdout } = process
  let taken = false
  const enter = (): void => {
    taken = true
    stdout.write(ENTER + (mouse ? MOUSE_ON : ''))
  }
  /** At once, whatever waits in the stream: the process may be about to end. */
  const leave = (): void => {
    if (!taken) return
    taken = false
    try {
      writeSync(stdout.fd, LEAVE)
    } catch {
      // The terminal is gone: there is nothing to give back.
    }
  }
  const crash = (error: unknown): void => {
    leave()
    if (stdin.isTTY) stdin.setRawMode(false)
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exit(1)
  }
  const stop = (): void => onStop()
  const resume = (): void => {
    if (stdin.isTTY) stdin.setRawMode(true)
    enter()
    onResume()
  }
  // Node writes its warnings over the screen; they are told when it is gone.
  const warners = process.listeners('warning')
  const warnings: string[] = []
  const warned = (warning: Error): void => {
    if (warnings.length < WARNINGS_MAX) warnings.push(`${warning.name}: ${warning.message}`)
  }
  process.removeAllListeners('warning')
  process.on('warning', warned)
  process.on('exit', leave)
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop)
  process.on('SIGCONT', resume)
  stdout.on('resize', onResize)
  // Before Ink is there, what is typed must not appear, and waits.
  if (stdin.isTTY) stdin.setRawMode(true)
  enter()
  let app: Instance | undefined
  let closed = false
  void Promise.all([import('./keyboard.js'), import('ink')]).then(([{ openKeyboard }, ink]) => {
    if (!closed) app = openKeyboard(ink, onKeys)
  }, crash)
  return {
    out: stdout,
    get active() {
      return taken
    },
    suspend() {
      leave()
      if (stdin.isTTY) stdin.setRawMode(false)
      // The whole group, as the terminal's own Ctrl-Z would: a shell's job is more than this process.
      process.kill(0, 'SIGTSTP')
    },
    close() {
      closed = true
      app?.unmount()
      if (stdin.isTTY) stdin.setRawMode(false)
      leave()
      process.off('exit', leave)
      process.off('uncaughtException', crash)
      process.off('unhandledRejection', crash)
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.off(signal, stop)
      process.off('SIGCONT', resume)
      stdout.off('resize', onResize)
      process.off('warning', warned)
      for (const warner of warners) process.on('warning', warner)
      for (const warning of warnings) process.stderr.write(`${warning}\n`)
    },
  }
}
