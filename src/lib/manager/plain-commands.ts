import { readdir, stat } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream'
import { promisify } from 'node:util'
import { createGzip, gzip } from 'node:zlib'
import type { Audit } from './audit.js'
import type { ManagerBackend, ServiceCall, ServiceStats, SpoolSource } from './backend.js'
import { type ConfinedFile, openConfined } from './confined.js'
import { flushed } from './flushed.js'
import { drawGraph, graphKinds } from './graph.js'
import type { History, Sample } from './history.js'
import type { LiveSniffers } from './live-sniffers.js'
import { selectPart } from './part.js'

import { callObject, dateTime, type ListParameters, listCalls, referenceOf, registerColumns, streamsJson } from './plain-calls.js'
import { sipPacketsJson, sipPacketsOf } from './sip-packets.js'

import { candidates } from './voipmonitor-paths.js'

/**
 * VoIPmonitor's manager commands, a row each: what a script or a GUI sends in one line, and what it gets back
 * (manager-protocol.md 3, 4). What is not here is answered as it answers what it does not know.
 */
export interface PlainContext {
  readonly backend: ManagerBackend
  readonly history: History
  readonly sniffers: LiveSniffers
  readonly completed: CompletedMembers
  readonly audit: Audit
  readonly peer: string
  readonly startedMs: number
}

export type PlainAnswer = string | Uint8Array | AsyncIterable<Uint8Array>

export interface PlainCommand {
  readonly help: string
  answer(words: readonly string[], context: PlainContext, line: string): PlainAnswer | Promise<PlainAnswer>
}

export const unknownCommand = 'command not found\n'
/** There are none, and none can be made. */
const natAliases: Readonly<Record<string, string | undefined>> = {
  list: 'none',
  add: 'error: not supported by earshot',
  remove: 'error: no matching ip found',
  remove_all: 'ok',
}
/** Calls that `listcalls` without a limit shows; a JSON document of more would be of no use to anybody. */
const CALLS_MAX = 100_000
/** Largest pcap that `active_call_info` reads. */
const INFO_BYTES_MAX = 64 << 20

