import { isYesNo, type Setting, type SizeUnit } from './table.js'

/** Text → the value of a setting: one code for flags, files and the environment. */
export type Read = { readonly value: unknown } | { readonly problem: string; readonly next: string }

/** One text. Of a list, the items that it names: the caller puts them together. Sizes are in bytes. */
export function readValue(setting: Setting, text: string): Read {
  switch (setting.type) {
    case 'integer': {
      const value = Number(text)
      if (!/^-?\d+$/.test(text) || value < setting.min || value > (setting.max ?? Number.MAX_SAFE_INTEGER))
        return wrong(
          text,
          `a whole number${range(setting.min, setting.max)}`,
          setting.unit === '' ? undefined : `Its unit is ${setting.unit}.`,
        )
      return { value }
    }
    case 'size': {
      const value = bytesOf(text, setting.unit)
      if (value === undefined) return wrong(text, 'a size', `Write 64MiB, 500MB or a number of ${setting.unit}.`)
      if (value < setting.min || value > (setting.max ?? Number.MAX_SAFE_INTEGER))
        return wrong(text, `a size from ${setting.min} bytes${setting.max === undefined ? '' : ` to ${setting.max} bytes`}`)
      return { value }
    }
    case 'integers':
      return readIntegers(text, setting)
    case 'choice': {
      const choice = isYesNo(setting) ? (yesNo(text) === undefined ? undefined : yesNo(text) ? 'yes' : 'no') : text
      return choice !== undefined && setting.options.includes(choice)
        ? { value: choice }
        : wrong(text, `one of ${setting.options.join(', ')}`)
    }
    case 'switch': {
      const value = yesNo(text)
      return value === undefined ? wrong(text, 'yes or no') : { value }
    }
    case 'text': {
      const found = setting.check?.(text)
      return found === undefined ? { value: text } : { problem: found.message, next: found.next }
    }
    case 'path':
      return text === '' ? wrong(text, 'a path') : { value: text }
    case 'list': {
      const items = setting.whole ? [text] : text.split(',').map((item) => item.trim())
      return { value: items.filter((item) => item !== '') }
    }
  }
}

/** yes, no, 1, 0, true, false, on, off. */
export function yesNo(text: string): boolean | undefined {
  if (/^(yes|1|true|on)$/i.test(text)) return true
  if (/^(no|0|false|off)$/i.test(text)) return false
  return undefined
}

const units: Readonly<Record<string, number>> = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, TIB: 2 ** 40 }

/** "64MiB" (2^20), "64MB" (10^6); a plain number counts in `unit`. Undefined for anything else. */
export function bytesOf(text: string, unit: SizeUnit): number | undefined {
  const m = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim())
  if (m === null) return undefined
  const factor = units[(m[2] === '' ? unit : (m[2] as string)).toUpperCase()]
  return factor === undefined ? undefined : Math.floor(Number(m[1]) * factor)
}

function readIntegers(text: string, { min, max }: { min: number; max: number }): Read {
  const all: number[] = []
  for (const part of text.split(/[,;]/).map((item) => item.trim())) {
    if (part === '') continue
    const m = /^(\d+)(?:\s*-\s*(\d+))?$/.exec(part)
    const from = Number(m?.[1] ?? Number.NaN)
    const to = Number(m?.[2] ?? from)
    if (m === null || from < min || to > max || to < from)
      return wrong(part, `a number from ${min} to ${max}, or a range of them`, 'Write 5060,5080-5090.')
    for (let n = from; n <= to; n++) all.push(n)
  }
  return { value: all }
}

const range = (min: number, max: number | undefined): string => (max === undefined ? `, ${min} or more` : ` from ${min} to ${max}`)
const wrong = (text: string, wanted: string, next?: string): Read => ({
  problem: `"${text}" is not ${wanted}`,
  next: next ?? `Write ${wanted}.`,
})
