import { Args, Flags } from '@oclif/core'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import { openAdmin } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { readableState } from '../../terminal/defaults.js'
import { accessFlags } from '../../terminal/manager-access.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { printRows } from '../../terminal/plain-rows.js'
import { type AskedSensor, askSensor, sensorColumns } from '../../terminal/sensor-status.js'
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
    const rows = (await Promise.all(sensors.map((sensor) => askSensor(sensor, flags)))).flat()
    await printRows(outputFormat(flags), process.stdout, sensorColumns, rows)
    const silent = rows.filter(({ error }) => error !== null)
    for (const { address, error } of silent) process.stderr.write(`${address}: ${error}\n`)
    if (silent.length > 0) process.exitCode = silent.length === rows.length ? exitCodes.unreachable : exitCodes.partial
  }

  /** Of the list when it is there; what is not on it is an address. */
  async #chosen(wanted: readonly string[], store: string): Promise<AskedSensor[]> {
    const listed = await this.#listed(store).catch(() => [])
    return wanted.map((one) => listed.find(({ id, name }) => one === name || one === String(id)) ?? byAddress(one))
  }

  async #listed(store: string): Promise<AskedSensor[]> {
    const admin = await openAdmin(store)
    const sensors = await admin.sensors().finally(() => admin.close())
    if (sensors.length === 0) {
      throw new OperatorError('NO_SENSORS', 'No sensor is on the list.', {
        exit: exitCodes.notFound,
        suggestions: ["earshot sensor add 3 'Prague' --host 10.0.3.5", 'Or name one: earshot sensor status 127.0.0.1'],
      })
    }
    return sensors.map(({ id, name, host, port }) => ({
      id,
      name,
      address: host === null ? null : host.includes(':') ? `[${host}]:${port ?? 5029}` : `${host}:${port ?? 5029}`,
    }))
  }
}

const byAddress = (address: string): AskedSensor => ({ id: null, name: null, address })
