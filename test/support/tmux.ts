import { execFileSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import type { NetworkNamespace } from './netns.js'

let made = 0

/** A terminal (tmux, a server of its own) in a namespace, with a shell in it: keys in, the screen as text out. */
export class TestTerminal {
  readonly #server: readonly string[]

  constructor(
    network: NetworkNamespace,
    options: { readonly home: string; readonly columns?: number; readonly rows?: number; readonly env?: Readonly<Record<string, string>> },
  ) {
    this.#server = ['-L', `earshot-${process.pid}-${++made}`, '-f', '/dev/null']
    const env = { HOME: options.home, XDG_CONFIG_HOME: options.home, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', ...options.env }
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const size = ['-x', String(options.columns ?? 120), '-y', String(options.rows ?? 30)]
    const session = ['-u', 'new-session', '-d', '-s', 'live', ...size, 'bash --norc --noprofile -i']
    network.run('env', ...variables, 'tmux', ...this.#server, ...session)
    this.run("PS1='shell> '; clear")
  }

  /** The server is in the namespace; its socket can be reached from everywhere. */
  tmux(...words: string[]): string {
    return execFileSync('tmux', [...this.#server, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  }

  /** Keys by their tmux names: `Enter`, `F2`, `C-z`. */
  keys(...names: string[]): void {
    this.tmux('send-keys', '-t', 'live', ...names)
  }

  type(text: string): void {
    this.tmux('send-keys', '-t', 'live', '-l', text)
  }

  /** A command of the shell. */
  run(command: string): void {
    this.type(command)
    this.keys('Enter')
  }

  shown(): string {
    return this.tmux('capture-pane', '-p', '-t', 'live')
  }

  /** Waits until the screen shows it; answers the screen. */
  async until(what: string | RegExp, seconds = 40): Promise<string> {
    let text = ''
    for (const endMs = performance.now() + seconds * 1000; performance.now() < endMs; await pause(100)) {
      text = this.shown()
      if (typeof what === 'string' ? text.includes(what) : what.test(text)) return text
    }
    throw new Error(`Not seen within ${seconds} s: ${what}\n${text}`)
  }

  /** The program has ended: the shell waits, on an empty screen. */
  async back(): Promise<void> {
    await this.until(/^shell> *\n*$/m)
    this.run('clear')
    await this.until(/^shell> *\n*$/)
  }

  close(): void {
    this.tmux('kill-server')
  }
}
