import { dirname, join, resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { OperatorError } from '../../lib/base/errors.js'
import type { Entry } from '../../lib/settings/ini.js'
import type { Told, Translation } from '../../lib/settings/voipmonitor/translate.js'
import { aligned } from '../../terminal/aligned.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { problemError, readFile } from '../../terminal/configuration.js'
import { jsonFlag, outputFlag, outputFormat } from '../../terminal/output.js'
import { printRows } from '../../terminal/rows.js'
import { refuseExisting, writeOnce } from '../../terminal/write-once.js'

/** `earshot config import`: what a voipmonitor.conf means here, option by option; and as a file of ours. */
export default class ConfigImport extends BaseCommand {
  static override summary = 'Tell what each option of a voipmonitor.conf becomes, and write it as a file of ours.'
  static override description = `A voipmonitor.conf can also be used as it is: earshot sniff --config /etc/voipmonitor.conf.
With -w our file is written; the password of the database goes into "db-password" beside it, which only its owner reads.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> /etc/voipmonitor.conf',
    {
      description: 'For the services',
      command: 'sudo <%= config.bin %> <%= command.id %> /etc/voipmonitor.conf -w /etc/earshot/earshot.conf',
    },
  ]
  static override args = { file: Args.string({ required: true, description: 'The voipmonitor.conf.' }) }
  static override flags = {
    write: Flags.string({ char: 'w', helpValue: 'FILE', summary: 'Write our file; - is stdout, and the list is left out.' }),
    force: Flags.boolean({ summary: 'Replace FILE when it exists.' }),
    output: outputFlag,
    json: jsonFlag,
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ConfigImport)
    const path = resolve(args.file)
    const { files, problems } = readFile(path, false)
    if (problems.length > 0) throw problemError(problems)
    const translation = files[0]?.translation
    if (translation === undefined)
      throw new OperatorError('IMPORT', `"${args.file}" is no voipmonitor.conf.`, {
        exit: 2,
        suggestions: ['Its name is voipmonitor….conf, or it has options that only VoIPmonitor has below one [general].'],
      })
    const passwordFile = join(
      flags.write === undefined || flags.write === '-' ? '/etc/earshot' : dirname(resolve(flags.write)),
      'db-password',
    )
    const text = ourFile(path, translation, passwordFile)
    if (flags.write === '-') {
      process.stdout.write(text)
      return
    }
    const password = translation.password
    if (flags.write !== undefined) refuseExisting([flags.write, ...(password === undefined ? [] : [passwordFile])], flags.force)
    await printTold(translation.told, outputFormat(flags))
    if (flags.write === undefined) return
    if (password !== undefined) writeOnce(passwordFile, `${password}\n`, { force: flags.force, mode: 0o600 })
    writeOnce(flags.write, text, { force: flags.force, mode: 0o644 })
    process.stderr.write(`${flags.write} is written.\n`)
    if (password !== undefined)
      process.stderr.write(
        `The password of the database is in ${passwordFile} (mode 600): give the file to the user that runs the service: chown earshot ${passwordFile}\n`,
      )
  }
}

const groups: readonly (readonly [fate: Told['fate'], title: string])[] = [
  ['same', 'The same here'],
  ['changed', 'Honoured'],
  ['ignored', 'Ignored'],
  ['unknown', 'Unknown'],
  ['assumed', 'Not said, and assumed as VoIPmonitor does'],
]

async function printTold(told: readonly Told[], format: Parameters<typeof printRows>[0]): Promise<void> {
  const placeOf = ({ path, line }: Told): string => (line === 0 ? '' : path === undefined ? `${line}` : `${path}:${line}`)
  if (format !== 'table') {
    const rows = told.map((one) => ({ line: placeOf(one), option: one.name, value: one.value, fate: one.fate, ours: one.to, why: one.why }))
    return printRows(format, process.stdout, { name: 'options', rows, columns: [], totals: {} })
  }
  for (const [fate, title] of groups) {
    const rows = told.filter((one) => one.fate === fate)
    if (rows.length === 0) continue
    const cells = rows.map((one) =>
      [placeOf(one).padStart(4), one.name === '' ? '' : `${one.name} = ${one.value}`, one.to, one.why].filter(
        (_, i) => i !== 2 || fate !== 'ignored',
      ),
    )
    process.stdout.write(`${title}:\n${aligned(fate === 'assumed' ? cells.map(([, , ...rest]) => rest) : cells, '  ')}\n\n`)
  }
}

/** Our file: what is honoured, each with the line it came from; the rest as comments. */
function ourFile(path: string, { entries, told, password }: Translation, passwordFile: string): string {
  const line = ({ key, value }: Entry): string =>
    `${key} = ${key === 'store' && password !== undefined ? withPasswordFile(value, passwordFile) : value}`
  const left = told.filter(({ fate }) => fate === 'ignored' || fate === 'unknown')
  return `${[
    `# Made of ${path} by earshot config import.`,
    '',
    '[general]',
    ...entries.map(line),
    '',
    '# Left out:',
    ...left.map(({ name, value, why }) => `#   ${name} = ${value}: ${why}`),
  ].join('\n')}\n`
}

const withPasswordFile = (url: string, file: string): string =>
  url === 'none' ? url : `${url}${url.includes('?') ? '&' : '?'}password-file=${encodeURIComponent(file).replaceAll('%2F', '/')}`
