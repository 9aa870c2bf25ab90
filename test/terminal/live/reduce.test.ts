import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Micros } from '../../../src/lib/base/units.js'
import type { CallView, SourceChanges } from '../../../src/lib/live/index.js'
import { drawFrame } from '../../../src/terminal/live/draw/frame.js'
import { plain } from '../../../src/terminal/live/style.js'
import { type Played, play, TestScreen } from '../../support/live-screen.js'
import { office } from './made-calls.js'

// Stories of one person at the keyboard, told in the keys they press.

let played: Played
let base: CallView
beforeAll(async () => {
  played = await play(office)
  base = played.changes.flatMap((c) => [...c.changed, ...c.added]).find((v) => v.callId === 'lossy' && v.talkMs !== undefined) as CallView
})
afterAll(() => played.finish())

function opened(rows = 24): TestScreen {
  const made = new TestScreen(120, rows, played.source)
  for (const changes of played.changes) made.event({ kind: 'changes', changes })
  return made.settle()
}

const at = 1_700_000_100e6 as Micros
const view = (number: number, more: Partial<CallView> = {}): CallView => ({
  ...base,
  number,
  callId: `call-${number}`,
  caller: `+1555${String(number).padStart(6, '0')}`,
  started: (at + number) as Micros,
  ...more,
})
const news = (changes: Partial<SourceChanges>): SourceChanges => ({
  source: 's',
  reset: false,
  at,
  added: [],
  changed: [],
  removed: [],
  left: 0,
  ...changes,
})
const many = (count: number): TestScreen =>
  new TestScreen(120, 24)
    .event({ kind: 'changes', changes: news({ added: Array.from({ length: count }, (_, i) => view(i + 1)) }) })
    .settle()

const shownIds = ({ screen }: TestScreen): string[] => screen.list.rows.map((c) => c.view.callId)
const current = ({ screen }: TestScreen): string | undefined => screen.list.rows[screen.list.cursorAt]?.view.callId

describe('the list', () => {
  test('the cursor stays on its call when others come and go and the order changes', () => {
    const s = many(10).type('jjj')
    expect(current(s)).toBe('call-4')
    s.event({ kind: 'changes', changes: news({ added: [view(99, { started: (at - 5) as Micros })] }) }).settle()
    expect([current(s), s.screen.list.cursorAt]).toEqual(['call-4', 4])
    s.type('z')
    expect([current(s), shownIds(s)[0]]).toEqual(['call-4', 'call-10'])
  })

  test('rows hold still between two settles', () => {
    const s = many(3)
    s.event({ kind: 'changes', changes: news({ added: [view(4)] }) })
    expect(s.screen.list.rows.length).toBe(3)
    expect(s.settle().screen.list.rows.length).toBe(4)
  })

  test('frozen, it shows what was; thawed, what is', () => {
    const s = many(3).type('p')
    s.event({ kind: 'changes', changes: news({ added: [view(4)], changed: [view(1, { mos: 1.5 })] }) }).settle()
    expect(shownIds(s)).toEqual(['call-1', 'call-2', 'call-3'])
    expect(s.screen.list.rows[0]?.view.mos).toBe(base.mos)
    expect(s.text()).toContain('frozen')
    s.type('p')
    expect(s.screen.list.rows.map((c) => c.view.mos)).toEqual([1.5, base.mos, base.mos, base.mos])
  })

  test('it follows the newest call until the cursor is moved', () => {
    const s = many(3).type('A')
    s.event({ kind: 'changes', changes: news({ added: [view(4)] }) }).settle()
    expect(current(s)).toBe('call-4')
    s.type('k')
      .event({ kind: 'changes', changes: news({ added: [view(5)] }) })
      .settle()
    expect(current(s)).toBe('call-3')
  })

  test('clear forgets calls that are over and no other', () => {
    const s = many(3)
      .event({ kind: 'changes', changes: news({ removed: [view(2)] }) })
      .settle()
    expect(shownIds(s.type('\u001b[15~'))).toEqual(['call-1', 'call-3'])
  })

  test('unknown values go last, whichever way it is sorted', () => {
    const s = many(1)
    s.event({ kind: 'changes', changes: news({ added: [view(2, { mos: undefined }), view(3, { mos: 4.4 })] }) }).settle()
    // From Start to the right: PDD, duration, response, codec, loss, jitter, MOS.
    s.type('>>>>>>>')
    expect(s.screen.settings.sort.column).toBe('mos')
    expect(shownIds(s)).toEqual(['call-1', 'call-3', 'call-2'])
    expect(shownIds(s.type('z'))).toEqual(['call-3', 'call-1', 'call-2'])
  })

  test('10,000 calls: a frame has the lines of the screen, wherever the cursor is', () => {
    const s = many(10_000)
    expect(s.screen.list.rows.length).toBe(10_000)
    for (const [keys, first] of [
      ['g', 'call-1'],
      ['G', 'call-10000'],
      ['\u001b[5~', 'call-9980'],
    ] as const) {
      s.type(keys)
      expect(current(s)).toBe(first)
      const lines = drawFrame(s.screen, true).lines.map(plain)
      expect(lines.length).toBe(24)
      expect(lines.filter((l) => l.includes('+1555')).length).toBe(20)
    }
  })
})

