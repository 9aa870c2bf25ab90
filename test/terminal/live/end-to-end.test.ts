import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeMedia } from '../../fixtures/record/media.js'
import { scenarios, toXml } from '../../fixtures/record/scenarios.js'
import { NetworkNamespace } from '../../support/netns.js'

// The program in a terminal (tmux) in a namespace of its own, and real calls of sipp over its loopback.

const root = join(import.meta.dirname, '..', '..', '..')
const work = mkdtempSync(join(tmpdir(), 'earshot-live-'))
const socket = `earshot-live-${process.pid}`
const phone = '192.0.2.10'
const pbx = '192.0.2.20'
let network: NetworkNamespace

const tmux = (...words: string[]): string =>
  network.run(
    'env',
    `HOME=${work}`,
    `XDG_CONFIG_HOME=${work}`,
    'LANG=C.UTF-8',
    'LC_ALL=C.UTF-8',
    'tmux',
    '-L',
    socket,
    '-f',
    '/dev/null',
    ...words,
  )
const keys = (...names: string[]): string => tmux('send-keys', '-t', 'live', ...names)
const type = (text: string): string => tmux('send-keys', '-t', 'live', '-l', text)
const shown = (): string => tmux('capture-pane', '-p', '-t', 'live')

async function until(what: string | RegExp, seconds = 20): Promise<string> {
  let text = ''
  for (let i = 0; i < seconds * 10; i++) {
    text = shown()
    if (typeof what === 'string' ? text.includes(what) : what.test(text)) return text
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`Not seen within ${seconds} s: ${what}\n${text}`)
}

beforeAll(() => {
  network = new NetworkNamespace()
  for (const address of [phone, pbx]) network.ip('address', 'add', `${address}/32`, 'dev', 'lo')
  writeMedia(join(work, 'good.pcap'), { packets: 200 })
  for (const scenario of scenarios.filter((s) => s.name === 'answered' || s.name === 'busy'))
    for (const side of ['uac', 'uas'] as const)
      writeFileSync(
        join(work, `${scenario.name}-${side}.xml`),
        toXml(scenario, side, join(work, 'good.pcap')).replace('milliseconds="8000"', 'milliseconds="4000"'),
      )
  tmux('-u', 'new-session', '-d', '-s', 'live', '-x', '120', '-y', '30', 'bash --norc --noprofile -i')
})
afterAll(() => {
  try {
    tmux('kill-server')
  } finally {
    network.destroy()
    rmSync(work, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
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
    type(`cd ${work}; stty -g > before`)
    keys('Enter')
    type(`${process.execPath} ${join(root, 'bin', 'run.js')} live -i lo`)
    keys('Enter')
    await until('Waiting for calls on lo')

    sipp('answered-uas', pbx, 5060, 6000, '-rtp_echo')
    sipp('busy-uas', pbx, 5070, 6100)
    await new Promise((resolve) => setTimeout(resolve, 500))
    sipp('answered-uac', phone, 5060, 7000, `${pbx}:5060`)
    sipp('busy-uac', phone, 5064, 7100, `${pbx}:5070`)
    await until(/answered +\+15550100 +\+15550123/)
    await until(/failed +\+15550100 +\+15550125.* 486/)
    await until(/PCMA +0\.0/)
    await until(/ended +\+15550100 +\+15550123/)

    keys('/')
    type('status = 200')
    keys('Enter')
    const filtered = await until('filter status = 200')
    expect(filtered).not.toContain('+15550125')

    keys('Enter')
    // tmux may be looked at in the middle of a frame: wait for the last of it.
    const ladder = await until(/200 OK \(BYE\)[\s\S]*╌ PCMA[\s\S]*1-\d+@192\.0\.2\.10/)
    expect(ladder).toMatch(/│─+ INVITE \(SDP\) ─+▶│/)
    expect(ladder).toMatch(/╌ PCMA/)
    expect(ladder).toContain('INVITE sip:+15550123@')

    keys('F2')
    await until('Save to:')
    keys('C-u')
    type('call.pcap')
    keys('Enter')
    await until(/Saved \d+ packets of the call to call\.pcap/)
    // What sipp's own account of the call is: seven messages, 200 RTP packets each way.
    const read = (filter: string): number =>
      execFileSync('tshark', ['-r', join(work, 'call.pcap'), '-d', 'udp.port==6000,rtp', '-d', 'udp.port==7000,rtp', '-Y', filter], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
        .split('\n')
        .filter((l) => l !== '').length
    expect([read('sip'), read('rtp && ip.src == 192.0.2.10'), read('rtp && ip.src == 192.0.2.20')]).toEqual([7, 200, 200])

    keys('C-z')
    await until('Stopped')
    type('stty -g > stopped; fg')
    keys('Enter')
    await until('200 OK (BYE)')
    keys('q')
    await until('filter status = 200')
    keys('q')
    await until('Quit?')
    keys('y')
    await new Promise((resolve) => setTimeout(resolve, 500))
    type('stty -g > after; echo left $?')
    keys('Enter')
    await until('left 0')
    const [before, stopped, after] = ['before', 'stopped', 'after'].map((name) => readFileSync(join(work, name), 'utf8'))
    expect(after).toBe(before)
    expect(stopped).toBe(before)
    // The shell's own screen is back, and its cursor.
    expect(shown()).toContain('stty -g > before')
    expect(tmux('display-message', '-p', '-t', 'live', '#{cursor_flag} #{alternate_on}').trim()).toBe('1 0')
  })

  test('told to end, or in a crash, it gives the terminal back too', async () => {
    // SIGUSR2 throws where nobody catches.
    writeFileSync(join(work, 'crash.mjs'), "process.on('SIGUSR2', () => { throw new Error('boom') })\n")
    for (const signal of ['TERM', 'HUP', 'USR2']) {
      tmux('send-keys', '-t', 'live', '-R')
      keys('C-l')
      rmSync(join(work, 'pid'), { force: true })
      type(
        `cd ${work}; stty -g > before; sh -c 'echo $$ > pid; exec ${process.execPath} --import ${join(work, 'crash.mjs')} ${join(root, 'bin', 'run.js')} live -r ${join(root, 'test', 'fixtures', 'pbx.pcap')}'; stty -g > after-${signal}`,
      )
      keys('Enter')
      for (let i = 0; i < 200 && !existsSync(join(work, 'pid')); i++) await new Promise((resolve) => setTimeout(resolve, 50))
      await until('over · ')
      process.kill(Number(readFileSync(join(work, 'pid'), 'utf8')), `SIG${signal}`)
      for (let i = 0; i < 100 && !existsSync(join(work, `after-${signal}`)); i++) await new Promise((resolve) => setTimeout(resolve, 100))
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(readFileSync(join(work, `after-${signal}`), 'utf8')).toBe(readFileSync(join(work, 'before'), 'utf8'))
      expect(tmux('display-message', '-p', '-t', 'live', '#{cursor_flag} #{alternate_on}').trim()).toBe('1 0')
    }
    expect(shown()).toContain('Error: boom')
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
