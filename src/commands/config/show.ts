import { Args, Flags } from '@oclif/core'
import { OperatorError } from '../../lib/base/errors.js'
import { nearest } from '../../lib/query/nearest.js'
import { resolve, valueText } from '../../lib/settings/resolve.js'
import { readerSettings, type ServiceName, services } from '../../lib/settings/services.js'
import type { SettingTable } from '../../lib/settings/table.js'
import { aligned } from '../../terminal/aligned.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { serviceConfigFlags } from '../../terminal/config-flags.js'
import { problemError, readFiles, surroundings } from '../../terminal/configuration.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { printRows } from '../../terminal/rows.js'

/** `earshot config show`: what holds for a service, and who said so. */
export default class ConfigShow extends BaseCommand {
  static override summary = 'Show the settings that hold for a service, and where each comes from.'
  static override description = `Flags of a running service are not known here: its unit may set some. Passwords are never shown.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> sniff --origin',
    { description: 'Only what somebody has set', command: '<%= config.bin %> <%= command.id %> --changed --origin' },
    {
      description: 'What a voipmonitor.conf means',
      command: '<%= config.bin %> <%= command.id %> sniff --changed --config /etc/voipmonitor.conf',
    },
  ]
  static override args = {
    service: Args.string({
      description: `One of ${Object.keys(services).join(', ')} (sniff@eth1: that instance), or general: what cdr query, fetch-pcap and the like take; all services without it.`,
    }),
  }
  static override flags = {
    origin: Flags.boolean({ summary: 'Say where each value comes from: file and line, environment, credential, default.' }),
    changed: Flags.boolean({ summary: 'Only what is not a default.' }),
    ...serviceConfigFlags,
    output: outputFlag,
    json: jsonFlag,
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ConfigShow)
    const [name, instance = flags.instance] = args.service?.split('@', 2) ?? []
    const shown =
      name === undefined
        ? (Object.keys(services) as ServiceName[]).map(asService)
        : [name === 'general' ? people : asService(serviceNamed(name))]
    const { files, problems } = readFiles({ named: flags.config, none: flags['no-config'], strict: true })
    if (problems.length > 0) throw problemError(problems)
    const rows = shown.flatMap(({ service, table }) => {
      const resolution = resolve({ service, instance, table, files, ...surroundings() })
      if (resolution.problems.length > 0) throw problemError(resolution.problems)
      return [...resolution.settings.values()]
        .filter(({ origin }) => !flags.changed || origin.kind !== 'default')
        .map((resolved) => ({ service: service ?? 'general', key: resolved.key, value: valueText(resolved), origin: resolved.origin.text }))
    })
    const format = outputFormat(flags)
    if (format === 'table') {
      const cells = rows.map(({ service, key, value, origin }) => [
        ...(shown.length > 1 ? [service] : []),
        key,
        value,
        ...(flags.origin ? [origin] : []),
      ])
      if (cells.length > 0) process.stdout.write(`${aligned(cells)}\n`)
    } else
      await printRows(format, process.stdout, { name: 'settings', rows, columns: [], totals: { files: files.map(({ path }) => path) } })
  }
}

interface Shown {
  readonly service: ServiceName | undefined
  readonly table: SettingTable
}
const asService = (service: ServiceName): Shown => ({ service, table: services[service] })
/** Commands that a person runs have no section of their own. */
const people: Shown = { service: undefined, table: readerSettings }

function serviceNamed(name: string): ServiceName {
  if (Object.hasOwn(services, name)) return name as ServiceName
  const near = nearest(name, [...Object.keys(services), 'general'])
  throw new OperatorError('SERVICE', `There is no service "${name}" with settings.`, {
    exit: 2,
    suggestions: [near === undefined ? `There are: ${Object.keys(services).join(', ')}; and general.` : `Did you mean ${near}?`],
  })
}
