import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The shared captures with their expected values from outside (tshark), when they are there: beside the checkout, or where
 * EARSHOT_SHARED says. They are not in the repository: their licences differ.
 */
export const sharedDir = process.env['EARSHOT_SHARED'] ?? join(import.meta.dirname, '..', '..', '..', 'shared')
export const capturesDir = join(sharedDir, 'captures')
export const haveCaptures = existsSync(join(capturesDir, 'index.json'))

export interface ExpectedCall {
  readonly call_id: string
  readonly state: string
  readonly final_status: number | null
  readonly start: number
  readonly ringing: number | null
  readonly connect: number | null
  readonly end: number | null
  readonly rtp: readonly { readonly stream: string; readonly ssrc: string }[]
}

export interface ExpectedStream {
  readonly src: string
  readonly sport: number
  readonly dst: string
  readonly dport: number
  readonly ssrc: string
  readonly pkts: number
  readonly lost: number
  readonly duplicates: number
  readonly reordered: number
  readonly rfc3550_jitter_mean_ms: number | null
}

export interface ExpectedCapture {
  readonly file: string
  readonly categories: readonly string[]
  readonly container: { readonly packets: number; readonly linktypes: readonly number[] }
  readonly capinfos: { readonly first: string; readonly last: string }
  readonly sip: { readonly calls: readonly ExpectedCall[] }
  readonly rtp_own: readonly ExpectedStream[]
}

export const expectedCaptures = (): ExpectedCapture[] =>
  haveCaptures ? Object.values(JSON.parse(readFileSync(join(capturesDir, 'index.json'), 'utf8')) as Record<string, ExpectedCapture>) : []
