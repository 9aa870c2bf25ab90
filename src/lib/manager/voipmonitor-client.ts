import { connect } from 'node:net'
import { exitCodes, OperatorError } from '../base/errors.js'
import type { Micros } from '../base/units.js'
import { civilTime } from '../call/json.js'
import type { Sink } from './fetch.js'

/**
 * A call's packets from a real VoIPmonitor sensor, through its plain protocol: it keeps SIP and RTP apart, in files or in
 * archives of a minute, whose names its clients compose themselves (spool.md 1, 2).
 */
export interface VoipmonitorAddress {
  readonly host: string
  readonly port: number
}

const SILENCE_MS = 30_000
const ANSWER_MAX = 1 << 20

/** Sends one command; yields the answer as it comes. */
export async function* plainAsk({ host, port }: VoipmonitorAddress, command: string): AsyncGenerator<Uint8Array, void, void> {
  const socket = connect({ host, port })
  socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error(`nothing came for ${SILENCE_MS / 1000} s`)))
  socket.write(`${command}\r\n\r\n`)
  try {
    for await (const chunk of socket) yield chunk as Uint8Array
  } catch (error) {
    throw new OperatorError('UNREACHABLE', `Cannot ask voipmonitor://${host}:${port}: ${(error as Error).message}.`, {
      cause: error,
      exit: exitCodes.unreachable,
      suggestions: [
        'Is its manager reachable from here (managerip, managerport)? It listens on 127.0.0.1 by default: ssh -L 5029:127.0.0.1:5029 SENSOR',
      ],
    })
  } finally {
    socket.destroy()
  }
}

/** A short answer as text. */
export async function plainText(address: VoipmonitorAddress, command: string): Promise<string> {
  let text = ''
  for await (const chunk of plainAsk(address, command)) {
    text += Buffer.from(chunk).toString('latin1')
    if (text.length > ANSWER_MAX) break
  }
  return text
}

export interface VoipmonitorCall {
  readonly callId: string
  readonly started: Micros
  /** cdr.ID, where the record is VoIPmonitor's own. */
  readonly id: number | null
}

/** Every character that VoIPmonitor does not keep in a file name becomes `_`. */
export const voipmonitorName = (callId: string): string => callId.replace(/[^A-Za-z0-9:\-.@]/g, '_')

const ARCHIVE_ENDS = ['.tar', '.tar.zst', '.tar.gz', '.tar.xz']
/** No positions: it looks them up by the record, or reads the archive from its beginning. Positions name whatever lies there. */
const WHERE_IT_IS = 'x'

/**
 * Fetches the kinds that exist, each into a sink of its own. Answers which came: an empty list means that nothing is kept
 * of this call.
 */
export async function fetchFromVoipmonitor(
  address: VoipmonitorAddress,
  call: VoipmonitorCall,
  kinds: readonly ('SIP' | 'RTP')[],
  open: (kind: string) => Sink,
  onProgress: (bytes: number) => void,
): Promise<string[]> {
  const day = await minuteOf(address, call.started)
  const name = `${voipmonitorName(call.callId)}.pcap`
  const came: string[] = []
  for (const kind of ['ALL', ...kinds]) {
    if (came.includes('ALL')) break
    for (const [nth, command] of (await find(address, day, kind, name, call)).entries()) {
      const part = nth === 0 ? kind : `${kind}.${nth}`
      const sink = open(part)
      let bytes = 0
      let head = ''
      for await (const chunk of plainAsk(address, command)) {
        if (head.length < 16) head += Buffer.from(chunk.subarray(0, 16)).toString('latin1')
        await sink.write(chunk)
        bytes += chunk.length
        onProgress(chunk.length)
      }
      if (bytes === 0 || /^(error|access denied|command not)/.test(head)) {
        await sink.restart?.()
        continue
      }
      const check = /^getfile_in_tar (\S+ \S+ \S+)/.exec(command)?.[1]
      if (check !== undefined && (await plainText(address, `getfile_in_tar_check_complete ${check}`)) !== 'OK') {
        throw new OperatorError('INCOMPLETE', `${kind} of call "${call.callId}" did not come out whole.`, {
          exit: exitCodes.partial,
          suggestions: ['The archive may still be written: try again in a minute.'],
        })
      }
      came.push(part)
    }
  }
  return came
}

interface Minute {
  /** `2026-11-23/04/37` */
  readonly directory: string
  /** `2026-11-23-04-37` */
  readonly stamp: string
}

/** The sensor names its directories in its own local time. */
async function minuteOf(address: VoipmonitorAddress, started: Micros): Promise<Minute> {
  const answer = await plainText(address, 'sql_time_information')
  const offsetSeconds = Number(answer.split(',')[1]) || 0
  const { year, month, day, hour, minute } = civilTime(Math.floor(started / 1e6) + offsetSeconds)
  const [y, mo, d, h, mi] = [year, month, day, hour, minute].map((n) => String(n).padStart(2, '0'))
  return { directory: `${y}-${mo}-${d}/${h}/${mi}`, stamp: `${y}-${mo}-${d}-${h}-${mi}` }
}

/** What it says when it keeps nothing, or says nothing to us: no file of any name would be there. */
function refuse({ host, port }: VoipmonitorAddress, answer: string): void {
  if (answer === 'mirror')
    throw new OperatorError('MIRROR', `voipmonitor://${host}:${port} sends its packets to a receiver and keeps none.`, {
      exit: exitCodes.notFound,
      suggestions: ['Ask the manager of its receiver (mirror_destination_ip there).'],
    })
  if (answer.startsWith('need aes!'))
    throw new OperatorError(
      'AES',
      `voipmonitor://${host}:${port} wants commands encrypted with the key in its database, which this client does not do.`,
      {
        suggestions: ['On the sensor: manager_enable_unencrypted = yes, with its port on 127.0.0.1 and ssh -L to it.'],
      },
    )
}

/**
 * The commands that fetch this kind: of its file, or of its archive and those that continue it (`.1` … after a restart of the
 * sensor); none when there is neither.
 */
async function find(
  address: VoipmonitorAddress,
  { directory, stamp }: Minute,
  kind: string,
  name: string,
  { id, started }: VoipmonitorCall,
): Promise<string[]> {
  const plain = `${directory}/${kind}/${name}`
  const archives = kind === 'ALL' ? [] : ARCHIVE_ENDS.map((end) => `${directory}/${kind}/${kind.toLowerCase()}_${stamp}${end}`)
  // The bar at the end makes a list of one a list: it is answered as one.
  const answer = await plainText(address, `file_exists ${[plain, ...archives].join('|')}|`)
  refuse(address, answer)
  const there = answer.startsWith('ok\n')
    ? answer
        .slice(3)
        .split(/[\n;]/)
        .map((file) => file.slice(0, file.lastIndexOf(':')))
    : []
  if (there.includes(plain)) return [`getfile ${plain}`]
  const found = there.filter((file) =>
    archives.some((path) => file === path || (file.startsWith(`${path}.`) && /^\.\d$/.test(file.slice(path.length)))),
  )
  // The record tells positions, not which of several archives they are in.
  const record = found.length > 1 ? 0 : (id ?? 0)
  return found.map((archive) => `getfile_in_tar ${archive} ${name} ${Math.floor(started / 1e6)} ${record} cdr ${WHERE_IT_IS}`)
}
