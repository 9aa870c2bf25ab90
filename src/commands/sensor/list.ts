import { openAdmin } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { readableState } from '../../terminal/defaults.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { printRows } from '../../terminal/plain-rows.js'
import { readsStore, storeFlags } from '../../terminal/store-flags.js'

/** `earshot sensor list`: the table `sensors`, and who writes under which number now. */
export default class SensorList extends BaseCommand {
  static override summary = 'List the sensors of a store and who writes under their numbers now.'
  static override description =
    'Two writers under one number are both shown: give each its own --id-sensor. Writers are known in MySQL only.'
  static override examples = ["<%= config.bin %> <%= command.id %> --store 'mysql://earshot@db/voipmonitor'"]
  static override configurable = () => readsStore
  static override flags = { ...storeFlags, output: outputFlag, json: jsonFlag }

  async run(): Promise<void> {
    const { flags } = await this.parse(SensorList)
    const store = await openAdmin(flags.store ?? readableState().store)
    try {
      const rows = (await store.sensors()).map(({ id, name, host, port, listed, writers }) => ({
        id,
        name: name ?? (listed ? null : '(not on the list)'),
        host,
        port,
        writers: writers.length === 0 ? null : writers.join(', '),
      }))
      await printRows(outputFormat(flags), process.stdout, ['id', 'name', 'host', 'port', 'writers'], rows)
      for (const { id, writers } of rows) {
        if (writers?.includes(', ')) process.stderr.write(`Sensor ${id} is written by several at once: ${writers}.\n`)
      }
    } finally {
      await store.close()
    }
  }
}
