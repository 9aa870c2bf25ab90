/** What each event makes of the screen; keys through the table of bindings. */
import type { BoardCall } from '../../lib/live/index.js'
import { type Action, actionFor } from './bindings.js'
import { partyForms, sidewaysMax } from './columns.js'
import { lanesHidden } from './draw/call.js'
import { lastTop } from './draw/pages.js'
import { composed, emptyForm } from './filter-form.js'
import { flowAction, inMessage, shownSteps, withMessages } from './flow.js'
import { chosenCalls, currentCall, freeze, listedColumns, listRows, moveTo, placed, relist, relistNow, withLegs } from './list.js'
import { type Event, emptyFlow, type Screen } from './model.js'
import { promptKey } from './prompt.js'
import { changed, columnsPrompt, notify, type Step, savePrompt, show, stay } from './step.js'

const ASK_AGAIN_MICROS = 2_000_000

export function reduce(screen: Screen, event: Event): Step {
  switch (event.kind) {
    case 'changes':
      screen.board.apply(event.changes)
      return stay(screen)
    case 'settle':
      return settle({ ...screen, nowMicros: event.nowMicros })
    case 'resize': {
      const sized = { ...screen, columns: event.columns, rows: event.rows }
      return stay({ ...sized, list: placed(sized.list, event.rows) }, { kind: 'redraw' })
    }
    case 'messages':
      return stay(withMessages(screen, event))
    case 'notice':
      return stay(notify(screen, event.text, event.bad))
    case 'source': {
      const others = screen.sources.filter((s) => s.name !== event.status.name)
      return stay({ ...screen, sources: [...others, event.status].sort((a, b) => (a.name < b.name ? -1 : 1)) })
    }
    case 'key':
      return keyPressed(screen, event.key)
    default:
      return event satisfies never
  }
}

/** A moment of rest: the list is made anew, old notices go, a ladder whose call goes on is asked for again. */
function settle(screen: Screen): Step {
  const made = relist(screen)
  const kept = made.notice !== undefined && made.notice.untilMicros < made.nowMicros ? { ...made, notice: undefined } : made
  const { flow } = kept
  if (flow.state !== 'here' || kept.page === 'calls') return stay(kept)
  const messages = flow.calls.reduce((sum, c) => sum + c.view.sipMessages, 0)
  // A sensor writes its pcaps a little after it tells of them.
  const late = flow.steps.length < messages && flow.calls.some((c) => !c.over) && kept.nowMicros - flow.askedMicros > ASK_AGAIN_MICROS
  if (messages === flow.asked && !late) return stay(kept)
  return stay({ ...kept, flow: { ...flow, asked: messages, askedMicros: kept.nowMicros } }, { kind: 'load', calls: flow.calls })
}

function keyPressed(screen: Screen, key: Parameters<typeof promptKey>[1]): Step {
  if (screen.prompt !== undefined) {
    // What the terminal itself would do goes on where something is typed.
    const control = key.name.startsWith('ctrl-') ? actionFor(screen.keymap, screen.page, key.name) : undefined
    return control === 'abort' || control === 'suspend' || control === 'redraw' ? act(screen, control) : promptKey(screen, key)
  }
  if (key.name === 'click' || key.name.startsWith('wheel-')) return mouse(screen, key)
  const action = actionFor(screen.keymap, screen.page, key.name)
  return action === undefined ? stay(screen) : act(screen, action)
}

function mouse(screen: Screen, { name, row = 0 }: Parameters<typeof promptKey>[1]): Step {
  if (name === 'wheel-up') return move(screen, -3)
  if (name === 'wheel-down') return move(screen, 3)
  if (screen.page !== 'calls') return stay(screen)
  // Two lines stand above the rows; a second click on the same call opens it.
  const at = screen.list.top + row - 2
  if (row < 2 || row >= 2 + listRows(screen.rows) || at >= screen.list.rows.length) return stay(screen)
  if (at === screen.list.cursorAt) return act(screen, 'open')
  return stay({ ...screen, list: moveTo(screen.list, at, screen.rows) })
}

