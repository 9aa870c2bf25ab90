import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { processIdentity, processState } from '../../native/process-identity.js'
import type { Connection } from './driver.js'

/**
 * A writer's heartbeat under its sensor number: two sensors that write under one number at the same time are noticed, by both,
 * and said. They are not stopped: the records of both are worth having.
 */
export const BEAT_MS = 10_000
/** Silent for longer: it has ended without a word. */
const LOST_SECONDS = 30

/** One writer of this process, at most 64 characters: two writers of one process are two. */
export const newInstance = (): string => `${processIdentity()}.${randomUUID().slice(0, 8)}`

export interface LeaseOptions {
  /** 0 when none was given. */
  readonly sensorId: number
  readonly instance?: string | undefined
  readonly onNotice: (text: string) => void
}

export class Lease {
  readonly #instance: string
  readonly #sensorId: number
  readonly #onNotice: (text: string) => void
  readonly #told = new Set<string>()

  constructor({ sensorId, instance, onNotice }: LeaseOptions) {
    this.#instance = instance ?? newInstance()
    this.#sensorId = sensorId
    this.#onNotice = onNotice
  }

  async beat(db: Connection): Promise<void> {
    await db.run(
      `INSERT INTO earshot_lease (id_sensor, instance, host, started, seen) VALUES (?, ?, ?, UTC_TIMESTAMP(), UTC_TIMESTAMP())
       ON DUPLICATE KEY UPDATE seen = UTC_TIMESTAMP()`,
      [this.#sensorId, this.#instance, hostname().slice(0, 255)],
    )
    const others = await db.rows<{ instance: string; host: string; started: string }>(
      `SELECT instance, host, started FROM earshot_lease
       WHERE id_sensor = ? AND instance <> ? AND seen > UTC_TIMESTAMP() - INTERVAL ${LOST_SECONDS} SECOND`,
      [this.#sensorId, this.#instance],
    )
    for (const { instance, host, started } of others) {
      if (this.#told.has(instance)) continue
      // One that was killed on this machine, ourselves a moment ago: nobody writes there any more.
      if (processState(instance) === 'gone') {
        await db.run('DELETE FROM earshot_lease WHERE id_sensor = ? AND instance = ?', [this.#sensorId, instance])
        continue
      }
      this.#told.add(instance)
      this.#onNotice(
        this.#sensorId === 0
          ? `Another writer without a sensor number has been at work since ${started} UTC on ${host}: give each its own --id-sensor, or their calls cannot be told apart.`
          : `Sensor ${this.#sensorId} is also written by another one, since ${started} UTC on ${host}: give each its own --id-sensor.`,
      )
    }
    await db.run(`DELETE FROM earshot_lease WHERE id_sensor = ? AND seen < UTC_TIMESTAMP() - INTERVAL 1 DAY`, [this.#sensorId])
  }

  async release(db: Connection): Promise<void> {
    await db.run('DELETE FROM earshot_lease WHERE id_sensor = ? AND instance = ?', [this.#sensorId, this.#instance])
  }
}
