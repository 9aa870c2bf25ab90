import { Flags } from '@oclif/core'
import { flagName, type SettingTable, type ValuesOf } from '../lib/settings/table.js'

/** Setting rows → oclif flags, and the parsed flags back to the values of the rows. VoIPmonitor's spelling with underscores works as well. */
export function flagsFor(
  table: SettingTable,
  helpGroup: string,
): Record<string, ReturnType<typeof Flags.integer> | ReturnType<typeof integersFlag> | ReturnType<typeof Flags.string>> {
  return Object.fromEntries(
    Object.entries(table).map(([key, setting]) => {
      const name = flagName(key)
      const common = { helpGroup, ...(name === key ? {} : { aliases: [key] }) }
      if (setting.type === 'integers') return [name, integersFlag({ ...common, summary: setting.help, min: setting.min, max: setting.max })]
      if (setting.type === 'choice')
        return [name, Flags.string({ ...common, summary: setting.help, default: setting.default, options: [...setting.options] })]
      const summary = `${setting.help}${setting.unit === '' ? '' : ` Unit: ${setting.unit}.`}`
      return [
        name,
        Flags.integer({
          ...common,
          summary,
          default: setting.default,
          min: setting.min,
          ...('max' in setting && setting.max ? { max: setting.max } : {}),
        }),
      ]
    }),
  )
}

export function valuesOf<T extends SettingTable>(table: T, flags: Readonly<Record<string, unknown>>): ValuesOf<T> {
  return Object.fromEntries(Object.entries(table).map(([key, setting]) => [key, flags[flagName(key)] ?? setting.default])) as ValuesOf<T>
}

const integersFlag = Flags.custom<number, { min: number; max: number }>({
  multiple: true,
  multipleNonGreedy: true,
  delimiter: ',',
  parse: async (input, _context, { min, max }) => {
    const value = Number(input)
    if (!Number.isInteger(value) || value < min || value > max) throw new Error(`"${input}" is not a number from ${min} to ${max}.`)
    return value
  },
}) as (options: { helpGroup: string; summary: string; min: number; max: number; aliases?: string[] }) => ReturnType<typeof Flags.integer>
