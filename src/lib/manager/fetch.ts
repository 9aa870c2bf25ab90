import { setTimeout as sleep } from 'node:timers/promises'
import { exitCodes, OperatorError } from '../base/errors.js'
import { type Checksum, checksumFor, checksumNames } from './checksum.js'
import { AnswerError, ConnectionLost, type ManagerClient } from './client.js'

/**
 * One pcap from a manager to wherever it goes: checked against the sender's checksum, and gone on with where it was when the
 * connection breaks.
 */
export interface Sink {
  write(bytes: Uint8Array): Promise<void>
  /** Everything written is void; undefined where that cannot be (a pipe). */
  restart?(): Promise<void>
}

export interface FetchOptions {
  readonly path: string
  readonly sipOnly?: boolean | undefined
  /** Follow a call that still runs. */
  readonly follow?: boolean | undefined
  /** Connections tried in a row without a byte. */
  readonly triesMax?: number
  onProgress?(done: number, total: number | undefined): void
  onNotice?(text: string): void
}

const TRIES_MAX = 5
const PAUSE_MS = 250
/** On its way at most: the more, the faster over a long line (100 ms of round trip: 40 MB/s). */
const CREDIT_BYTES = 4 << 20

/** What came: its bytes, and what the operator should know (its media are gone, say). */
export interface Fetched {
  readonly bytes: number
  readonly note: string | undefined
}

/** `connect` opens a connection (again); the caller closes what it opened last. */
export async function fetchPcap(connect: () => Promise<ManagerClient>, sink: Sink, options: FetchOptions): Promise<Fetched> {
  const { path, sipOnly, follow } = options
  let checksum: Checksum | undefined
  let done = 0
  let identity: string | undefined
  let total: number | undefined
  let tries = 0
  const again = async (): Promise<void> => {
    if (sink.restart === undefined && done > 0) {
      throw new OperatorError('CHANGED', 'The file has changed on the sensor while it was fetched.', {
        suggestions: ['Fetch it again; with -w FILE it begins anew by itself.'],
      })
    }
    await sink.restart?.()
    checksum = undefined
    done = 0
    identity = undefined
  }
  for (;;) {
    let client: ManagerClient | undefined
    try {
      client = await connect()
      const answers = client.ask(
        'fetch',
        {
          path,
          // Who goes on needs the sum that it began with.
          checksums: checksum === undefined ? checksumNames : [checksum.name],
          ...(sipOnly && { sipOnly }),
          ...(follow && { follow }),
          ...(done > 0 && { offset: done, identity }),
        },
        { creditBytes: CREDIT_BYTES },
      )
      for (;;) {
        const next = await answers.next()
        if (next.done === true) {
          if (checksum !== undefined && next.value[checksum.name] === checksum.digest())
            return { bytes: done, note: noteOf(next.value['mediaGone']) }
          throw new OperatorError('CHECKSUM', `"${path}" arrived damaged: its checksum is not the sender's.`, {
            suggestions: ['Fetch it again; if it happens again, look for bad memory or disks at both ends.'],
          })
        }
        if (next.value.kind === 'item') {
          const about = next.value.value as { size?: number; identity: string; checksum?: string }
          identity = about.identity
          checksum ??= checksumFor(about.checksum)
          if (checksum.name !== (about.checksum ?? 'sha256'))
            throw new AnswerError('changed', 'The service is another version than before.', {})
          total = follow === true ? undefined : about.size
          continue
        }
        const { bytes } = next.value
        checksum?.update(bytes)
        await sink.write(bytes)
        done += bytes.length
        tries = 0
        options.onProgress?.(done, total)
      }
    } catch (error) {
      if (error instanceof AnswerError && error.code === 'changed' && done > 0) {
        await again()
        continue
      }
      const broken = error instanceof ConnectionLost || (done > 0 && error instanceof OperatorError && error.exit === exitCodes.unreachable)
      if (!broken || ++tries >= (options.triesMax ?? TRIES_MAX)) throw broken ? lost(path, error as Error) : error
      options.onNotice?.(`${(error as Error).message} Going on at byte ${done}.`)
      await sleep(PAUSE_MS * 2 ** tries)
    }
  }
}

function noteOf(gone: unknown): string | undefined {
  if (typeof gone !== 'object' || gone === null) return undefined
  const { at, why } = gone as { at?: unknown; why?: unknown }
  return `Its media are gone since ${at} (${why}); the signalling is here.`
}

const lost = (path: string, cause: Error): OperatorError =>
  new OperatorError('UNREACHABLE', `"${path}" could not be fetched to its end: ${cause.message}`, {
    cause,
    exit: exitCodes.unreachable,
    suggestions: ['Is the sensor up? earshot sensor status tells. Nothing was left half written.'],
  })

/** What a sensor said about a file, as an operator hears it. */
export function fetchError(error: unknown, what: string, sensor: string): unknown {
  if (!(error instanceof AnswerError)) return error
  const { code, message, detail } = error
  if (code === 'expired') {
    if (typeof detail['at'] === 'string') {
      return new OperatorError('EXPIRED', `The packets of ${what} are gone on ${sensor} since ${detail['at']} (${detail['why']}).`, {
        cause: error,
        exit: exitCodes.expired,
        suggestions: ['The record stays: earshot cdr show. Longer retention of pcaps is a matter of the sensor’s spool.'],
      })
    }
    const oldest = typeof detail['oldest'] === 'string' ? `What is kept there begins on ${detail['oldest']}.` : 'Nothing is kept there.'
    return new OperatorError('EXPIRED', `${sensor} does not have the packets of ${what} any more, or never had. ${oldest}`, {
      cause: error,
      exit: exitCodes.expired,
      suggestions: ['Did another sensor see the call? --all-sensors asks all of the list.', 'The record stays: earshot cdr show.'],
    })
  }
  if (code === 'denied') {
    return new OperatorError('DENIED', `${sensor} refuses: ${message}`, {
      cause: error,
      suggestions: ['There: earshot manager token add NAME --role fetch'],
    })
  }
  return new OperatorError('SENSOR', `${sensor} could not give the packets of ${what}: ${message}`, {
    cause: error,
    suggestions: ['Its log tells more.'],
  })
}
