import { Flags } from '@oclif/core'
import { readAudit } from '../../lib/manager/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { printRows } from '../../terminal/plain-rows.js'
import { auditFile, stateFlag } from '../../terminal/tokens.js'

const columns = ['time', 'client', 'peer', 'request', 'path', 'bytes', 'outcome'] as const

/** `earshot manager audit`: who got which packets. */
export default class ManagerAudit extends BaseCommand {
  static override summary = 'Show who fetched which packets, and who was refused.'
  static override description =
    `What the services of this host gave away, the latest last: time (UTC), the client's name ("unnamed": loopback without a token),
its address, what it asked for, the path in the spool, bytes, and how it ended. Kept: two files of 10 MB.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    { description: 'Who had this call', command: '<%= config.bin %> <%= command.id %> --path 4711@pbx -o json' },
  ]
  static override flags = {
    limit: Flags.integer({ char: 'l', min: 1, default: 100, summary: 'The latest so many.' }),
    client: Flags.string({ helpValue: 'NAME', summary: 'Only of this client.' }),
    path: Flags.string({ helpValue: 'TEXT', summary: 'Only where the path holds this.' }),
    state: stateFlag,
    output: outputFlag,
    json: jsonFlag,
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(ManagerAudit)
    const entries = await readAudit(auditFile(flags.state))
    const wanted = entries.filter(
      ({ client, path }) => (flags.client ?? client) === client && (flags.path === undefined || path.includes(flags.path)),
    )
    await printRows(
      outputFormat(flags),
      process.stdout,
      columns,
      wanted.slice(-flags.limit).map((entry) => ({ ...entry })),
    )
  }
}