export const plainCommands: Readonly<Record<string, PlainCommand>> = {
  getversion: { help: 'version', answer: (_, { backend }) => backend.about.version },
  getbuild: { help: 'build', answer: () => 'earshot' },
  getverbuild: { help: 'version and build', answer: (_, { backend }) => `${backend.about.version} (earshot)` },
  help: {
    help: '[COMMAND]: what there is',
    answer: ([name]) =>
      name === undefined
        ? `List of commands:\n\n${Object.keys(plainCommands).sort().map(helpLine).join('')}`
        : Object.hasOwn(plainCommands, name)
          ? helpLine(name)
          : `Command ${name} not found.\n\n`,
  },
  support_aes: { help: 'whether commands may be encrypted with a shared key', answer: () => 'no' },
  exists_aes_key: { help: 'whether there is such a key', answer: () => 'no' },

  totalcalls: { help: 'how many calls run', answer: async (_, { backend }) => String(await backend.calls.count()) },
  listcalls: {
    help: 'the running calls: [JSON with limit, sort_field, sort_dir, filter, zip]',
    answer: (_, context, line) => answerCalls(context, line),
  },
  active_call_info: { help: 'one running call: callreference, or JSON with it', answer: (_, context, line) => callInfo(context, line) },
  totalregisters: { help: 'how many registrations are known', answer: () => '0' },
  listregisters: { help: 'the registrations', answer: () => JSON.stringify([registerColumns]) },
  // Asked before `listregisters`, which has the columns of the new form here.
  is_register_new: { help: 'whether registrations are told in their new form', answer: () => 'ok' },
  list_sip_msg: { help: 'OPTIONS seen', answer: () => '' },
  list_history_sip_msg: { help: 'OPTIONS seen before', answer: () => '' },

  startlivesniffer: {
    help: 'JSON with uid and filters: begins a live sniffer',
    answer: (_, { sniffers }, line) => {
      sniffers.start(argumentOf(line))
      return ''
    },
  },
  stoplivesniffer: {
    help: 'UID',
    answer: ([uid], { sniffers }) => {
      sniffers.stop(Number(uid))
      return ''
    },
  },
  getlivesniffer: { help: 'UID: its parameters', answer: ([uid], { sniffers }) => sniffers.get(Number(uid)) },
  getactivesniffers: { help: 'the live sniffers', answer: (_, { sniffers }) => sniffers.list() },

  getfile: {
    help: 'FILE: bytes of a file of the spool',
    answer: ([file = ''], context) => getFile('getfile', file, undefined, context, false),
  },
  getfile_zip: {
    help: 'FILE: the same, gzipped',
    answer: ([file = ''], context) => getFile('getfile_zip', file, undefined, context, true),
  },
  getfile_is_zip_support: { help: 'whether getfile_zip is there', answer: () => 'OK' },
  getfile_in_tar: {
    help: 'TAR FILE KEY …: a call’s packets by the name of its archive',
    answer: (words, context) => getMember('getfile_in_tar', words, context, false),
  },
  getfile_in_tar_zip: {
    help: 'TAR FILE KEY …: the same, gzipped',
    answer: (words, context) => getMember('getfile_in_tar_zip', words, context, true),
  },
  getfile_in_tar_check_complete: {
    help: 'TAR FILE KEY: whether the last one came out whole',
    answer: ([tar, file, key], { completed }) => (completed.has([tar, file, key].join(' ')) ? 'OK' : 'uncomplete'),
  },
  file_exists: { help: 'FILE[|FILE2…]: sizes', answer: ([names = ''], context) => fileExists(names, context) },
  fileexists: { help: 'PATH of a file of the spool: its size', answer: ([path = ''], context) => absoluteSize(path, context) },
  flush_tar: { help: 'nothing is held back here', answer: () => 'OK' },
  listopentars: { help: 'open archives', answer: () => '' },
  listtartimemap: { help: 'open archives', answer: () => '' },
  get_oldest_spooldir_date: { help: 'the oldest day in the spool', answer: (_, { backend }) => oldestDay(backend.spool?.directory) },
  printspool: {
    help: 'sizes of the spool [refresh]',
    answer: ([word], { backend }) => printSpool(backend.spool?.directory, word === 'refresh'),
  },

  sniffer_stat: { help: '[plain]: state of the sniffer', answer: ([word], context) => snifferStat(context, word === 'plain') },
  pcapstat: {
    help: 'packets that the kernel dropped',
    answer: async (_, { backend }) =>
      (await backend.stats())
        .map(({ source, service, live, kernel }) => {
          const dropped = kernel?.dropped ?? 0
          return `${source ?? service} : pdropsCount [${dropped}]${live ? ` pcapdrop [${dropped}] ifdrop [0]` : ''}`
        })
        .join('\n'),
  },
  creategraph: {
    help: `TYPE FROM TO WIDTH HEIGHT [SLOPE ICON COLOR]: a PNG; types ${Object.keys(graphKinds).join(' ')}`,
    answer: (words, context) => graph(words, context),
  },
  memory_stat: {
    help: 'memory of the services',
    answer: async (_, { backend }) => (await backend.stats()).map((s) => `${s.service}: rss ${s.rssBytes} heap ${s.heapBytes}\n`).join(''),
  },
  list_active_clients: { help: 'sensors connected to a server', answer: () => '{"count":0}' },
  sipports: {
    help: 'ports where SIP is believed',
    answer: (_, { backend }) => `${backend.sipPorts.length === 0 ? '1-65535' : backend.sipPorts.join(',')},\n`,
  },
  skinnyports: { help: 'ports of Skinny', answer: () => '\n' },
  natalias: { help: 'list', answer: ([word = 'list']) => natAliases[word] ?? 'error: unknown subcommand, use: list|add|remove|remove_all' },
  reload: { help: 'nothing needs it: clients and certificates are read anew by themselves', answer: () => 'reload ok' },
  sql_time_information: {
    help: 'time zone of the records',
    answer: () => `UTC,0,${new Date().toISOString().slice(0, 19).replace('T', ' ')}`,
  },
}

const helpLine = (name: string): string => `${name} ... ${plainCommands[name]?.help}.\n\n`