describe('the filter', () => {
  test.each([
    ['mos < 3.6 and state = answered', ['lossy']],
    ['status = 4xx', ['busy']],
    ['caller = 1006', ['ringing']],
    ['hebr', ['hebrew']],
    ['10.0.0.3', ['busy']],
    ['ALICE', ['good']],
    ['state = ringing', ['ringing']],
    ['state = ended', ['good']],
    ['method = bye', ['good']],
    ['text ~ hebr', ['hebrew']],
    ['payload ~ "Phone 1" and caller = 1001', ['lossy']],
    ['Alice', ['good']],
    ['ringing', ['ringing']],
  ])('%s', (text, want) => expect(shownIds(opened().type(`/${text}\r`))).toEqual(want))

  test('what cannot be read stays to be mended, and says where', () => {
    const s = opened().type('/mos <\r')
    expect(s.screen.prompt).toMatchObject({ kind: 'filter', text: 'mos <', error: expect.stringContaining('mos') })
    s.type(' 3.6\r')
    expect([s.screen.prompt, shownIds(s)]).toEqual([undefined, ['lossy']])
  })

  test('Esc leaves it as it was; empty shows everything again', () => {
    const s = opened().type('/busy\r').type('/xyz')
    s.event({ kind: 'key', key: { name: 'escape' } })
    expect(shownIds(s)).toEqual(['busy'])
    expect(shownIds(s.type('/\u0015\r')).length).toBe(7)
  })

  test('a call that no longer fits goes at the next settle', () => {
    const s = many(2).type('/mos < 4\r')
    expect(shownIds(s).length).toBe(2)
    s.event({ kind: 'changes', changes: news({ changed: [view(1, { mos: 4.4 })] }) }).settle()
    expect(shownIds(s)).toEqual(['call-2'])
  })

  test('of a text that is too long as much is taken as has room, and its end can be seen', () => {
    const s = opened().type(`/\u001b[200~${'👍'.repeat(700)}\u001b[201~`)
    const { prompt } = s.screen
    expect(prompt?.kind === 'filter' && [prompt.text.length, prompt.at]).toEqual([1000, 1000])
    expect(s.frame().cursor).toEqual({ row: 23, column: 118 })
  })

  test('nothing fits: it says so, and which key changes that', () => {
    expect(opened().type('/caller = 9\r').text()).toContain('None of 7 calls fits the filter. F3 changes it.')
  })

  test('keys typed into it do nothing else', () => {
    const s = opened().type('/q?p\u007f\u007f\u007fbusy\r')
    expect([shownIds(s), s.screen.page, s.screen.list.frozen]).toEqual([['busy'], 'calls', false])
  })
})

