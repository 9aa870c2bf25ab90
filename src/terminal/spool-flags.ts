import type { Notice } from '../lib/base/notice.js'
import { timeSettings } from '../lib/settings/records.js'
import { spoolLimitSettings, spoolPlaceSettings, spoolSettings } from '../lib/settings/spool.js'
import type { ValuesOf } from '../lib/settings/table.js'
import type { SpoolSummary } from '../lib/sniffer/run.js'
import type { Spool } from '../lib/spool/index.js'
import { noLimits, type SpoolLimits } from '../lib/spool/limits.js'
import { count, counted } from './progress.js'
import { flagsFor, valuesOf } from './setting-flags.js'
import { sizeText } from './size.js'

/** What commands that keep packets have in common: where pcaps go, what goes into them, and how much of it stays. */
export const spoolFlags = {
  ...flagsFor(spoolPlaceSettings),
  ...flagsFor(spoolSettings, 'SPOOL'),
  ...flagsFor(spoolLimitSettings, 'SPOOL'),
}

/** What the end of a live run may take: a service manager does not wait for ever. */
export const END_SECONDS = 30

/** The spool these flags ask for, in `dir`; undefined when they ask for none. Throws an OperatorError. */
export async function openSpoolOf(
  dir: string,
  flags: Readonly<Record<string, unknown>>,
  options: { readonly live: boolean; readonly canWait?: boolean; readonly onNotice: Notice },
): Promise<Spool | undefined> {
  const { utc, save, spool_layout, pcap_dump_zip, mask_dtmf, cleanspool } = valuesOf(
    { ...spoolPlaceSettings, ...spoolSettings, ...timeSettings },
    flags,
  )
  if (dir === 'none' || save === 'none') return undefined
  const { openSpool } = await import('../lib/spool/index.js')
  return openSpool({
    dir,
    save,
    canWait: options.canWait ?? !options.live,
    layout: spool_layout,
    localTime: utc === 'no',
    compression: pcap_dump_zip,
    maskDtmf: mask_dtmf === 'yes',
    limits: limitsOf({ cleanspool, ...valuesOf(spoolLimitSettings, flags) }, options.live),
    ...(options.live && { closeMs: END_SECONDS * 1000 }),
    onNotice: options.onNotice,
  })
}

/** What became of the packets, in one line. */
export function spoolLine({ files, packets, bytes, leftOut, kept }: SpoolSummary): string {
  const parts = [`Kept ${counted(packets, 'packet')} in ${counted(files, 'pcap')} (${sizeText(bytes)})`]
  if (leftOut > 0) parts.push(`${count(leftOut)} fragments of media left out`)
  if (kept.deletedFiles > 0) parts.push(`${count(kept.deletedFiles)} old pcaps deleted (${sizeText(kept.deletedBytes)})`)
  if (kept.trimmedFiles > 0) parts.push(`media taken out of ${count(kept.trimmedFiles)} old pcaps`)
  return parts.join(', ')
}

const MIB = 2 ** 20
const GIB = 2 ** 30

/** None at all with `cleanspool = no`. */
export const limitsOf = (v: ValuesOf<typeof spoolLimitSettings> & { readonly cleanspool: 'yes' | 'no' }, live: boolean): SpoolLimits =>
  v.cleanspool === 'yes' ? spoolLimitsOf(v, live) : noLimits

/** `live`: a file that is read deletes nothing because a disk is nearly full. */
export const spoolLimitsOf = (v: ValuesOf<typeof spoolLimitSettings>, live = true): SpoolLimits => ({
  bytes: v.maxpoolsize * MIB,
  days: v.maxpooldays,
  sipBytes: v.maxpoolsipsize * MIB,
  sipDays: v.maxpoolsipdays,
  mediaBytes: v.maxpoolrtpsize * MIB,
  mediaDays: v.maxpoolrtpdays,
  freePercent: live ? v.autocleanspoolminpercent : 0,
  freeBytes: live ? v.autocleanmingb * GIB : 0,
})
