import { Flags, type Interfaces } from '@oclif/core'
import { OperatorError } from '../lib/base/errors.js'
import { bytesOf, readValue } from '../lib/settings/read-value.js'
import { flagName, namesOf, type Setting, type SettingTable, type ValuesOf } from '../lib/settings/table.js'

/** Setting rows → oclif flags, and the parsed flags back to the values of the rows. VoIPmonitor's spelling with underscores works as well. */
type AnyFlag = Interfaces.OptionFlag<string | undefined> | Interfaces.OptionFlag<number | undefined> | Interfaces.BooleanFlag<boolean>
export type TextFlag = Interfaces.OptionFlag<string | undefined>

/** `helpGroup`: of rows that name none. */
export function flagsFor(table: SettingTable, helpGroup?: string): Record<string, AnyFlag> {
  return Object.fromEntries(Object.entries(table).map(([key, setting]) => [flagName(key, setting), flagOf(key, setting, helpGroup)]))
}

function flagOf(key: string, setting: Setting, helpGroup: string | undefined): AnyFlag {
  const name = flagName(key, setting)
  const group = setting.helpGroup ?? helpGroup
  // An inverted flag shares no name with its key: `--promisc` is not `--no-promiscuous`.
  const inverted = setting.type === 'switch' && setting.inverted === true
  const aliases = inverted ? [] : aliasesOf(key, setting).filter((other) => other !== name)
  const common = {
    summary: setting.type === 'integer' && setting.unit !== '' ? `${setting.help} Unit: ${setting.unit}.` : setting.help,
    ...(group === undefined ? {} : { helpGroup: group }),
    ...(aliases.length > 0 ? { aliases } : {}),
    ...(setting.char === undefined ? {} : { char: setting.char as 'a' }),
    ...(setting.charAliases === undefined ? {} : { charAliases: setting.charAliases as 'a'[] }),
    ...(setting.helpValue === undefined ? {} : { helpValue: setting.helpValue }),
    ...(setting.exclusive === undefined ? {} : { exclusive: [...setting.exclusive] }),
  }
  switch (setting.type) {
    case 'switch':
      return Flags.boolean({ ...common, allowNo: !inverted }) as Interfaces.BooleanFlag<boolean>
    case 'choice':
      return settingFlag({ ...common, setting, default: setting.default, options: [...setting.options] })
    case 'integer':
      return settingFlag({ ...common, setting, default: setting.default })
    case 'size':
      return settingFlag({ ...common, setting, default: setting.default })
    case 'integers':
      return settingFlag({ ...common, setting, multiple: true, multipleNonGreedy: true, delimiter: ',' })
    case 'list':
      return settingFlag({ ...common, setting, multiple: true, multipleNonGreedy: true, ...(setting.whole ? {} : { delimiter: ',' }) })
    case 'text':
    case 'path':
      return settingFlag({ ...common, setting, ...(setting.default === undefined ? {} : { default: setting.default }) })
  }
}

function aliasesOf(key: string, setting: Setting): string[] {
  const underscored = namesOf(key, setting)
  return [...new Set([...underscored.map((name) => name.replaceAll('_', '-')), ...underscored])]
}

/** The values of the rows, from flags that `flagsFor` made, and that a configuration may have filled. */
export function valuesOf<T extends SettingTable>(table: T, flags: Readonly<Record<string, unknown>>): ValuesOf<T> {
  return Object.fromEntries(
    Object.entries(table).map(([key, setting]) => [key, settingOf(setting, flags[flagName(key, setting)])]),
  ) as ValuesOf<T>
}

function settingOf(setting: Setting, given: unknown): unknown {
  switch (setting.type) {
    case 'switch':
      return given === undefined ? setting.default : setting.inverted ? !given : given
    case 'size':
      // The default is a text, which reads better in the help.
      return typeof given === 'number' ? given : bytesOf(setting.default, setting.unit)
    case 'integers':
    case 'list':
      // An item of the flag is a list, too: `5060-5070` is eleven.
      return given === undefined ? setting.default : (given as unknown[]).flat()
    default:
      return given ?? setting.default
  }
}

/** One code reads flags, files and the environment. */
const settingFlag = Flags.custom<unknown, { setting: Setting }>({
  parse: async (input, _context, { setting }) => {
    const read = readValue(setting, input)
    if ('problem' in read) throw new OperatorError('FLAG', `${read.problem}.`, { exit: 2, suggestions: [read.next] })
    return read.value
  },
}) as unknown as (options: Record<string, unknown> & { setting: Setting }) => AnyFlag
