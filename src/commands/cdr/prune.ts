import { Flags } from '@oclif/core'
import { OperatorError } from '../../lib/base/errors.js'
import type { Micros } from '../../lib/base/units.js'
import { isoTime } from '../../lib/call/json.js'
import { pruneSettings } from '../../lib/settings/prune.js'
import { cdrPruneSettings } from '../../lib/settings/services.js'
import { openAdmin } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { readableState } from '../../terminal/defaults.js'
import { counted } from '../../terminal/progress.js'
import { flagsFor, valuesOf } from '../../terminal/setting-flags.js'
import { storeFlags } from '../../terminal/store-flags.js'
import { parseDuration } from '../../terminal/time-span.js'

/** `earshot cdr prune`: removes old records; in MySQL by whole days, which costs nothing. */
export default class CdrPrune extends BaseCommand {
  static override summary = 'Remove records that are older than a span of time.'
  static override description =
    `In MySQL the partitions of whole days are dropped; in SQLite rows are deleted, a few hundred calls at a time, so that a sniffer goes on writing.
In a database that VoIPmonitor made only Earshot’s own tables are pruned. Pcaps in the spool are not touched.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --older-than 90d --dry-run',
    "<%= config.bin %> <%= command.id %> --older-than 1y --store 'mysql://earshot@db/earshot'",
  ]
  static override configurable = () => ({ service: 'cdr-prune' as const, table: cdrPruneSettings })
  static override flags = {
    ...storeFlags,
    ...flagsFor(pruneSettings),
    'dry-run': Flags.boolean({ summary: 'Say what would go, remove nothing.' }),
    quiet: Flags.boolean({ char: 'q', summary: 'Say nothing of what was done.' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(CdrPrune)
    const { older_than } = valuesOf(cdrPruneSettings, flags)
    if (older_than === undefined)
      throw new OperatorError('PRUNE', 'Nobody said how old a record may become.', {
        exit: 2,
        suggestions: ['--older-than 90d', 'In a configuration file, below [cdr-prune]: older_than = 90d'],
      })
    const before = Math.floor(Date.now() - spanMs(older_than)) * 1000
    const say = (text: string): void => {
      if (!flags.quiet) process.stderr.write(`${text}\n`)
    }
    const store = await openAdmin(flags.store ?? readableState().store)
    try {
      const plan = await store.prunePlan(before as Micros)
      if (plan.steps.length === 0) say(`Nothing began before ${isoTime(before as Micros)}.`)
      else if (flags['dry-run']) process.stdout.write(`${plan.steps.join('\n')}\n`)
      else await store.prune(plan)
      if (plan.steps.length > 0) say(`${flags['dry-run'] ? 'Would remove' : 'Removed'} about ${counted(plan.calls, 'call')}.`)
      for (const note of plan.notes) say(note)
    } finally {
      await store.close()
    }
  }
}

const YEAR_MS = 365 * 86_400_000
const spanMs = (text: string): number => {
  const years = /^(\d+(?:\.\d+)?)y$/i.exec(text.trim())
  return years ? Number(years[1]) * YEAR_MS : parseDuration(text)
}
