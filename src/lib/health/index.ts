import type { ServiceStats } from '../manager/index.js'
import { type CheckName, checks, type Level, type Verdict } from './checks.js'

// The health of services: one word for each, and the checks it comes from.
export { type CheckName, checks, healthLimits, type Level, type Verdict } from './checks.js'
export { LoopDelay } from './loop-delay.js'
export { LossWindow, lossesOf, type Stage, senderStages, stages } from './losses.js'

export interface Health {
  readonly service: string
  /** The worst of the checks. */
  readonly level: Level
  readonly checks: readonly ({ readonly name: CheckName } & Verdict)[]
}

const worse: readonly Level[] = ['ok', 'warning', 'failing']
export const worstOf = (levels: readonly Level[]): Level => worse[Math.max(0, ...levels.map((level) => worse.indexOf(level)))] as Level

/** How a service fares, from what it counts; `nowMs` is the time at which it was asked. */
export function healthOf(stats: ServiceStats, nowMs: number): Health {
  const found = Object.entries(checks).flatMap(([name, check]) => {
    const verdict: Verdict | undefined = check.of(stats, nowMs)
    return verdict === undefined ? [] : [{ name: name as CheckName, ...verdict }]
  })
  return { service: stats.service, level: worstOf(found.map(({ level }) => level)), checks: found }
}
