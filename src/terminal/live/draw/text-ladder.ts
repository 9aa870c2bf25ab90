import { hostText, isoTime } from '../../../lib/call/json.js'
import type { LadderStep } from '../../../lib/call/ladder.js'
import type { BoardCall } from '../../../lib/live/index.js'
import { drawLadder } from '../../ladder.js'
import { shown } from '../text.js'
import { streamsOf } from './call.js'

/** Calls as a text file: who called whom, the ladder, the streams, every message in full. */
export function ladderText(calls: readonly BoardCall[], steps: readonly LadderStep[]): string {
  const lines: string[] = []
  for (const { view } of calls) {
    const party = (number: string | undefined, address: string): string =>
      number === undefined ? address : `${shown(number)} (${address})`
    lines.push(
      `Call-ID   ${shown(view.callId)}`,
      `Started   ${isoTime(view.started)}`,
      `From      ${party(view.caller, hostText(view.callerAddr))}`,
      `To        ${party(view.callee, hostText(view.calleeAddr))}`,
      `State     ${view.state}${view.status === undefined ? '' : ` ${view.status} ${shown(view.statusText ?? '')}`}`,
      '',
    )
  }
  lines.push(...drawLadder(steps))
  for (const { view } of streamsOf(calls)) {
    const mos = view.mosMean ?? view.mos
    lines.push(
      `RTP ${hostText(view.src)} → ${hostText(view.dst)}  ${shown(view.codec ?? '?')}  ${view.packets} packets, ${view.lost} lost${mos === undefined ? '' : `, MOS ${mos.toFixed(2)}`}`,
    )
  }
  for (const step of steps) {
    const text = step.text
      .replace(/\r\n/g, '\n')
      .trimEnd()
      .split('\n')
      .map((line) => shown(line))
    lines.push('', `${isoTime(step.time)}  ${step.source} → ${step.destination}  ${step.transport}`, ...text)
  }
  return `${lines.join('\n')}\n`
}
