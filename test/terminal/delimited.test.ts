import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { csvCell, jsonText, tsvCell } from '../../src/terminal/delimited.js'

describe('a cell of a spreadsheet', () => {
  test.each<[name: string, value: string | number | null, csv: string]>([
    ['a number stays a number', -1.5, '-1.5'],
    ['unknown is empty', null, ''],
    ['a phone number stays as it is', '+420123456789', '+420123456789'],
    ['plain text', 'Asterisk PBX 18.4', 'Asterisk PBX 18.4'],
    ['a comma is quoted', 'Doe, John', '"Doe, John"'],
    ['a quote is doubled', 'Bob "B" Doe', '"Bob ""B"" Doe"'],
    ['a formula', '=1+2', "'=1+2"],
    ['a command', "=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"],
    ['a formula behind a space', ' =1+2', "' =1+2"],
    ['a formula that begins with plus', '+1+2', "'+1+2"],
    ['plus and a function', '+HYPERLINK("http://x")', '"\'+HYPERLINK(""http://x"")"'],
    ['a formula that begins with minus', '-1+cmd', "'-1+cmd"],
    ['the old @ of spreadsheets', '@SUM(1)', "'@SUM(1)"],
    ['a wide equals sign', '＝1', "'＝1"],
    ['a tab before it', '\t=1', '·=1'],
    ['a second cell, where ; separates', 'x;=1+2', '"x;\'=1+2"'],
    ['a second cell in quotes', 'x;"=1+2', '"x;""\'=1+2"'],
    ['escape sequences', '\u001b[2J\u009b1m\r\n', '·[2J·1m··'],
    ['turned writing direction', 'a\u202eb', 'a·b'],
  ])('%s', (_, value, csv) => expect(csvCell(value)).toBe(csv))

  test('a tab cannot make a second cell', () => expect(tsvCell('a\t=1')).toBe('a·=1'))

  test('another program reads back what was written', () => {
    const cells = ['Doe, John', 'Bob "B"', '+420123456789', 'Jiří ☎', '']
    const out = execFileSync('python3', ['-c', 'import csv,sys,json;print(json.dumps(list(csv.reader(sys.stdin,strict=True))))'], {
      input: `${cells.map(csvCell).join(',')}\r\n`,
      encoding: 'utf8',
    })
    expect(JSON.parse(out)).toEqual([cells])
  })
})

test('JSON shows nothing to a terminal, and means the same', () => {
  const value = { a: '\u001b[2J\u009b\u007f\u202e ☎', b: [1, null] }
  const text = jsonText(value)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these may be there.
  expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/)
  expect(JSON.parse(text)).toEqual(value)
})
