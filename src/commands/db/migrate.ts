import { Flags } from '@oclif/core'
import { openAdmin } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { readableState } from '../../terminal/defaults.js'
import { readsStore, storeFlags } from '../../terminal/store-flags.js'

/** `earshot db migrate`: brings the tables of an older Earshot forward. */
export default class DbMigrate extends BaseCommand {
  static override summary = 'Bring the tables of an older Earshot to this version.'
  static override description = `Forward only; what is done stays done, so it may be started again after an interruption.
Stop the sensors that write there first. VoIPmonitor’s tables are never altered.`
  static override examples = ['<%= config.bin %> <%= command.id %> --store sqlite:calls.db --dry-run']
  static override configurable = () => readsStore
  static override flags = {
    ...storeFlags,
    'dry-run': Flags.boolean({ summary: 'Print the SQL, change nothing.' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(DbMigrate)
    const store = await openAdmin(flags.store ?? readableState().store)
    try {
      const plan = await store.migrationPlan()
      if (plan.statements.length === 0) {
        process.stderr.write(`The tables are of version ${plan.from}, as this program wants them: nothing to do.\n`)
        return
      }
      if (flags['dry-run']) process.stdout.write(`${plan.statements.map((s) => `${s};`).join('\n')}\n`)
      else await store.migrate(plan)
      process.stderr.write(
        flags['dry-run'] ? `This would bring the tables from ${plan.from} to ${plan.to}.\n` : `The tables are of version ${plan.to} now.\n`,
      )
    } finally {
      await store.close()
    }
  }
}