/** Finds the command as VoIPmonitor does: the first word, else any name that occurs in it. */
export function plainCommand(word: string): PlainCommand | undefined {
  const exact = Object.hasOwn(plainCommands, word) ? plainCommands[word] : undefined
  if (exact !== undefined || word.length > 64) return exact
  const within = Object.keys(plainCommands).find((name) => word.includes(name))
  return within === undefined ? undefined : plainCommands[within]
}

/** Members of archives that went out whole in the last ten seconds. */
export class CompletedMembers {
  readonly #at = new Map<string, number>()

  add(key: string): void {
    this.#at.delete(key)
    this.#at.set(key, performance.now())
    if (this.#at.size > 1000) this.#at.delete(this.#at.keys().next().value as string)
  }

  has(key: string): boolean {
    return performance.now() - (this.#at.get(key) ?? Number.NEGATIVE_INFINITY) < 10_000
  }
}

const argumentOf = (line: string): string => line.slice((/^\S*/.exec(line)?.[0].length ?? 0) + 1).trim()

function jsonOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

async function allCalls({ calls }: ManagerBackend): Promise<ServiceCall[]> {
  const all: ServiceCall[] = []
  for await (const page of calls.pages()) {
    all.push(...page)
    if (all.length >= CALLS_MAX) break
  }
  return all
}

async function answerCalls({ backend }: PlainContext, line: string): Promise<PlainAnswer> {
  const argument = argumentOf(line)
  const json = jsonOf(argument)
  const string = (key: string): string | undefined => (json[key] === undefined ? undefined : String(json[key]))
  const parameters: ListParameters | undefined =
    argument === ''
      ? undefined
      : {
          limit: string('limit') === undefined ? undefined : Number.parseInt(string('limit') as string, 10) || 0,
          sortField: string('sort_field'),
          descending: string('sort_dir') === undefined || /^desc/i.test(string('sort_dir') as string),
        }
  const answer = listCalls(await allCalls(backend), parameters, {
    sensorId: backend.about.sensorId,
    receiver: backend.about.service === 'mirror-recv',
  })
  return /^yes$/i.test(string('zip') ?? '') ? promisify(gzip)(answer) : answer
}

async function callInfo({ backend }: PlainContext, line: string): Promise<string> {
  const argument = argumentOf(line)
  const reference = argument.startsWith('{') ? String(jsonOf(argument)['callreference'] ?? '') : argument
  const wanted = numberIn(reference.trim())
  const call = wanted === undefined ? undefined : (await allCalls(backend)).find((c) => BigInt(referenceOf(c)) === wanted)
  if (call === undefined) return 'call not found'
  const packets = await callPcap(backend.spool, call.pcap)
  const sip = packets === undefined ? '"no packets are kept of this call"' : sipPacketsJson(sipPacketsOf(packets, call.callId))
  return `{"call":${callObject(call)},"sip_packets":${sip},"rtp_streams":${streamsJson(call)}}`
}

/** A reference is decimal, or hexadecimal with or without 0x: what begins with other digits than 0 is read as decimal, as there. */
function numberIn(text: string): bigint | undefined {
  const decimal = /^[1-9]\d{0,19}/.exec(text)?.[0]
  if (decimal !== undefined) return BigInt(decimal)
  const hexadecimal = /^(?:0x)?([0-9a-f]{1,16})/i.exec(text)?.[1]
  return hexadecimal === undefined ? undefined : BigInt(`0x${hexadecimal}`)
}

async function callPcap(spool: SpoolSource | undefined, path: string | undefined): Promise<Uint8Array | undefined> {
  const files = spool === undefined || path === undefined ? [] : spool.files(path, false)
  if (spool === undefined || files.length === 0) return undefined
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of spool.packets(files, true)) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > INFO_BYTES_MAX) break
  }
  return Buffer.concat(chunks)
}

