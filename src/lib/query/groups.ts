import { type KpiCall, Kpis, type KpiValues } from './kpi.js'
import { type AddressValue, inNetwork, type Network } from './network.js'

/** Calls sorted into groups, each with its key figures: by time, trunk, prefix, sensor and what else `dimensions` names. */

/** What a group can be made by, besides what is counted. */
export interface CallFacts extends KpiCall {
  readonly startedMicros: number
  readonly state: string
  readonly caller: string | null
  readonly callee: string | null
  readonly callerIp: AddressValue | null
  readonly calleeIp: AddressValue | null
  readonly sensorId: number | null
  readonly codec: string | null
  readonly hungUpBy: string | null
}
export type FactName = Exclude<keyof CallFacts, keyof KpiCall | 'startedMicros' | 'state'>

/** A trunk is a name for networks; a call belongs to the first whose networks it came from or went to. */
export interface Trunk {
  readonly name: string
  readonly networks: readonly Network[]
}

export interface Grouping {
  readonly by: readonly DimensionName[]
  /** Length of a step in time; for the dimension `time`. */
  readonly everyMicros?: number
  readonly trunks?: readonly Trunk[]
  /** Prefixes of the callee; the longest that fits names the group. None given: its first `prefixLength` signs do. */
  readonly prefixes?: readonly string[]
  readonly prefixLength?: number
}

export type Key = string | number | null

interface Dimension {
  readonly help: string
  readonly needs: readonly FactName[]
  readonly key: (call: CallFacts, grouping: Grouping) => Key
}

export const OTHER = 'other'

export const dimensions = {
  time: {
    help: 'steps of --every, by start of the call (UTC)',
    needs: [],
    key: (c, { everyMicros = 3600e6 }) => timeStep(c.startedMicros, everyMicros),
  },
  trunk: {
    help: 'the names given with --trunk',
    needs: ['callerIp', 'calleeIp'],
    key: (c, { trunks = [] }) => trunkOf(c, trunks)?.name ?? OTHER,
  },
  direction: {
    help: 'in: it came from the trunk; out: it went there',
    needs: ['callerIp', 'calleeIp'],
    key: (c, { trunks = [] }) => {
      const trunk = trunkOf(c, trunks)
      return trunk === undefined ? OTHER : holds(trunk, c.callerIp) ? 'in' : 'out'
    },
  },
  prefix: {
    help: 'of the callee: those given with --prefix, else its first --prefix-length signs',
    needs: ['callee'],
    key: (c, grouping) => prefixOf(c.callee, grouping),
  },
  sensor: { help: 'number of the sensor', needs: ['sensorId'], key: (c) => c.sensorId },
  codec: { help: 'rtpmap name', needs: ['codec'], key: (c) => c.codec },
  status: { help: 'final response', needs: [], key: (c) => c.status },
  state: { help: 'how calls went', needs: [], key: (c) => c.state },
  hung_up_by: { help: 'who sent the BYE', needs: ['hungUpBy'], key: (c) => c.hungUpBy },
} as const satisfies Readonly<Record<string, Dimension>>

export type DimensionName = keyof typeof dimensions
export const dimensionNames = Object.keys(dimensions) as DimensionName[]

/** Groups kept apart; calls of further ones are counted together under `other`. */
export const GROUPS_MAX = 2000
/** Steps without a call are told too, so that a gap is seen as one; but not when nearly all are. */
const STEPS_PER_FULL_ONE_MAX = 10

export interface Group {
  readonly keys: readonly Key[]
  readonly values: KpiValues
}

export class Groups {
  readonly total = new Kpis()
  /** Calls that came too late for a group of their own. */
  overflowed = 0
  readonly #grouping: Grouping
  readonly #groups = new Map<string, { keys: readonly Key[]; kpis: Kpis }>()

  constructor(grouping: Grouping) {
    this.#grouping = grouping
  }

  add(call: CallFacts): void {
    this.total.add(call)
    const { by } = this.#grouping
    if (by.length > 0) this.#group(by.map((name) => (dimensions[name] as Dimension).key(call, this.#grouping))).add(call)
  }

  /** By time, and by number of calls within; without time the largest first. */
  groups(): Group[] {
    const { by } = this.#grouping
    if (by.length === 0) return [{ keys: [], values: this.total.values() }]
    if (by.length === 1 && by[0] === 'time') this.#fillSteps()
    const time = by.indexOf('time')
    return [...this.#groups.values()]
      .sort(
        (a, b) => (time < 0 ? 0 : order(a.keys[time], b.keys[time])) || b.kpis.calls - a.kpis.calls || order(a.keys.join(), b.keys.join()),
      )
      .map(({ keys, kpis }) => ({ keys, values: kpis.values() }))
  }

  #group(keys: readonly Key[]): Kpis {
    const name = JSON.stringify(keys)
    const known = this.#groups.get(name)
    if (known !== undefined) return known.kpis
    if (this.#groups.size >= GROUPS_MAX && keys.some((key) => key !== OTHER)) {
      this.overflowed++
      return this.#group(keys.map(() => OTHER))
    }
    const kpis = new Kpis()
    this.#groups.set(name, { keys, kpis })
    return kpis
  }

  #fillSteps(): void {
    const every = this.#grouping.everyMicros ?? 3600e6
    const steps = [...this.#groups.values()].map(({ keys }) => keys[0] as number).sort((a, b) => a - b)
    const [first, last] = [steps[0] ?? 0, steps.at(-1) ?? 0]
    if ((last - first) / every > STEPS_PER_FULL_ONE_MAX * steps.length) return
    for (let step = first; step < last; step += every) this.#group([step])
  }
}

/** Start of the step, µs. A week begins on Monday; all else divides the day, or counts from 1970. */
export function timeStep(micros: number, everyMicros: number): number {
  const shift = everyMicros % WEEK === 0 ? MONDAY : 0
  return Math.floor((micros - shift) / everyMicros) * everyMicros + shift
}
const WEEK = 604_800e6
/** 1970-01-05 was one. */
const MONDAY = 4 * 86_400e6

const holds = ({ networks }: Trunk, address: AddressValue | null): boolean =>
  address !== null && networks.some((n) => inNetwork(n, address))
const trunkOf = (call: CallFacts, trunks: readonly Trunk[]): Trunk | undefined =>
  trunks.find((trunk) => holds(trunk, call.callerIp) || holds(trunk, call.calleeIp))

function prefixOf(number: string | null, { prefixes, prefixLength = 4 }: Grouping): string | null {
  if (number === null) return null
  if (prefixes === undefined || prefixes.length === 0) return [...number].slice(0, prefixLength).join('')
  let longest = ''
  for (const prefix of prefixes) if (number.startsWith(prefix) && prefix.length > longest.length) longest = prefix
  return longest === '' ? OTHER : longest
}

const order = (a: Key | undefined, b: Key | undefined): number => (a === b ? 0 : (a ?? '') < (b ?? '') ? -1 : 1)
