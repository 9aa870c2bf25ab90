import type { Micros } from '../base/units.js'

/** What an operator does to a store besides asking it: its list of sensors, old records, older tables. */
export interface StoreAdmin {
  sensors(): Promise<Sensor[]>
  /** Adds it, or changes the name, host and port of the one with this number. */
  setSensor(sensor: SensorEntry): Promise<'added' | 'changed'>
  /** Takes it off the list; its calls stay. False when it was not on it. */
  removeSensor(id: number): Promise<boolean>
  /** What would be removed; nothing is. */
  prunePlan(before: Micros): Promise<PrunePlan>
  /** Removes it. */
  prune(plan: PrunePlan): Promise<void>
  migrationPlan(): Promise<MigrationPlan>
  /** Carries it out, one version after the other; what was done stays done, so it may be started again. */
  migrate(plan: MigrationPlan): Promise<void>
  close(): Promise<void>
}

export interface SensorEntry {
  /** 1–65534. */
  readonly id: number
  readonly name: string | null
  readonly host: string | null
  readonly port: number | null
}

export interface Sensor extends SensorEntry {
  /** On the list; false for one that only writes. */
  readonly listed: boolean
  /** Who writes under this number now: hosts, one an instance. Only in MySQL. */
  readonly writers: readonly string[]
}

export interface PrunePlan {
  readonly before: Micros
  /** Calls that go; in MySQL the server's estimate. */
  readonly calls: number
  /** One statement each, or words for what several do. */
  readonly steps: readonly string[]
  /** What stays although it is old, and why. */
  readonly notes: readonly string[]
}

export interface MigrationPlan {
  readonly from: number
  readonly to: number
  readonly statements: readonly string[]
}