function act(screen: Screen, action: Action): Step {
  const { page } = screen
  switch (action) {
    case 'abort':
      return stay(screen, { kind: 'quit' })
    case 'suspend':
      return stay(screen, { kind: 'suspend' })
    case 'redraw':
      return stay(screen, { kind: 'redraw' })
    case 'quit':
    case 'back':
      return back(screen)
    case 'up':
      return move(screen, -1)
    case 'down':
      return move(screen, 1)
    case 'pageUp':
      return move(screen, -pageRows(screen))
    case 'pageDown':
      return move(screen, pageRows(screen))
    case 'halfUp':
      return move(screen, -Math.ceil(pageRows(screen) / 2))
    case 'halfDown':
      return move(screen, Math.ceil(pageRows(screen) / 2))
    case 'first':
      return move(screen, Number.NEGATIVE_INFINITY)
    case 'last':
      return move(screen, Number.POSITIVE_INFINITY)
    case 'left':
      return sideways(screen, -1)
    case 'right':
      return sideways(screen, 1)
    case 'settings':
      return stay({ ...screen, prompt: { kind: 'settings', row: 0 } })
    case 'help':
    case 'statistics':
    case 'sensors':
      return stay(show(screen, action))
    case 'calls':
      return stay({ ...screen, page: 'calls', behind: [] })
    case 'open':
    case 'ladder':
      return openFlow(screen, 'call')
    case 'related':
      return openLegs(screen)
    case 'streams':
      return openFlow(screen, 'streams')
    case 'raw':
      return page === 'calls'
        ? openFlow(screen, 'raw')
        : stay(show({ ...screen, scroll: { ...screen.scroll, raw: 0 }, side: 0, flow: { ...screen.flow, rawOf: 'call' } }, 'raw'))
    case 'pause':
      return stay(freeze(screen))
    case 'copy': {
      const call = page === 'calls' ? currentCall(screen) : screen.flow.calls[0]
      if (call === undefined) return stay(screen)
      return stay(notify(screen, `Copied: ${call.view.callId}`), { kind: 'copy', text: call.view.callId })
    }
    case 'mark':
    case 'save':
    case 'filter':
    case 'filterForm':
    case 'clear':
    case 'prune':
    case 'columns':
    case 'follow':
    case 'sortLeft':
    case 'sortRight':
    case 'sortTurn':
    case 'parties':
      return listAction(screen, action)
    case 'alias':
    case 'message':
    case 'pane':
    case 'select':
    case 'saveCall':
    case 'media':
    case 'compress':
    case 'sdpOnly':
    case 'sdpInfo':
    case 'colours':
    case 'time':
    case 'preview':
    case 'wider':
    case 'narrower':
    case 'widthReset':
      return flowAction(screen, action)
    default:
      return action satisfies never
  }
}

function back(screen: Screen): Step {
  const last = screen.behind.at(-1)
  if (last !== undefined) return stay({ ...screen, page: last, behind: screen.behind.slice(0, -1) })
  if (screen.page !== 'calls') return stay({ ...screen, page: 'calls' })
  return stay({ ...screen, prompt: { kind: 'quit' } })
}

const pageRows = ({ rows }: Screen): number => listRows(rows)

function move(screen: Screen, by: number): Step {
  const { page } = screen
  if (page === 'calls') return stay({ ...screen, list: moveTo(screen.list, screen.list.cursorAt + by, screen.rows) })
  if (page === 'call' && !inMessage(screen)) {
    const cursor = Math.max(0, Math.min(shownSteps(screen.flow).length - 1, screen.flow.cursor + by))
    if (cursor === screen.flow.cursor) return stay(screen)
    return stay({ ...screen, flow: { ...screen.flow, cursor }, scroll: { ...screen.scroll, message: 0 }, side: 0 })
  }
  const part = page === 'call' ? 'message' : page
  const line = Math.max(0, Math.min(lastTop(screen, part), screen.scroll[part] + by))
  return stay({ ...screen, scroll: { ...screen.scroll, [part]: line } })
}

/** Long lines go by so many cells, until so many are left of the longest. */
const SIDE_CELLS = 8
const SIDE_LEFT = 16

/** To the left or the right: columns of the list, addresses of the ladder, the text of a message. */
function sideways(screen: Screen, by: 1 | -1): Step {
  const { page, list, columns, flow } = screen
  if (page === 'calls') {
    const side = Math.max(0, Math.min(sidewaysMax(listedColumns(screen), columns), list.side + by))
    return stay({ ...screen, list: { ...list, side } })
  }
  if (page === 'call' && !inMessage(screen)) {
    const laneFrom = Math.max(0, Math.min(lanesHidden(screen), flow.laneFrom + by))
    return stay({ ...screen, flow: { ...flow, laneFrom } })
  }
  const longest = Math.max(0, ...shownSteps(flow).flatMap(({ text }) => text.split('\n').map((line) => line.length)))
  return stay({ ...screen, side: Math.max(0, Math.min(longest - SIDE_LEFT, screen.side + by * SIDE_CELLS)) })
}

const callsAtHand = (screen: Screen): readonly BoardCall[] =>
  screen.page === 'calls' || screen.flow.calls.length === 0 ? chosenCalls(screen) : screen.flow.calls

/** sngrep's extended flow. */
function openLegs(screen: Screen): Step {
  const own = callsAtHand(screen)
  const legs = withLegs(own, screen.board)
  const step = openFlow(screen, 'call', legs)
  const more = legs.length - own.length
  return {
    ...step,
    screen: notify(step.screen, more === 0 ? 'It has no other leg here.' : `With ${more} other ${more === 1 ? 'leg' : 'legs'}.`),
  }
}

