import { Args } from '@oclif/core'
import { exitCodes } from '../../lib/base/errors.js'
import { allProblemsOf, type Problem, resolve, strangersIn } from '../../lib/settings/resolve.js'
import { type ServiceName, services } from '../../lib/settings/services.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { etcDir, problemText, readFiles, surroundings } from '../../terminal/configuration.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { counted } from '../../terminal/progress.js'
import { printRows } from '../../terminal/rows.js'
import { serviceUserHere, unreadableFiles } from '../../terminal/service/service-user.js'

/** `earshot config check`: everything that is wrong with the settings of this host, at once. */
export default class ConfigCheck extends BaseCommand {
  static override summary = 'Check the settings of this host: files and environment. Tells all problems at once.'
  static override description = `Without FILE: /etc/earshot/earshot.conf, /etc/earshot/conf.d/*.conf and your own file.
Exit codes: 0 all is well (hints on stderr do not count); 2 a service would refuse to start.`
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> new.conf']
  static override args = { file: Args.string({ description: 'A file of ours or a voipmonitor.conf, instead of the files of this host.' }) }
  static override flags = { output: outputFlag, json: jsonFlag }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ConfigCheck)
    const { files, problems: unreadable } = readFiles({ named: args.file, none: false, strict: true })
    const around = surroundings()
    const user = serviceUserHere()
    const unreadableForServices = new Set<string>()
    const found: Problem[] = [...unreadable, ...files.flatMap(allProblemsOf)]
    for (const { service, instance } of instancesIn(files.flatMap((file) => file.text.sections.map(({ name }) => name)))) {
      const resolution = resolve({ service, instance, table: services[service], files, ...around })
      found.push(...resolution.problems)
      if (user !== undefined) for (const line of unreadableFiles(resolution, etcDir(), user)) unreadableForServices.add(line)
    }
    for (const line of unreadableForServices) process.stderr.write(`Hint: ${line}\n`)
    const problems = [...new Map(found.map((problem) => [`${problem.where} ${problem.message}`, problem])).values()]
    const format = outputFormat(flags)
    if (format === 'table') for (const p of problems) process.stdout.write(`${problemText(p)} ${p.next}\n`)
    else
      await printRows(format, process.stdout, {
        name: 'problems',
        rows: problems.map(({ where, message, next }) => ({ where, message, next })),
        columns: [],
        totals: { files: files.map(({ path }) => path) },
      })
    for (const { name, near } of strangersIn(process.env))
      process.stderr.write(`Hint: ${name} in the environment is no setting${near === undefined ? '' : `; did you mean ${near}?`}\n`)
    if (format === 'table') {
      const settings = files.reduce((sum, file) => sum + file.text.entries.length, 0)
      const names = files.map(({ path }) => path).join(', ')
      process.stderr.write(
        files.length === 0 && problems.length === 0
          ? 'No file of settings is there: defaults hold. A file to begin with: earshot config init\n'
          : `${names || 'Nothing was read'}: ${counted(settings, 'setting')}, ${problems.length === 0 ? 'no problem' : counted(problems.length, 'problem')}.\n`,
      )
    }
    if (problems.length > 0) process.exitCode = exitCodes.usage
  }
}

/** Every service, and those instances that have a section. */
function instancesIn(sections: readonly string[]): { service: ServiceName; instance: string | undefined }[] {
  const names = Object.keys(services) as ServiceName[]
  const instances = sections.flatMap((section) => {
    const [service, instance] = section.split('@') as [ServiceName, string | undefined]
    return instance !== undefined && names.includes(service) ? [{ service, instance }] : []
  })
  return [...names.map((service) => ({ service, instance: undefined })), ...instances]
}
