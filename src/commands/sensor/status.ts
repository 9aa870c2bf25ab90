import { Args, Flags } from '@oclif/core'
import { exitCodes } from '../../lib/base/errors.js'
import type { Sensor } from '../../lib/store/store-admin.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { readableState } from '../../terminal/defaults.js'
import { accessFlags } from '../../terminal/manager-access.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { columnsWithValues, printRows } from '../../terminal/plain-rows.js'
import { listedSensors, noSensors, sensorAddress, sensorNamed } from '../../terminal/sensor-list.js'
import { type AskedSensor, askSensor, brieflyOf, type SensorLine, sensorColumns } from '../../terminal/sensor-status.js'
import { readsStore, storeFlags } from '../../terminal/store-flags.js'

/** `earshot sensor status`: asks every sensor how it is, all at once. */
export default class SensorStatus extends BaseCommand {
  static override summary = 'Ask all sensors how they are.'
  static override description =
    'All are asked at once, those on the list of the store or those that are named. Exit code 4 when some do not answer, 5 when none does.'
  static override examples = [
    "<%= config.bin %> <%= command.id %> --store 'mysql://earshot@db/voipmonitor'",
    '<%= config.bin %> <%= command.id %> 127.0.0.1 voipmonitor://10.0.0.5 -o json',
    { description: 'One of the list', command: '<%= config.bin %> <%= command.id %> --sensor Prague' },
  ]
  static override strict = false
  static override args = {
    address: Args.string({
      description: 'Managers to ask instead of the list: HOST[:PORT], unix:PATH, voipmonitor://HOST. Several may be given.',
    }),
  }
  static override configurable = () => readsStore
  static override flags = {
    sensor: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME|HOST',
      summary: 'Only this one: a name or a number of the list, or an address as above. Repeatable.',
    }),
    ...storeFlags,
    ...accessFlags,
    output: outputFlag,
    json: jsonFlag,
  }

  async run(): Promise<void> {
    const { flags, argv } = await this.parse(SensorStatus)
    const store = flags.store ?? readableState().store
    const named = (argv as string[]).map(byAddress)
    const chosen = flags.sensor === undefined ? [] : await this.#chosen(flags.sensor, store)
    const sensors = named.length + chosen.length > 0 ? [...named, ...chosen] : await this.#listed(store)
    const lines = (await Promise.all(sensors.map((sensor) => askSensor(sensor, flags)))).flat()
    const rows = lines.map(({ row }) => row)
    const format = outputFormat(flags)
    if (format === 'table') await printRows(format, process.stdout, columnsWithValues(sensorColumns, rows), lines.map(brieflyOf))
    else await printRows(format, process.stdout, sensorColumns, rows)
    const silent = lines.filter(({ row }) => row.error !== null)
    for (const { row, advice } of silent) {
      process.stderr.write(`${whoOf(row)}${row.error}\n`)
      for (const text of advice ?? []) process.stderr.write(`  → ${text}\n`)
    }
    if (silent.length > 0) process.exitCode = silent.length === rows.length ? exitCodes.unreachable : exitCodes.partial
  }

  /** Of the list when it is there; what is not on it is an address. */
  async #chosen(wanted: readonly string[], store: string): Promise<AskedSensor[]> {
    const listed = await listedSensors(store).catch(() => [])
    return wanted.map((one) => {
      const found = sensorNamed(listed, one)
      return found === undefined ? byAddress(one) : asked(found)
    })
  }

  async #listed(store: string): Promise<AskedSensor[]> {
    const sensors = await listedSensors(store)
    if (sensors.length === 0) throw noSensors('No sensor is on the list.')
    return sensors.map(asked)
  }
}

/** Most errors name the address by themselves. */
const whoOf = ({ name, address, error }: SensorLine['row']): string => {
  if (typeof name === 'string') return `${name}: `
  return address === null || error?.includes(address) ? '' : `${address}: `
}

const asked = (sensor: Sensor): AskedSensor => ({ id: sensor.id, name: sensor.name, address: sensorAddress(sensor) })
const byAddress = (address: string): AskedSensor => ({ id: null, name: null, address })
