/** Levels of the log, least first: their number in syslog (RFC 5424 section 6.2.1), which sd-daemon(3) puts before a line, and pino's. */
export const logLevels = {
  debug: { priority: 7, weight: 20 },
  info: { priority: 6, weight: 30 },
  notice: { priority: 5, weight: 35 },
  warning: { priority: 4, weight: 40 },
  error: { priority: 3, weight: 50 },
} as const

export type LogLevel = keyof typeof logLevels
export const logLevelNames = Object.keys(logLevels) as LogLevel[]

export const reaches = (level: LogLevel, least: LogLevel): boolean => logLevels[level].weight >= logLevels[least].weight
