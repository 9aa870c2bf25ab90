import type { PacketFilter } from '../lib/base/packet-filter.js'
import type { TrackerOptions } from '../lib/call/tracker.js'
import { callLimitsOf, callSettings } from '../lib/settings/call.js'
import { fragmentLimitsOf, reassemblySettings, tcpLimitsOf } from '../lib/settings/reassembly.js'
import { sipSettings } from '../lib/settings/sip.js'
import { flagsFor, valuesOf } from './setting-flags.js'

/** How calls are made of packets: the flags of commands that do, and the tracker's options from them. */
export const trackerFlags = {
  ...flagsFor(sipSettings, 'CALLS'),
  ...flagsFor(callSettings, 'LIMITS'),
  ...flagsFor(reassemblySettings, 'LIMITS'),
}

export function trackerOptionsOf(flags: Readonly<Record<string, unknown>>, filter: PacketFilter | undefined): TrackerOptions {
  const sip = valuesOf(sipSettings, flags)
  const reassembly = valuesOf(reassemblySettings, flags)
  return {
    limits: callLimitsOf(valuesOf(callSettings, flags)),
    fragments: fragmentLimitsOf(reassembly),
    tcp: tcpLimitsOf(reassembly),
    sipPorts: sip.sipport,
    sensorId: sip.id_sensor === 0 ? undefined : sip.id_sensor,
    filter,
  }
}
