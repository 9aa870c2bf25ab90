import { hostText } from '../../lib/call/json.js'
import type { CallView } from '../../lib/live/index.js'
import { clock, minutes, party } from './columns.js'
import type { LiveSource } from './source.js'
import { shown } from './text.js'

/**
 * `live` where there is no terminal: a line whenever a call changes its state. Ends with its sources, or with the signal. That a
 * source is silent because it cannot be reached is told, once, and when it is back.
 */
export async function printLines(
  sources: readonly LiveSource[],
  write: (line: string) => void,
  fits: (call: { readonly view: CallView }) => boolean,
  signal: AbortSignal,
  tell: (text: string) => void = (text) => process.stderr.write(`${text}\n`),
): Promise<void> {
  const states = new Map<string, string>()
  const say = (source: string, view: CallView, over: boolean): void => {
    const key = `${source}#${view.number}`
    const before = states.get(key)
    if (over) states.delete(key)
    else states.set(key, view.state)
    if (before !== view.state && fits({ view })) write(stateLine(view, sources.length > 1 ? source : undefined))
  }
  const lost = new Set<string>()
  const running = new Set(sources.map((s) => s.name))
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
    for (const source of sources) {
      source.start({
        changes({ source: name, added, changed, removed }) {
          for (const view of added) say(name, view, false)
          for (const view of changed) say(name, view, false)
          for (const view of removed) say(name, view, true)
        },
        status({ name, state, detail }) {
          if (state === 'lost' && detail !== undefined && !lost.has(name)) tell(`${name}: ${detail}`)
          if (state === 'live' && lost.has(name)) tell(`${name}: is back.`)
          if (state === 'lost') lost.add(name)
          else lost.delete(name)
          if (state !== 'done' && !(state === 'lost' && source.own)) return
          running.delete(name)
          if (running.size === 0) resolve()
        },
      })
    }
  })
  await Promise.all(sources.map((source) => source.close()))
}

/** `12:03:17  answered  +15550100 → +15550123  200  PDD 1.2 s  0:42  PCMA  loss 0.3 %  MOS 4.4`. */
function stateLine(view: CallView, source: string | undefined): string {
  const parts = [
    clock(view.lastPacket),
    view.state.padEnd(10),
    `${party('number', view.caller, undefined, undefined, hostText(view.callerAddr))} → ${party('number', view.callee, undefined, undefined, hostText(view.calleeAddr))}`,
    view.status === undefined ? undefined : `${view.status} ${shown(view.statusText ?? '')}`.trim(),
    view.pddMs === undefined ? undefined : `PDD ${(view.pddMs / 1000).toFixed(1)} s`,
    view.talkMs === undefined ? undefined : minutes(view.talkMs),
    view.codec,
    view.lossPercent === undefined ? undefined : `loss ${view.lossPercent.toFixed(1)} %`,
    view.mos === undefined ? undefined : `MOS ${view.mos.toFixed(2)}`,
    source,
  ]
  return parts.filter((part) => part !== undefined).join('  ')
}
