import type { BoardCall } from '../../lib/live/index.js'
import type { PageName } from './bindings.js'
import { columnNames } from './columns.js'
import { relistNow } from './list.js'
import type { Effect, Prompt, Screen } from './model.js'

/** From one state of the screen to the next. Nothing outside is touched: what is to be done there is answered as effects. */
export interface Step {
  readonly screen: Screen
  readonly effects: readonly Effect[]
}

const NOTICE_MICROS = 6_000_000
export const stay = (screen: Screen, ...effects: Effect[]): Step => ({ screen, effects })

export const notify = (screen: Screen, text: string, bad = false): Screen => ({
  ...screen,
  notice: { text, bad, untilMicros: screen.nowMicros + NOTICE_MICROS },
})

/** Shows a page over the present one. */
export function show(screen: Screen, page: PageName): Screen {
  if (screen.page === page) return screen
  return { ...screen, page, behind: [...screen.behind.filter((p) => p !== page), screen.page] }
}

/** Other settings: shown at once, and remembered. */
export function changed(screen: Screen, settings: Screen['settings']): Step {
  return stay(relistNow({ ...screen, settings }), { kind: 'remember', settings })
}

/** Those chosen come first, as they stand. */
export function columnsPrompt({ settings: { columns } }: Screen): Prompt {
  return { kind: 'columns', cursor: 0, chosen: columns, order: [...columns, ...columnNames.filter((name) => !columns.includes(name))] }
}

export function savePrompt(screen: Screen, which: 'marked' | 'current' | 'shown', call: BoardCall | undefined): Prompt | undefined {
  if (call === undefined) return screen.prompt
  const text = `${call.view.callId.replace(/[^A-Za-z0-9.@_-]/g, '_').slice(0, 80)}.pcap`
  return { kind: 'save', text, at: text.length, format: 'rtp', which }
}
