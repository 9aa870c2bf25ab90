import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CallJson } from '../../src/lib/call/json.js'
import { openSqlite } from '../../src/lib/store/sqlite/store.js'
import { sampleRecords } from '../contract/records.js'

// Asking, as a person types it: the built program on a store of made records.

const root = join(import.meta.dirname, '..', '..')
const dir = mkdtempSync(join(tmpdir(), 'earshot-asking-'))
const store = `sqlite:${join(dir, 'calls.db')}`
const records = sampleRecords()
const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(dir, { recursive: true })
})
beforeAll(async () => {
  const writer = openSqlite(join(dir, 'calls.db'), { readonly: false })
  await writer.insert(records)
  await writer.close()
})

const command = (...args: string[]): string[] => [join(root, 'bin', 'run.js'), 'cdr', ...args, '--store', store]
const earshot = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, command(...args), { encoding: 'utf8', cwd: dir })
const calls = (...args: string[]): CallJson[] =>
  earshot('query', ...args, '-o', 'ndjson')
    .stdout.split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as CallJson)

describe('cdr query', () => {
  test('flags and --where are one question', () => {
    expect(calls('--number', '550101,550100', '--where', 'mos < 4 or loss > 90%', '--agent', 'PHONE').map((c) => c.call_id)).toEqual([
      'bad',
    ])
    expect(calls('--between', '2023-11-14T22:14..2023-11-14T22:15:30', '--state', 'answered,failed').map((c) => c.call_id)).toEqual([
      'bad',
      'busy',
    ])
  })

  test('a page, and the next one by its last call', () => {
    const first = earshot('query', '--limit', '2', '-o', 'json')
    const { calls: page, totals } = JSON.parse(first.stdout) as { calls: CallJson[]; totals: { after: number } }
    expect([page.length, totals.after]).toEqual([2, page[1]?.id])
    const rest = calls('--after', String(totals.after))
    expect([...page, ...rest].map((c) => c.id)).toEqual(calls().map((c) => c.id))
  })

  test('the last ones, oldest of them first', () => {
    const all = calls()
    expect(calls('--last', '3').map((c) => c.id)).toEqual(all.slice(-3).map((c) => c.id))
  })

  test('chosen fields, in every format', () => {
    const fields = ['--fields', 'callee,call_id,problems,dtmf', '--where', 'call_id = dtmf']
    expect(earshot('query', ...fields, '-o', 'csv').stdout).toBe('callee,call_id,problems,dtmf\r\nbob,dtmf,one_way_sip cut,5\r\n')
    expect(earshot('query', ...fields, '-o', 'tsv', '--no-header').stdout).toBe('bob\tdtmf\tone_way_sip cut\t5\n')
    expect(Object.keys(JSON.parse(earshot('query', ...fields, '-o', 'ndjson').stdout) as object)).toEqual([
      'callee',
      'call_id',
      'problems',
      'dtmf',
    ])
    expect(earshot('query', ...fields).stdout).toMatch(/│ callee │ call_id │ problems +│ dtmf │/)
  })

  test.each(['table', 'csv', 'tsv', 'json', 'ndjson'])('what strangers wrote reaches no terminal and no cell: -o %s', (format) => {
    const { stdout } = earshot('query', '-o', format)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there.
    expect(stdout).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/)
    for (const cell of format === 'csv' ? stdout.split(/,|\r\n/) : []) expect(cell).not.toMatch(/^"?[=@]/)
  })

  test('a mistake is shown in its place, with the next step', () => {
    const { status, stderr } = earshot('query', '--where', 'mos < 3 and calle = 12')
    expect(status).toBe(2)
    expect(stderr).toBe(
      [
        'Error: There is no field "calle".',
        '  mos < 3 and calle = 12',
        '              ^^^^^',
        '  → Did you mean caller?',
        expect.stringMatching(/^ {2}→ Fields: id, call_id/),
        '',
      ].reduce(
        (text: string, line) =>
          typeof line === 'string' ? `${text}${text === '' ? '' : '\n'}${line}` : `${text}\n${stderr.split('\n')[4]}`,
        '',
      ),
    )
  })

  test.each([
    ['an unknown field', ['--fields', 'caler'], /no field "caler"[\s\S]*caller/],
    ['a wrong block', ['--ip', '10.0.0.0/40'], /--ip cannot be "10\.0\.0\.0\/40"/],
    ['half a between', ['--between', '1h'], /two times/],
    ['a document without end', ['--follow', '-o', 'json'], /ndjson/],
    ['a sensor by name', ['--sensor', 'pbx'], /number/],
  ])('%s is a usage error', (_, args, message) => {
    const { status, stderr } = earshot('query', ...args)
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)])
  })

  test('--follow prints what is stored while it runs, each record once, and ends in good order', async () => {
    const child = spawn(
      process.execPath,
      command('query', '--follow', '--status', '2xx', '-o', 'tsv', '--fields', 'call_id', '--no-header'),
    )
    children.push(child)
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
    })
    const until = async (text: string): Promise<void> => {
      for (let i = 0; i < 400 && !out.includes(text); i++) await new Promise((resolve) => setTimeout(resolve, 50))
    }
    await until('v6')
    const writer = openSqlite(join(dir, 'calls.db'), { readonly: false })
    const [good] = records
    if (good === undefined) throw new Error('no record')
    for (const callId of ['new-1', 'new-2']) {
      await writer.insert([
        { ...good, callId },
        { ...good, callId: `${callId}-busy`, status: 486, answered: undefined },
      ])
      await until(callId)
    }
    await writer.close()
    child.kill('SIGINT')
    const status = await new Promise((resolve) => child.once('exit', resolve))
    // Before it began: those that there were, by their start.
    expect([status, out.trim().split('\n')]).toEqual([0, ['good', 'v6', 'bad', 'new-1', 'new-2']])
  })
})

