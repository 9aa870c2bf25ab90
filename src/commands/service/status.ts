import { existsSync } from 'node:fs'
import { Flags } from '@oclif/core'
import { exitCodes } from '../../lib/base/errors.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { runDir, serviceDirs, stateDir } from '../../terminal/defaults.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { printRows } from '../../terminal/plain-rows.js'
import { disksOf, judge, sampleServices, unitStates } from '../../terminal/service/health.js'

const columns = ['service', 'state', 'since_s', 'pid', 'packets_s', 'calls', 'dropped', 'stored', 'waiting', 'problem'] as const

/** `earshot service status`: one look tells whether all is well. */
export default class ServiceStatus extends BaseCommand {
  static override summary = 'Tell how all services of this host are: healthy or not.'
  static override description =
    `Asks systemd about our units and the services themselves through their sockets, twice, to see what happens now. Works without systemd.
Exit code 0 when all is well, 1 when something is wrong, 3 when no service is there.`
  static override examples = [
    'sudo <%= config.bin %> <%= command.id %>',
    { description: 'For a check by a monitoring system', command: 'sudo <%= config.bin %> <%= command.id %> -q' },
    { description: 'For a script', command: "sudo <%= config.bin %> <%= command.id %> -o json | jq '.[] | select(.problem)'" },
  ]
  static override flags = {
    seconds: Flags.integer({ default: 1, min: 1, max: 60, summary: 'Time between the two looks.' }),
    output: outputFlag,
    json: jsonFlag,
    quiet: Flags.boolean({ char: 'q', summary: 'Only what is wrong, and the exit code.' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(ServiceStatus)
    const [units, samples] = await Promise.all([unitStates(), sampleServices([serviceDirs.run, runDir()], flags.seconds)])
    const state = existsSync(serviceDirs.state) ? serviceDirs.state : stateDir()
    const rows = judge(units ?? [], samples, await disksOf([state]))
    const services = rows.filter(({ service }) => !service.startsWith('disk '))
    if (services.length === 0) {
      process.stderr.write(
        'No service of Earshot runs on this host, and none is enabled.\n  → sudo earshot service install sniff --enable\n',
      )
      process.exitCode = exitCodes.notFound
      return
    }
    if (!flags.quiet)
      await printRows(
        outputFormat(flags),
        process.stdout,
        columns,
        rows.map((row) => ({ ...row })),
      )
    const wrong = rows.filter(({ problem }) => problem !== null)
    for (const { service, problem } of wrong) process.stderr.write(`${service}: ${problem}\n`)
    if (wrong.length > 0) process.exitCode = exitCodes.failure
    else if (!flags.quiet)
      process.stderr.write(`All is well with ${services.length === 1 ? 'one service' : `${services.length} services`}.\n`)
  }
}