describe('the filter dialog', () => {
  // What is typed into it, and the expression it becomes. Tab goes to the next row.
  test.each([
    ['digits are a number', 'f1001\r', 'caller ~ 1001', ['lossy']],
    ['a name', 'fAlice\r', '(caller ~ Alice or caller_name ~ Alice or caller_domain ~ Alice)', ['good']],
    [
      'a number and its domain',
      'f100*@example.com\t+155\r',
      'caller ~ 100* and caller_domain ~ example.com and callee ~ +155',
      ['hostile'],
    ],
    ['where it went', 'f\t\t\t10.0.0.3\r', 'callee_ip = 10.0.0.3', ['busy']],
    ['several blocks', 'f\t\t\t10.0.0.3, 192.0.2.0/24\r', 'callee_ip in (10.0.0.3, 192.0.2.0/24)', ['busy']],
    ['words of a message', 'f\t\t\t\tBusy Here\r', 'payload ~ "Busy Here"', ['busy']],
    ['a quote in it', 'f\t\t\t\t"Bob"\r', 'payload ~ """Bob"""', ['lossy']],
    ['a box', 'f\t\t\t\t\t\u001b[C \r', 'method = bye', ['good']],
    ['two boxes', 'f\t\t\t\t\t\u001b[C \u001b[C \r', 'method in (bye, cancel)', ['good']],
    [
      'an expression with "or" stays one',
      'f10\t\t\t\t\t\tstatus = 486 or mos < 4\r',
      'caller ~ 10 and (status = 486 or mos < 4)',
      ['lossy', 'busy'],
    ],
    ['a piece beside others', 'f10\t\t\t\t\t\tringing\r', 'caller ~ 10 and state = ringing', ['ringing']],
    ['nothing: every call', 'f\r', '', ['good', 'lossy', 'emoji', 'hebrew', 'hostile', 'busy', 'ringing']],
  ])('%s', (_, keys, text, want) => {
    const s = opened().type(keys)
    expect([s.screen.prompt, s.screen.list.filter.text, shownIds(s)]).toEqual([undefined, text, want])
  })

  test('opened again, it is as it was filled in; after a typed filter, that is its expression', () => {
    const s = opened().type('fAlice\r').type('f')
    expect(s.screen.prompt).toMatchObject({ kind: 'form', form: { texts: { from: { text: 'Alice' }, expression: { text: '' } } } })
    s.event({ kind: 'key', key: { name: 'escape' } })
      .type('/\u0015mos < 4\r')
      .type('f')
    expect(s.screen.prompt).toMatchObject({ kind: 'form', form: { texts: { from: { text: '' }, expression: { text: 'mos < 4' } } } })
  })

  test('a name of an address stands for it', () => {
    const s = opened().type('aOffice\r').type('f\t\toffice\r')
    expect([s.screen.list.filter.text, shownIds(s).length]).toEqual(['caller_ip = 10.0.0.1', 7])
  })

  test('what is wrong is said, and the cursor goes there', () => {
    const s = opened().type('f1001\t\tnowhere\t\t\r')
    expect(s.screen.prompt).toMatchObject({ form: { row: 'source', error: { text: expect.stringContaining('"nowhere" is no address') } } })
    s.type('\u0015\t\t\t\tmos <\r')
    expect(s.screen.prompt).toMatchObject({ form: { row: 'expression', error: { text: expect.stringContaining('value for mos') } } })
  })

  test('messages that are with a sensor cannot be looked through, and it says so', () => {
    const s = many(1).type('f\t\t\t\tx\r')
    expect(s.screen.prompt).toMatchObject({ form: { error: { row: 'payload' } } })
  })

  test('Ctrl-L empties it, Esc leaves the filter as it was; keys typed do nothing else', () => {
    const s = opened().type('f1001\r').type('fqp?x')
    expect([s.screen.page, s.screen.list.frozen]).toEqual(['calls', false])
    s.type('\u000c')
    expect(s.screen.prompt).toMatchObject({ form: { texts: { from: { text: '' } } } })
    s.event({ kind: 'key', key: { name: 'escape' } })
    expect(shownIds(s)).toEqual(['lossy'])
  })
})

