import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeMedia } from '../../fixtures/record/media.js'
import { scenarios, toXml } from '../../fixtures/record/scenarios.js'
import { NetworkNamespace } from '../../support/netns.js'
import { removeDirectory } from '../../support/remove.js'
import { TestTerminal } from '../../support/tmux.js'

// The program in a terminal (tmux) in a namespace of its own, and real calls of sipp over its loopback.

const root = join(import.meta.dirname, '..', '..', '..')
const work = mkdtempSync(join(tmpdir(), 'earshot-live-'))
const phone = '192.0.2.10'
const pbx = '192.0.2.20'
let network: NetworkNamespace
let terminal: TestTerminal

beforeAll(() => {
  network = new NetworkNamespace()
  for (const address of [phone, pbx]) network.ip('address', 'add', `${address}/32`, 'dev', 'lo')
  // Three of four seconds: sipp stops its sender of media when the call ends, and under load that is late (200 packets became 195).
  writeMedia(join(work, 'good.pcap'), { packets: 150 })
  for (const scenario of scenarios.filter((s) => s.name === 'answered' || s.name === 'busy'))
    for (const side of ['uac', 'uas'] as const)
      writeFileSync(
        join(work, `${scenario.name}-${side}.xml`),
        toXml(scenario, side, join(work, 'good.pcap')).replace('milliseconds="8000"', 'milliseconds="4000"'),
      )
  terminal = new TestTerminal(network, { home: work })
})
afterAll(async () => {
  try {
    terminal.close()
  } finally {
    network.destroy()
    await removeDirectory(work)
  }
})

const sipp = (name: string, own: string, port: number, media: number, ...words: string[]): void => {
  const child = spawn(
    'ip',
    [
      'netns',
      'exec',
      network.name,
      'sipp',
      '-sf',
      join(work, `${name}.xml`),
      '-i',
      own,
      '-p',
      String(port),
      '-mp',
      String(media),
      '-nostdin',
      '-timeout',
      '30',
      '-m',
      '1',
      ...words,
    ],
    { cwd: work, stdio: 'ignore' },
  )
  child.unref()
}

