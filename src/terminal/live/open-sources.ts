import { tmpdir } from 'node:os'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import { addressText, type ManagerAddress, parseAddress } from '../../lib/manager/index.js'
import { parseExpression } from '../../lib/query/parse.js'
import { openAdmin, openReader } from '../../lib/store/index.js'
import type { Sensor } from '../../lib/store/store-admin.js'
import { configuredState } from '../configuration.js'
import { runDir } from '../defaults.js'
import { type AccessFlags, clientOptionsFor } from '../manager-access.js'
import { localManagers, openManagers, startedAgain } from './manager-source.js'
import type { LiveSource } from './source.js'
import { storeSource } from './store-source.js'

/** From flags to sources that capture nothing themselves. */
export interface SourceFlags extends AccessFlags {
  readonly sensor?: string[] | undefined
  readonly 'all-sensors': boolean
  readonly store?: string | undefined
  readonly spool?: string | undefined
  readonly where?: string | undefined
  readonly limit: number
}

export async function openSources(flags: SourceFlags): Promise<LiveSource[]> {
  const clientFor = (address: string): ReturnType<typeof clientOptionsFor> => clientOptionsFor(address, flags)
  if (flags['all-sensors']) {
    const sensors = (await listed(flags)).filter((s) => s.host !== null)
    if (sensors.length === 0)
      throw new OperatorError('NO_SENSORS', 'No sensor with an address is on the list.', {
        exit: exitCodes.notFound,
        suggestions: ["earshot sensor add 3 'Prague' --host 10.0.3.5"],
      })
    return openManagers(
      sensors.map((s) => ({ name: sensorName(s, sensors), address: addressOf(s) })),
      clientFor,
      'show',
    )
  }
  if (flags.sensor !== undefined) {
    const wanted = await Promise.all(flags.sensor.map((text) => named(text, flags)))
    return openManagers(wanted, clientFor, 'show')
  }
  if (flags.store !== undefined) return [await openStore(flags, flags.store)]
  const here = await localManagers(runDir())
  const wanted = here.map((address) => ({
    name: address.kind === 'unix' ? (address.path.split('/').at(-1) as string).replace(/\.sock$/, '') : addressText(address),
    address,
    find: () => startedAgain(runDir(), address),
  }))
  try {
    return await openManagers(wanted, clientFor, 'leave out')
  } catch (error) {
    if (!(error instanceof OperatorError) || error.code !== 'UNREACHABLE') throw error
    throw new OperatorError('NO_SERVICE', 'No service of Earshot runs here that could be watched.', {
      cause: error,
      exit: exitCodes.unreachable,
      suggestions: [
        'Watch an interface without one: sudo earshot live -i any',
        'A capture file: earshot live -r call.pcap',
        'Another host: earshot live --sensor HOST',
      ],
    })
  }
}

/** Sources are told apart by their names; two sensors may have one. */
export function sensorName({ id, name }: Pick<Sensor, 'id' | 'name'>, all: readonly Pick<Sensor, 'id' | 'name'>[]): string {
  if (name === null) return `sensor ${id}`
  return all.some((other) => other.id !== id && other.name === name) ? `${name} ${id}` : name
}

/** A name of the list, else an address. */
async function named(text: string, flags: SourceFlags): Promise<{ name: string; address: ManagerAddress }> {
  if (/^[A-Za-z][\w .-]*$/.test(text) && !text.includes('.')) {
    const known = (await listed(flags).catch(() => [])).find((s) => s.name?.toLowerCase() === text.toLowerCase())
    if (known !== undefined && known.host !== null) return { name: known.name ?? text, address: addressOf(known) }
  }
  return { name: text, address: parseAddress(text) }
}

async function listed({ store }: SourceFlags): Promise<readonly Sensor[]> {
  const admin = await openAdmin(store ?? configuredState().store)
  return admin.sensors().finally(() => admin.close())
}

function addressOf({ host, port }: Sensor): ManagerAddress {
  const name = host as string
  return parseAddress(`${name.includes(':') ? `[${name}]` : name}${port === null ? '' : `:${port}`}`)
}

async function openStore({ where, spool, limit, ...access }: SourceFlags, url: string): Promise<LiveSource> {
  const state = configuredState()
  return storeSource({
    name: url.startsWith('sqlite:')
      ? (url.split('/').at(-1) as string).replace(/^sqlite:/, '')
      : url.replace(/^mysql:\/\/(?:[^@/]*@)?|\?.*$/g, ''),
    store: await openReader(url),
    where: where === undefined ? undefined : expressionOf(where),
    limit,
    packets: {
      spool: spool ?? state.spool,
      sensor: undefined,
      allSensors: false,
      access,
      sensors: () => listed({ ...access, limit, store: url }),
      temporary: tmpdir,
    },
  })
}

/** What the store can be asked; a piece of text is left to the screen. */
function expressionOf(where: string): ReturnType<typeof parseExpression> | undefined {
  try {
    return parseExpression(where, Date.now())
  } catch {
    return undefined
  }
}