describe('settings', () => {
  const turned = (keys: string): TestScreen => opened().type('o').type(keys)

  test.each([
    ['sort by', 'j\u001b[C', { sort: { column: 'pdd', descending: false } }],
    ['order', 'jj ', { sort: { column: 'start', descending: true } }],
    ['parties, backwards', 'jjj\u001b[D', { parties: 'address' }],
    ['names', 'jjjj ', { names: false }],
    ['follow', 'jjjjj ', { follow: true }],
    ['colours', 'jjjjjj ', { colour: 'always' }],
    ['ASCII', 'jjjjjjj ', { ascii: true }],
    ['arrows', 'jjjjjjjj ', { colours: 'call' }],
    ['time, from below', 'k ', { time: 'delta' }],
  ])('%s: at once, and remembered', (_, keys, want) => {
    const s = turned(keys)
    expect(s.effects.at(-1)).toMatchObject({ kind: 'remember', settings: want })
    expect(s.screen.settings).toMatchObject(want)
  })

  test('Enter on the columns opens their choice', () => expect(turned('\r').screen.prompt?.kind).toBe('columns'))

  test('without names, addresses are shown as they are', () => {
    const s = opened().type('aOffice\r')
    expect(s.text()).toContain('Office')
    expect(s.type('ojjjj \r').text()).not.toContain('Office:')
  })

  test('what a flag said is of this run, until it is set', () => {
    const s = new TestScreen(80, 24, undefined, { look: { colour: 'never', ascii: true } })
    s.type('u')
    expect(s.effects.at(-1)).toMatchObject({ settings: { colour: 'auto', ascii: false } })
    s.type('ojjjjjjj ')
    expect([s.screen.look, s.screen.settings.ascii]).toEqual([{ colour: 'never', ascii: false }, false])
  })
})

describe('sideways', () => {
  const header = (s: TestScreen): string => s.text().split('\n')[1] ?? ''

  test('columns go to the left until the last one is seen, and come back', () => {
    const s = new TestScreen(80, 24, played.source)
    for (const changes of played.changes) s.event({ kind: 'changes', changes })
    s.settle()
    const before = header(s)
    expect([before.slice(0, 2), before.includes('Start')]).toEqual([' ▶', false])
    s.type('ll')
    expect(header(s)).toMatch(/^◀▶State +From +To +Start/)
    s.type('l'.repeat(30))
    expect(header(s)).toContain('Trend')
    s.type('h'.repeat(s.screen.list.side))
    expect(header(s)).toBe(before)
  })

  test('a message: lines are cut, not wrapped, and what was to the right is seen', async () => {
    const s = await opened().type('\r').loaded()
    s.type('\r').type('l')
    expect(s.text()).toContain('\nip:bob@example.net SIP/2.0\n')
    expect(s.type('h').text()).toContain('INVITE sip:bob@')
    // Its end stays in sight: the way back is no longer than the text.
    s.type('l'.repeat(200))
    const side = s.screen.side
    expect(side).toBeLessThan(100)
    expect(s.type('h'.repeat(Math.ceil(side / 8))).screen.side).toBe(0)
  })

  test('of more addresses than have room the ladder shows the next', async () => {
    const s = await opened().type('j\r').loaded()
    const [first] = s.screen.flow.steps
    if (first === undefined) throw new Error('no message')
    const hops = Array.from({ length: 9 }, (_, i) => ({
      ...first,
      source: `10.0.1.${i}:5060`,
      destination: `10.0.1.${i + 1}:5060`,
    }))
    s.event({ kind: 'messages', keys: s.screen.flow.calls.map((c) => c.key), steps: hops })
    expect(header(s)).toMatch(/10\.0\.1\.0 .*10\.0\.1\.2 /)
    expect(header(s.type('ll'))).toMatch(/10\.0\.1\.2 .*10\.0\.1\.4 /)
    s.type('l'.repeat(30))
    expect(header(s)).toMatch(/10\.0\.0\.2/)
  })

  test('Tab goes to the message and back; there, keys move it and not the ladder', async () => {
    const s = await opened().type('j\r').loaded()
    s.type('\tjjj')
    expect([s.screen.flow.pane, s.screen.flow.cursor]).toEqual(['message', 0])
    s.type('\tj')
    expect([s.screen.flow.pane, s.screen.flow.cursor, s.screen.scroll.message]).toEqual(['ladder', 1, 0])
  })

  test('where both have no room, Tab shows the message alone', async () => {
    const s = await opened().type('j\r').loaded()
    s.event({ kind: 'resize', columns: 80, rows: 24 }).type('\t')
    expect(s.screen.page).toBe('raw')
    s.type('\t')
    expect([s.screen.page, s.screen.behind]).toEqual(['call', ['calls']])
  })
})

