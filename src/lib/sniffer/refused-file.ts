import { appendFileSync, statSync } from 'node:fs'

/** Where records go that a store refuses for what they hold: one JSON line each, with the reason, for a person to look at. Bounded. */
const BYTES_MAX = 64 << 20

export class RefusedFile {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  /** False when it could not be kept: the file is full, or its disk. */
  add(text: string, reason: string, nowMs: number): boolean {
    const about = JSON.stringify({ time: new Date(nowMs).toISOString(), reason })
    const line = `${about.slice(0, -1)},"record":${isJson(text) ? text : JSON.stringify(text)}}\n`
    try {
      if ((statSync(this.path, { throwIfNoEntry: false })?.size ?? 0) + line.length > BYTES_MAX) return false
      appendFileSync(this.path, line, { mode: 0o640 })
      return true
    } catch {
      return false
    }
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
