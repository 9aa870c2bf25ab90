import { OperatorError } from '../lib/base/errors.js'
import { connectManager, parseAddress, plainText, type SenderStats, type ServiceStats, statsOf } from '../lib/manager/index.js'
import { type AccessFlags, clientOptionsFor } from './manager-access.js'
import type { PlainRow } from './plain-rows.js'

/** One line a service of a sensor: what it counts, or why it does not answer. */
export const sensorColumns = [
  'id',
  'name',
  'address',
  'service',
  'version',
  'uptime_s',
  'calls',
  'packets',
  'dropped',
  'stored',
  'waiting',
  'lag_s',
  'buffer_mb',
  'rss_mb',
  'lost',
  'error',
] as const

export interface AskedSensor {
  readonly id: number | null
  readonly name: string | null
  readonly address: string | null
}

type Row = PlainRow & { readonly address: string | null; readonly error: string | null }

/** A line about a service; of one that does not answer also its error in a word or two, and what to do next. */
export interface SensorLine {
  readonly row: Row
  readonly brief?: string
  readonly advice?: readonly string[]
}

/** For a table: the whole of an error stands below it. */
export const brieflyOf = ({ row, brief }: SensorLine): PlainRow => (brief === undefined ? row : { ...row, error: brief })

export async function askSensor({ id, name, address }: AskedSensor, access: AccessFlags): Promise<SensorLine[]> {
  const head = { id, name, address }
  if (address === null) {
    const error = 'It has no address on the list.'
    return [{ row: { ...head, error }, brief: 'no address', advice: [`earshot sensor add ${id} ${name ?? 'NAME'} --host HOST`] }]
  }
  try {
    return (await rowsOf(address, access)).map((row) => ({ row: { ...head, error: null, ...row } }))
  } catch (error) {
    const { message } = error as Error
    const { code, suggestions } = error instanceof OperatorError ? error : { code: '', suggestions: [] }
    return [{ row: { ...head, error: message }, brief: briefs[code] ?? message, advice: suggestions }]
  }
}

const briefs: Readonly<Record<string, string>> = {
  UNREACHABLE: 'no answer',
  UNKNOWN_SERVER: 'certificate not known',
  FINGERPRINT: 'another certificate',
  DENIED: 'not let in',
}

async function rowsOf(address: string, access: AccessFlags): Promise<PlainRow[]> {
  const where = parseAddress(address)
  if (where.kind === 'voipmonitor') {
    const stat = JSON.parse(await plainText(where, 'sniffer_stat')) as Record<string, string>
    return [
      {
        service: 'voipmonitor',
        version: stat['version'] ?? null,
        uptime_s: Number(stat['uptime']),
        calls: Number(await plainText(where, 'totalcalls')),
        dropped: Number(stat['pbCountPacketDrop']),
      },
    ]
  }
  const client = await connectManager(where, { ...clientOptionsFor(address, access), timeoutMs: 5000 })
  try {
    return (await statsOf(client)).flatMap((s) => [rowOf(s), ...(s.senders ?? []).map(senderRow)])
  } finally {
    client.close()
  }
}

const rowOf = (s: ServiceStats): PlainRow => ({
  service: s.service,
  version: s.version,
  uptime_s: s.uptimeSeconds,
  calls: s.open,
  packets: s.packets,
  dropped: s.kernel?.dropped ?? null,
  stored: s.records?.stored ?? null,
  waiting: s.records?.waiting ?? null,
  rss_mb: Math.round(s.rssBytes / 1e6),
  lost: byStage({ kernel: s.kernel?.dropped, records: s.records?.dropped, spool: s.spool?.dropped }),
})

/** What was lost, and where: "kernel 12, memory buffer full 300"; null when nothing was. */
function byStage(dropped: Readonly<Record<string, number | undefined>>): string | null {
  const stages = Object.entries(dropped).filter(([, n]) => n !== undefined && n > 0)
  return stages.length === 0 ? null : stages.map(([stage, n]) => `${stage} ${n}`).join(', ')
}

/** A sensor behind a mirror has no manager of its own to ask here: its receiver tells of it. */
const senderRow = (s: SenderStats): PlainRow => ({
  id: s.sensorId ?? null,
  name: s.name,
  address: s.address,
  service: s.protocol === 'voipmonitor' ? 'mirror (VoIPmonitor)' : 'mirror-send',
  packets: s.packets,
  dropped: Object.values(s.dropped).reduce((sum, n) => sum + n, 0),
  lag_s: s.lagMs === undefined ? null : Math.round(s.lagMs / 1000),
  buffer_mb: s.bufferBytes === undefined ? null : Number((s.bufferBytes / 1e6).toFixed(1)),
  lost: byStage(s.dropped),
  error: s.connected ? null : 'not connected',
})