/** Opens the ladder (or what is made of it) of the chosen calls. */
function openFlow(screen: Screen, page: 'call' | 'streams' | 'raw', calls: readonly BoardCall[] = callsAtHand(screen)): Step {
  if (calls.length === 0) return stay(notify(screen, 'There is no call under the cursor.'))
  const shown = show({ ...screen, scroll: { ...screen.scroll, raw: 0, streams: 0 }, side: 0 }, page)
  if (sameCalls(calls, screen.flow.calls) && screen.flow.state !== 'empty') return stay(shown)
  const asked = calls.reduce((sum, c) => sum + c.view.sipMessages, 0)
  const { media, compressed, sdpOnly, sdpInfo, preview, previewMore } = screen.flow
  const kept = { media, compressed, sdpOnly, sdpInfo, preview, previewMore }
  return stay(
    { ...shown, flow: { ...emptyFlow, ...kept, calls, asked, askedMicros: screen.nowMicros, state: 'loading' } },
    { kind: 'load', calls },
  )
}

const sameCalls = (a: readonly BoardCall[], b: readonly BoardCall[]): boolean =>
  a.length === b.length && a.every((call, i) => call.key === b[i]?.key)

function listAction(
  screen: Screen,
  action:
    | 'mark'
    | 'save'
    | 'filter'
    | 'filterForm'
    | 'clear'
    | 'prune'
    | 'columns'
    | 'follow'
    | 'sortLeft'
    | 'sortRight'
    | 'sortTurn'
    | 'parties',
): Step {
  const { list, settings } = screen
  switch (action) {
    case 'mark': {
      const current = currentCall(screen)
      if (current === undefined) return stay(screen)
      const marked = new Set(list.marked)
      if (!marked.delete(current.key)) marked.add(current.key)
      return stay({ ...screen, list: moveTo({ ...list, marked }, list.cursorAt + 1, screen.rows) })
    }
    case 'save':
      return stay({ ...screen, prompt: savePrompt(screen, list.marked.size > 0 ? 'marked' : 'current', chosenCalls(screen)[0]) })
    case 'filter':
      return stay({ ...screen, prompt: { kind: 'filter', text: list.filter.text, at: list.filter.text.length, error: undefined } })
    case 'filterForm':
      return stay({ ...screen, prompt: { kind: 'form', form: formNow(screen) } })
    case 'clear':
      return forget(screen)
    case 'prune': {
      const others = [...screen.board.calls.values()].filter((call) => !list.filter.fits(call)).map((call) => call.key)
      return forget(screen, new Set(others))
    }
    case 'columns':
      return stay({ ...screen, prompt: columnsPrompt(screen) })
    case 'follow': {
      const follow = !list.follow
      const next = { ...screen, list: placed({ ...list, follow }, screen.rows) }
      return stay(notify(next, follow ? 'The cursor follows the newest call.' : 'The cursor stays.'))
    }
    case 'sortLeft':
    case 'sortRight': {
      const at = settings.columns.indexOf(settings.sort.column)
      const step = action === 'sortLeft' ? settings.columns.length - 1 : 1
      const column = settings.columns[(Math.max(0, at) + step) % settings.columns.length] ?? settings.sort.column
      return changed(screen, { ...settings, sort: { column, descending: false } })
    }
    case 'sortTurn':
      return changed(screen, { ...settings, sort: { ...settings.sort, descending: !settings.sort.descending } })
    case 'parties': {
      const parties = partyForms[(partyForms.indexOf(settings.parties) + 1) % partyForms.length] ?? 'number'
      return changed(screen, { ...settings, parties })
    }
    default:
      return action satisfies never
  }
}

/** Calls that are over go, of these keys or all. */
function forget(screen: Screen, keys?: ReadonlySet<string>): Step {
  const { board, list } = screen
  const before = board.calls.size
  board.clear(keys)
  const marked = new Set([...list.marked].filter((key) => board.calls.has(key)))
  const gone = before - board.calls.size
  const left = relistNow({ ...screen, list: { ...list, marked } })
  return stay(notify(left, `Forgot ${gone} ${gone === 1 ? 'call that is' : 'calls that are'} over.`))
}

/** The dialog as it was filled in, as long as the filter is still its own; else the filter as it was typed. */
function formNow({ list: { form, filter }, nowMicros, settings: { aliases }, messagesOf }: Screen): ReturnType<typeof emptyForm> {
  const own = form !== undefined && composed(form, { nowMs: nowMicros / 1000, aliases, messagesOf }) === filter.text
  return own ? { ...form, row: 'from', error: undefined } : emptyForm(filter.text)
}
