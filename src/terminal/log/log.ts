import { fstatSync } from 'node:fs'
import type { Notice } from '../../lib/base/notice.js'
import { cleanLines } from './clean.js'
import { type LogLevel, reaches } from './levels.js'
import { RateLimit } from './rate.js'

/**
 * The log of a service: what happened, one event a line, on stderr.
 *
 *   human    the sentence, for a terminal                       Interface eth1 is down. Waiting for it to come up.
 *   journal  with the priority that sd-daemon(3) describes      <4>Interface eth1 is down. Waiting for it to come up.
 *   json     one object a line (pino)                           {"level":"warning","time":"…","service":"sniff","msg":"Interface …"}
 */
export const logFormats = ['human', 'journal', 'json'] as const
export type LogFormat = (typeof logFormats)[number]
export type Fields = Readonly<Record<string, unknown>>

export interface Log {
  /** What may come often: each kind of message only so many times a minute. */
  readonly say: Notice
  /** What comes once, or when somebody asked: a summary, a status. Never held back. */
  event(level: LogLevel, text: string, fields?: Fields): void
  /** Less than this is left out; may be changed while it runs. */
  level: LogLevel
  /** Writes what is still held back or on its way. */
  close(): Promise<void>
}

export interface LogOptions {
  readonly format: LogFormat
  readonly level: LogLevel
  readonly service: string
  readonly instance: string | undefined
  /** Called before a line goes to a terminal: wipes what is drawn there. */
  readonly clear?: (() => void) | undefined
}

/** Where an event becomes a line. */
export interface LogWriter {
  write(level: LogLevel, text: string, fields: Fields | undefined): void
  close(): Promise<void>
}

const LOOK_MS = 5000

/** pino is loaded only where it writes: a short command on a terminal does not pay for it. */
export async function openLog(options: LogOptions): Promise<Log> {
  const writer =
    options.format === 'human'
      ? humanWriter(options.clear)
      : (await import('./structured.js')).structuredWriter(options.format, options.service, options.instance)
  return logTo(writer, options.level)
}

export function logTo(writer: LogWriter, level: LogLevel, now: () => number = Date.now, limit: RateLimit = new RateLimit()): Log {
  let looking: NodeJS.Timeout | undefined
  const tell = (all: boolean): void => {
    for (const held of limit.due(now(), all))
      writer.write(held.level, `${held.count} more of these in the last minute: ${held.text}`, undefined)
    if (limit.holds) return
    clearInterval(looking)
    looking = undefined
  }
  const log: Log = {
    level,
    say(text, at = 'info') {
      if (!reaches(at, log.level)) return
      if (limit.admits(at, text, now())) writer.write(at, text, undefined)
      else looking ??= setInterval(() => tell(false), LOOK_MS).unref()
    },
    event(at, text, fields) {
      if (reaches(at, log.level)) writer.write(at, text, fields)
    },
    async close() {
      tell(true)
      await writer.close()
    },
  }
  return log
}

function humanWriter(clear: () => void = () => {}): LogWriter {
  return {
    write(_, text, fields) {
      clear()
      process.stderr.write(`${cleanLines(fields === undefined ? text : `${text} ${pairs(fields)}`)}\n`)
    },
    close: async () => {},
  }
}

/** `key=value key="two words"`, as in logfmt. */
export const pairs = (fields: Fields): string =>
  Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => {
      const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
      return `${key}=${/[\s"=]/.test(text) ? JSON.stringify(text) : text}`
    })
    .join(' ')

/** `journal` where a service manager reads our stderr, else `human`. */
export function defaultLogFormat(environment: NodeJS.ProcessEnv = process.env): LogFormat {
  return journalReads(environment) || (isService(environment) && !process.stderr.isTTY) ? 'journal' : 'human'
}

/** Started by systemd itself, not by somebody whom systemd started: what it says in the environment is inherited. */
export const isService = (environment: NodeJS.ProcessEnv): boolean =>
  environment['NOTIFY_SOCKET'] !== undefined || environment['SYSTEMD_EXEC_PID'] === String(process.pid)

/** JOURNAL_STREAM names the device and inode of the journal's stream; it counts only when our stderr is that stream (systemd.exec(5)). */
function journalReads(environment: NodeJS.ProcessEnv): boolean {
  const stream = environment['JOURNAL_STREAM']
  if (stream === undefined) return false
  try {
    const { dev, ino } = fstatSync(2, { bigint: true })
    return stream === `${dev}:${ino}`
  } catch {
    return false
  }
}
