import type { LadderStep } from '../../lib/call/ladder.js'
import { currentCall } from './list.js'
import { colourings, type Event, type Flow, type Screen, timeForms } from './model.js'
import { changed, notify, type Step, savePrompt, show, stay } from './step.js'

/** What keys do on the screen of a call. */
type FlowAction =
  | 'alias'
  | 'message'
  | 'pane'
  | 'select'
  | 'saveCall'
  | 'media'
  | 'compress'
  | 'sdpOnly'
  | 'sdpInfo'
  | 'colours'
  | 'time'
  | 'preview'
  | 'wider'
  | 'narrower'
  | 'widthReset'

export function flowAction(screen: Screen, action: FlowAction): Step {
  const { flow, settings } = screen
  const set = (part: Partial<Flow>): Step => stay({ ...screen, flow: { ...flow, ...part } })
  switch (action) {
    case 'alias': {
      const step = shownSteps(flow)[flow.cursor]
      const ip = screen.page === 'call' ? step && hostOf(step.source) : currentCall(screen)?.view.callerAddr.ip
      if (ip === undefined) return stay(screen)
      const text = settings.aliases.get(ip) ?? ''
      return stay({ ...screen, prompt: { kind: 'alias', ip, text, at: text.length } })
    }
    case 'message': {
      if (flow.steps.length === 0) return stay(screen)
      const two = flow.selected.length === 2
      return stay(
        show(
          { ...screen, scroll: { ...screen.scroll, raw: 0, diff: 0 }, side: 0, flow: { ...flow, rawOf: 'message' } },
          two ? 'diff' : 'raw',
        ),
      )
    }
    case 'pane': {
      // Where there is no room for both, the message stands alone.
      if (screen.page === 'raw') return stay({ ...screen, page: 'call', behind: screen.behind.filter((page) => page !== 'call') })
      if (flow.steps.length === 0) return stay(screen)
      if (!previewShown(screen))
        return stay(show({ ...screen, scroll: { ...screen.scroll, raw: 0 }, side: 0, flow: { ...flow, rawOf: 'message' } }, 'raw'))
      return set({ pane: flow.pane === 'ladder' ? 'message' : 'ladder' })
    }
    case 'select': {
      if (flow.steps.length === 0) return stay(screen)
      const without = flow.selected.filter((i) => i !== flow.cursor)
      // The older of two gives way to a third.
      const selected = without.length < flow.selected.length ? without : [...flow.selected.slice(-1), flow.cursor]
      const next = { ...screen, flow: { ...flow, selected, cursor: Math.min(flow.cursor + 1, flow.steps.length - 1) } }
      return stay(selected.length === 2 ? notify(next, 'Enter compares the two messages.') : next)
    }
    case 'saveCall':
      return stay({ ...screen, prompt: savePrompt(screen, 'current', flow.calls[0]) })
    case 'media':
      return set({ media: !flow.media })
    case 'compress':
      return set({ compressed: !flow.compressed })
    case 'sdpOnly':
      return set({ sdpOnly: !flow.sdpOnly, cursor: 0, selected: [] })
    case 'sdpInfo':
      return set({ sdpInfo: !flow.sdpInfo })
    case 'colours': {
      const colours = colourings[(colourings.indexOf(settings.colours) + 1) % colourings.length] ?? 'method'
      const step = changed(screen, { ...settings, colours })
      return { ...step, screen: notify(step.screen, `Colours tell the ${colours}.`) }
    }
    case 'time': {
      const time = timeForms[(timeForms.indexOf(settings.time) + 1) % timeForms.length] ?? 'start'
      return changed(screen, { ...settings, time })
    }
    case 'preview':
      return set({ preview: !flow.preview, pane: 'ladder' })
    case 'wider':
      return set({ previewMore: Math.min(flow.previewMore + 4, 80) })
    case 'narrower':
      return set({ previewMore: Math.max(flow.previewMore - 4, -20) })
    case 'widthReset':
      return set({ previewMore: 0 })
    default:
      return action satisfies never
  }
}

/** Columns from which on a message has room beside the ladder. */
const PREVIEW_FROM = 100
export const previewShown = ({ flow, columns }: Screen): boolean => flow.preview && columns >= PREVIEW_FROM && shownSteps(flow).length > 0
/** The keys move the message beside the ladder, not the ladder. */
export const inMessage = (screen: Screen): boolean => screen.page === 'call' && screen.flow.pane === 'message' && previewShown(screen)

/** The messages that the ladder shows. */
export const shownSteps = ({ steps, sdpOnly }: Flow): readonly LadderStep[] => (sdpOnly ? steps.filter((s) => s.hasSdp) : steps)

/** `10.0.0.1` of `10.0.0.1:5060`, `2001:db8::1` of `[2001:db8::1]:5060`. */
export const hostOf = (endpoint: string): string => endpoint.slice(0, endpoint.lastIndexOf(':')).replace(/^\[|\]$/g, '')

/** The messages have come; when the person has gone on to other calls meanwhile, they are of no use. */
export function withMessages(screen: Screen, { keys, steps, note }: Extract<Event, { kind: 'messages' }>): Screen {
  const { flow } = screen
  if (flow.calls.map((c) => c.key).join() !== keys.join()) return screen
  const cursor = Math.max(0, Math.min(flow.cursor, steps.length - 1))
  const ordered = [...steps].sort((a, b) => a.time - b.time)
  return { ...screen, flow: { ...flow, steps: ordered, note, state: 'here', cursor } }
}