test('after End of a long page, Up moves at once', () => {
  const s = new TestScreen(80, 12).settle().type('?')
  const top = (): string => s.text().split('\n')[1] ?? ''
  s.type('G')
  const end = top()
  s.type('k')
  expect(top()).not.toBe(end)
})

test('prune forgets calls that are over and do not fit the filter', () => {
  const s = many(3)
    .event({ kind: 'changes', changes: news({ removed: [view(1), view(2, { status: 486 })] }) })
    .settle()
  s.type('/status = 486\r').type('X').type('/\u0015\r')
  expect(shownIds(s)).toEqual(['call-2', 'call-3'])
})

describe('a call', () => {
  test('Enter asks for its messages and shows them; they are asked for again when more came', async () => {
    const s = opened().type('j\r')
    expect(s.effects.at(-1)).toMatchObject({ kind: 'load' })
    expect(s.text()).toContain('Reading its messages')
    await s.loaded()
    expect(s.screen.flow.steps.map((step) => step.label)).toEqual([
      'INVITE',
      '100 Trying (INVITE)',
      '180 Ringing (INVITE)',
      '200 OK (INVITE)',
      'ACK',
    ])
    const before = s.effects.length
    s.settle()
    expect(s.effects.length).toBe(before)
    const call = s.screen.flow.calls[0]
    if (call === undefined) throw new Error('no call')
    s.event({
      kind: 'changes',
      changes: news({ source: 'made', changed: [{ ...call.view, sipMessages: call.view.sipMessages + 1 }] }),
    }).settle()
    expect(s.effects.at(-1)?.kind).toBe('load')
    expect(s.effects.length).toBe(before + 1)
  })

  test('messages of calls that were left meanwhile are of no use', async () => {
    const s = opened().type('j\r')
    const late = s.effects.at(-1)
    s.type('q').type('j\r')
    await s.loaded()
    const keys = late?.kind === 'load' ? late.calls.map((c) => c.key) : []
    s.event({ kind: 'messages', keys, steps: [] })
    expect(s.screen.flow.steps[0]?.callId).toBe('emoji')
  })

  test('two selected messages are compared, a third takes the place of the first', async () => {
    const s = await opened().type('\r').loaded()
    s.type('   ')
    expect(s.screen.flow.selected).toEqual([1, 2])
    s.type('\r')
    expect(s.screen.page).toBe('diff')
  })

  test('marked calls come in one ladder, in order of time', async () => {
    const s = await opened().type('   \r').loaded()
    const times = s.screen.flow.steps.map((step) => step.time)
    expect(new Set(s.screen.flow.steps.map((step) => step.callId)).size).toBe(3)
    expect(times).toEqual([...times].sort((a, b) => a - b))
  })

  test('the other legs of a call come into its ladder', () => {
    // A B2BUA: the same numbers, another Call-ID, from where the first went to, a moment later (call/legs.ts).
    const [first, other] = [view(1, { streams: [] }), view(2, { streams: [] })]
    const leg = { ...first, number: 3, callId: 'call-3', callerAddr: first.calleeAddr, started: (first.started + 50_000) as Micros }
    const s = new TestScreen(120, 24).event({ kind: 'changes', changes: news({ added: [first, other, leg] }) }).settle()
    s.type('g').type('x')
    expect([s.screen.page, s.screen.flow.calls.map((c) => c.view.callId)]).toEqual(['call', ['call-1', 'call-3']])
  })

  test('q goes back page by page, and asks at last', async () => {
    const s = (await opened().type('\r').loaded()).type('3').type('4').type('?')
    expect(s.screen.behind).toEqual(['calls', 'call', 'streams', 'statistics'])
    s.type('qqqq')
    expect([s.screen.page, s.screen.prompt]).toEqual(['calls', undefined])
    s.type('q')
    expect(s.screen.prompt).toEqual({ kind: 'quit' })
    s.type('n')
    expect([s.screen.prompt, s.effects.some((e) => e.kind === 'quit')]).toEqual([undefined, false])
    expect(s.type('qy').effects.at(-1)).toEqual({ kind: 'quit' })
  })
})

