import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { haveSystemd, TestSystemd } from '../support/systemd.js'

/** The installation as an administrator types it, under a real systemd: user, sandbox, readiness, watchdog, timers. */
const root = join(import.meta.dirname, '..', '..')
const long = process.env['EARSHOT_LONG'] === '1'
// The services' user must reach Node and the checkout.
const reachable = ![root, process.execPath].some((path) => /^\/(home|root)\//.test(path))
const why = !long
  ? ' [needs EARSHOT_LONG=1]'
  : !haveSystemd || !reachable
    ? ' [needs systemd, and Node and checkout outside home directories]'
    : ''

describe.skipIf(why !== '')(`under systemd${why}`, () => {
  let systemd: TestSystemd
  let dir: string
  const earshot = (...words: string[]) => systemd.run(process.execPath, join(root, 'bin', 'run.js'), ...words)
  const property = (unit: string, name: string): string => systemd.run('systemctl', 'show', '--value', '-p', name, unit).stdout.trim()
  const dropIn = (unit: string, text: string): void => {
    systemd.run('mkdir', '-p', `/etc/systemd/system/${unit}.d`)
    systemd.run('sh', '-c', `printf '${text}' > /etc/systemd/system/${unit}.d/test.conf`)
  }
  const replay = (): void => {
    const ran = systemd.run('tcpreplay', '-q', '-i', 'wire1', '-x', '50', join(root, 'test', 'fixtures', 'pbx.pcap'))
    expect(ran.status, ran.stderr).toBe(0)
  }

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'earshot-service-'))
    systemd = await new TestSystemd().booted()
  })
  afterAll(() => {
    systemd?.destroy()
    rmSync(dir, { recursive: true, force: true })
  })

  test('one command, and it runs: as its own user, ready, with what it needs and no more', () => {
    const ran = earshot('service', 'install', 'sniff@wire0', '--enable')
    expect(ran.status, ran.stderr).toBe(0)
    expect(property('earshot-sniff@wire0', 'ActiveState')).toBe('active')
    expect(property('earshot-sniff@wire0', 'StatusText')).toMatch(/packets\/s, 0 calls/)
    const pid = property('earshot-sniff@wire0', 'MainPID')
    const status = systemd.run('cat', `/proc/${pid}/status`).stdout
    // CAP_NET_ADMIN is bit 12, CAP_NET_RAW bit 13.
    expect(status).toMatch(/^CapEff:\t0000000000003000$/m)
    expect(status).toMatch(/^CapBnd:\t0000000000003000$/m)
    expect(status).toMatch(/^NoNewPrivs:\t1$/m)
    expect(status).toMatch(/^Seccomp:\t2$/m)
    expect(systemd.run('ps', '-o', 'user=', '-p', pid).stdout.trim()).toBe('earshot')
  })

  test('status tells that all is well, and that it is not', () => {
    const well = earshot('service', 'status')
    expect(well.status, well.stderr).toBe(0)
    expect(well.stdout).toMatch(/sniff@wire0 +│ active \(running\)/)
    // A second one without a number of its own.
    expect(earshot('service', 'install', 'sniff@wire1', '--enable').status).toBe(0)
    const clash = earshot('service', 'status')
    expect(clash.status).toBe(1)
    expect(clash.stderr).toMatch(/sniff@wire0: neither it nor sniff@wire1 has an id_sensor/)
    expect(systemd.run('systemctl', 'disable', '--now', 'earshot-sniff@wire1').status).toBe(0)
  })

  test('reload ends and it is active again; the end in mid-traffic keeps every call', () => {
    expect(systemd.run('systemctl', 'reload', 'earshot-sniff@wire0').status).toBe(0)
    replay()
    expect(systemd.run('systemctl', 'stop', 'earshot-sniff@wire0').status).toBe(0)
    expect(property('earshot-sniff@wire0', 'Result')).toBe('success')
    const calls = systemd.run(
      'env',
      'STATE_DIRECTORY=/var/lib/earshot',
      process.execPath,
      join(root, 'bin', 'run.js'),
      'cdr',
      'query',
      '-o',
      'json',
    )
    expect((JSON.parse(calls.stdout) as { calls: unknown[] }).calls).toHaveLength(7)
    expect(systemd.run('stat', '-c', '%U %a', '/var/lib/earshot/calls.db').stdout.trim()).toBe('earshot 640')
  })

  test('a process that is stuck misses the watchdog, and another takes its place', async () => {
    dropIn('earshot-sniff@wire0.service', '[Service]\\nWatchdogSec=2\\nRestartSec=0\\n')
    systemd.run('systemctl', 'daemon-reload')
    expect(systemd.run('systemctl', 'start', 'earshot-sniff@wire0').status).toBe(0)
    const pid = property('earshot-sniff@wire0', 'MainPID')
    // It lives for longer than the watchdog waits …
    await new Promise((resolve) => setTimeout(resolve, 3000))
    expect(property('earshot-sniff@wire0', 'MainPID')).toBe(pid)
    // … until it is stopped in its tracks.
    systemd.run('kill', '-STOP', pid)
    await expect.poll(() => property('earshot-sniff@wire0', 'NRestarts'), { timeout: 20_000, interval: 200 }).toBe('1')
    await expect.poll(() => property('earshot-sniff@wire0', 'ActiveState'), { timeout: 20_000, interval: 200 }).toBe('active')
    expect(property('earshot-sniff@wire0', 'MainPID')).not.toBe(pid)
    systemd.run('systemctl', 'disable', '--now', 'earshot-sniff@wire0')
  }, 60_000)

  test('the other services start in their sandboxes, too', () => {
    const conf = '[mirror-send]\\ninterface = wire0\\nto = 127.0.0.1\\n[cdr-prune]\\nolder_than = 1y\\n'
    const ran = earshot('service', 'install', 'all')
    expect(ran.status, ran.stderr).toBe(0)
    systemd.run('sh', '-c', `printf '${conf}' > /etc/earshot/earshot.conf`)
    for (const name of ['mirror-recv', 'mirror-send', 'serve-manager'])
      expect([name, systemd.run('systemctl', 'start', `earshot-${name}`).status, systemd.log.slice(-800)]).toEqual([
        name,
        0,
        expect.anything(),
      ])
    replay()
    const status = earshot('service', 'status')
    expect(status.stdout).toMatch(/mirror-recv +│ active/)
    expect(status.stdout).toMatch(/serve-manager +│ active/)
    expect(status.status, status.stderr).toBe(0)
    for (const name of ['mirror-send', 'mirror-recv', 'serve-manager']) {
      systemd.run('systemctl', 'stop', `earshot-${name}`)
      expect([name, property(`earshot-${name}`, 'Result')]).toEqual([name, 'success'])
    }
  }, 60_000)

  test('jobs: yesterday to a file, old records gone', () => {
    for (const name of ['cdr-export', 'cdr-prune']) {
      const ran = systemd.run('systemctl', 'start', `earshot-${name}.service`)
      expect([name, ran.status, ran.stderr, systemd.log.slice(-500)]).toEqual([name, 0, '', expect.anything()])
    }
    expect(systemd.run('ls', '/var/lib/earshot/export').stdout).toMatch(/^calls-\d{4}-\d\d-\d\d\.ndjson\.gz$/m)
    expect(systemd.run('systemctl', 'enable', '--now', 'earshot-cdr-prune.timer').status).toBe(0)
    expect(earshot('service', 'status').stdout).toMatch(/cdr-prune\.timer +│ active \(waiting\)/)
  })

  test('uninstalled: nothing runs, nothing is left but the data', () => {
    expect(systemd.run('systemctl', 'enable', '--now', 'earshot-sniff@wire1').status).toBe(0)
    const ran = earshot('service', 'uninstall', 'all')
    expect(ran.status, ran.stderr).toBe(0)
    expect(property('earshot-sniff@wire1', 'ActiveState')).toBe('inactive')
    expect(systemd.run('sh', '-c', 'find /etc/systemd/system -name "earshot*" ! -type d').stdout).toBe('')
    expect(systemd.run('test', '-e', '/var/lib/earshot/calls.db').status).toBe(0)
  })
})
