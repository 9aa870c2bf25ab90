import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { makeDirectory } from '../native/make-directory.js'
import type { SensorState } from './receiver.js'

/**
 * What a receiver says of itself while it runs, in a small file, renewed every second: other programs read how the sensors are, and
 * the next start learns what a kill has cost. A run that ends in order takes the file away.
 */
export interface ReceiverState {
  readonly pid: number
  /** ISO 8601. */
  readonly updated: string
  readonly open_calls: number
  readonly sensors: readonly SensorState[]
}

export class StateFile {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** What a run left that did not end in order; undefined when there is none, or it is running still. */
  leftOver(): ReceiverState | undefined {
    const state = readState(this.#path)
    return state === undefined || isRunning(state.pid) ? undefined : state
  }

  write(openCalls: number, sensors: readonly SensorState[]): void {
    const state: ReceiverState = { pid: process.pid, updated: new Date().toISOString(), open_calls: openCalls, sensors }
    try {
      makeDirectory(dirname(this.#path))
      writeFileSync(`${this.#path}.new`, JSON.stringify(state))
      renameSync(`${this.#path}.new`, this.#path)
    } catch {
      // A full disk must not end the receiver; the file is a courtesy.
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true })
  }
}

export function readState(path: string): ReceiverState | undefined {
  try {
    const state = JSON.parse(readFileSync(path, 'utf8')) as ReceiverState
    return Number.isInteger(state.pid) && Number.isInteger(state.open_calls) && Array.isArray(state.sensors) ? state : undefined
  } catch {
    return undefined
  }
}

function isRunning(pid: number): boolean {
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('mirror-recv')
  } catch {
    return false
  }
}
