/**
 * Every key of every screen: one row an action. sngrep's fingers find theirs here; every F-key has a letter, because terminals,
 * tmux and serial lines eat F-keys. From these rows come what keys do, the line at the bottom, the help and docs/live.md.
 */
export const screenNames = ['calls', 'call', 'streams', 'statistics', 'sensors', 'help'] as const
export type ScreenName = (typeof screenNames)[number]
/** Screens over another one: the raw text of a message or a call, two messages compared. */
export type PageName = ScreenName | 'raw' | 'diff'

export interface Binding {
  readonly keys: readonly string[]
  readonly on: readonly PageName[] | 'all'
  readonly help: string
  /** The word beside its F-key in the bottom line. */
  readonly label?: string
}

const lists: readonly PageName[] = ['calls', 'call', 'streams', 'sensors', 'help', 'raw', 'diff', 'statistics']

export const bindings = {
  help: { keys: ['f1', '?', 'H'], on: 'all', help: 'this help', label: 'Help' },
  quit: { keys: ['q', 'Q'], on: 'all', help: 'back; on the first screen: quit' },
  back: { keys: ['escape'], on: 'all', help: 'back; on the first screen: quit', label: 'Back' },
  suspend: { keys: ['ctrl-z'], on: 'all', help: 'to the shell; fg comes back' },
  abort: { keys: ['ctrl-c'], on: 'all', help: 'quit at once' },
  redraw: { keys: ['ctrl-r'], on: 'all', help: 'draw everything anew' },
  up: { keys: ['up', 'k'], on: lists, help: 'up' },
  down: { keys: ['down', 'j'], on: lists, help: 'down' },
  pageUp: { keys: ['pageup', 'ctrl-b'], on: lists, help: 'a page up' },
  pageDown: { keys: ['pagedown', 'ctrl-f'], on: lists, help: 'a page down' },
  halfUp: { keys: ['ctrl-u'], on: lists, help: 'half a page up' },
  halfDown: { keys: ['ctrl-d'], on: lists, help: 'half a page down' },
  left: { keys: ['left', 'h'], on: ['calls', 'call', 'raw', 'diff'], help: 'sideways: columns, addresses, long lines' },
  right: { keys: ['right', 'l'], on: ['calls', 'call', 'raw', 'diff'], help: 'sideways to the right' },
  first: { keys: ['home', 'ctrl-a', 'g'], on: lists, help: 'to the beginning' },
  last: { keys: ['end', 'ctrl-e', 'G'], on: lists, help: 'to the end' },

  open: { keys: ['enter'], on: ['calls', 'streams'], help: 'the ladder of the call, or of all marked ones' },
  mark: { keys: ['space'], on: ['calls'], help: 'mark the call' },
  save: { keys: ['f2', 's', 'S'], on: ['calls'], help: 'save calls as pcap or as text', label: 'Save' },
  filter: {
    keys: ['f3', '/', 'tab'],
    on: ['calls'],
    help: 'show only calls that fit: text or expression',
    label: 'Search',
  },
  filterForm: {
    keys: ['f7', 'f', 'F'],
    on: ['calls'],
    help: 'the filter as a dialog: from, to, methods …',
    label: 'Filter',
  },
  calls: { keys: ['1'], on: 'all', help: 'the calls' },
  ladder: { keys: ['2'], on: 'all', help: 'the ladder of the call' },
  related: { keys: ['f4', 'x'], on: ['calls', 'call'], help: 'the ladder with the other legs of the call', label: 'Legs' },
  streams: { keys: ['3', 'v'], on: ['calls', 'call', 'streams', 'statistics', 'sensors'], help: 'its RTP streams', label: 'Streams' },
  settings: {
    keys: ['f8', 'o', 'O'],
    on: ['calls', 'call', 'streams', 'statistics', 'sensors'],
    help: 'settings: order, names, colours …',
    label: 'Settings',
  },
  statistics: { keys: ['f11', '4', 'i'], on: ['calls', 'call', 'streams', 'statistics', 'sensors'], help: 'statistics', label: 'Stats' },
  sensors: { keys: ['f12', '5'], on: ['calls', 'call', 'streams', 'statistics', 'sensors'], help: 'the sensors', label: 'Sensors' },
  clear: { keys: ['f5', 'ctrl-l'], on: ['calls'], help: 'forget calls that are over', label: 'Clear' },
  prune: { keys: ['f9', 'X'], on: ['calls'], help: 'forget those that do not fit the filter', label: 'Prune' },
  raw: { keys: ['f6', 'R', 'r'], on: ['calls', 'call'], help: 'all messages as text', label: 'Raw' },
  columns: { keys: ['f10', 't', 'T'], on: ['calls'], help: 'choose columns', label: 'Columns' },
  pause: { keys: ['p'], on: ['calls', 'call', 'statistics', 'sensors', 'streams'], help: 'freeze the list; the calls go on' },
  follow: { keys: ['A'], on: ['calls'], help: 'stay on the newest call' },
  sortLeft: { keys: ['<', ','], on: ['calls'], help: 'sort by the column before' },
  sortRight: { keys: ['>', '.'], on: ['calls'], help: 'sort by the column after' },
  sortTurn: { keys: ['z'], on: ['calls'], help: 'turn the order round' },
  parties: { keys: ['u'], on: ['calls'], help: 'From and To as number, name or address' },
  alias: { keys: ['a'], on: ['calls', 'call'], help: 'name an address' },
  copy: { keys: ['y'], on: ['calls', 'call', 'streams'], help: 'copy the Call-ID' },

  message: { keys: ['enter'], on: ['call'], help: 'the message alone; with two selected, their differences' },
  pane: { keys: ['tab'], on: ['call', 'raw'], help: 'to the message and back' },
  select: { keys: ['space'], on: ['call'], help: 'select a message to compare' },
  saveCall: { keys: ['f2', 'S'], on: ['call'], help: 'save the call as pcap or as text', label: 'Save' },
  media: { keys: ['f3', 'm'], on: ['call'], help: 'RTP under the ladder on or off', label: 'Media' },
  compress: { keys: ['s'], on: ['call'], help: 'one column an address, or one a port' },
  sdpOnly: { keys: ['D'], on: ['call'], help: 'only messages with SDP' },
  sdpInfo: { keys: ['d'], on: ['call'], help: 'media of the SDP beside the arrows' },
  colours: { keys: ['c', 'C'], on: ['call'], help: 'colours by method, call or transaction' },
  time: { keys: ['w'], on: ['call'], help: 'time since the start, since the last, of day' },
  preview: { keys: ['t'], on: ['call'], help: 'the message beside the ladder on or off' },
  wider: { keys: ['9'], on: ['call'], help: 'more room for the message' },
  narrower: { keys: ['0'], on: ['call'], help: 'less room for the message' },
  widthReset: { keys: ['T'], on: ['call'], help: 'the usual room' },
} as const satisfies Readonly<Record<string, Binding>>

