/**
 * Codecs: names, VoIPmonitor's numbers (call-semantics of its codec ids), static payload types (RFC 3551 tables 4, 5)
 * and the E-model's equipment impairment (ITU-T G.113 appendix I).
 */
export interface Codec {
  /** rtpmap name, upper case. */
  readonly name: string
  /** VoIPmonitor's id, stored in the payload columns. */
  readonly id: number | undefined
  /** Equipment impairment and loss robustness; undefined when there is no value to stand on, and so no MOS. */
  readonly ie?: number
  readonly bpl?: number
  /** Not an ITU value: taken from literature, marked in docs/quality.md. */
  readonly estimate?: true
}

const table: readonly Codec[] = [
  // G.711 with packet loss concealment, which every endpoint has (G.113 table I.4).
  { name: 'PCMU', id: 0, ie: 0, bpl: 25.1 },
  { name: 'PCMA', id: 8, ie: 0, bpl: 25.1 },
  { name: 'G729', id: 18, ie: 11, bpl: 19 },
  { name: 'G723', id: 4, ie: 15, bpl: 16.1 },
  { name: 'GSM-EFR', id: undefined, ie: 5, bpl: 10 },
  { name: 'AMR', id: 320, ie: 5, bpl: 10 },
  { name: 'GSM', id: 3, ie: 20, bpl: 10, estimate: true },
  { name: 'G728', id: undefined, ie: 7, bpl: 4.3, estimate: true },
  { name: 'G726-40', id: 354, ie: 2, bpl: 4.3, estimate: true },
  { name: 'G726-32', id: 353, ie: 7, bpl: 4.3, estimate: true },
  { name: 'G726-24', id: 352, ie: 25, bpl: 4.3, estimate: true },
  { name: 'G726-16', id: 351, ie: 50, bpl: 4.3, estimate: true },
  { name: 'ILBC', id: 97, ie: 10, bpl: 32, estimate: true },
  { name: 'G722', id: 9, ie: 5, bpl: 7.1, estimate: true },
  { name: 'OPUS', id: 311, ie: 0, bpl: 10, estimate: true },
  { name: 'SPEEX', id: 98 },
  { name: 'AMR-WB', id: 321 },
  { name: 'SILK', id: 301 },
  { name: 'ISAC', id: 306 },
  { name: 'EVS', id: 359 },
  { name: 'CLEARMODE', id: 100 },
  { name: 'CN', id: 13 },
  { name: 'TELEPHONE-EVENT', id: 400 },
  { name: 'H263', id: 10_000 },
  { name: 'H263-1998', id: 10_000 },
  { name: 'H264', id: 10_000 },
  { name: 'VP8', id: 10_000 },
]

/** Ids that depend on the clock rate (OPUS/48000 is 316). */
const idByClock: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  OPUS: { 8000: 312, 12000: 313, 16000: 314, 24000: 315, 48000: 316 },
  SILK: { 8000: 302, 12000: 303, 16000: 304, 24000: 305 },
  ISAC: { 16000: 307, 32000: 308 },
}

const byName = new Map(table.map((codec) => [codec.name, codec]))

export const codecNamed = (name: string): Codec | undefined => byName.get(name.toUpperCase())

export const codecId = (name: string, clockRate: number | undefined): number | undefined =>
  idByClock[name.toUpperCase()]?.[clockRate ?? 0] ?? codecNamed(name)?.id

/** The names of VoIPmonitor's numbers; where several codecs share one, the first. */
export const codecNumbers: readonly (readonly [number: number, name: string])[] = [
  ...new Map(
    [
      ...table.flatMap(({ id, name }) => (id === undefined ? [] : [[id, name] as const])),
      ...Object.entries(idByClock).flatMap(([name, ids]) => Object.values(ids).map((id) => [id, name] as const)),
    ].reverse(),
  ),
].sort(([a], [b]) => a - b)

/** What a payload type means in one stream. */
export interface PayloadFormat {
  readonly name: string
  readonly clockRate: number
  readonly kind: 'media' | 'event' | 'noise'
  /** Of an m=video line: it does not speak for a call that has audio. */
  readonly video: boolean
}

export function payloadFormat(name: string, clockRate: number, video = false): PayloadFormat {
  const upper = name.toUpperCase()
  return { name, clockRate, kind: upper === 'TELEPHONE-EVENT' ? 'event' : upper === 'CN' ? 'noise' : 'media', video }
}

/** In RFC 3551 table 5 the numbers from here on are video. */
const STATIC_VIDEO = 25

/** RFC 3551 tables 4 and 5; 19 is the old number of comfort noise. G.722 is written /8000 by history (4.5.2). */
export const staticPayloads: ReadonlyMap<number, PayloadFormat> = new Map(
  (
    [
      [0, 'PCMU', 8000],
      [3, 'GSM', 8000],
      [4, 'G723', 8000],
      [5, 'DVI4', 8000],
      [6, 'DVI4', 16_000],
      [7, 'LPC', 8000],
      [8, 'PCMA', 8000],
      [9, 'G722', 8000],
      [10, 'L16', 44_100],
      [11, 'L16', 44_100],
      [12, 'QCELP', 8000],
      [13, 'CN', 8000],
      [14, 'MPA', 90_000],
      [15, 'G728', 8000],
      [16, 'DVI4', 11_025],
      [17, 'DVI4', 22_050],
      [18, 'G729', 8000],
      [19, 'CN', 8000],
      [25, 'CelB', 90_000],
      [26, 'JPEG', 90_000],
      [28, 'nv', 90_000],
      [31, 'H261', 90_000],
      [32, 'MPV', 90_000],
      [33, 'MP2T', 90_000],
      [34, 'H263', 90_000],
    ] as const
  ).map(([type, name, clock]) => [type, payloadFormat(name, clock, type >= STATIC_VIDEO)]),
)
