import { schemaNumber } from '../all-tables.js'

/**
 * From one version of the tables to the next, forward only. MySQL commits at every DDL statement: each must do no harm when it
 * is run a second time (IF EXISTS, IF NOT EXISTS, or looked up before).
 */
export interface Migration {
  readonly to: number
  readonly help: string
  readonly statements: () => readonly string[]
}

/** The first MySQL tables were of number 2: there is nothing older. */
export const migrations: readonly Migration[] = []

export const planned = (from: number): readonly Migration[] => migrations.filter((m) => m.to > from && m.to <= schemaNumber)
