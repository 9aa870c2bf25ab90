import { OperatorError } from '../../lib/base/errors.js'
import type { PacketSource } from '../../lib/base/packets.js'
import type { TrackerChange } from '../../lib/call/tracker.js'
import { captureSettings } from '../../lib/settings/capture.js'
import { metricsSettings } from '../../lib/settings/metrics.js'
import { sipSettings } from '../../lib/settings/sip.js'
import { spoolLimitSettings, spoolSettings } from '../../lib/settings/spool.js'
import type { MetricsPlan } from '../../lib/sniffer/manager-thread.js'
import type { Spool } from '../../lib/spool/index.js'
import { filterOf } from '../input-flags.js'
import type { Log } from '../log/log.js'
import { metricsPlan } from '../metrics-plan.js'
import { valuesOf } from '../setting-flags.js'
import { limitsOf } from '../spool-flags.js'
import type { ReloadPart } from './reload.js'
import { levelOf, type RunFlags } from './run.js'

/** What several services can change while they run. */

/**
 * The filter, first in the kernel and then here, both between two batches: a packet that the old one and the new one let through
 * is never missed. `own` puts the operator's words into what the kernel gets.
 */
export const filterReload = (
  flags: RunFlags,
  words: readonly string[],
  source: PacketSource,
  change: ((to: TrackerChange) => void) | undefined,
  own: (expression: string) => string = (expression) => expression,
): ReloadPart => ({
  keys: ['filter'],
  async apply() {
    if (words.length > 0)
      throw new OperatorError('FILTER_GIVEN', 'The filter on the command line stands above the setting.', { suggestions: [] })
    const expression = filterOf(words, valuesOf(captureSettings, flags))
    const { openFilter } = await import('../../lib/capture/bpf-compile.js')
    const filter = expression === '' ? undefined : openFilter(expression)
    source.refilter?.(own(expression))
    change?.({ filter })
    return undefined
  },
})

export const sipPortReload = (flags: RunFlags, change: (to: TrackerChange) => void): ReloadPart => ({
  keys: ['sipport'],
  apply() {
    change({ sipPorts: valuesOf(sipSettings, flags).sipport })
    return undefined
  },
})

export const spoolLimitsReload = (flags: RunFlags, spool: Spool): ReloadPart => ({
  keys: [...Object.keys(spoolLimitSettings), 'cleanspool'],
  apply: () =>
    spool.limitTo(limitsOf(valuesOf({ ...spoolSettings, ...spoolLimitSettings }, flags), true))
      ? undefined
      : 'Another process keeps the spool within its limits; those of this one are not used.',
})

/** The certificate of metrics: the files may be others, or say something else. Tokens need nobody: their file is looked at whenever a client comes. */
export const metricsReload = (flags: RunFlags, renew: ((plan: MetricsPlan | undefined) => Promise<void>) | undefined): ReloadPart => ({
  keys: ['metrics_tls_cert', 'metrics_tls_key'],
  always: true,
  async apply() {
    await renew?.(metricsPlan(valuesOf(metricsSettings, flags)))
    return undefined
  },
})

export const logReload = (flags: RunFlags, log: Log): ReloadPart => ({
  keys: ['log_level'],
  apply() {
    log.level = levelOf(flags)
    return undefined
  },
})
