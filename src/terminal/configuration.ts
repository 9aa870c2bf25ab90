import { readdirSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve as resolvePath } from 'node:path'
import { OperatorError } from '../lib/base/errors.js'
import { type IniText, readIni } from '../lib/settings/ini.js'
import { readStoreSettings, timeSettings } from '../lib/settings/records.js'
import {
  changesBetween,
  type Origin,
  type Problem,
  type Request,
  type Resolution,
  type Resolved,
  resolve,
  type SettingChange,
  type SettingsFile,
} from '../lib/settings/resolve.js'
import { readSpoolSettings } from '../lib/settings/spool.js'
import { flagName, type Setting } from '../lib/settings/table.js'
import { isVoipmonitor, type Translation, translate } from '../lib/settings/voipmonitor/translate.js'
import type { Configurable } from './base-command.js'
import { configDir, readableState } from './defaults.js'

/**
 * The files of settings of this host, read once at the start and again when a service is told to (SIGHUP).
 * `--config` names one file; else /etc/earshot/earshot.conf, /etc/earshot/conf.d/*.conf and a person's own, as far as they are there.
 */
export interface Configuration {
  readonly resolution: Resolution
  readonly files: readonly string[]
  /** Reads the files again, and fills the flags anew. Problems change nothing: the settings in force stay. */
  reload(): { readonly changes: readonly SettingChange[]; readonly problems: readonly Problem[] }
  /** These changes could not be taken: what was before is in force. */
  keep(changes: readonly SettingChange[]): void
}

/** What oclif's parser answers, as far as it matters here. */
export interface ParsedFlags {
  readonly flags: Record<string, unknown>
  readonly raw: readonly { readonly type: string; readonly flag?: string }[]
}

/** Fills the flags that were not given. Throws an OperatorError that tells every problem. */
export function configure({ service, table }: Configurable, parsed: ParsedFlags): Configuration {
  const given = new Set(parsed.raw.flatMap((token) => (token.type === 'flag' && token.flag !== undefined ? [token.flag] : [])))
  const flags = Object.fromEntries(Object.entries(parsed.flags).filter(([name]) => given.has(name)))
  const text = (name: string): string | undefined => parsed.flags[name] as string | undefined
  const read = (): { files: SettingsFile[]; resolution: Resolution } => {
    const { files, problems } = readFiles({
      named: table['config'] === undefined ? text('config') : undefined,
      none: parsed.flags['no-config'] === true,
      strict: service !== undefined,
    })
    const resolution = resolve({ service, instance: text('instance'), table, files, flags, ...surroundings() })
    return { files, resolution: { ...resolution, problems: [...problems, ...resolution.problems] } }
  }
  const first = read()
  if (first.resolution.problems.length > 0) throw problemError(first.resolution.problems)
  const put = (key: string, setting: Setting, value: unknown): void => {
    parsed.flags[flagName(key, setting)] = setting.type === 'switch' && setting.inverted ? !value : value
  }
  for (const { key, setting, value, origin } of first.resolution.settings.values()) {
    if (origin.kind !== 'flag' && origin.kind !== 'default') put(key, setting, value)
  }
  const store = inZone(parsed.flags['store'] as string | undefined, parsed.flags['utc'])
  if (store !== undefined) parsed.flags['store'] = store
  const password = passwordOfHost(first.resolution.settings.get('store')?.origin)
  if (password !== undefined) process.env['EARSHOT_DB_PASSWORD'] ??= password
  for (const { path, translation } of first.files) {
    if (translation === undefined) continue
    // Threads of this process inherit it; the command line and the logs never see it.
    if (translation.password !== undefined) process.env['EARSHOT_DB_PASSWORD'] ??= translation.password
    if (service !== undefined && parsed.flags['quiet'] !== true) process.stderr.write(`${translationLine(path, translation)}\n`)
  }
  let inForce = first.resolution
  let before = inForce
  const fill = (changes: readonly SettingChange[]): void => {
    for (const { key } of changes) {
      const { setting, value } = inForce.settings.get(key) as Resolved
      put(key, setting, value)
    }
  }
  return {
    resolution: first.resolution,
    files: first.files.map(({ path }) => path),
    reload() {
      const { resolution } = read()
      if (resolution.problems.length > 0) return { changes: [], problems: resolution.problems }
      const changes = changesBetween(inForce, resolution)
      before = inForce
      inForce = resolution
      fill(changes)
      return { changes, problems: [] }
    },
    keep(changes) {
      const settings = new Map(inForce.settings)
      for (const { key } of changes) settings.set(key, before.settings.get(key) as Resolved)
      inForce = { ...inForce, settings }
      fill(changes)
    },
  }
}

/**
 * What units get as a credential, root may read where it lies: `sudo earshot cdr query` on a sensor then asks the database that its
 * services write to. Only for the store that the host's own files name: the password is not for another one.
 */
function passwordOfHost(store: Origin | undefined): string | undefined {
  if (process.env['CREDENTIALS_DIRECTORY'] !== undefined) return undefined
  if (store?.kind !== 'file' || !store.text.startsWith(`${etcDir()}/`)) return undefined
  try {
    return readFileSync(join(etcDir(), 'credentials', 'earshot-db-password'), 'utf8').replace(/\r?\n$/, '') || undefined
  } catch {
    return undefined
  }
}

