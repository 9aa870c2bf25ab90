import { nearest } from '../query/nearest.js'
import type { Entry, IniText } from './ini.js'
import { readValue } from './read-value.js'
import { readerSettings, type ServiceName, services } from './services.js'
import { defaultText, environmentName, flagName, namesOf, type Setting, type SettingTable } from './table.js'
import type { Translation } from './voipmonitor/translate.js'

/**
 * Who says what a setting is: flag > environment > files > credential > default. Of files the later one wins, within a file the
 * narrower section: [general] < [sniff] < [sniff@eth1]. Keys that repeat in a section make a list. Pure: texts in, values and problems out.
 */
export interface SettingsFile {
  readonly path: string
  /** Read because it is there, not because --config names it. */
  readonly implied: boolean
  readonly text: IniText
  /** Of a voipmonitor.conf: what became of its options. `text` is the translation. */
  readonly translation?: Translation
}

export interface Request {
  /** Undefined: a person's command, which takes what concerns it from [general]. */
  readonly service: ServiceName | undefined
  readonly instance?: string | undefined
  readonly table: SettingTable
  readonly files: readonly SettingsFile[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Names of files in systemd's directory of credentials. */
  readonly credentials?: { readonly directory: string; readonly names: readonly string[] } | undefined
  /** Flags that were given, by name, with their values. */
  readonly flags?: Readonly<Record<string, unknown>>
  /** `~` in files. */
  readonly home?: string | undefined
}

export type OriginKind = 'flag' | 'environment' | 'file' | 'credential' | 'default'
export interface Origin {
  readonly kind: OriginKind
  /** `--store`, `EARSHOT_STORE`, `/etc/earshot/earshot.conf:12`, the name of a credential, `default`. */
  readonly text: string
}

export interface Resolved {
  readonly key: string
  readonly setting: Setting
  /** As the flag would give it: see `valuesOf`. Undefined where nobody says and there is no default. */
  readonly value: unknown
  readonly origin: Origin
}

/** What is wrong, where, and the next step. */
export interface Problem {
  /** `/etc/earshot/earshot.conf:12`, `EARSHOT_SNAPLEN`. */
  readonly where: string
  readonly message: string
  readonly next: string
}

export interface Resolution {
  readonly settings: ReadonlyMap<string, Resolved>
  readonly problems: readonly Problem[]
}

export function resolve(request: Request): Resolution {
  const { table, environment, credentials, flags = {} } = request
  const problems = request.files.flatMap((file) => problemsOf(file, sectionsOf(request)))
  const settings = new Map<string, Resolved>()
  const reading = 'read' in flags
  for (const [key, setting] of Object.entries(table)) {
    const flag = flagName(key, setting)
    const put = (value: unknown, kind: OriginKind, text: string): void => {
      settings.set(key, { key, setting, value, origin: { kind, text } })
    }
    if (flag in flags) {
      put(setting.type === 'switch' && setting.inverted ? !flags[flag] : flags[flag], 'flag', `--${flag}`)
      continue
    }
    put(defaultOf(setting), 'default', 'default')
    if ([...(setting.exclusive ?? []), ...(setting.unless ?? [])].some((other) => other in flags)) continue
    const credential = setting.credential
    if (credential !== undefined && credentials?.names.includes(credential))
      put(`${credentials.directory}/${credential}`, 'credential', credential)
    for (const file of request.files) {
      if (setting.live && file.implied && reading) continue
      for (const section of sectionsOf(request)) {
        if (setting.ownOfInstance && request.instance !== undefined && file.translation === undefined && !section.includes('@')) continue
        const entries = entriesOf(file, section, key, setting)
        if (entries.length === 0) continue
        const read = readEntries(setting, entries, file, request.home)
        // What is wrong with it is among the problems already.
        if (read !== undefined) put(read, 'file', placeOf(file, entries.at(-1) as Entry))
      }
    }
    for (const name of namesOf(key, setting).map(environmentName)) {
      const text = environment[name]
      if (text === undefined || text === '') continue
      const read = readValue(setting, text)
      if ('problem' in read) problems.push({ where: name, message: read.problem, next: read.next })
      else put(read.value, 'environment', name)
    }
  }
  for (const { key, setting, value, origin } of settings.values()) {
    if (origin.kind === 'default' || value === undefined) continue
    for (const other of setting.needs ?? []) {
      const needed = settings.get(other)
      if (needed === undefined || needed.origin.kind !== 'default') continue
      const [own, wanted] = origin.kind === 'flag' ? [`--${flagName(key, setting)}`, `--${flagName(other, needed.setting)}`] : [key, other]
      problems.push({ where: origin.text, message: `${own} means nothing without ${wanted}`, next: `Give ${wanted} too.` })
    }
  }
  return { settings, problems }
}

/** A setting that is not what it was. */
export interface SettingChange {
  readonly key: string
  readonly old: unknown
  readonly new: unknown
  /** The new one as a line of a file would have it. */
  readonly text: string
  readonly origin: Origin
  /** The running service can take it; else it needs a restart. */
  readonly reload: boolean
}

export function changesBetween(before: Resolution, after: Resolution): SettingChange[] {
  const changes: SettingChange[] = []
  for (const { key, setting, value, origin } of after.settings.values()) {
    const old = before.settings.get(key)?.value
    if (JSON.stringify(old) !== JSON.stringify(value))
      changes.push({ key, old, new: value, text: valueText({ setting, value }), origin, reload: setting.reload === true })
  }
  return changes
}

/** Everything that is wrong with a file, whatever service asks. */
export const allProblemsOf = (file: SettingsFile): Problem[] => problemsOf(file, undefined)

/** Of the sections that concern somebody (undefined: of all), and of those that concern nobody. */
function problemsOf(file: SettingsFile, sections: readonly string[] | undefined): Problem[] {
  const at = (line: number): string => `${file.path}:${line}`
  const problems: Problem[] = file.text.problems.map(({ line, message, next }) => ({ where: at(line), message, next }))
  for (const { name, line } of file.text.sections) {
    if (tableOfSection(name) !== undefined) continue
    const known = ['general', ...Object.keys(services)]
    const near = nearest(name.split('@')[0] as string, known)
    problems.push({
      where: at(line),
      message: `there is no section [${name}]`,
      next: near === undefined ? `Sections: ${known.join(', ')}.` : `Did you mean [${near}]?`,
    })
  }
  const first = new Map<string, Entry>()
  for (const entry of file.text.entries) {
    const tables = tableOfSection(entry.section)
    if (tables === undefined || (sections !== undefined && !sections.includes(entry.section))) continue
    const found = tables.map((table) => settingNamed(table, entry.key)).find((row) => row !== undefined)
    if (found === undefined) {
      problems.push({ where: placeOf(file, entry), ...unknownKey(entry, tables) })
      continue
    }
    const [key, setting] = found
    const read = readValue(setting, entry.value)
    if ('problem' in read) problems.push({ where: placeOf(file, entry), message: `${entry.name}: ${read.problem}`, next: read.next })
    const name = `${entry.section}/${key}`
    const before = first.get(name)
    if (before === undefined) first.set(name, entry)
    else if (!isList(setting))
      problems.push({
        where: placeOf(file, entry),
        message: `${entry.name} was given in line ${before.line} already`,
        next: 'Keep one of the two lines.',
      })
  }
  return problems.sort((a, b) => lineOf(a) - lineOf(b))
}

/** Line 0: nobody wrote it, it goes without saying in that file. */
const placeOf = (file: SettingsFile, { path, line }: Entry): string => (line === 0 ? file.path : `${path ?? file.path}:${line}`)
const lineOf = ({ where }: Problem): number => Number(where.slice(where.lastIndexOf(':') + 1))
const isList = (setting: Setting): boolean => setting.type === 'list' || setting.type === 'integers'

/** [general] < [sniff] < [sniff@eth1]. */
function sectionsOf({ service, instance }: Pick<Request, 'service' | 'instance'>): string[] {
  if (service === undefined) return ['general']
  return ['general', service, ...(instance === undefined ? [] : [`${service}@${instance}`])]
}

/** Where the keys of a section are looked up; undefined: there is no such section. */
function tableOfSection(section: string): SettingTable[] | undefined {
  if (section === 'general') return [...Object.values(services), readerSettings]
  const name = section.split('@')[0] as string
  return Object.hasOwn(services, name) ? [services[name as ServiceName]] : undefined
}

export function settingNamed(table: SettingTable, key: string): [key: string, setting: Setting] | undefined {
  const exact = Object.hasOwn(table, key) ? table[key] : undefined
  if (exact !== undefined) return [key, exact]
  return Object.entries(table).find(([own, setting]) => namesOf(own, setting).includes(key))
}

function unknownKey(entry: Entry, tables: readonly SettingTable[]): { message: string; next: string } {
  const others = Object.entries(services).filter(([, table]) => settingNamed(table, entry.key) !== undefined)
  if (others.length > 0)
    return {
      message: `${entry.name} is no setting of ${entry.section.split('@')[0]}`,
      next: `It is one of ${others.map(([name]) => name).join(', ')}: put it into [${others[0]?.[0]}] or [general].`,
    }
  const near = nearest(
    entry.key,
    tables.flatMap((table) => Object.entries(table).flatMap(([key, setting]) => namesOf(key, setting))),
  )
  return {
    message: `there is no setting ${entry.name}`,
    next: near === undefined ? 'docs/settings.md lists all settings.' : `Did you mean ${near}?`,
  }
}

const entriesOf = (file: SettingsFile, section: string, key: string, setting: Setting): Entry[] => {
  const names = namesOf(key, setting)
  return file.text.entries.filter((entry) => entry.section === section && names.includes(entry.key))
}

function readEntries(setting: Setting, entries: readonly Entry[], file: SettingsFile, home: string | undefined): unknown {
  const read = entries.map((entry) => readValue(setting, entry.value))
  const values = read.flatMap((one) => ('value' in one ? [one.value] : []))
  if (values.length < read.length) return undefined
  if (isList(setting)) return values.flat()
  const value = values.at(-1)
  return setting.type === 'path' && !setting.words?.includes(value as string) ? absolutePath(value as string, file.path, home) : value
}

function absolutePath(path: string, file: string, home: string | undefined): string {
  if (path.startsWith('/')) return path
  if (path.startsWith('~/') && home !== undefined) return `${home}${path.slice(1)}`
  const directory = file.slice(0, file.lastIndexOf('/') + 1)
  return `${directory}${path}`
}

function defaultOf(setting: Setting): unknown {
  if (setting.type === 'size') {
    const read = readValue(setting, setting.default)
    return 'value' in read ? read.value : undefined
  }
  return setting.default
}

/** Names in the environment that look like ours and are not, each with the nearest that is. */
export function strangersIn(environment: Readonly<Record<string, string | undefined>>): { name: string; near: string | undefined }[] {
  const known = new Set([
    ...otherNames,
    ...[...Object.values(services), readerSettings].flatMap((table: SettingTable) =>
      Object.entries(table).flatMap(([key, setting]) => namesOf(key, setting).map(environmentName)),
    ),
  ])
  return Object.keys(environment)
    .filter((name) => name.startsWith('EARSHOT_') && !known.has(name))
    .map((name) => ({
      name,
      near: nearest(
        name,
        [...known].map((one) => one.toLowerCase()),
      )?.toUpperCase(),
    }))
}

/** In the environment, but no settings. */
const otherNames = ['EARSHOT_CONFIG', 'EARSHOT_INSTANCE', 'EARSHOT_TOKEN', 'EARSHOT_MIRROR_TOKEN', 'EARSHOT_DB_PASSWORD']

/** A value as a line of a file would have it. */
export function valueText({ setting, value }: Pick<Resolved, 'setting' | 'value'>): string {
  if (value === undefined) return defaultText(setting)
  if (setting.type === 'integers') return rangesText((value as number[]).flat()) || defaultText(setting)
  if (Array.isArray(value)) return value.length === 0 ? defaultText(setting) : value.flat().join(',')
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (setting.type === 'size' && typeof value === 'number') {
    for (const [unit, bytes] of [
      ['GiB', 2 ** 30],
      ['MiB', 2 ** 20],
      ['KiB', 2 ** 10],
    ] as const)
      if (value % bytes === 0 && value > 0) return `${value / bytes}${unit}`
  }
  return String(value)
}

/** `5060,5080-5090` */
function rangesText(numbers: readonly number[]): string {
  const parts: string[] = []
  for (let i = 0; i < numbers.length; i++) {
    const from = numbers[i] as number
    let to = from
    while (numbers[i + 1] === to + 1) to = numbers[++i] as number
    parts.push(to === from ? `${from}` : to === from + 1 ? `${from},${to}` : `${from}-${to}`)
  }
  return parts.join(',')
}