describe('actions', () => {
  test('save: which calls, in which form, to which file', () => {
    const s = opened().type(' j s')
    expect(s.screen.prompt).toMatchObject({ kind: 'save', which: 'marked', format: 'rtp' })
    s.type('\t\t').type('\u0015out.txt\r')
    const effect = s.effects.at(-1)
    expect(effect).toMatchObject({ kind: 'save', path: 'out.txt', format: 'text' })
    expect(effect?.kind === 'save' && effect.calls.map((c) => c.view.callId)).toEqual(['good', 'emoji'])
  })

  test('save what is shown', () => {
    const s = opened().type('/status = 4xx\r').type('s').type('\u001b[B').type('\r')
    const effect = s.effects.at(-1)
    expect(effect?.kind === 'save' && [effect.path, effect.calls.map((c) => c.view.callId)]).toEqual(['busy.pcap', ['busy']])
  })

  test('the suggested file name is safe whatever the Call-ID is', () => {
    const s = new TestScreen(120, 24)
      .event({ kind: 'changes', changes: news({ added: [view(1, { callId: '../../etc/\u0000passwd x' })] }) })
      .settle()
    s.type('s')
    expect(s.screen.prompt).toMatchObject({ text: '.._.._etc__passwd_x.pcap' })
  })

  test('copy', () => expect(opened().type('y').effects.at(-1)).toEqual({ kind: 'copy', text: 'good' }))

  test('columns: hidden, moved, remembered', () => {
    const s = opened().type('t').type(' ').type('jj').type('-').type('\r')
    const { columns } = s.screen.settings
    expect(columns.slice(0, 3)).toEqual(['to', 'from', 'source'])
    expect(s.effects.at(-1)).toMatchObject({ kind: 'remember' })
  })

  test('Ctrl-C quits and Ctrl-Z goes to the shell from anywhere, also while something is typed', () => {
    for (const keys of ['/abc', 'fabc', 'o', 's', 't', 'q']) {
      const s = opened().type(`${keys}\u001a`)
      expect([s.effects.at(-1)?.kind, s.screen.prompt !== undefined]).toEqual(['suspend', true])
      expect(s.type('\u0003').effects.at(-1)).toEqual({ kind: 'quit' })
    }
  })

  test('a click chooses, a second one opens; the wheel scrolls', () => {
    const s = opened().type('\u001b[<0;10;5M')
    expect(current(s)).toBe('emoji')
    s.type('\u001b[<65;10;5M')
    expect(s.screen.list.cursorAt).toBe(5)
    s.type('\u001b[<0;10;8M')
    expect(s.screen.page).toBe('call')
  })
})

test('a source that is lost is told in the title, and its calls stay', () => {
  const s = opened().event({ kind: 'source', status: { name: 'made', state: 'lost', detail: 'gone' } })
  expect(s.text()).toContain('✕ made (lost, trying again)')
  expect(s.screen.list.rows.length).toBe(7)
  expect(s.type('5').text()).toContain('gone')
})

test('durations of running calls tick between two batches, of others they stand', () => {
  const s = opened()
  const now = s.screen.board.at + 65e6
  const lines = s.settle(now).text().split('\n')
  expect(lines.find((l) => l.includes('1006'))).toContain('1:08')
  expect(lines.find((l) => l.includes(' 1000 '))).toContain('0:08')
})
