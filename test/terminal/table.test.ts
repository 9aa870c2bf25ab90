import { describe, expect, test } from 'vitest'
import { drawTable } from '../../src/terminal/table.js'
import { textStream } from '../support/text-stream.js'

const columns = [
  { title: 'Start', value: (r: string[]) => r[0] as string },
  { title: 'Caller', leastCells: 7, value: (r: string[]) => r[1] as string },
  { title: 'Callee', leastCells: 13, value: (r: string[]) => r[2] as string },
  { title: 'MOS', right: true, value: () => '4.4' },
]

async function drawn(row: string[], terminal?: number): Promise<string[]> {
  const stream = textStream(terminal)
  await drawTable(stream, columns, [row])
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a terminal.
  const plain = stream.text().replace(/\u001b\[\d+m/g, '')
  return plain.trimEnd().split('\n')
}

describe('a table', () => {
  const start = '2026-11-26 09:00:00'
  const long = 'sip-trunk-of-a-carrier-with-a-long-name'

  test('through a pipe it is as wide as its texts', async () => {
    const lines = await drawn([start, long, '+442012345678'])
    expect(lines[2]).toBe(`│ ${start} │ ${long} │ +442012345678 │ 4.4 │`)
  })

  test.each([80, 70, 58])('on a terminal of %d columns the widest text gives way, the time never', async (terminal) => {
    const lines = await drawn([start, long, '+442012345678'], terminal)
    expect(lines.map((line) => line.length)).toEqual(lines.map(() => terminal))
    expect(lines[2]).toContain(start)
    expect(lines[2]).toContain('+442012345678')
    expect(lines[2]).toContain('…')
  })

  test('a terminal that does not know its width (a serial console says 0) is taken for one of 80', async () => {
    const lines = await drawn([start, long, '+442012345678'], 0)
    expect(lines.map((line) => line.length)).toEqual(lines.map(() => 80))
  })

  test('what is short enough stays whole', async () => {
    const lines = await drawn([start, 'alice', 'bob'], 80)
    expect(lines[2]).toBe(`│ ${start} │ alice  │ bob    │ 4.4 │`)
  })

  test('characters of two cells are measured, those of none are shown', async () => {
    const lines = await drawn([start, '安室奈美恵'.repeat(6), 'bob\u001b[31m'], 60)
    expect(lines[2]).toMatch(/^│ 2026-11-26 09:00:00 │ 安室奈.*… │ bob·\[31m +│ 4\.4 │$/)
  })
})