async function getFile(
  request: string,
  path: string,
  member: string | undefined,
  context: PlainContext,
  zip: boolean,
  onWhole?: () => void,
): Promise<PlainAnswer> {
  const { backend, audit, peer } = context
  const tell = (bytes: number, outcome: string): void =>
    audit({ client: 'unnamed', peer, request, path: member === undefined ? path : `${path} ${member}`, bytes, outcome })
  const { spool } = backend
  if (spool === undefined) return `error: cannot open file ${path}`
  for (const { path: candidate, part } of candidates(path, member)) {
    await flushed(backend, candidate)
    const file = await openConfined(spool.directory, candidate)
    if (file === 'denied') {
      tell(0, 'denied')
      return 'access denied'
    }
    if (file === 'missing') {
      const files = part === undefined ? [] : spool.files(candidate, part !== 'sip')
      if (part === undefined || files.length === 0) continue
      const chosen = counted(selectPart(spool.packets(files, part === 'sip'), part), (bytes, whole) => {
        if (whole) onWhole?.()
        tell(bytes, whole ? 'complete' : 'broken off')
      })
      return zip ? pipeline(chosen, createGzip({ level: 1 }), () => {}) : chosen
    }
    const plain = readAll(file, (bytes, whole) => {
      if (whole) onWhole?.()
      tell(bytes, whole ? 'complete' : 'broken off')
    })
    const chosen = part === undefined ? plain : selectPart(plain, part)
    return zip && !candidate.endsWith('.gz') ? pipeline(chosen, createGzip({ level: 1 }), () => {}) : chosen
  }
  tell(0, 'missing')
  return member === undefined ? `error: cannot open file ${resolve(spool.directory, path)}` : `error: missing file [${path}]`
}

function getMember(request: string, words: readonly string[], context: PlainContext, zip: boolean): Promise<PlainAnswer> {
  const [tar = '', file = '', key = ''] = words
  return getFile(request, tar, file, context, zip, () => context.completed.add([tar, file, key].join(' ')))
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  onEnd: (bytes: number, whole: boolean) => void,
): AsyncGenerator<Uint8Array, void, void> {
  let bytes = 0
  let whole = false
  try {
    for await (const chunk of chunks) {
      bytes += chunk.length
      yield chunk
    }
    whole = true
  } finally {
    onEnd(bytes, whole)
  }
}

/** The file as it is now, in blocks; what is appended meanwhile is left to the next question. */
async function* readAll(
  { handle, size }: ConfinedFile,
  onEnd: (bytes: number, whole: boolean) => void,
): AsyncGenerator<Uint8Array, void, void> {
  let at = 0
  try {
    while (at < size) {
      const block = new Uint8Array(Math.min(256 * 1024, size - at))
      const { bytesRead } = await handle.read(block, 0, block.length, at)
      if (bytesRead === 0) break
      at += bytesRead
      yield block.subarray(0, bytesRead)
    }
  } finally {
    await handle.close()
    onEnd(at, at === size)
  }
}

async function sizeOf(spool: string | undefined, path: string): Promise<number | 'denied' | 'missing'> {
  if (spool === undefined) return 'missing'
  for (const { path: candidate } of candidates(path)) {
    const file = await openConfined(spool, candidate)
    if (file === 'missing') continue
    if (file === 'denied') return 'denied'
    await file.handle.close()
    return file.size
  }
  return 'missing'
}

async function fileExists(names: string, { backend }: PlainContext): Promise<string> {
  const list = names.split('|').slice(0, 1000)
  const sizes = await Promise.all(list.map(async (name) => ({ name, size: await sizeOf(backend.spool?.directory, name) })))
  const found = sizes.filter(({ size }) => typeof size === 'number')
  if (found.length === 0) return sizes.some(({ size }) => size === 'denied') ? 'permission_denied' : 'not_exists'
  return names.includes('|') ? `ok\n${found.map(({ name, size }) => `${name}:${size}`).join('\n')}` : String(found[0]?.size)
}

/** VoIPmonitor tells the size of any file of the host; here only of those in the spool. */
async function absoluteSize(path: string, { backend }: PlainContext): Promise<string> {
  const spool = backend.spool?.directory
  const root = spool === undefined ? undefined : `${resolve(spool)}/`
  if (root === undefined || !path.startsWith(root)) return '0'
  const size = await sizeOf(spool, path.slice(root.length))
  return typeof size === 'number' ? String(size) : '0'
}