describe('earshot live', () => {
  test('start, watch, filter, a ladder, a pcap that tshark reads, Ctrl-Z and back, quit; the terminal is as it was', async () => {
    terminal.type(`cd ${work}; stty -g > before`)
    terminal.keys('Enter')
    terminal.type(`${process.execPath} ${join(root, 'bin', 'run.js')} live -i lo`)
    terminal.keys('Enter')
    await terminal.until('Waiting for calls on lo')

    sipp('answered-uas', pbx, 5060, 6000, '-rtp_echo')
    sipp('busy-uas', pbx, 5070, 6100)
    await new Promise((resolve) => setTimeout(resolve, 500))
    sipp('answered-uac', phone, 5060, 7000, `${pbx}:5060`)
    sipp('busy-uac', phone, 5064, 7100, `${pbx}:5070`)
    await terminal.until(/answered +\+15550100 +\+15550123/)
    await terminal.until(/failed +\+15550100 +\+15550125.* 486/)
    await terminal.until(/PCMA +0\.0/)
    await terminal.until(/ended +\+15550100 +\+15550123/)

    terminal.keys('/')
    terminal.type('status = 200')
    terminal.keys('Enter')
    const filtered = await terminal.until('filter status = 200')
    expect(filtered).not.toContain('+15550125')

    terminal.keys('Enter')
    // tmux may be looked at in the middle of a frame: wait for the last of it.
    const ladder = await terminal.until(/200 OK \(BYE\)[\s\S]*╌ PCMA[\s\S]*1-\d+@192\.0\.2\.10/)
    expect(ladder).toMatch(/│─+ INVITE \(SDP\) ─+▶│/)
    expect(ladder).toMatch(/╌ PCMA/)
    expect(ladder).toContain('INVITE sip:+15550123@')

    terminal.keys('F2')
    await terminal.until('Save to:')
    terminal.keys('C-u')
    terminal.type('call.pcap')
    terminal.keys('Enter')
    await terminal.until(/Saved \d+ packets of the call to call\.pcap/)
    // What sipp's own account of the call is: seven messages, 150 RTP packets each way.
    const read = (filter: string): number =>
      execFileSync('tshark', ['-r', join(work, 'call.pcap'), '-d', 'udp.port==6000,rtp', '-d', 'udp.port==7000,rtp', '-Y', filter], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
        .split('\n')
        .filter((l) => l !== '').length
    expect([read('sip'), read('rtp && ip.src == 192.0.2.10'), read('rtp && ip.src == 192.0.2.20')]).toEqual([7, 150, 150])

    terminal.keys('C-z')
    await terminal.until('Stopped')
    terminal.type('stty -g > stopped; fg')
    terminal.keys('Enter')
    await terminal.until('200 OK (BYE)')
    terminal.keys('q')
    await terminal.until('filter status = 200')
    terminal.keys('q')
    await terminal.until('Quit?')
    terminal.keys('y')
    await new Promise((resolve) => setTimeout(resolve, 500))
    terminal.type('stty -g > after; echo left $?')
    terminal.keys('Enter')
    await terminal.until('left 0')
    const [before, stopped, after] = ['before', 'stopped', 'after'].map((name) => readFileSync(join(work, name), 'utf8'))
    expect(after).toBe(before)
    expect(stopped).toBe(before)
    // The shell's own screen is back, and its cursor.
    expect(terminal.shown()).toContain('stty -g > before')
    expect(terminal.tmux('display-message', '-p', '-t', 'live', '#{cursor_flag} #{alternate_on}').trim()).toBe('1 0')
  })

  test('told to end, or in a crash, it gives the terminal back too', async () => {
    // SIGUSR2 throws where nobody catches.
    writeFileSync(join(work, 'crash.mjs'), "process.on('SIGUSR2', () => { throw new Error('boom') })\n")
    for (const signal of ['TERM', 'HUP', 'USR2']) {
      terminal.tmux('send-keys', '-t', 'live', '-R')
      terminal.keys('C-l')
      rmSync(join(work, 'pid'), { force: true })
      terminal.type(
        `cd ${work}; stty -g > before; sh -c 'echo $$ > pid; exec ${process.execPath} --import ${join(work, 'crash.mjs')} ${join(root, 'bin', 'run.js')} live -r ${join(root, 'test', 'fixtures', 'pbx.pcap')}'; stty -g > after-${signal}`,
      )
      terminal.keys('Enter')
      for (let i = 0; i < 200 && !existsSync(join(work, 'pid')); i++) await new Promise((resolve) => setTimeout(resolve, 50))
      await terminal.until('over · ')
      process.kill(Number(readFileSync(join(work, 'pid'), 'utf8')), `SIG${signal}`)
      for (let i = 0; i < 100 && !existsSync(join(work, `after-${signal}`)); i++) await new Promise((resolve) => setTimeout(resolve, 100))
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(readFileSync(join(work, `after-${signal}`), 'utf8')).toBe(readFileSync(join(work, 'before'), 'utf8'))
      expect(terminal.tmux('display-message', '-p', '-t', 'live', '#{cursor_flag} #{alternate_on}').trim()).toBe('1 0')
    }
    expect(terminal.shown()).toContain('Error: boom')
  })

  test('where stdout is no terminal it prints lines and draws nothing', () => {
    const out = execFileSync(process.execPath, [join(root, 'bin', 'run.js'), 'live', '-r', join(root, 'test', 'fixtures', 'pbx.pcap')], {
      encoding: 'utf8',
    })
    expect(out).not.toContain('\u001b')
    expect(out).toMatch(/^\d\d:\d\d:\d\d {2}ended {5} {2}\+15550100 → \+15550123 {2}200 OK/m)
    expect(out).toMatch(/failed {4} {2}\+15550100 → \+15550125 {2}486 Busy Here/)
  })
})
