import { OperatorError } from '../lib/base/errors.js'

const UNITS: Readonly<Record<string, number>> = { '': 1, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30 }

/** "64MiB" (2^20), "64MB" (10^6), plain bytes; anything else is a usage error. */
export function parseSize(text: string): number {
  const m = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim())
  const unit = UNITS[(m?.[2] ?? '?').toUpperCase()]
  if (!m || unit === undefined) {
    throw new OperatorError('SIZE', `"${text}" is not a size.`, { exit: 2, suggestions: ['Write 64MiB, 500MB or a number of bytes.'] })
  }
  return Math.floor(Number(m[1]) * unit)
}

/** "1.4 GiB" */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = bytes
  let unit = 0
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}
