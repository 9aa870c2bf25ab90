import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import { openAdmin } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { readableState } from '../../terminal/defaults.js'
import { readsStore, sensorArg, sensorNumber, storeFlags } from '../../terminal/store-flags.js'

/** `earshot sensor remove`: takes a sensor off the list. Its calls stay. */
export default class SensorRemove extends BaseCommand {
  static override summary = 'Take a sensor off the list of a store; its calls stay.'
  static override examples = ["<%= config.bin %> <%= command.id %> 3 --store 'mysql://earshot@db/voipmonitor'"]
  static override args = { id: sensorArg }
  static override configurable = () => readsStore
  static override flags = { ...storeFlags }

  async run(): Promise<void> {
    const { flags, args } = await this.parse(SensorRemove)
    const id = sensorNumber(args.id)
    const store = await openAdmin(flags.store ?? readableState().store)
    try {
      if (!(await store.removeSensor(id))) {
        throw new OperatorError('NO_SENSOR', `Sensor ${id} is not on the list.`, {
          exit: exitCodes.notFound,
          suggestions: ['earshot sensor list shows who is.'],
        })
      }
      process.stderr.write(`Sensor ${id} is off the list; its calls stay.\n`)
    } finally {
      await store.close()
    }
  }
}
