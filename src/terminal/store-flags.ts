import { Args } from '@oclif/core'
import { OperatorError } from '../lib/base/errors.js'
import { accessSettings } from '../lib/settings/manager.js'
import { readStoreSettings, timeSettings } from '../lib/settings/records.js'
import { readSpoolSettings } from '../lib/settings/spool.js'
import type { Configurable } from './base-command.js'
import { configFlags } from './config-flags.js'
import { flagsFor, type TextFlag } from './setting-flags.js'

/** The flags that name a store and a spool, and the argument that names a sensor, alike in every command. */
export const storeFlags = {
  ...(flagsFor(readStoreSettings) as { store: TextFlag }),
  ...(flagsFor(timeSettings) as { utc: TextFlag }),
  ...configFlags,
}
export const spoolFlag = flagsFor(readSpoolSettings) as { spool: TextFlag }

/** What such a command takes from files and the environment. */
export const readsStore: Configurable = { table: { ...readStoreSettings, ...timeSettings } }
export const readsSpool: Configurable = { table: readSpoolSettings }
export const readsBoth: Configurable = { table: { ...readStoreSettings, ...timeSettings, ...readSpoolSettings, ...accessSettings } }

export const sensorArg = Args.string({ required: true, description: 'Number of the sensor, 1–65534.' })

export function sensorNumber(text: string): number {
  const id = Number(text)
  if (/^\d+$/.test(text) && id >= 1 && id <= 65_534) return id
  throw new OperatorError('SENSOR', `"${text}" is not the number of a sensor.`, {
    exit: 2,
    suggestions: ['Give a number from 1 to 65534.'],
  })
}
