import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { usualSettings } from '../../../src/terminal/live/model.js'
import { ansi, plain } from '../../../src/terminal/live/style.js'
import { cellsOf } from '../../../src/terminal/live/text.js'
import { type Played, play, TestScreen } from '../../support/live-screen.js'
import { office } from './made-calls.js'

// Every page at 80 and 120 columns, as text. The calls come through the real pipeline from packets made in made-calls.ts.

let played: Played
beforeAll(async () => {
  played = await play(office)
})
afterAll(() => played.finish())

function screenOf(columns: number, rows: number): TestScreen {
  const made = new TestScreen(columns, rows, played.source)
  for (const changes of played.changes) made.event({ kind: 'changes', changes })
  made.event({ kind: 'source', status: { name: 'made', state: 'live', services: [stats] } })
  return made.settle()
}

const stats = {
  service: 'sniff',
  uptimeSeconds: 60,
  captureTime: 1_700_000_012e6,
  packets: 5000,
  rtp: 4900,
  sip: 40,
  calls: 7,
  open: 5,
  kernel: { received: 5100, dropped: 100 },
  records: { stored: 12, dropped: 0, waiting: 3 },
  spool: { files: 7, packets: 5000, bytes: 1_100_000, dropped: 0 },
  odd: { 'RTP without a call': 4 },
  cpuSeconds: 3,
  rssBytes: 90 * 2 ** 20,
  packetsPerSecond: 510,
  cpuPercent: 4,
}

const sizes = [
  [80, 24],
  [120, 32],
] as const

const pages: readonly [name: string, prepare: (screen: TestScreen) => Promise<TestScreen> | TestScreen][] = [
  ['calls', (s) => s],
  ['calls-names', (s) => s.type('uu').type('u').type('u')],
  ['calls-marked-filtered', (s) => s.type(' j ').type('/mos < 4.2\r')],
  ['calls-filter-error', (s) => s.type('/mos <\r')],
  ['calls-save', (s) => s.type('s')],
  ['calls-columns', (s) => s.type('t')],
  ['calls-sideways', (s) => s.type('llll')],
  ['calls-filter-form', (s) => s.type('fbob').type('\t\t10.0.0.0/24, 192.0.2.1\t\t\t\u001b[C\u001b[C ')],
  ['calls-filter-form-error', (s) => s.type('F\t\tnowhere\r')],
  ['calls-filter-form-typed', (s) => s.type('/mos < 4 or loss > 1\r').type('f2000')],
  ['calls-settings', (s) => s.type('ojj')],
  ['call', (s) => s.type('j\r').loaded()],
  ['call-clock-sdp', async (s) => (await s.type('j\r').loaded()).type('wwd')],
  ['call-retransmitted', (s) => s.type('G\r').loaded()],
  ['call-several', (s) => s.type(' '.repeat(3)).type('\r').loaded()],
  ['message', async (s) => (await s.type('\r').loaded()).type('jjj\r')],
  ['message-sideways', async (s) => (await s.type('\r').loaded()).type('\rll')],
  ['call-message', async (s) => (await s.type('\r').loaded()).type('\tjjjl')],
  ['diff', async (s) => (await s.type('\r').loaded()).type(' ').type('jj ').type('\r')],
  ['streams', async (s) => (await s.type('j\r').loaded()).type('3')],
  ['statistics', (s) => s.type('4')],
  ['sensors', (s) => s.type('5')],
  ['help', (s) => s.type('?')],
]

describe.each(sizes)('%i × %i', (columns, rows) => {
  test.each(pages)('%s', async (name, prepare) => {
    const screen = await prepare(screenOf(columns, rows))
    await expect(screen.text()).toMatchFileSnapshot(join('..', '..', 'golden', 'live', `${name}-${columns}.txt`))
  })

  test.each(pages)('%s: every line is as wide as the screen at most, and there are as many as it has', async (_, prepare) => {
    const { lines } = (await prepare(screenOf(columns, rows))).frame()
    expect(lines.length).toBe(rows)
    for (const line of lines) expect(cellsOf(plain(line))).toBeLessThanOrEqual(columns)
  })

  test.each(pages)('%s: nothing a caller wrote reaches the terminal as a control byte', async (_, prepare) => {
    const { lines } = (await prepare(screenOf(columns, rows))).frame()
    for (const depth of [1, 4, 8, 24] as const) {
      for (const line of lines) {
        const sent = ansi(line, columns, { depth, unicode: true })
        // biome-ignore lint/suspicious/noControlCharactersInRegex: our own colours are taken out first.
        expect(sent.replace(/\u001b\[[0-9;]*m/g, '')).not.toMatch(/[\p{Cc}\u202a-\u202e]/u)
      }
    }
  })

  test('ASCII only', async () => {
    const screen = await screenOf(columns, rows).type('j\r').loaded()
    for (const line of screen.frame(false).lines)
      expect([...ansi(line, columns, { depth: 1, unicode: false })].every((c) => c === '\u001b' || (c >= ' ' && c <= '~'))).toBe(true)
    await expect(screen.text(false)).toMatchFileSnapshot(join('..', '..', 'golden', 'live', `call-ascii-${columns}.txt`))
  })
})

test('sizes from tiny to ultra wide', async () => {
  for (const [columns, rows] of [
    [10, 3],
    [40, 8],
    [53, 11],
    [80, 24],
    [211, 50],
    [400, 100],
  ] as const) {
    for (const [, prepare] of pages) {
      const screen = await prepare(screenOf(columns, rows))
      const { lines } = screen.frame()
      expect(lines.length).toBe(rows)
      for (const line of lines) expect(cellsOf(plain(line))).toBeLessThanOrEqual(Math.max(columns, 0))
    }
  }
})

test('a name for an address stands wherever the address did', () => {
  const screen = screenOf(160, 24).type('a').type('Office\r')
  expect(screen.text()).toContain('Office:5060')
  expect(screen.effects.at(-1)).toMatchObject({ kind: 'remember', settings: { columns: usualSettings.columns } })
})
