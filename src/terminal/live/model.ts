import type { Micros } from '../../lib/base/units.js'
import type { LadderStep } from '../../lib/call/ladder.js'
import { type BoardCall, CallBoard, type SourceChanges } from '../../lib/live/index.js'
import { type Keymap, keymap, type PageName } from './bindings.js'
import type { ColourChoice } from './capabilities.js'
import { type ColumnName, type PartyForm, usualColumns } from './columns.js'
import type { Typed } from './edit.js'
import { everyCall, type Filter, type MessageTexts } from './filter.js'
import type { FilterForm } from './filter-form.js'
import type { Key } from './keys.js'

/** The whole state of the screen. Plain data but for the board; `reduce` makes the next one of an event, `frame` draws it. */
export interface Screen {
  readonly board: CallBoard
  readonly keymap: Keymap
  readonly page: PageName
  /** Pages to go back to. */
  readonly behind: readonly PageName[]
  readonly columns: number
  readonly rows: number
  /** Capture time, going on between batches. */
  readonly nowMicros: number
  readonly list: CallList
  readonly flow: Flow
  /** Line at the top of help, statistics, sensors; cursor of streams. */
  readonly scroll: Readonly<Record<'help' | 'statistics' | 'sensors' | 'streams' | 'raw' | 'diff' | 'message', number>>
  /** Cells that messages are moved to the left; 0 wraps their lines. */
  readonly side: number
  readonly prompt: Prompt | undefined
  readonly notice: Notice | undefined
  readonly sources: readonly SourceStatus[]
  readonly settings: Settings
  /** Of this run: what flags said, until the person says otherwise. */
  readonly look: Look
  readonly messagesOf: MessageTexts | undefined
  /** An own capture ends with the screen; so quitting asks. */
  readonly losesOnQuit: boolean
}

/** What is remembered from one run to the next. */
export interface Settings {
  readonly columns: readonly ColumnName[]
  readonly sort: { readonly column: ColumnName; readonly descending: boolean }
  readonly parties: PartyForm
  readonly aliases: ReadonlyMap<string, string>
  /** Addresses are shown by their names. */
  readonly names: boolean
  /** A run begins on the newest call. */
  readonly follow: boolean
  readonly colours: ColourBy
  readonly time: TimeForm
  readonly colour: ColourChoice
  readonly ascii: boolean
}
export type Look = Pick<Settings, 'colour' | 'ascii'>

const unnamed: ReadonlyMap<string, string> = new Map()
/** The names to show. */
export const namesShown = ({ names, aliases }: Settings): ReadonlyMap<string, string> => (names ? aliases : unnamed)

export const colourings = ['method', 'call', 'transaction'] as const
export type ColourBy = (typeof colourings)[number]

export interface CallList {
  /** Calls that fit the filter, in order. */
  readonly rows: readonly BoardCall[]
  /** The board's version that `rows` were made of. */
  readonly made: number
  readonly cursor: string | undefined
  readonly cursorAt: number
  readonly top: number
  readonly marked: ReadonlySet<string>
  readonly filter: Filter
  /** How the filter was filled in, if it was. */
  readonly form: FilterForm | undefined
  /** Columns left out at the left edge. */
  readonly side: number
  readonly frozen: boolean
  readonly follow: boolean
}

export interface Flow {
  /** The calls of the ladder. */
  readonly calls: readonly BoardCall[]
  readonly steps: readonly LadderStep[]
  readonly state: 'empty' | 'loading' | 'here'
  /** Why there are no messages, or not all. */
  readonly note: string | undefined
  /** SIP messages of the calls when the steps were asked for. */
  readonly asked: number
  readonly askedMicros: number
  readonly cursor: number
  readonly selected: readonly number[]
  readonly media: boolean
  readonly compressed: boolean
  readonly sdpOnly: boolean
  readonly sdpInfo: boolean
  readonly preview: boolean
  /** Cells that the message has more than usual. */
  readonly previewMore: number
  /** Which of the two the keys move. */
  readonly pane: 'ladder' | 'message'
  /** Addresses left out at the left edge of the ladder. */
  readonly laneFrom: number
  /** What the raw page shows: the message under the cursor, or all of them. */
  readonly rawOf: 'message' | 'call'
}
export const timeForms = ['start', 'delta', 'clock'] as const
export type TimeForm = (typeof timeForms)[number]

export type Prompt =
  | ({ readonly kind: 'filter'; readonly error: string | undefined } & Typed)
  | { readonly kind: 'form'; readonly form: FilterForm }
  | { readonly kind: 'settings'; readonly row: number }
  | ({ readonly kind: 'alias'; readonly ip: string } & Typed)
  | ({ readonly kind: 'save'; readonly format: SaveFormat; readonly which: SaveWhich } & Typed)
  | { readonly kind: 'columns'; readonly cursor: number; readonly chosen: readonly ColumnName[]; readonly order: readonly ColumnName[] }
  | { readonly kind: 'quit' }

