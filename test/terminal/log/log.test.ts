import { describe, expect, test } from 'vitest'
import { cleanLine, cleanLines } from '../../../src/terminal/log/clean.js'
import type { LogLevel } from '../../../src/terminal/log/levels.js'
import { defaultLogFormat, type LogWriter, logTo, pairs } from '../../../src/terminal/log/log.js'
import { RateLimit } from '../../../src/terminal/log/rate.js'

describe('what no log may hold', () => {
  const cases: { name: string; text: string; want: string }[] = [
    { name: 'a sentence stays', text: 'Interface eth1 is up.', want: 'Interface eth1 is up.' },
    { name: 'a password in a URL', text: 'mysql://u:geheim@db/x?a=1 refused', want: 'mysql://u:***@db/x?a=1 refused' },
    { name: 'one with @ and / in it', text: 'mysql://u:a@b/c@db/x', want: 'mysql://u:***@db/x' },
    {
      name: 'a URL without a password',
      text: 'mysql://u@db:3306/x, sqlite:/var/lib/calls.db',
      want: 'mysql://u@db:3306/x, sqlite:/var/lib/calls.db',
    },
    { name: 'a name that is not a secret', text: '?password-file=/etc/p', want: '?password-file=/etc/p' },
    { name: 'key and value', text: 'password=geheim&x=1 "token": "abc", secret: q', want: 'password=***&x=1 "token": "***", secret: ***' },
    {
      name: 'a token of the manager',
      text: `refused earshot_${'A1b-_'.repeat(8)} twice`,
      want: 'refused earshot_*** twice',
    },
    { name: 'an escape sequence', text: 'User-Agent \u001b[31mred\u001b]0;title\u0007', want: 'User-Agent ·[31mred·]0;title·' },
    { name: 'C1, DEL and bidi', text: 'a\u009bb\u007fc\u202ed', want: 'a·b·c·d' },
    { name: 'an advice on a line of its own', text: 'Cannot.\n  → Do this', want: 'Cannot. → Do this' },
    { name: 'a forged line', text: 'name\r\n<0>kernel: forged', want: 'name· <0>kernel: forged' },
  ]
  test.each(cases)('$name', ({ text, want }) => expect(cleanLine(text)).toBe(want))
  test('lines stay lines for a terminal', () => expect(cleanLines('a\n  → b\u0007')).toBe('a\n  → b·'))
})

describe('rate', () => {
  const story: { name: string; says: [ms: number, text: string][]; untilMs: number; want: string[] }[] = [
    {
      name: 'few pass',
      says: [
        [0, 'Sensor 1 is gone.'],
        [1, 'Sensor 2 is gone.'],
      ],
      untilMs: 90_000,
      want: ['Sensor 1 is gone.', 'Sensor 2 is gone.'],
    },
    {
      name: 'the third of a kind is held, numbers and quoted names make no kind',
      says: [
        [0, 'Sensor 1 "a" is gone.'],
        [1, 'Sensor 2 "b" is gone.'],
        [2, 'Sensor 3 "c" is gone.'],
        [3, 'Other.'],
        [4, 'Sensor 4 "d" is gone.'],
      ],
      untilMs: 60_000,
      want: ['Sensor 1 "a" is gone.', 'Sensor 2 "b" is gone.', 'Other.', '2 more of these in the last minute: Sensor 4 "d" is gone.'],
    },
    {
      name: 'after the minute it begins anew',
      says: [
        [0, 'x'],
        [1, 'x'],
        [2, 'x'],
        [61_000, 'x'],
      ],
      untilMs: 62_000,
      // The one that comes before anybody has looked belongs to the old minute.
      want: ['x', 'x', '2 more of these in the last minute: x'],
    },
  ]
  test.each(story)('$name', ({ says, untilMs, want }) => {
    const limit = new RateLimit(2)
    const out: string[] = []
    for (const [ms, text] of says) if (limit.admits('warning', text, ms)) out.push(text)
    for (const { count, text } of limit.due(untilMs)) out.push(`${count} more of these in the last minute: ${text}`)
    expect(out).toEqual(want)
    expect(limit.holds).toBe(false)
  })

  test('ever new kinds share one budget', () => {
    const limit = new RateLimit(2)
    let passed = 0
    for (let i = 0; i < 10_000; i++)
      if (limit.admits('info', String.fromCharCode(97 + (i % 26), 97 + ((i / 26) % 26), 97 + ((i / 676) % 26)), 0)) passed++
    expect(passed).toBeLessThan(600)
    expect(limit.due(60_000).length).toBeLessThan(300)
  })
})

test('levels, and a level that changes while it runs', async () => {
  const lines: [LogLevel, string][] = []
  const writer: LogWriter = { write: (level, text) => lines.push([level, text]), close: async () => {} }
  const log = logTo(writer, 'notice', () => 0, new RateLimit(1))
  log.say('quiet')
  log.say('heard', 'notice')
  log.say('held', 'notice')
  log.say('held', 'notice')
  log.say('held', 'notice')
  log.level = 'debug'
  log.event('debug', 'now heard')
  await log.close()
  expect(lines).toEqual([
    ['notice', 'heard'],
    ['notice', 'held'],
    ['debug', 'now heard'],
    ['notice', '2 more of these in the last minute: held'],
  ])
})

test('fields', () => expect(pairs({ a: 1, b: 'two words', c: undefined, d: 'q="' })).toBe('a=1 b="two words" d="q=\\""'))

test('JOURNAL_STREAM counts only when it is our stderr', () => {
  expect(defaultLogFormat({})).toBe('human')
  // Inherited from a service that started a shell that started us.
  expect(defaultLogFormat({ JOURNAL_STREAM: '8:1', INVOCATION_ID: 'abc', SYSTEMD_EXEC_PID: '1' })).toBe('human')
})
