import { exitCodes, OperatorError } from '../lib/base/errors.js'
import { managerPort } from '../lib/manager/index.js'
import { openAdmin } from '../lib/store/index.js'
import type { Sensor } from '../lib/store/store-admin.js'

/** The list of sensors in the store, as people name its entries. */
export async function listedSensors(store: string): Promise<readonly Sensor[]> {
  const admin = await openAdmin(store)
  return admin.sensors().finally(() => admin.close())
}

/** Where a sensor's manager is, as text; null when the list does not say. */
export function sensorAddress({ host, port }: Pick<Sensor, 'host' | 'port'>): string | null {
  if (host === null || host === '') return null
  const bare = /:\/\/|^\[/.test(host) || !host.includes(':')
  return `${bare ? host : `[${host}]`}:${port ?? managerPort}`
}

/** The entry that somebody means by its name, in capitals or not, or by its number. */
export const sensorNamed = (sensors: readonly Sensor[], text: string): Sensor | undefined =>
  sensors.find(({ name, id }) => name?.toLowerCase() === text.toLowerCase() || text === String(id))

/**
 * What to connect to when somebody says `text`: an entry of the list, else an address. The list is not asked about what can only be
 * an address, and one that cannot be read names nobody.
 */
export async function addressMeant(text: string, sensors: () => Promise<readonly Sensor[]>): Promise<string> {
  if (/[:/]|^\d+\.\d+\.\d+\.\d+$/.test(text)) return text
  const found = sensorNamed(await sensors().catch(() => []), text)
  return found === undefined ? text : (sensorAddress(found) ?? text)
}

export const noSensors = (what: string): OperatorError =>
  new OperatorError('NO_SENSORS', what, {
    exit: exitCodes.notFound,
    suggestions: ["earshot sensor add 3 'Prague' --host 10.0.3.5", 'Or name one: earshot sensor status 127.0.0.1'],
  })