/** A thread and every other opener of the store learn from its URL which time it keeps. Only VoIPmonitor's tables know two. */
const inZone = (url: string | undefined, utc: unknown): string | undefined =>
  utc === 'no' && url !== undefined && /^(mysql|mariadb):/.test(url) && !/[?&]utc=/.test(url)
    ? `${url}${url.includes('?') ? '&' : '?'}utc=no`
    : url

/** Where records and pcaps are for a command that has no flags for files of settings: as configured, else what is there. */
export function configuredState(): { store: string; spool: string } {
  const { settings } = configure(
    { table: { ...readStoreSettings, ...timeSettings, ...readSpoolSettings } },
    { flags: {}, raw: [] },
  ).resolution
  const of = (key: string): string | undefined => settings.get(key)?.value as string | undefined
  const found = readableState(of('store'))
  return { store: inZone(of('store'), of('utc')) ?? found.store, spool: of('spooldir') ?? found.spool }
}

/** What of this process a resolution depends on. */
export function surroundings(): Pick<Request, 'environment' | 'credentials' | 'home'> {
  const directory = process.env['CREDENTIALS_DIRECTORY']
  return {
    environment: process.env,
    home: homedir(),
    // An empty one is as good as none: units come with all of them.
    credentials:
      directory === undefined
        ? undefined
        : { directory, names: namesIn(directory).filter((name) => statSync(join(directory, name)).size > 0) },
  }
}

/** /etc/earshot; systemd may say otherwise (ConfigurationDirectory=). */
export const etcDir = (): string => process.env['CONFIGURATION_DIRECTORY']?.split(':')[0] || '/etc/earshot'

/** Those that are read when --config names none, in the order in which they are read: the last one wins. */
export function defaultFiles(): string[] {
  const etc = etcDir()
  return [join(etc, 'earshot.conf'), ...confIn(join(etc, 'conf.d')), join(configDir(), 'earshot.conf')]
}

export const confIn = (directory: string): string[] =>
  namesIn(directory)
    .filter((name) => name.endsWith('.conf') && !name.startsWith('.'))
    .sort()
    .map((name) => join(directory, name))

export interface FilesRead {
  readonly files: SettingsFile[]
  readonly problems: Problem[]
}

/** `strict`: a file that is there but cannot be read is a problem; to a person's command it is not there. */
export function readFiles(options: { named: string | undefined; none: boolean; strict: boolean }): FilesRead {
  if (options.none) return { files: [], problems: [] }
  const named = options.named ?? (process.env['EARSHOT_CONFIG'] || undefined)
  if (named !== undefined) return readFile(resolvePath(named), false)
  const all = defaultFiles().map((path) => readFile(path, true))
  return {
    files: all.flatMap(({ files }) => files),
    problems: all.flatMap(({ problems }) => (options.strict ? problems : [])),
  }
}

const BYTES_MAX = 4 << 20

export function readFile(path: string, implied: boolean): FilesRead {
  try {
    const text = readIni(textOf(path))
    return { files: [!isVoipmonitor(path, text) ? { path, implied, text } : voipmonitorFile(path, implied, text)], problems: [] }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (implied && (code === 'ENOENT' || code === 'ENOTDIR')) return { files: [], problems: [] }
    return { files: [], problems: [{ where: path, message: `it cannot be read: ${message}`, next: 'Check the path and its permissions.' }] }
  }
}

function textOf(path: string): string {
  const { size } = statSync(path)
  if (size > BYTES_MAX) throw new Error(`it has ${size} bytes, too many for a file of settings`)
  return readFileSync(path, 'utf8')
}

/** A voipmonitor.conf as it is, with the files that VoIPmonitor reads after it: voipmonitor/conf.d beside it. */
function voipmonitorFile(path: string, implied: boolean, text: IniText): SettingsFile {
  const directory = join(dirname(path), 'voipmonitor', 'conf.d')
  const included = namesIn(directory)
    .sort()
    .map((name) => join(directory, name))
    .map((file) => ({ entries: readIni(textOf(file)).entries.map((entry) => ({ ...entry, path: file })) }))
  const translation = translate([text, ...included])
  return { path, implied, translation, text: { entries: translation.entries, sections: [], problems: text.problems } }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

/** All problems at once, each with its place and the next step. */
export function problemError(problems: readonly Problem[]): OperatorError {
  const [first, ...more] = problems as [Problem, ...Problem[]]
  return more.length === 0
    ? new OperatorError('CONFIG', problemText(first), { exit: 2, suggestions: [first.next] })
    : new OperatorError(
        'CONFIG',
        `${problems.length} settings are wrong:\n${problems.map((p) => `  ${problemText(p)} ${p.next}`).join('\n')}`,
        {
          exit: 2,
          suggestions: ['All at once, any time: earshot config check'],
        },
      )
}

export const problemText = ({ where, message }: Problem): string => `${where}: ${message}.`

function translationLine(path: string, { told }: Translation): string {
  const of = (...fates: string[]): number => told.filter(({ fate }) => fates.includes(fate)).length
  return `Settings: ${path} is VoIPmonitor’s: ${of('same', 'changed')} options honoured, ${of('ignored', 'unknown')} ignored (each is explained by: earshot config import ${path}).`
}
