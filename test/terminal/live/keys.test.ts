import { describe, expect, test } from 'vitest'
import { actionFor, actions, bindingOf, keymap, type PageName } from '../../../src/terminal/live/bindings.js'
import { readKeys, restKeys } from '../../../src/terminal/live/keys.js'

const names = (input: string): string[] => readKeys(input).keys.map((k) => k.name)

describe('what terminals send', () => {
  // xterm, rxvt, the Linux console and tmux disagree about F-keys, Home and End: terminfo's kf1–kf12, khome, kend of each.
  test.each([
    ['xterm F1–F4', '\u001bOP\u001bOQ\u001bOR\u001bOS', ['f1', 'f2', 'f3', 'f4']],
    ['rxvt F1–F4', '\u001b[11~\u001b[12~\u001b[13~\u001b[14~', ['f1', 'f2', 'f3', 'f4']],
    ['console F1–F5', '\u001b[[A\u001b[[B\u001b[[C\u001b[[D\u001b[[E', ['f1', 'f2', 'f3', 'f4', 'f5']],
    [
      'F5–F12',
      '\u001b[15~\u001b[17~\u001b[18~\u001b[19~\u001b[20~\u001b[21~\u001b[23~\u001b[24~',
      ['f5', 'f6', 'f7', 'f8', 'f9', 'f10', 'f11', 'f12'],
    ],
    ['arrows, both modes', '\u001b[A\u001bOB', ['up', 'down']],
    ['Home and End', '\u001b[H\u001b[1~\u001bOF\u001b[4~', ['home', 'home', 'end', 'end']],
    ['pages', '\u001b[5~\u001b[6~', ['pageup', 'pagedown']],
    ['with modifiers', '\u001b[1;5A\u001b[1;2B\u001b[5;3~', ['ctrl-up', 'shift-down', 'alt-pageup']],
    ['control letters', '\u0001\u0004\u001a', ['ctrl-a', 'ctrl-d', 'ctrl-z']],
    ['Enter, Tab, Backspace', '\r\t\u007f', ['enter', 'tab', 'backspace']],
    ['letters and signs', 'jK/ ž👍', ['j', 'K', '/', 'space', 'ž', '👍']],
    ['ESC twice', '\u001b\u001b[A', ['escape', 'up']],
    ['Alt and a letter', '\u001bx', ['alt-x']],
    ['a sequence nobody knows', '\u001b[99;99zj', ['j']],
  ])('%s', (_, input, want) => expect(names(input)).toEqual(want))

  test('a sequence cut anywhere is read when the rest has come', () => {
    for (const whole of ['\u001b[15~', '\u001bOP', '\u001b[1;5A', '\u001b[<0;12;7M', '\u001b[200~a\u001b[201~']) {
      const want = readKeys(whole).keys
      for (let cut = 1; cut < whole.length; cut++) {
        const first = readKeys(whole.slice(0, cut))
        expect([...first.keys, ...readKeys(first.rest + whole.slice(cut)).keys], JSON.stringify(whole.slice(0, cut))).toEqual(want)
      }
    }
  })

  test('a lone ESC is the key when nothing follows', () => {
    const { keys, rest } = readKeys('\u001b')
    expect([keys, restKeys(rest)]).toEqual([[], [{ name: 'escape' }]])
  })

  test('what is pasted does nothing but be typed', () => {
    expect(readKeys('\u001b[200~q\r\u001b[A\u001b[201~').keys).toEqual([{ name: 'paste', text: 'q\r\u001b[A' }])
  })

  test('the mouse, from 0', () => {
    expect(readKeys('\u001b[<0;12;7M\u001b[<0;12;7m\u001b[<64;1;1M').keys).toEqual([
      { name: 'click', row: 6, column: 11 },
      { name: 'wheel-up', row: 0, column: 0 },
    ])
  })
})

describe('the table of keys', () => {
  test('no key means two things on one page', () => {
    const twice: string[] = []
    const seen = new Map<string, string>()
    for (const action of actions) {
      const { keys, on } = bindingOf(action)
      for (const page of on === 'all' ? ['calls', 'call', 'streams', 'statistics', 'sensors', 'help', 'raw', 'diff'] : on)
        for (const key of keys) {
          const place = `${page} ${key}`
          if (seen.has(place)) twice.push(`${place}: ${seen.get(place)}, ${action}`)
          seen.set(place, action)
        }
    }
    expect(twice).toEqual([])
  })

  test('every F-key has a twin that a terminal cannot eat', () => {
    const alone = actions.filter((action) => {
      const { keys } = bindingOf(action)
      return keys.some((k) => /^f\d+$/.test(k)) && keys.every((k) => /^f\d+$/.test(k))
    })
    expect(alone).toEqual([])
  })

  // sngrep's man page and src/keybinding.c, as cli-conventions.md lists them.
  test.each<[page: PageName, key: string, action: string]>([
    ['calls', 'f1', 'help'],
    ['calls', 'f2', 'save'],
    ['calls', 's', 'save'],
    ['calls', 'f3', 'filter'],
    ['calls', '/', 'filter'],
    ['calls', 'tab', 'filter'],
    ['calls', 'f4', 'related'],
    ['call', 'x', 'related'],
    ['calls', 'f5', 'clear'],
    ['calls', 'ctrl-l', 'clear'],
    ['calls', 'f6', 'raw'],
    ['calls', 'r', 'raw'],
    ['calls', 'f7', 'filterForm'],
    ['calls', 'f', 'filterForm'],
    ['calls', 'F', 'filterForm'],
    ['calls', 'f8', 'settings'],
    ['calls', 'o', 'settings'],
    ['calls', 'O', 'settings'],
    ['calls', 'f9', 'prune'],
    ['calls', 'left', 'left'],
    ['calls', 'right', 'right'],
    ['call', 'tab', 'pane'],
    ['calls', 'f10', 'columns'],
    ['calls', 't', 'columns'],
    ['calls', 'i', 'statistics'],
    ['calls', 'p', 'pause'],
    ['calls', '<', 'sortLeft'],
    ['calls', '>', 'sortRight'],
    ['calls', 'z', 'sortTurn'],
    ['calls', 'A', 'follow'],
    ['calls', 'space', 'mark'],
    ['calls', 'enter', 'open'],
    ['call', 'd', 'sdpInfo'],
    ['call', 'D', 'sdpOnly'],
    ['call', 'm', 'media'],
    ['call', 'f3', 'media'],
    ['call', 's', 'compress'],
    ['call', 'c', 'colours'],
    ['call', 't', 'preview'],
    ['call', '9', 'wider'],
    ['call', '0', 'narrower'],
    ['call', 'T', 'widthReset'],
    ['call', 'w', 'time'],
    ['call', 'a', 'alias'],
    ['call', 'enter', 'message'],
    ['call', 'space', 'select'],
    ['call', 'q', 'quit'],
    ['call', 'k', 'up'],
    ['call', 'ctrl-d', 'halfDown'],
  ])('sngrep’s fingers: on %s, %s', (page, key, action) => expect(actionFor(keymap(), page, key)).toBe(action))

  test('a person’s own keys take the place of the usual ones', () => {
    const map = keymap({ filter: ['x'], copy: ['p'] })
    expect(actionFor(map, 'calls', 'x')).toBe('filter')
    expect(actionFor(map, 'calls', '/')).toBeUndefined()
    expect(actionFor(map, 'calls', 'p')).toBe('copy')
    expect(actionFor(map, 'statistics', 'p')).toBe('pause')
  })
})
