import { BaseCommand } from '../../../terminal/base-command.js'
import { jsonFlag, outputFlag, outputFormat } from '../../../terminal/output.js'
import { printRows } from '../../../terminal/plain-rows.js'
import { openTokens, stateFlag } from '../../../terminal/tokens.js'

/** `earshot manager token list`: who may come in. */
export default class ManagerTokenList extends BaseCommand {
  static override summary = 'List the clients that may come in; their tokens are not kept and cannot be shown.'
  static override examples = ['<%= config.bin %> <%= command.id %>']
  static override flags = { state: stateFlag, output: outputFlag, json: jsonFlag }

  async run(): Promise<void> {
    const { flags } = await this.parse(ManagerTokenList)
    const rows = openTokens(flags.state)
      .list()
      .map(({ name, role, sensorId, created, certificate }) => ({
        name,
        role,
        id_sensor: sensorId ?? null,
        created,
        known_by: certificate ?? 'token',
      }))
    await printRows(outputFormat(flags), process.stdout, ['name', 'role', 'id_sensor', 'created', 'known_by'], rows)
  }
}