async function oldestDay(spool: string | undefined): Promise<string> {
  const names = spool === undefined ? [] : await readdir(spool).catch(() => [])
  return names.filter(isDay).sort()[0] ?? 'empty'
}

/** Walking a spool of millions of files takes long: the last result is told for five minutes. */
const SPOOL_AGE_MS = 300_000
/** Bytes of each entry of the spool's directory: days mostly. */
type SpoolSizes = ReadonlyMap<string, number>
const sizes = new Map<string, { at: number; bytes: Promise<SpoolSizes> }>()

async function printSpool(spool: string | undefined, refresh: boolean): Promise<string> {
  let known = spool === undefined ? { at: 0, bytes: Promise.resolve(new Map()) } : sizes.get(spool)
  if (spool !== undefined && (known === undefined || refresh || performance.now() - known.at > SPOOL_AGE_MS)) {
    known = { at: performance.now(), bytes: spoolSizes(spool) }
    sizes.set(spool, known)
  }
  const entries: [name: string, bytes: number][] = [...((await known?.bytes) ?? [])]
  const megabytes = (bytes: number): number => Math.round(bytes / (1 << 20))
  const all = megabytes(entries.reduce((sum, [, bytes]) => sum + bytes, 0))
  const line = (name: string, value: number): string => `${name} : ${value} MB\n`
  const days = entries.filter(([name]) => isDay(name)).sort(([x], [y]) => (x < y ? -1 : 1))
  const kinds: [string, number][] = [
    ['allsize', all],
    // SIP and RTP of a call are in one file.
    ['sipsize', 0],
    ['rtpsize', all],
    ['graphsize', 0],
    ['audiosize', 0],
    ['audiographsize', 0],
  ]
  const lines = (rows: readonly [string, number][]): string => rows.map(([name, value]) => line(name, value)).join('')
  return `${all} MB\r\n\r\n${lines(days.map(([day, bytes]) => [day, megabytes(bytes)]))}\r\n${lines(kinds)}\r\n`
}

const isDay = (name: string): boolean => /^\d{4}-\d\d-\d\d$/.test(name)

async function spoolSizes(spool: string): Promise<SpoolSizes> {
  const found = new Map<string, number>()
  for (const entry of await readdir(spool, { withFileTypes: true }).catch(() => [])) {
    const path = join(spool, entry.name)
    if (entry.isDirectory()) found.set(entry.name, await bytesBelow(path))
    else if (entry.isFile()) found.set(entry.name, (await stat(path).catch(() => ({ size: 0 }))).size)
  }
  return found
}

async function bytesBelow(dir: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(dir, { withFileTypes: true }).catch(() => [])) {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) bytes += await bytesBelow(path)
    else if (entry.isFile()) bytes += (await stat(path).catch(() => ({ size: 0 }))).size
  }
  return bytes
}

