/**
 * The pictures of docs/live.md, from a real run: sipp calls on the loopback of a namespace, `earshot live` in a tmux, its screen as SVG
 * (scripts/screenshot.ts). As root, after npm run build: `npx tsx scripts/screens.ts`. Needs sipp, tmux, iproute2; takes a minute.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Media, writeMedia } from '../test/fixtures/record/media.js'
import { scenarios, toXml } from '../test/fixtures/record/scenarios.js'
import { NetworkNamespace } from '../test/support/netns.js'
import { TestTerminal } from '../test/support/tmux.js'

const root = join(import.meta.dirname, '..')
const work = mkdtempSync(join(tmpdir(), 'earshot-screens-'))
const pbx = '192.0.2.20'
const callers: readonly [display: string, number: string, callee: string, media: Partial<Media>][] = [
  ['Alice Sample', '+15550100', '+15550123', {}],
  ['Bob Example', '+15550101', '+15550124', { loseEvery: 25, jitterMs: 45 }],
  ['Žofie Démo', '+15550102', '+15550199', {}],
  ['日本 太郎', '+15550103', '+15550127', {}],
  ['Support 👩‍💻', '+15550104', '+15550130', {}],
  ['Dave Test', '+15550105', '+15550131', { loseEvery: 100, jitterMs: 12 }],
  ['Eve Demo', '+15550106', '+15550132', {}],
  ['שירה', '+15550107', '+15550133', {}],
]
const TALK_MS = 60_000

const network = new NetworkNamespace()
try {
  const phones = [10, 11, 12].map((n) => `192.0.2.${n}`)
  for (const address of [...phones, pbx]) network.ip('address', 'add', `${address}/32`, 'dev', 'lo')
  const terminal = new TestTerminal(network, { home: work, columns: 120, rows: 26, env: { TERM: 'xterm-256color' } })
  try {
    await pictures(terminal, phones)
  } finally {
    terminal.close()
  }
} finally {
  network.destroy()
  rmSync(work, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
}

async function pictures(terminal: TestTerminal, phones: readonly string[]): Promise<void> {
  const [answered, busy] = ['answered', 'busy'].map((name) => scenarios.find((s) => s.name === name))
  if (answered === undefined || busy === undefined) throw new Error('no scenario')
  terminal.run(`${process.execPath} ${join(root, 'bin', 'run.js')} live -i lo`)
  await terminal.until('Waiting for calls on lo')
  terminal.keys('u')
  callers.forEach(([display, number, to, media], i) => {
    const path = join(work, `${i}.pcap`)
    writeMedia(path, { packets: TALK_MS / 20, ...media })
    const xml = (side: 'uac' | 'uas'): string => {
      const file = join(work, `${i}-${side}.xml`)
      writeFileSync(file, toXml({ ...answered, from: [display, number], to }, side, path).replace('"8000"', `"${TALK_MS + 5000}"`))
      return file
    }
    const ports = (side: 'uac' | 'uas', port: number, mediaPort: number): string[] => [
      '-sf',
      xml(side),
      '-p',
      String(port),
      '-mp',
      String(mediaPort),
      '-m',
      '1',
      '-nostdin',
      '-timeout',
      '120',
    ]
    network.spawn('sipp', ...ports('uas', 5100 + i, 20_000 + 10 * i), '-i', pbx, '-rtp_echo')
    setTimeout(
      () =>
        network.spawn('sipp', ...ports('uac', 5200 + i, 30_000 + 10 * i), '-i', phones[i % phones.length] as string, `${pbx}:${5100 + i}`),
      1000 + 1500 * i,
    )
  })
  for (const side of ['uas', 'uac'] as const) writeFileSync(join(work, `busy-${side}.xml`), toXml(busy, side, ''))
  const once = ['-m', '1', '-nostdin', '-timeout', '60']
  network.spawn('sipp', '-sf', join(work, 'busy-uas.xml'), '-i', pbx, '-p', '5070', ...once)
  await pause(1000 + 1500 * callers.length)
  network.spawn('sipp', '-sf', join(work, 'busy-uac.xml'), '-i', phones[0] as string, '-p', '5064', ...once, `${pbx}:5070`)
  await terminal.until(/failed.* 486/)
  await pause(12_000)
  terminal.keys('g', 'j')
  const take = async (name: string, shows: RegExp): Promise<void> => {
    await terminal.until(shows)
    // The last of the frame.
    await pause(500)
    const screen = terminal.tmux('capture-pane', '-e', '-N', '-p', '-t', 'live')
    const svg = execFileSync(process.execPath, ['--import', 'tsx', join(root, 'scripts', 'screenshot.ts'), '--columns', '120'], {
      input: screen,
    })
    writeFileSync(join(root, 'docs', 'images', `live-${name}.svg`), svg)
  }
  await take('calls', /2 of 9/)
  terminal.keys('f')
  terminal.type('bob')
  terminal.keys('Tab', 'Tab')
  terminal.type('192.0.2.0/24')
  terminal.keys('Tab', 'Tab', 'Tab', 'Tab')
  terminal.type('mos < 4')
  await take('filter', /which is/)
  terminal.keys('Enter')
  await terminal.until('1 of 1')
  terminal.keys('Enter')
  await take('call', /INVITE sip:[\s\S]*PCMA/)
  terminal.keys('3')
  await take('streams', /packets lost a second/)
  terminal.keys('4')
  await take('statistics', /Since the start/)
  terminal.keys('C-c')
}
