/**
 * Settings as rows: types, flags, docs and the keys of a configuration file all follow from them.
 * A row's key is VoIPmonitor's name for the thing where it has one; the flag is the same with dashes.
 */
export type Setting =
  | {
      readonly type: 'integer'
      readonly default: number
      readonly unit: string
      readonly min: number
      readonly max?: number
      readonly help: string
    }
  | {
      readonly type: 'choice'
      readonly default: string
      readonly options: readonly string[]
      readonly help: string
    }
  | {
      readonly type: 'integers'
      readonly default: readonly number[]
      readonly unit: string
      readonly min: number
      readonly max: number
      readonly help: string
    }

export type SettingTable = Readonly<Record<string, Setting>>

type ValueOf<S extends Setting> = S extends { type: 'choice' }
  ? S['options'][number]
  : S['type'] extends 'integer'
    ? number
    : readonly number[]
export type ValuesOf<T extends SettingTable> = { readonly [K in keyof T]: ValueOf<T[K]> }

/** `absolute_timeout` → `absolute-timeout`. */
export const flagName = (key: string): string => key.replaceAll('_', '-')

export function toMarkdown(table: SettingTable): string {
  const rows = Object.entries(table).map(([key, s]) => {
    return `| \`${key}\` | \`--${flagName(key)}\` | ${defaultText(s)} | ${s.help} |`
  })
  return ['| key | flag | default | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

function defaultText(setting: Setting): string {
  switch (setting.type) {
    case 'integer':
      return `${setting.default} ${setting.unit}`.trim()
    case 'choice':
      return `${setting.default} (of ${setting.options.join(', ')})`
    case 'integers':
      return setting.default.length === 0 ? '(any)' : setting.default.join(', ')
  }
}
