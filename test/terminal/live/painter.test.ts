import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { canDraw, themeFor } from '../../../src/terminal/live/capabilities.js'
import { type Settings, usualSettings } from '../../../src/terminal/live/model.js'
import { FramePace, Painter } from '../../../src/terminal/live/painter.js'
import { readSettings, writeSettings } from '../../../src/terminal/live/settings-file.js'

// From frames to bytes, what a terminal can show, and what is remembered.

const frame = (...lines: string[]) => ({ lines: lines.map((text) => ({ spans: [['text', text] as const] })), cursor: undefined })

describe('the painter', () => {
  const sent: string[] = []
  const out = { write: (text: string) => sent.push(text) > 0, writableNeedDrain: false }
  const painter = new Painter(out, { depth: 1, unicode: true })

  test('sends lines that changed, and nothing when none did', () => {
    painter.paint(frame('one', 'two', 'three'), 20)
    painter.paint(frame('one', 'TWO', 'three'), 20)
    painter.paint(frame('one', 'TWO', 'three'), 20)
    expect(sent.length).toBe(2)
    expect(sent[1]).toContain('\u001b[2;1H')
    expect(sent[1]).toContain('TWO')
    expect(sent[1]).not.toContain('one')
  })

  test('after a change of size, or when something else wrote there, everything', () => {
    painter.paint(frame('one', 'TWO', 'three'), 30)
    painter.forget()
    painter.paint(frame('one', 'TWO', 'three'), 30)
    expect(sent.slice(2).every((text) => text.includes('one') && text.includes('three'))).toBe(true)
  })

  test('a terminal that does not keep up gets no frame, and later the newest', () => {
    const slow = { write: (text: string) => sent.push(text) > 0, writableNeedDrain: true }
    const other = new Painter(slow, { depth: 1, unicode: true })
    const before = sent.length
    expect(other.paint(frame('a'), 10)).toBe(false)
    slow.writableNeedDrain = false
    expect(other.paint(frame('b'), 10)).toBe(true)
    expect([sent.length, sent.at(-1)?.includes('b')]).toEqual([before + 1, true])
  })
})

test('ten frames a second at most, however many keys; a single key is answered at once', () => {
  const pace = new FramePace()
  const drawn: number[] = []
  for (let now = 0; now < 3000; ) {
    const wait = pace.waitMs(now, true)
    now += Math.max(wait, 1)
    if (pace.waitMs(now, true) > 0) continue
    pace.drawn(now)
    drawn.push(now)
  }
  for (const at of drawn) expect(drawn.filter((other) => other >= at && other < at + 1000).length).toBeLessThanOrEqual(10)
  const quiet = new FramePace()
  quiet.drawn(0)
  expect(quiet.waitMs(100, true)).toBe(0)
  expect(quiet.waitMs(100, false)).toBeGreaterThan(0)
})

describe('what the terminal can show', () => {
  const env = { LANG: 'en_US.UTF-8', TERM: 'xterm-256color' }
  const facts = { env, depth: 8, colour: 'auto', ascii: false } as const
  test.each([
    ['as it says', {}, { depth: 8, unicode: true }],
    ['NO_COLOR', { env: { ...env, NO_COLOR: '1' } }, { depth: 1, unicode: true }],
    ['an empty NO_COLOR is none', { env: { ...env, NO_COLOR: '' } }, { depth: 8, unicode: true }],
    ['asked for in spite of it', { env: { ...env, NO_COLOR: '1' }, colour: 'always' }, { depth: 8, unicode: true }],
    ['never', { colour: 'never', depth: 24 }, { depth: 1, unicode: true }],
    ['always, on a terminal that says nothing', { colour: 'always', depth: 1 }, { depth: 4, unicode: true }],
    ['true colour', { depth: 24 }, { depth: 24, unicode: true }],
    ['LC_ALL wins over LANG', { env: { ...env, LC_ALL: 'C' } }, { depth: 8, unicode: false }],
    ['no locale', { env: { TERM: 'xterm' } }, { depth: 8, unicode: false }],
    ['the Linux console', { env: { ...env, TERM: 'linux' }, depth: 4 }, { depth: 4, unicode: false }],
    ['--ascii', { ascii: true }, { depth: 8, unicode: false }],
  ] as const)('%s', (_, change, want) => expect(themeFor({ ...facts, ...change })).toEqual(want))
})

test.each([
  ['a terminal', true, true, 'xterm', true],
  ['a pipe behind it', true, false, 'xterm', false],
  ['no keyboard', false, true, 'xterm', false],
  ['the shell of an editor', true, true, 'dumb', false],
] as const)('whether a screen can be drawn: %s', (_, keyboard, screen, TERM, want) =>
  expect(canDraw({ stdin: { isTTY: keyboard }, stdout: { isTTY: screen } }, { TERM })).toBe(want),
)

describe('what is remembered', () => {
  const dir = mkdtempSync(join(tmpdir(), 'earshot-settings-'))
  const path = join(dir, 'deep', 'live.json')
  afterAll(() => rmSync(dir, { recursive: true }))

  test('nothing yet', () => expect(readSettings(path)).toEqual({ settings: usualSettings, keys: {} }))

  test('comes back, and what a person wrote by hand stays', () => {
    const settings = { ...usualSettings, columns: ['mos', 'from'] as const, aliases: new Map([['10.0.0.1', 'PBX']]) }
    writeSettings(path, settings)
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), keys: { copy: ['x'] } }))
    writeSettings(path, settings)
    expect(readSettings(path)).toEqual({ settings, keys: { copy: ['x'] } })
  })

  test('every setting comes back; a value that this version does not know is the usual one', () => {
    const settings: Settings = {
      columns: ['from'],
      sort: { column: 'mos', descending: true },
      parties: 'name',
      aliases: new Map([['10.0.0.1', 'PBX']]),
      names: false,
      follow: true,
      colours: 'call',
      time: 'clock',
      colour: 'never',
      ascii: true,
    }
    writeSettings(path, settings)
    expect(readSettings(path).settings).toEqual(settings)
    const strange = Object.fromEntries(Object.keys(settings).map((name) => [name, 'strange']))
    writeFileSync(path, JSON.stringify(strange))
    expect(readSettings(path).settings).toEqual(usualSettings)
  })

  test.each([
    ['{', /JSON/],
    ['[]', /not a JSON object/],
    ['{"keys": {"fly": ["x"]}}', /"fly"/],
    ['{"keys": {"copy": []}}', /"copy"/],
  ])('%s is an error that says so', (text, message) => {
    writeFileSync(path, text)
    expect(() => readSettings(path)).toThrow(message)
  })
})
