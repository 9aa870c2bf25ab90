import { pino } from 'pino'
import { cleanLine } from './clean.js'
import { type LogLevel, logLevels } from './levels.js'
import { type Fields, type LogFormat, type LogWriter, pairs } from './log.js'

/**
 * The log for programs: pino makes and writes the lines. It writes aside from the thread of the packets, so a reader that dallies
 * (a journal on a slow disk) never stops capture: lines that find the buffer full are lost, and how many is said.
 */
const BUFFER_BYTES = 1 << 20
const LINE_MAX = 8000
/** The end does not wait longer for a reader that dallies. */
const CLOSE_MS = 1000

const shortened = (text: string): string => (text.length > LINE_MAX ? `${text.slice(0, LINE_MAX)}…` : text)

export function structuredWriter(format: Exclude<LogFormat, 'human'>, service: string, instance: string | undefined, fd = 2): LogWriter {
  const out = pino.destination({ fd, sync: false, minLength: 0, maxLength: BUFFER_BYTES })
  let lost = 0
  out.on('drop', () => lost++)
  let writing = false
  out.on('drain', () => {
    writing = false
  })
  // Nobody reads any more: there is no one left to tell.
  out.on('error', () => {})
  const flush = (): void => {
    try {
      out.flushSync()
    } catch {
      // Its reader is gone.
    }
  }
  process.once('exit', flush)
  const logger = pino(
    {
      level: 'debug',
      customLevels: Object.fromEntries(Object.entries(logLevels).map(([name, { weight }]) => [name, weight])) as Record<LogLevel, number>,
      useOnlyCustomLevels: true,
      base: { service, ...(instance !== undefined && { instance }), pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    format === 'json' ? out : journalLines((line) => out.write(line)),
  )
  const write = (level: LogLevel, text: string, fields: Fields | undefined): void => {
    writing = true
    logger[level](fields ?? {}, shortened(cleanLine(text)))
  }
  return {
    write(level, text, fields) {
      if (lost > 0) {
        const before = lost
        lost = 0
        write('warning', `${before} lines of this log were lost: its reader is too slow.`, undefined)
      }
      write(level, text, fields)
    },
    async close() {
      // First what is being written: written past it, the rest would come before it.
      if (writing)
        await new Promise<void>((resolve) => {
          const late = setTimeout(resolve, CLOSE_MS)
          out.once('drain', () => {
            clearTimeout(late)
            resolve()
          })
        })
      process.off('exit', flush)
      flush()
    },
  }
}

/** A stream that pino tells what it is about to write (`pino.metadata`), and that writes it as the journal wants it. */
function journalLines(out: (line: string) => void) {
  const priorityOf = new Map<number, number>(Object.values(logLevels).map(({ priority, weight }) => [weight, priority]))
  const stream = {
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    lastMsg: '',
    lastObj: {} as Fields,
    write() {
      const fields = pairs(stream.lastObj)
      out(`<${priorityOf.get(stream.lastLevel) ?? 6}>${cleanLine(fields === '' ? stream.lastMsg : `${stream.lastMsg} ${fields}`)}\n`)
    },
  }
  return stream
}
