import { type ChildProcess, execFileSync, spawn } from 'node:child_process'

/** Network namespaces for tests that need real interfaces: nothing they send reaches the machine's own network. */

/** Throws, rather than skips, when the test cannot make what it needs. */
export function needsRoot(): void {
  if (process.getuid?.() !== 0)
    throw new Error(
      'This test makes a network namespace and captures in it, which only root may do. Run the tests as root (sudo -E npm test).',
    )
}

let made = 0

export class NetworkNamespace {
  readonly name: string
  readonly #children = new Set<ChildProcess>()

  constructor() {
    needsRoot()
    this.name = `earshot-${process.pid}-${++made}`
    execFileSync('ip', ['netns', 'add', this.name])
    this.ip('link', 'set', 'dev', 'lo', 'up')
  }

  /** Runs `ip` inside; throws with its message when it fails. */
  ip(...words: string[]): string {
    return execFileSync('ip', ['-n', this.name, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  }

  /** Two ends of one wire, both up. IPv6 is off, so that nothing talks on it by itself. */
  veth(a: string, b: string): void {
    this.run('sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1', 'net.ipv6.conf.all.disable_ipv6=1')
    this.ip('link', 'add', a, 'type', 'veth', 'peer', 'name', b)
    this.ip('link', 'set', 'dev', a, 'up')
    this.ip('link', 'set', 'dev', b, 'up')
  }

  /** Runs a command to its end; answers what it printed. */
  run(command: string, ...words: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.name, command, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  }

  /** Starts a command; it is ended with the namespace at the latest. */
  spawn(command: string, ...words: string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.name, command, ...words], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return child
  }

  destroy(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    execFileSync('ip', ['netns', 'del', this.name])
  }
}
