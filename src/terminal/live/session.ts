import type { BoardCall } from '../../lib/live/index.js'
import { keymap } from './bindings.js'
import { type TerminalFacts, themeFor } from './capabilities.js'
import { drawFrame } from './draw/frame.js'
import { ladderText } from './draw/text-ladder.js'
import type { Filter } from './filter.js'
import { type Host, openHost } from './host.js'
import { type Effect, type Event, type Look, newScreen, type SaveFormat, type Screen } from './model.js'
import { mergedPackets, saveFile, savePcap } from './packets.js'
import { FramePace, Painter } from './painter.js'
import { reduce } from './reduce.js'
import { type SettingsFile, writeSettings } from './settings-file.js'
import { type LiveSource, messagesOf, sourceOf } from './source.js'
import type { Theme } from './style.js'

/** One run of the screen: events in, the reducer, effects out, frames at their pace. The only place with clocks and timers. */
export interface SessionOptions {
  readonly sources: readonly LiveSource[]
  readonly terminal: Pick<TerminalFacts, 'env' | 'depth'>
  /** What flags say, over what is remembered. */
  readonly look: Partial<Look>
  readonly mouse: boolean
  readonly filter: Filter
  readonly file: SettingsFile
  readonly settingsPath: string
}

/** Rows hold still for so long, unless a key moves them. */
const SETTLE_MS = 500
const REMEMBER_MS = 500

export async function runSession(options: SessionOptions): Promise<void> {
  const { stdout } = process
  const { sources } = options
  const theme = ({ look }: Screen): Theme => themeFor({ ...options.terminal, ...look })
  const pace = new FramePace()
  let screen: Screen = newScreen({
    columns: stdout.columns || 80,
    rows: stdout.rows || 24,
    settings: options.file.settings,
    keymap: keymap(options.file.keys),
    losesOnQuit: sources.some((s) => s.own),
    filter: options.filter,
    look: { ...options.file.settings, ...options.look },
    messagesOf: messagesOf(sources),
  })
  const painter = new Painter(stdout, theme(screen))
  let newsMs = performance.now()
  let drawing: NodeJS.Timeout | undefined
  let drawAtMs = Number.POSITIVE_INFINITY
  let remembering: NodeJS.Timeout | undefined
  let finish: () => void = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })

  const draw = (): void => {
    drawing = undefined
    drawAtMs = Number.POSITIVE_INFINITY
    if (!host.active) return
    pace.drawn(performance.now())
    if (!painter.paint(drawFrame(screen, painter.theme.unicode), screen.columns)) stdout.once('drain', () => schedule(false))
  }
  const schedule = (urgent: boolean): void => {
    const atMs = performance.now() + pace.waitMs(performance.now(), urgent)
    if (atMs >= drawAtMs) return
    clearTimeout(drawing)
    drawAtMs = atMs
    drawing = setTimeout(draw, Math.max(0, atMs - performance.now()))
  }
  const dispatch = (event: Event, urgent = false): void => {
    const step = reduce(screen, event)
    if (step.screen.look !== screen.look) painter.theme = theme(step.screen)
    screen = step.screen
    for (const effect of step.effects) act(effect)
    schedule(urgent)
  }
  /** Capture time: while news comes from a wire it goes on between two batches; a file's stands where it was read. */
  const now = (): number => {
    const { at } = screen.board
    const live = screen.sources.some((s) => s.state === 'live' && !s.past)
    return at === 0 ? 0 : live ? at + (performance.now() - newsMs) * 1000 : at
  }
  const settle = (urgent = false): void => dispatch({ kind: 'settle', nowMicros: now() }, urgent)

  const host: Host = openHost({
    mouse: options.mouse,
    onKeys(keys) {
      for (const key of keys) dispatch({ kind: 'key', key }, true)
    },
    onResize: () => dispatch({ kind: 'resize', columns: stdout.columns || 80, rows: stdout.rows || 24 }, true),
    onResume() {
      painter.forget()
      schedule(true)
    },
    onStop: () => finish(),
  })
  const act = (effect: Effect): void => {
    switch (effect.kind) {
      case 'quit':
        finish()
        return
      case 'suspend':
        host.suspend()
        return
      case 'redraw':
        painter.forget()
        return
      case 'copy':
        // OSC 52: the terminal, also far away, puts it on its clipboard.
        host.out.write(`\u001b]52;c;${Buffer.from(effect.text).toString('base64')}\u0007`)
        return
      case 'load':
        void load(sources, effect.calls).then((found) => dispatch({ kind: 'messages', ...found }, true))
        return
      case 'save':
        void save(sources, effect).then(
          (text) => dispatch({ kind: 'notice', text }, true),
          (error: Error) => dispatch({ kind: 'notice', text: error.message, bad: true }, true),
        )
        return
      case 'remember':
        clearTimeout(remembering)
        remembering = setTimeout(() => remember(effect), REMEMBER_MS)
        return
      default:
        effect satisfies never
    }
  }
  const remember = ({ settings }: Extract<Effect, { kind: 'remember' }>): void => {
    try {
      writeSettings(options.settingsPath, settings)
    } catch (error) {
      dispatch({ kind: 'notice', text: `Columns and names are not remembered: ${(error as Error).message}`, bad: true })
    }
  }

  const settling = setInterval(settle, SETTLE_MS)
  try {
    for (const source of sources) {
      source.start({
        changes(changes) {
          newsMs = performance.now()
          const first = screen.board.calls.size === 0
          dispatch({ kind: 'changes', changes })
          if (first) settle()
        },
        status: (status) => dispatch({ kind: 'source', status }),
      })
    }
    schedule(true)
    await finished
  } finally {
    clearInterval(settling)
    clearTimeout(drawing)
    clearTimeout(remembering)
    if (remembering !== undefined) remember({ kind: 'remember', settings: screen.settings })
    host.close()
    await Promise.all(sources.map((source) => source.close()))
  }
}

async function load(
  sources: readonly LiveSource[],
  calls: readonly BoardCall[],
): Promise<Omit<Extract<Event, { kind: 'messages' }>, 'kind'>> {
  const keys = calls.map((call) => call.key)
  try {
    const found = await Promise.all(calls.map((call) => sourceOf(sources, call).messages(call)))
    const steps = found.flatMap((m) => m.steps)
    return { keys, steps, note: found.find((m) => m.note !== undefined)?.note }
  } catch (error) {
    return { keys, steps: [], note: (error as Error).message }
  }
}

/** Answers what was done, in words. */
async function save(
  sources: readonly LiveSource[],
  { calls, path, format }: { readonly calls: readonly BoardCall[]; readonly path: string; readonly format: SaveFormat },
): Promise<string> {
  if (format === 'text') {
    const { steps } = await load(sources, calls)
    saveFile(
      path,
      ladderText(
        calls,
        [...steps].sort((a, b) => a.time - b.time),
      ),
    )
    return `Saved ${steps.length} messages of ${calls.length === 1 ? 'the call' : `${calls.length} calls`} to ${path}`
  }
  const found = await Promise.all(calls.map((call) => sourceOf(sources, call).packets(call, format === 'rtp')))
  const packets = mergedPackets(found.map((p) => p.packets))
  if (packets.length === 0) throw new Error(found.find((p) => p.note !== undefined)?.note ?? 'No packets of it are kept.')
  const paths = savePcap(path, packets)
  const note = found.find((p) => p.note !== undefined)?.note
  return `Saved ${packets.length} packets of ${calls.length === 1 ? 'the call' : `${calls.length} calls`} to ${paths.join(', ')}${note === undefined ? '' : `; ${note}`}`
}
