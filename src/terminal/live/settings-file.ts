import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { exitCodes, OperatorError } from '../../lib/base/errors.js'
import { type Action, actions } from './bindings.js'
import { colourChoices } from './capabilities.js'
import { columnNames, partyForms } from './columns.js'
import { colourings, type Settings, timeForms, usualSettings } from './model.js'

/**
 * What the screen remembers of a person, one JSON file: what the settings menu sets, and keys of their own (written by hand:
 * `"keys": { "filter": ["f3", "/"] }`). What is not understood in it is an error that names it, but for values that the
 * program wrote itself and an older one does not know: those are left.
 */
export interface SettingsFile {
  readonly settings: Settings
  readonly keys: Readonly<Partial<Record<Action, readonly string[]>>>
}

export const settingsPath = (): string => join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'earshot', 'live.json')

export function readSettings(path: string): SettingsFile {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { settings: usualSettings, keys: {} }
    throw broken(path, (error as Error).message)
  }
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (error) {
    throw broken(path, (error as Error).message)
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) throw broken(path, 'it is not a JSON object')
  const found = content as Record<string, unknown>
  return { settings: settingsOf(found), keys: keysOf(found['keys'], path) }
}

function settingsOf(found: Record<string, unknown>): Settings {
  const columns = list(found['columns']).filter((name) => (columnNames as readonly string[]).includes(name)) as Settings['columns']
  const sort = (found['sort'] ?? {}) as { column?: unknown; descending?: unknown }
  const oneOf = <T extends string>(words: readonly T[], value: unknown, usual: T): T => words.find((word) => word === value) ?? usual
  const aliases = typeof found['aliases'] === 'object' && found['aliases'] !== null ? Object.entries(found['aliases']) : []
  return {
    columns: columns.length > 0 ? columns : usualSettings.columns,
    sort: { column: oneOf(columnNames, sort.column, usualSettings.sort.column), descending: sort.descending === true },
    parties: oneOf(partyForms, found['parties'], usualSettings.parties),
    aliases: new Map(aliases.filter((pair): pair is [string, string] => typeof pair[1] === 'string')),
    names: found['names'] !== false,
    follow: found['follow'] === true,
    colours: oneOf(colourings, found['colours'], usualSettings.colours),
    time: oneOf(timeForms, found['time'], usualSettings.time),
    colour: oneOf(colourChoices, found['colour'], usualSettings.colour),
    ascii: found['ascii'] === true,
  }
}

function keysOf(found: unknown, path: string): SettingsFile['keys'] {
  if (found === undefined) return {}
  if (typeof found !== 'object' || found === null) throw broken(path, '"keys" is not an object of actions')
  for (const [action, keys] of Object.entries(found)) {
    if (!(actions as readonly string[]).includes(action))
      throw broken(path, `"keys" names an action "${action}" that there is not; there are ${actions.join(', ')}`)
    if (list(keys).length === 0) throw broken(path, `"keys" gives "${action}" no list of keys`)
  }
  return Object.fromEntries(Object.entries(found).map(([action, keys]) => [action, list(keys)]))
}

const list = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [])

function broken(path: string, why: string): OperatorError {
  return new OperatorError('LIVE_SETTINGS', `Cannot use "${path}": ${why}.`, {
    exit: exitCodes.usage,
    suggestions: ['Mend it, or move it away: everything in it has a default.'],
  })
}

/** Keeps what a person wrote into the file by hand. */
export function writeSettings(path: string, settings: Settings): void {
  let own: Record<string, unknown> = {}
  try {
    own = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
  } catch {
    // Not there yet.
  }
  mkdirSync(dirname(path), { recursive: true })
  const content = { ...own, ...settings, aliases: Object.fromEntries(settings.aliases) }
  writeFileSync(`${path}.part`, `${JSON.stringify(content, undefined, 2)}\n`)
  renameSync(`${path}.part`, path)
}