export const saveFormats = ['rtp', 'sip', 'text'] as const
export type SaveFormat = (typeof saveFormats)[number]
export type SaveWhich = 'marked' | 'current' | 'shown'

export interface Notice {
  readonly text: string
  readonly bad: boolean
  readonly untilMicros: number
}

/** Where calls come from, and what it says of itself. */
export interface SourceStatus {
  readonly name: string
  readonly state: 'live' | 'reading' | 'done' | 'lost' | 'connecting'
  readonly detail?: string | undefined
  /** Of each service that it speaks for. */
  readonly services?: readonly SensorStats[] | undefined
  /** Its calls are records: no time goes on in them. */
  readonly past?: boolean | undefined
}

/** What a sensor counts; sums since its start. */
export interface SensorStats {
  readonly service: string
  readonly sensorId?: number | undefined
  readonly uptimeSeconds: number
  readonly captureTime?: number | undefined
  readonly packets: number
  readonly rtp: number
  readonly sip: number
  readonly calls: number
  readonly open: number
  readonly kernel?: { readonly received: number; readonly dropped: number } | undefined
  readonly records?: { readonly stored: number; readonly dropped: number; readonly waiting?: number | undefined } | undefined
  readonly spool?: { readonly files: number; readonly packets: number; readonly bytes: number; readonly dropped: number } | undefined
  readonly odd: Readonly<Record<string, number>>
  readonly cpuSeconds: number
  readonly rssBytes: number
  /** Made here, of two of these. */
  readonly packetsPerSecond?: number | undefined
  readonly cpuPercent?: number | undefined
}

export type Event =
  | { readonly kind: 'key'; readonly key: Key }
  | { readonly kind: 'changes'; readonly changes: SourceChanges }
  /** The list may be made anew: at most a few times a second, so that rows hold still. */
  | { readonly kind: 'settle'; readonly nowMicros: number }
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number }
  | {
      readonly kind: 'messages'
      readonly keys: readonly string[]
      readonly steps: readonly LadderStep[]
      readonly note?: string | undefined
    }
  | { readonly kind: 'notice'; readonly text: string; readonly bad?: boolean }
  | { readonly kind: 'source'; readonly status: SourceStatus }

/** What the reducer wants done outside. */
export type Effect =
  | { readonly kind: 'load'; readonly calls: readonly BoardCall[] }
  | { readonly kind: 'save'; readonly calls: readonly BoardCall[]; readonly path: string; readonly format: SaveFormat }
  | { readonly kind: 'copy'; readonly text: string }
  | { readonly kind: 'remember'; readonly settings: Settings }
  | { readonly kind: 'suspend' }
  | { readonly kind: 'redraw' }
  | { readonly kind: 'quit' }

export const usualSettings: Settings = {
  columns: usualColumns,
  sort: { column: 'start', descending: false },
  parties: 'number',
  aliases: new Map(),
  names: true,
  follow: false,
  colours: 'method',
  time: 'start',
  colour: 'auto',
  ascii: false,
}

export const emptyFlow: Flow = {
  calls: [],
  steps: [],
  state: 'empty',
  note: undefined,
  asked: 0,
  askedMicros: 0,
  cursor: 0,
  selected: [],
  media: true,
  compressed: false,
  sdpOnly: false,
  sdpInfo: false,
  preview: true,
  previewMore: 0,
  pane: 'ladder',
  laneFrom: 0,
  rawOf: 'call',
}

export function newScreen(options: {
  readonly columns: number
  readonly rows: number
  readonly settings?: Settings
  readonly keymap?: Keymap
  readonly board?: CallBoard
  readonly losesOnQuit?: boolean
  readonly filter?: Filter
  readonly look?: Look
  readonly messagesOf?: MessageTexts | undefined
}): Screen {
  const settings = options.settings ?? usualSettings
  return {
    board: options.board ?? new CallBoard(),
    keymap: options.keymap ?? keymap(),
    page: 'calls',
    behind: [],
    columns: options.columns,
    rows: options.rows,
    nowMicros: 0 as Micros,
    list: {
      rows: [],
      made: -1,
      cursor: undefined,
      cursorAt: 0,
      top: 0,
      marked: new Set(),
      filter: options.filter ?? everyCall,
      form: undefined,
      side: 0,
      frozen: false,
      follow: settings.follow,
    },
    flow: emptyFlow,
    scroll: { help: 0, statistics: 0, sensors: 0, streams: 0, raw: 0, diff: 0, message: 0 },
    side: 0,
    prompt: undefined,
    notice: undefined,
    sources: [],
    settings,
    look: options.look ?? settings,
    messagesOf: options.messagesOf,
    losesOnQuit: options.losesOnQuit ?? false,
  }
}
