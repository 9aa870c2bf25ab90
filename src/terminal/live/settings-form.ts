import { type ColourChoice, colourChoices } from './capabilities.js'
import { columnOf, partyForms } from './columns.js'
import { colourings, type Screen, type Settings, timeForms } from './model.js'

/**
 * The settings menu: a row a setting, its values in turn. What is chosen is shown at once and remembered (settings-file.ts),
 * but for what belongs to this run alone.
 */
export interface SettingRow {
  readonly title: string
  readonly help: string
  readonly value: (screen: Screen) => string
  /** The screen with the next value, or with the one before. */
  readonly turn: (screen: Screen, by: 1 | -1) => Screen
}

function turned<T>(values: readonly T[], value: T, by: number): T {
  const at = Math.max(0, values.indexOf(value))
  return values[(at + by + values.length) % values.length] as T
}

const yesOrNo = (value: boolean): string => (value ? 'yes' : 'no')

const set = (screen: Screen, part: Partial<Settings>): Screen => ({ ...screen, settings: { ...screen.settings, ...part } })
const look = (screen: Screen, part: Partial<Pick<Settings, 'colour' | 'ascii'>>): Screen => ({
  ...set(screen, part),
  look: { ...screen.look, ...part },
})

const partyWords: Readonly<Record<Settings['parties'], string>> = { number: 'number', name: 'name', address: 'number@domain' }
const colourWords: Readonly<Record<ColourChoice, string>> = {
  auto: 'as the terminal says',
  always: 'always',
  never: 'none',
}
const timeWords: Readonly<Record<Settings['time'], string>> = { start: 'since the first message', delta: 'since the last', clock: 'of day' }

export const settingRows: readonly SettingRow[] = [
  {
    title: 'Columns',
    help: 'Enter chooses them',
    value: ({ settings }) => `${settings.columns.length} chosen`,
    turn: (screen) => screen,
  },
  {
    title: 'Sort by',
    help: 'column that orders the list',
    value: ({ settings }) => columnOf(settings.sort.column).title,
    turn: (screen, by) => {
      const { columns, sort } = screen.settings
      return set(screen, { sort: { ...sort, column: turned(columns, sort.column, by) } })
    },
  },
  {
    title: 'Order',
    help: 'what stands first',
    value: ({ settings }) => (settings.sort.descending ? 'highest first' : 'lowest first'),
    turn: (screen) => set(screen, { sort: { ...screen.settings.sort, descending: !screen.settings.sort.descending } }),
  },
  {
    title: 'From and To',
    help: 'how parties are written',
    value: ({ settings }) => partyWords[settings.parties],
    turn: (screen, by) => set(screen, { parties: turned(partyForms, screen.settings.parties, by) }),
  },
  {
    title: 'Addresses',
    help: 'by the names that you gave them (key a), or as they are',
    value: ({ settings }) => (settings.names ? `by name (${settings.aliases.size} named)` : 'as they are'),
    turn: (screen) => set(screen, { names: !screen.settings.names }),
  },
  {
    title: 'Follow',
    help: 'the cursor stays on the newest call',
    value: ({ list }) => yesOrNo(list.follow),
    turn: (screen) => {
      const follow = !screen.list.follow
      return { ...set(screen, { follow }), list: { ...screen.list, follow } }
    },
  },
  {
    title: 'Colours',
    help: 'of this terminal',
    value: (screen) => colourWords[screen.look.colour],
    turn: (screen, by) => look(screen, { colour: turned(colourChoices, screen.look.colour, by) }),
  },
  {
    title: 'ASCII only',
    help: 'lines and signs of plain letters',
    value: (screen) => yesOrNo(screen.look.ascii),
    turn: (screen) => look(screen, { ascii: !screen.look.ascii }),
  },
  {
    title: 'Arrows',
    help: 'what the colours of a ladder tell apart',
    value: ({ settings }) => `by ${settings.colours}`,
    turn: (screen, by) => set(screen, { colours: turned(colourings, screen.settings.colours, by) }),
  },
  {
    title: 'Time',
    help: 'beside the arrows of a ladder',
    value: ({ settings }) => timeWords[settings.time],
    turn: (screen, by) => set(screen, { time: turned(timeForms, screen.settings.time, by) }),
  },
]
