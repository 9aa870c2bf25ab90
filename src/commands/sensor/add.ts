import { Args, Flags } from '@oclif/core'
import { openAdmin } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { readableState } from '../../terminal/defaults.js'
import { readsStore, sensorArg, sensorNumber, storeFlags } from '../../terminal/store-flags.js'

/** `earshot sensor add`: puts a sensor on the list, or changes its entry. */
export default class SensorAdd extends BaseCommand {
  static override summary = 'Put a sensor on the list of a store, or change its name and address.'
  static override examples = [
    "<%= config.bin %> <%= command.id %> 3 'Prague, rack 2' --host 10.0.3.5 --store 'mysql://earshot@db/voipmonitor'",
  ]
  static override args = { id: sensorArg, name: Args.string({ required: true, description: 'Its name, for people.' }) }
  static override configurable = () => readsStore
  static override flags = {
    ...storeFlags,
    host: Flags.string({ summary: 'Where its manager is.' }),
    port: Flags.integer({ min: 1, max: 65_535, summary: 'The port of its manager.', default: 5029 }),
  }

  async run(): Promise<void> {
    const { flags, args } = await this.parse(SensorAdd)
    const id = sensorNumber(args.id)
    const store = await openAdmin(flags.store ?? readableState().store)
    try {
      const host = flags.host ?? null
      const done = await store.setSensor({ id, name: args.name.slice(0, 256), host, port: host === null ? null : flags.port })
      process.stderr.write(`Sensor ${id} is ${done}.\n`)
    } finally {
      await store.close()
    }
  }
}
