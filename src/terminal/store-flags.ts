import { Args, Flags } from '@oclif/core'
import { OperatorError } from '../lib/base/errors.js'

/** The flag that names a store, and the argument that names a sensor, alike in every command. */
export const storeFlag = Flags.string({
  helpValue: 'URL',
  summary: 'Where records are: sqlite:PATH or mysql://user@host/database. Default: your own database, else the service’s.',
})

export const sensorArg = Args.string({ required: true, description: 'Number of the sensor, 1–65534.' })

export function sensorNumber(text: string): number {
  const id = Number(text)
  if (/^\d+$/.test(text) && id >= 1 && id <= 65_534) return id
  throw new OperatorError('SENSOR', `"${text}" is not the number of a sensor.`, {
    exit: 2,
    suggestions: ['Give a number from 1 to 65534.'],
  })
}