export type Action = keyof typeof bindings
export const actions = Object.keys(bindings) as Action[]
export const bindingOf = (action: Action): Binding => bindings[action]

/** What each key does on each screen. */
export type Keymap = ReadonlyMap<string, Action>

const at = (page: PageName, key: string): string => `${page} ${key}`

/** The table, with the keys that a person chose: `{ "filter": ["f3", "/"] }`. A key given to one action is taken from the others of its screens. */
export function keymap(own: Readonly<Partial<Record<Action, readonly string[]>>> = {}): Keymap {
  const map = new Map<string, Action>()
  const pages: readonly PageName[] = [...screenNames, 'raw', 'diff']
  const put = (action: Action, keys: readonly string[]): void => {
    const { on } = bindingOf(action)
    for (const page of on === 'all' ? pages : on) for (const key of keys) map.set(at(page, key), action)
  }
  for (const action of actions) if (own[action] === undefined) put(action, bindingOf(action).keys)
  for (const action of actions) if (own[action] !== undefined) put(action, own[action] as readonly string[])
  return map
}

export const actionFor = (map: Keymap, page: PageName, key: string): Action | undefined => map.get(at(page, key))

/** The keys that do something on a screen, as they are now: for the help and the bottom line. */
export function keysOn(map: Keymap, page: PageName): Map<Action, string[]> {
  const found = new Map<Action, string[]>()
  for (const [place, action] of map) {
    const [on, key] = place.split(' ') as [PageName, string]
    if (on === page) found.set(action, [...(found.get(action) ?? []), key])
  }
  return found
}