async function snifferStat({ backend, sniffers, history, startedMs }: PlainContext, plain: boolean): Promise<string> {
  const stats = await backend.stats()
  const sum = (value: (s: ServiceStats) => number | undefined): number => stats.reduce((total, s) => total + (value(s) ?? 0), 0)
  const open = sum((s) => s.open)
  const dropped = sum((s) => s.kernel?.dropped)
  const now = Date.now() / 1000
  const recent = history.between(now - 30, now)
  const [first, last] = [recent[0], recent.at(-1)]
  const rate = (value: (sample: Sample) => number): number =>
    first && last && last.time > first.time ? Math.max(0, value(last) - value(first)) / (last.time - first.time) : 0
  const whole = (value: (sample: Sample) => number): string => rate(value).toFixed(0)
  const megabits = rate((s) => (8 * s.bytes) / 1e6)
  const sip = whole((s) => s.sip)
  const rtp = whole((s) => s.rtp)
  const perSecond = `C:${whole((s) => s.calls)}/-0(0/0) r:-/- S:${sip}/${sip} SR:- SM:- R:${rtp}/${rtp} A:${whole((s) => s.packets)}`
  const cpu = `${rate((s) => 100 * s.cpuSeconds).toFixed(1)}%`
  // What waits for a receiver of the mirror; others leave it to the kernel's ring.
  const buffered = Math.max(0, ...stats.map(({ link }) => (link && link.memoryMax > 0 ? (100 * link.memoryBytes) / link.memoryMax : 0)))
  const heap = `u${Math.round(buffered)}|t0`
  const storedAt = history.storedAt === undefined ? '' : dateTime(history.storedAt * 1e6)
  const mb = (bytes: number): number => Math.round(bytes / (1 << 20))
  const load = `${loadavg()
    .map((n) => n.toFixed(2))
    .join(' ')}`
  const uptime = Math.floor((performance.now() - startedMs) / 1000)
  const waiting = sum((s) => s.records?.waiting)
  const memory = mb(sum((s) => s.rssBytes))
  const { version } = backend.about
  if (plain) {
    const pairs: [string, string | number][] = [
      ['version', version],
      ['build', 'earshot'],
      ['rrd_version', 0],
      ['storingCdrLastWriteAt', storedAt],
      ['calls_active', `${open},r:0`],
      ['calls_final', `${open},r:0`],
      ['PS', perSecond],
      ['heap', heap],
      ['total_traffic', `${megabits.toFixed(1)}Mb/s`],
      ['SQLq', waiting],
      ['t0CPU', cpu],
      ['RSS/VSZ', `${memory}|${memory}MB`],
      ['LA', load],
      ['pbCountPacketDrop', dropped],
      ['uptime', uptime],
      ['memory_is_full', 0],
      ['count_live_sniffers', sniffers.count],
      ['upgrade_by_git', 0],
      ['use_new_config', 1],
      ['terminating_error', ''],
    ]
    return pairs.map(([key, value]) => `${key}=${value}\n`).join('')
  }
  const status = `calls[${open},r:0][${open},r:0] PS[${perSecond}] heap[${heap}] [${megabits.toFixed(1)}Mb/s] SQLq[${waiting}] t0CPU[${cpu}] RSS/VSZ[${memory}|${memory}]MB LA[${load}] v${version} `
  const pairs: [string, string | null][] = [
    ['version', version],
    ['build', 'earshot'],
    ['rrd_version', '0'],
    ['storingCdrLastWriteAt', storedAt],
    ['pbStatString', status],
    ['pbCountPacketDrop', String(dropped)],
    ['uptime', String(uptime)],
    ['memory_is_full', '0'],
    ['count_live_sniffers', String(sniffers.count)],
    ['upgrade_by_git', '0'],
    ['use_new_config', '1'],
    ['terminating_error', ''],
    ['disk_io', null],
  ]
  return `{${pairs.map(([key, value]) => `"${key}": ${JSON.stringify(value)}`).join(',')}}\n`
}

async function graph(words: readonly string[], { history }: PlainContext): Promise<PlainAnswer> {
  const [type = '', from = '', to = '', width = '', height = '', , icon] = words
  if (words.length < 5) return 'Syntax: creategraph TYPE FROM TO WIDTH HEIGHT [SLOPE [ICON [COLOR]]]\n'
  const kind = Object.hasOwn(graphKinds, type) ? graphKinds[type] : undefined
  if (kind === undefined) return `error: unknown graph type ${type.slice(0, 32)}\n`
  const now = Date.now() / 1000
  const [start, end] = [timeOf(from, now), timeOf(to, now)]
  if (start === undefined || end === undefined || end <= start) return 'error: FROM and TO are seconds since 1970, or now, now-1h …\n'
  return drawGraph(kind, history.between(start, end), start, end, Number(width), Number(height), icon === '1')
}

/** Seconds since the epoch: `1795408678`, `now`, `now-3h`, `-1d`. */
function timeOf(text: string, now: number): number | undefined {
  if (/^\d{1,12}$/.test(text)) return Number(text)
  const found = /^(?:now|end)?(?:-(\d{1,9})(s|sec|min|m|h|d|w)?)?$/.exec(text)
  if (found === null || text === '') return undefined
  const unit = { s: 1, sec: 1, min: 60, m: 60, h: 3600, d: 86_400, w: 604_800 }[found[2] ?? 's'] as number
  return now - Number(found[1] ?? 0) * unit
}
