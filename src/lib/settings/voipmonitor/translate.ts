import { nearest } from '../../query/nearest.js'
import type { Entry, IniText } from '../ini.js'
import { readValue, yesNo } from '../read-value.js'
import { settingNamed } from '../resolve.js'
import { allSettings } from '../services.js'
import { plainKey, type Setting } from '../table.js'
import { aliases, families, type Option, options } from './options.js'

/** A voipmonitor.conf as it is → entries of ours, each with the line it came from, and a word on every option. */
export interface Translation {
  /** As a file of ours would hold them, all below [general]. */
  readonly entries: readonly Entry[]
  readonly told: readonly Told[]
  /** For the store, and for nobody to see. */
  readonly password: string | undefined
}

export interface Told {
  /** Of an included file. */
  readonly path?: string
  /** 0: nobody said it. */
  readonly line: number
  readonly name: string
  /** As it stood there; of a secret only that it did. */
  readonly value: string
  readonly fate: 'same' | 'changed' | 'ignored' | 'unknown' | 'assumed'
  /** `key = value` of ours; empty when ignored. */
  readonly to: string
  readonly why: string
}

/** By name, or by what is in it: one [general] and options that only VoIPmonitor has. */
export function isVoipmonitor(path: string, { entries, sections }: IniText): boolean {
  if (/^voipmonitor.*\.conf$/.test(path.slice(path.lastIndexOf('/') + 1))) return true
  if (sections.some(({ name }) => name !== 'general')) return false
  const keys = [...new Set(entries.map(({ key }) => key))]
  const foreign = keys.filter((key) => options_.has(canonical(key)) && settingNamed(allSettings, key) === undefined)
  const own = keys.filter((key) => !options_.has(canonical(key)) && settingNamed(allSettings, key) !== undefined)
  return foreign.length >= 3 && own.length === 0
}

const options_ = new Map<string, Option>(Object.entries(options).map(([name, option]) => [plainKey(name), option]))
const canonical = (key: string): string => aliases[key] ?? key

/** What becomes of an option; undefined: VoIPmonitor has none that is known here by name. */
export function optionNamed(name: string): { readonly option: Option; readonly own: boolean } {
  const key = canonical(plainKey(name))
  const option = options_.get(key)
  if (option !== undefined) return { option, own: true }
  const [, reason] = families.find(([pattern]) => pattern.test(key)) as (typeof families)[number]
  return { option: { ignored: reason }, own: false }
}

