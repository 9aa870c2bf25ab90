import { describe, expect, test } from 'vitest'
import { readIni } from '../../../src/lib/settings/ini.js'

interface Case {
  name: string
  text: string
  want: readonly [section: string, key: string, value: string, line: number][]
  problems?: readonly number[]
}

const cases: Case[] = [
  { name: 'before the first header it is general', text: 'a = 1', want: [['general', 'a', '1', 1]] },
  {
    name: 'sections, in any case',
    text: '[Sniff]\na=1\n[sniff@Eth1]\nb=2',
    want: [
      ['sniff', 'a', '1', 2],
      ['sniff@Eth1', 'b', '2', 4],
    ],
  },
  { name: 'keys in any case, dashes too', text: 'Sip-Register = yes', want: [['general', 'sip_register', 'yes', 1]] },
  {
    name: 'comments have lines of their own',
    text: '# one\n  ; two\nfilter = port 5060 # not one',
    want: [['general', 'filter', 'port 5060 # not one', 3]],
  },
  {
    name: 'a value holds = ; and #',
    text: 'store = mysql://u@h/d?ssl-mode=required;#',
    want: [['general', 'store', 'mysql://u@h/d?ssl-mode=required;#', 1]],
  },
  {
    name: 'quotes keep spaces',
    text: 'a = "  b "\nc = \'d\'',
    want: [
      ['general', 'a', '  b ', 1],
      ['general', 'c', 'd', 2],
    ],
  },
  { name: 'one quote is a character', text: 'a = "b', want: [['general', 'a', '"b', 1]] },
  { name: 'an empty value', text: 'a =', want: [['general', 'a', '', 1]] },
  {
    name: 'repeated keys stay apart',
    text: 'a=1\na=2',
    want: [
      ['general', 'a', '1', 1],
      ['general', 'a', '2', 2],
    ],
  },
  { name: 'a file from another system', text: '\uFEFF[general]\r\na = 1\r\n', want: [['general', 'a', '1', 2]] },
  {
    name: 'what is no line is a problem, and the rest is read',
    text: 'hello\n= 3\n[open\na = 1',
    want: [['general', 'a', '1', 4]],
    problems: [1, 2, 3],
  },
]

test.each(cases)('$name', ({ text, want, problems = [] }) => {
  const read = readIni(text)
  expect(read.entries.map(({ section, key, value, line }) => [section, key, value, line])).toEqual(want)
  expect(read.problems.map(({ line }) => line)).toEqual(problems)
})

describe('a file that is none', () => {
  test('ends soon', () => {
    const read = readIni(Array.from({ length: 100_000 }, () => '\u0001\u0002 garbage').join('\n'))
    expect(read.problems.length).toBeLessThan(60)
  })

  test('breaks nothing, whatever is in it', () => {
    // A generator of its own, so that a failure comes again.
    let seed = 1
    const random = (n: number): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % n
    }
    const pieces = ['[', ']', '=', ';', '#', '"', '\n', '\r\n', ' ', 'a', 'sniff', '@', '\u0000', '\uffff', '-', '9', '\t']
    for (let i = 0; i < 2000; i++) {
      const text = Array.from({ length: random(60) }, () => pieces[random(pieces.length)]).join('')
      const lines = text.split(/\r?\n/)
      for (const { key, value, line } of readIni(text).entries) {
        expect(key).toMatch(/^\w[\w.]*$/)
        expect(lines[line - 1]).toContain(value)
      }
    }
  })

  test('a problem repeats no secret and no control character', () => {
    const [problem] = readIni('pass\u001b[31mword hunter2').problems
    expect(problem?.message).not.toContain('hunter2')
    expect(problem?.message).not.toContain('\u001b')
  })
})
