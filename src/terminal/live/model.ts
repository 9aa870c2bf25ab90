import type { Micros } from '../../lib/base/units.js'
import type { LadderStep } from '../../lib/call/ladder.js'
import { type BoardCall, CallBoard, type SourceChanges } from '../../lib/live/index.js'
import { type Keymap, keymap, type PageName } from './bindings.js'
import { type ColumnName, type PartyForm, usualColumns } from './columns.js'
import { everyCall, type Filter } from './filter.js'
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
  readonly scroll: Readonly<Record<'help' | 'statistics' | 'sensors' | 'streams' | 'raw' | 'diff', number>>
  readonly prompt: Prompt | undefined
  readonly notice: Notice | undefined
  readonly sources: readonly SourceStatus[]
  readonly settings: Settings
  /** An own capture ends with the screen; so quitting asks. */
  readonly losesOnQuit: boolean
}

/** What is remembered from one run to the next. */
export interface Settings {
  readonly columns: readonly ColumnName[]
  readonly sort: { readonly column: ColumnName; readonly descending: boolean }
  readonly parties: PartyForm
  readonly aliases: ReadonlyMap<string, string>
  readonly colours: ColourBy
}
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
  readonly time: TimeForm
  /** What the raw page shows: the message under the cursor, or all of them. */
  readonly rawOf: 'message' | 'call'
}
export const timeForms = ['start', 'delta', 'clock'] as const
export type TimeForm = (typeof timeForms)[number]

export type Prompt =
  | { readonly kind: 'filter'; readonly text: string; readonly at: number; readonly error: string | undefined }
  | { readonly kind: 'alias'; readonly ip: string; readonly text: string; readonly at: number }
  | {
      readonly kind: 'save'
      readonly text: string
      readonly at: number
      readonly format: SaveFormat
      readonly which: SaveWhich
    }
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
  colours: 'method',
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
  time: 'start',
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
}): Screen {
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
      frozen: false,
      follow: false,
    },
    flow: emptyFlow,
    scroll: { help: 0, statistics: 0, sensors: 0, streams: 0, raw: 0, diff: 0 },
    prompt: undefined,
    notice: undefined,
    sources: [],
    settings: options.settings ?? usualSettings,
    losesOnQuit: options.losesOnQuit ?? false,
  }
}
