import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { needsRoot } from './netns.js'

/**
 * A systemd of its own, in namespaces: it sees the machine's files, read-only, and writes nothing that outlives it. /etc and /var
 * are overlays, /run and /tmp are its own, and the only units it knows are those that a test installs: nothing of the machine is
 * started, cleaned or mounted by it. Two interfaces, wire0 and wire1, are the ends of one wire.
 */
const boot = `
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir etc etc.work var var.work units
mount -t overlay overlay -o lowerdir=/etc,upperdir=etc,workdir=etc.work /etc
mount -t overlay overlay -o lowerdir=/var,upperdir=var,workdir=var.work /var
mount --bind units /etc/systemd/system
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
ip link set lo up
ip link add wire0 type veth peer name wire1
ip link set wire0 up
ip link set wire1 up
for target in sysinit basic shutdown umount network-online multi-user timers; do
  printf '[Unit]\\nDescription=%s\\nDefaultDependencies=no\\n' $target > /etc/systemd/system/$target.target
done
mount -t tmpfs tmpfs /tmp
mount -o remount,bind,ro /
if touch /usr/earshot-test 2>/dev/null; then echo 'the root is not read-only' >&2; exit 1; fi
export container=earshot SYSTEMD_UNIT_PATH=/etc/systemd/system
exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --log-level=notice --show-status=no --default-standard-output=inherit --default-standard-error=inherit
`

export const haveSystemd = existsSync('/lib/systemd/systemd') && spawnSync('nsenter', ['--version']).status === 0

export class TestSystemd {
  readonly #dir = mkdtempSync(join(tmpdir(), 'earshot-systemd-'))
  readonly #child: ChildProcess
  #pid = ''
  log = ''

  constructor() {
    needsRoot()
    writeFileSync(join(this.#dir, 'boot.sh'), boot)
    mkdirSync(join(this.#dir, 'tmpfs'))
    const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--uts', '--ipc', '--cgroup', '--net']
    this.#child = spawn('unshare', [...namespaces, 'bash', join(this.#dir, 'boot.sh'), join(this.#dir, 'tmpfs')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.log += chunk
      })
  }

  /** Waits until it takes commands. */
  async booted(): Promise<this> {
    for (let i = 0; i < 200; i++) {
      if (this.#child.exitCode !== null) throw new Error(`systemd did not start: ${this.log}`)
      this.#pid = spawnSync('ps', ['-o', 'pid=', '--ppid', String(this.#child.pid)], { encoding: 'utf8' }).stdout.trim()
      if (this.#pid !== '' && this.run('systemctl', 'is-system-running').stdout.trim() === 'running') return this
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`systemd is not ready: ${this.log}`)
  }

  run(...command: string[]): { status: number | null; stdout: string; stderr: string } {
    const env = { PATH: process.env['PATH'], HOME: '/root' }
    return spawnSync('nsenter', ['-t', this.#pid, '-m', '-p', '-n', '-i', '-u', ...command], { encoding: 'utf8', env, timeout: 60_000 })
  }

  destroy(): void {
    if (this.#pid !== '') execFileSync('kill', ['-KILL', this.#pid])
    this.#child.kill('SIGKILL')
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