describe('cdr export', () => {
  test.each<[string, string[], (text: string) => number]>([
    ['calls.csv', [], (text) => text.split('\r\n').length - 2],
    ['calls.ndjson', [], (text) => text.trim().split('\n').length],
    ['calls.json', [], (text) => (JSON.parse(text) as { calls: unknown[] }).calls.length],
    ['odd.name', ['-o', 'tsv'], (text) => text.trim().split('\n').length - 1],
  ])('%s', (name, flags, count) => {
    const { status, stderr } = earshot('export', '-w', name, ...flags, '--where', 'sensor = 42 and status = 2xx and not call_id = new*')
    expect([status, stderr]).toEqual([0, `2 calls in ${name}\n`])
    expect(count(readFileSync(join(dir, name), 'utf8'))).toBe(2)
  })

  test('one file, by -w or by its name alone', () => {
    for (const files of [[], ['a.csv', '-w', 'b.csv']])
      expect(earshot('export', ...files)).toMatchObject({ status: 2, stderr: expect.stringMatching(/-w calls\.csv/) })
  })

  test('compressed by its name', () => {
    earshot('export', 'all.csv.gz')
    expect(gunzipSync(readFileSync(join(dir, 'all.csv.gz'))).toString()).toMatch(/^id,call_id,/)
  })

  test('replaces nothing unasked, and leaves nothing half', () => {
    writeFileSync(join(dir, 'mine.csv'), 'mine')
    expect(earshot('export', 'mine.csv')).toMatchObject({ status: 1, stderr: expect.stringMatching(/exists already/) })
    expect(earshot('export', join('no', 'such', 'x.csv'))).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/Cannot write to "no\/such"/),
    })
    expect(earshot('export', 'x.unknown')).toMatchObject({ status: 2, stderr: expect.stringMatching(/which format/) })
    expect(readFileSync(join(dir, 'mine.csv'), 'utf8')).toBe('mine')
    expect(earshot('export', 'mine.csv', '--force').status).toBe(0)
    expect(readdirSync(dir).filter((name) => name.includes('.part'))).toEqual([])
  })
})

describe('cdr stats', () => {
  const stats = (...args: string[]): Record<string, unknown>[] =>
    earshot('stats', '--where', 'not call_id = new*', ...args, '-o', 'ndjson')
      .stdout.trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)

  test('all of it', () =>
    expect(stats()).toEqual([expect.objectContaining({ calls: 7, answered: 3, asr_pct: 42.857143, ner_pct: 57.142857, acd_s: 5 })]))

  test('by time, with the empty steps between', () => {
    const steps = stats('--every', '1m', '--fields', 'calls')
    expect(steps).toEqual([2, 1, 1, 1, 1, 1].map((calls, i) => ({ time: `2023-11-14T22:${13 + i}:00Z`, calls })))
  })

  test('by trunk and direction', () =>
    expect(
      stats('--trunk', 'carrier=10.0.0.2,2001:db8::/32', '--trunk', 'lonely=10.0.0.9', '--by', 'trunk,direction', '--fields', 'calls'),
    ).toEqual([
      { trunk: 'carrier', direction: 'out', calls: 4 },
      { trunk: 'carrier', direction: 'in', calls: 2 },
      { trunk: 'lonely', direction: 'out', calls: 1 },
    ]))

  test('by prefix, sensor, codec', () => {
    expect(stats('--prefix', 'b,bo', '--fields', 'calls')).toEqual([{ prefix: 'bo', calls: 7 }])
    expect(stats('--by', 'sensor,codec', '--fields', 'calls,mos_mean').map((row) => [row['sensor'], row['codec'], row['calls']])).toEqual([
      [42, null, 4],
      [42, 'PCMA', 2],
      [null, 'PCMA', 1],
    ])
  })

  test('a table with bars, and the sum', () => {
    const { stdout } = earshot('stats', '--by', 'state')
    expect(stdout).toMatch(/│ answered +│ +\d+ │/)
    expect(stdout).toMatch(/████/)
    expect(stdout).toMatch(/│ all /)
  })

  test.each([
    ['no trunk', ['--by', 'trunk'], /No trunk/],
    ['half a trunk', ['--trunk', 'carrier'], /not a trunk/],
    ['an unknown figure', ['--fields', 'asr'], /Did you mean asr_pct/],
    ['a step of nothing', ['--every', '1ms'], /a second at least/],
  ])('%s is a usage error', (_, args, message) => {
    const { status, stderr } = earshot('stats', ...args)
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)])
  })
})
