/**
 * Settings as rows: types, flags, keys of a configuration file, names in the environment and docs all follow from them.
 * A row's key is VoIPmonitor's name for the thing where it has one; the flag is the same with dashes unless the row says otherwise.
 */
interface Common {
  readonly help: string
  /** The flag's name where it is not the key with dashes. */
  readonly flag?: string
  /** The flag's name is no key in files: there it would mean another thing. */
  readonly ownKey?: true
  /** Further names, as flags (with dashes) and as keys (with underscores). */
  readonly aliases?: readonly string[]
  readonly char?: string
  readonly charAliases?: readonly string[]
  readonly helpGroup?: string
  readonly helpValue?: string
  /** A running service takes a change with SIGHUP, without a gap. */
  readonly reload?: true
  /** Flags that do not go together with this one. Given, they also silence what files and the environment say: `-r` beats a file's `interface`. */
  readonly exclusive?: readonly string[]
  /** Flags that, given, silence what files and the environment say. */
  readonly unless?: readonly string[]
  /** Keys without which this one means nothing. */
  readonly needs?: readonly string[]
  /** Meant for packets off the wire: a run that reads a file (`-r`) takes it only from a flag, the environment or a file named with --config. */
  readonly live?: true
  /** An instance has it from its own section only, not from that of its service: what an instance is named after. */
  readonly ownOfInstance?: true
  /** The systemd credential (LoadCredential=) whose file is taken when nobody says otherwise. */
  readonly credential?: string
}

export type Setting = Common &
  (
    | {
        readonly type: 'integer'
        readonly default: number
        readonly unit: string
        readonly min: number
        readonly max?: number
      }
    | {
        readonly type: 'choice'
        readonly default: string
        readonly options: readonly string[]
      }
    /** Numbers and ranges of them: `5060,5080-5090`. */
    | {
        readonly type: 'integers'
        readonly default: readonly number[]
        readonly unit: string
        readonly min: number
        readonly max: number
      }
    /** `64MiB`; a number without a unit counts in `unit`. The value is in bytes, the default a text. */
    | {
        readonly type: 'size'
        readonly default: string
        readonly unit: SizeUnit
        readonly min: number
        readonly max?: number
      }
    /** A flag without a value. `inverted`: the flag says the opposite of the key, as `--no-promiscuous` of `promisc`. */
    | { readonly type: 'switch'; readonly default: boolean | undefined; readonly inverted?: true }
    /** `fallback` says what happens without it. `check` answers what is wrong with a text, and the next step. */
    | { readonly type: 'text'; readonly default?: string; readonly fallback?: string; readonly check?: TextCheck }
    /** In a file: relative to the file's directory, `~/` is the home. */
    | { readonly type: 'path'; readonly default?: string; readonly fallback?: string; readonly words?: readonly string[] }
    /** Texts, repeated or separated by commas; `whole` values are not taken apart. */
    | { readonly type: 'list'; readonly default: readonly string[]; readonly fallback?: string; readonly whole?: true }
  )

export type SizeUnit = 'B' | 'KiB' | 'MiB'
type TextCheck = (text: string) => { readonly message: string; readonly next: string } | undefined

export type SettingTable = Readonly<Record<string, Setting>>

type ValueOf<S extends Setting> = S extends { type: 'choice' }
  ? S['options'][number]
  : S extends { type: 'integer' | 'size' }
    ? number
    : S extends { type: 'integers' }
      ? readonly number[]
      : S extends { type: 'list' }
        ? readonly string[]
        : S extends { type: 'switch' }
          ? S['default'] extends boolean
            ? boolean
            : boolean | undefined
          : S extends { default: string }
            ? string
            : string | undefined
export type ValuesOf<T extends SettingTable> = { readonly [K in keyof T]: ValueOf<T[K]> }

/** `absolute_timeout` → `absolute-timeout`. */
export const flagName = (key: string, setting?: Setting): string => setting?.flag ?? key.replaceAll('_', '-')

/** `absolute_timeout` → `EARSHOT_ABSOLUTE_TIMEOUT`. */
export const environmentName = (key: string): string => `EARSHOT_${key.toUpperCase().replaceAll('-', '_')}`

/** All names of a row in a file: the key, the flag, and the aliases, with underscores. */
export const namesOf = (key: string, setting: Setting): string[] => [
  ...new Set(
    [
      key,
      ...(setting.flag === undefined || setting.ownKey === true || setting.type === 'switch' ? [] : [setting.flag]),
      ...(setting.aliases ?? []),
    ].map(plainKey),
  ),
]

/** Keys in files: case and dashes do not matter. */
export const plainKey = (text: string): string => text.toLowerCase().replaceAll('-', '_')

export const isYesNo = (setting: Setting): boolean =>
  setting.type === 'choice' && setting.options.length === 2 && setting.options.includes('yes') && setting.options.includes('no')

export function toMarkdown(table: SettingTable): string {
  const rows = Object.entries(table).map(([key, s]) => {
    const flag = `--${flagName(key, s)}`
    return `| \`${key}\` | \`${s.char === undefined ? flag : `-${s.char}, ${flag}`}\` | ${defaultText(s)} | ${s.reload ? 'yes' : ''} | ${meaningOf(s).replaceAll('|', '\\|')} |`
  })
  return ['| key | flag | default | HUP | meaning |', '|---|---|---|---|---|', ...rows].join('\n')
}

/** Of the key: the help of an inverted flag tells the flag. */
export const meaningOf = (setting: Setting): string =>
  setting.type === 'switch' && setting.inverted === true ? `no: ${setting.help[0]?.toLowerCase()}${setting.help.slice(1)}` : setting.help

/** "300 s", "yes (of yes, no)", "(none)". */
export function defaultText(setting: Setting): string {
  switch (setting.type) {
    case 'integer':
      return `${setting.default} ${setting.unit}`.trim()
    case 'choice':
      return `${setting.default} (of ${setting.options.join(', ')})`
    case 'integers':
      return setting.default.length === 0 ? '(any)' : setting.default.join(', ')
    case 'size':
      return setting.default
    case 'switch':
      return setting.default === undefined ? '(depends)' : setting.default ? 'yes' : 'no'
    case 'list':
      return setting.default.length === 0 ? `(${setting.fallback ?? 'none'})` : setting.default.join(', ')
    case 'text':
    case 'path':
      return setting.default ?? `(${setting.fallback ?? 'none'})`
  }
}
