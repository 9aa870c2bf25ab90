import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { cellsOf, clip, fitEnds, fitted, shown } from '../../../src/terminal/live/text.js'

// What strangers write as names, and how it stands in a column.
const names = [
  'Alice',
  'Žofie Nováková',
  '日本語テスト',
  '한국어',
  '👩‍👩‍👧 family',
  '🇨🇿 Praha',
  '☎️ desk',
  '👍🏽 ok',
  'e\u0301a\u0302\u0303\u0304\u0305 zalgo',
  '\u0301mark first',
  'שלום עולם',
  'مرحبا بالعالم',
  'tab\tbell\u0007esc\u001b[31mred',
  'rtl \u202e override',
  'soft\u00adhyphen zero\u200bwidth',
  'ｆｕｌｌ ｗｉｄｔｈ',
]

describe('a terminal agrees about the cells', () => {
  test('tmux’s cursor stands where the column ends', () => {
    const socket = `earshot-text-${process.pid}`
    const tmux = (...args: string[]): string =>
      execFileSync('tmux', ['-L', socket, '-f', '/dev/null', ...args], {
        encoding: 'utf8',
        env: { ...process.env, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' },
      })
    /** Where the cursor is, after some patience for the column it should come to. */
    const cursor = (wanted: number): number => {
      let at = -1
      for (let tries = 0; tries < 100 && at !== wanted; tries++) at = Number(tmux('display-message', '-p', '#{cursor_x}'))
      return at
    }
    tmux('-u', 'new-session', '-d', '-x', '100', '-y', '20', 'stty -echo -icanon; cat')
    try {
      const wrong: string[] = []
      for (const name of names) {
        tmux('send-keys', '-l', '\r')
        if (cursor(0) !== 0) throw new Error('The line did not begin.')
        tmux('send-keys', '-l', fitted(shown(name), 24))
        const at = cursor(24)
        if (at !== 24) wrong.push(`${JSON.stringify(name)}: ${at}`)
      }
      expect(wrong).toEqual([])
    } finally {
      tmux('kill-server')
    }
  })
})

test('no control byte and nothing that turns the line round is left', () => {
  for (const name of names) expect(shown(name)).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u)
})

describe('cutting', () => {
  test.each([
    ['Alice', 5, 'Alice'],
    ['Alice', 4, 'Ali…'],
    ['日本語', 5, '日本…'],
    // A wide sign that does not fit leaves a cell.
    ['日本語', 4, '日…'],
    ['Alice', 0, ''],
  ])('%s in %i cells', (text, cells, want) => {
    expect(clip(text, cells)).toBe(want)
    expect(cellsOf(clip(text, cells))).toBeLessThanOrEqual(cells)
  })

  test('both ends of an address stay', () => expect(fitEnds('192.0.2.10:5060 > 192.0.2.20:5060', 20)).toBe('192.0.2.10…2.20:5060'))
})