export function translate(files: readonly { readonly entries: readonly Entry[] }[]): Translation {
  const read = files.map(({ entries }) => entries.filter(({ section }) => section === 'general').map(withoutComment))
  const given = read.flat()
  // Of repeated lines the first counts; of several files the last that has the option; a list is that of one file.
  const holders = new Map<string, readonly Entry[]>()
  for (const lines of read) {
    const own = new Map<string, Entry[]>()
    for (const entry of lines) own.set(canonical(entry.key), [...(own.get(canonical(entry.key)) ?? []), entry])
    for (const [key, lines] of own) holders.set(key, lists.has(key) ? lines : lines.slice(0, 1))
  }
  const counts = (entry: Entry): boolean => holders.get(canonical(entry.key))?.includes(entry) === true
  const value = (key: string): string | undefined => holders.get(key)?.[0]?.value || undefined
  const isYes = (key: string): boolean | undefined => (value(key) === undefined ? undefined : yesNo(value(key) as string))

  const entries: Entry[] = []
  const told: Told[] = []
  const put = (key: string, text: string, at: { readonly line: number; readonly path?: string }): void => {
    const entry = { section: 'general', key, name: key, value: text, line: at.line, ...(at.path !== undefined && { path: at.path }) }
    // Two of its options may be one of ours: the later one counts.
    const before = isList(key) ? -1 : entries.findIndex((other) => other.key === key)
    if (before >= 0) entries[before] = entry
    else entries.push(entry)
  }
  const tell = (entry: Entry, fate: Told['fate'], to: string, why: string): void => {
    told.push({
      ...(entry.path !== undefined && { path: entry.path }),
      line: entry.line,
      name: entry.name,
      value: secret.test(entry.key) ? '(secret)' : entry.value,
      fate,
      to,
      why,
    })
  }
  /** What VoIPmonitor does when nothing is said, and we would not. */
  const assume = (key: string, text: string, why: string): void => {
    put(key, text, { line: 0 })
    told.push({ line: 0, name: '', value: '', fate: 'assumed', to: `${key} = ${text}`, why })
  }

  const store = storeOf(value, isYes)
  const save = saveOf(value, isYes)
  const zip = zipOf(value)
  const composed: Record<string, { key: string; text: string | undefined }> = {
    store: { key: 'store', text: store },
    save: { key: 'save', text: save },
    pcap_dump_zip: { key: 'pcap_dump_zip', text: zip },
  }
  const done = new Set<string>()
  for (const entry of given) {
    const key = canonical(entry.key)
    const { option, own } = optionNamed(entry.key)
    if ('ignored' in option) {
      // One letter beside an option that has a row is a slip (no other of its options is that near to one); no group at all is one, too.
      const stranger = families.at(-1)?.[1] === option.ignored
      const near = own ? undefined : nearest(key, options_.keys(), stranger ? undefined : 1)
      if (near !== undefined) tell(entry, 'unknown', '', `not known; did you mean ${near}?`)
      else tell(entry, stranger ? 'unknown' : 'ignored', '', stranger ? 'not known' : option.ignored)
    } else if (!counts(entry)) {
      const [{ path, line }] = holders.get(key) as [Entry]
      tell(entry, 'ignored', '', `${path === undefined ? 'line ' : `${path}:`}${line} counts`)
    } else if ('part' in option) {
      const { key: ours, text } = composed[option.part] as { key: string; text: string | undefined }
      tell(entry, 'changed', text === undefined ? '' : `${ours} = ${text}`, option.note)
      if (text !== undefined && !done.has(ours)) put(ours, text, entry)
      done.add(ours)
    } else if (key === 'cleandatabase' && value('cleandatabase_cdr') !== undefined) {
      tell(entry, 'ignored', '', 'cleandatabase_cdr says it for calls')
    } else if (entry.value === '') {
      tell(entry, 'ignored', '', 'it is empty')
    } else {
      const text = option.value === undefined ? entry.value : option.value(entry.value)
      if (text === undefined) tell(entry, option.changed === undefined ? 'ignored' : 'changed', '', option.changed ?? 'our default fits')
      else {
        const whole = isList(option.to)
          ? text
              .split(';')
              .map((item) => item.trim())
              .filter((item) => item !== '')
              .join(',')
          : text
        // What does not fit ours stops nobody who moves here: it is told, and our default holds.
        const read = readValue(allSettings[option.to] as Setting, whole)
        if ('problem' in read) {
          tell(entry, 'ignored', '', `${read.problem}: our default holds`)
          continue
        }
        put(option.to, whole, entry)
        const same = option.changed === undefined || text === entry.value
        tell(entry, same && option.changed === undefined ? 'same' : 'changed', `${option.to} = ${whole}`, option.changed ?? '')
      }
    }
  }
  if (value('spooldir') === undefined) assume('spooldir', '/var/spool/voipmonitor', 'where it keeps its files when nobody says')
  if (save === undefined) assume('save', 'none', 'it saves no packets unless savesip or savertp says so')
  if (value('utc') === undefined) assume('utc', 'no', 'its tables and directories have local time when nobody says')
  assume('spool_layout', 'voipmonitor', 'its GUI finds SIP/ and RTP/ under these names')
  if (value('mirror_destination_ip') !== undefined) {
    assume('protocol', 'voipmonitor', 'the receiver may still be VoIPmonitor; ours understands it, too')
    assume('plain', 'yes', 'its mirror is not encrypted')
  } else if (value('mirror_bind_ip') !== undefined) {
    assume('plain', 'yes', 'its senders do not encrypt')
  }
  if (value('mirror_bind_ip') !== undefined) assume('anyone', 'yes', 'its senders have no tokens')
  return { entries, told, password: isYes('nocdr') === true ? undefined : value('mysqlpassword') }
}

/** Its options that many lines may give. Others that hold several have them in one line. */
const lists = new Set(['sipport'])

/** It reads numbers and yes/no as far as they go: what stands behind them is not seen. Texts are taken whole. */
function withoutComment(entry: Entry): Entry {
  const word = /^(\S+)\s+[#;]/.exec(entry.value)?.[1]
  const option = options_.get(canonical(entry.key))
  const type = option !== undefined && 'to' in option ? allSettings[option.to]?.type : undefined
  const text =
    type === 'text' || type === 'path' || type === 'list' || (option !== undefined && 'part' in option && /^mysql/.test(entry.key))
  return word === undefined || text ? entry : { ...entry, value: word }
}

const isList = (key: string): boolean => ['list', 'integers'].includes(allSettings[key]?.type ?? '')

const secret = /password|secret|_key$/

type Value = (key: string) => string | undefined
type IsYes = (key: string) => boolean | undefined

/** Undefined where no option of the database is given at all: then our own default holds. */
function storeOf(value: Value, isYes: IsYes): string | undefined {
  if (isYes('nocdr') === true) return 'none'
  const some = ['mysqlhost', 'mysqlport', 'mysqldb', 'mysqlusername', 'mysqlpassword', 'mysqlsocket'].some(
    (key) => value(key) !== undefined,
  )
  if (!some) return undefined
  const host = value('mysqlhost') ?? '127.0.0.1'
  const port = value('mysqlport')
  const user = value('mysqlusername') ?? 'root'
  const database = value('mysqldb') ?? 'voipmonitor'
  const [ca, cert, key] = [value('mysqlsslcacert'), value('mysqlsslcert'), value('mysqlsslkey')]
  const parameters = [
    ['socket', value('mysqlsocket')],
    // As its client library does: the authority is checked, the name of the host is not.
    ['ssl-mode', ca !== undefined ? 'verify-ca' : cert !== undefined ? 'required' : undefined],
    ['ssl-ca', ca],
    ['ssl-cert', cert],
    ['ssl-key', key],
    ['ipv6', isYes('ipv6') === true ? 'yes' : undefined],
  ] as const
  const query = parameters
    .flatMap(([name, text]) => (text === undefined ? [] : [`${name}=${encodeURIComponent(text).replaceAll('%2F', '/')}`]))
    .join('&')
  const at = `${host.includes(':') ? `[${host}]` : host}${port === undefined || port === '0' || port === '3306' ? '' : `:${port}`}`
  return `mysql://${encodeURIComponent(user)}@${at}/${encodeURIComponent(database)}${query === '' ? '' : `?${query}`}`
}

/** Undefined where nothing is said. */
function saveOf(value: Value, isYes: IsYes): string | undefined {
  const [sip, rtp] = [value('savesip'), value('savertp')]
  if (sip === undefined && rtp === undefined) return undefined
  if (/^h/i.test(rtp ?? '')) return 'rtp-headers'
  if (isYes('savertp') === true) return isYes('null_rtppayload') === true ? 'rtp-zeroed' : 'rtp'
  return isYes('savesip') === true ? 'sip' : 'none'
}

/** Of the formats that its layout allows here, the one that costs as much time. */
function zipOf(value: Value): string | undefined {
  const text = value('pcap_dump_zip_rtp') ?? value('pcap_dump_zip')
  if (text === undefined) return undefined
  return /^(lzo|snappy|lz4)$/i.test(text) || yesNo(text) === false ? 'no' : 'gzip'
}
