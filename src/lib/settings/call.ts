import { type CallLimits, callLimits } from '../call/limits.js'
import type { SettingTable, ValuesOf } from './table.js'

/** When a call is over, and how much may be kept of calls. Timeouts run on capture time, so a replay ends calls where the live run did. */
export const callSettings = {
  rtptimeout: {
    type: 'integer',
    default: callLimits.rtpTimeoutSeconds,
    unit: 's',
    min: 1,
    help: 'Close a call this long after its last packet, once RTP was seen.',
  },
  sipwithoutrtptimeout: {
    type: 'integer',
    default: callLimits.sipWithoutRtpTimeoutSeconds,
    unit: 's',
    min: 1,
    help: 'Close a call without any RTP this long after its first packet.',
  },
  absolute_timeout: {
    type: 'integer',
    default: callLimits.absoluteTimeoutSeconds,
    unit: 's',
    min: 1,
    help: 'Close any call this long after its first packet.',
  },
  onewaytimeout: {
    type: 'integer',
    default: callLimits.oneWayTimeoutSeconds,
    unit: 's',
    min: 1,
    help: 'Close a call of which only one direction of SIP is seen after this silence (an unanswered INVITE: not before 60 s).',
  },
  zombie_timeout: {
    type: 'integer',
    default: callLimits.zombieTimeoutSeconds,
    unit: 's',
    min: 1,
    help: 'Close a call with neither 18x nor 2xx nor RTP this long after its first packet.',
  },
  bye_timeout: {
    type: 'integer',
    default: callLimits.byeTimeoutSeconds,
    unit: 's',
    min: 1,
    help: 'Close a call at the latest this long after a BYE that nobody confirmed.',
  },
  bye_confirmed_timeout: {
    type: 'integer',
    default: callLimits.byeConfirmedTimeoutSeconds,
    unit: 's',
    min: 1,
    help: 'Close a call at the latest this long after a confirmed BYE, whatever still comes.',
  },
  sdp_multiplication: {
    type: 'integer',
    default: callLimits.callsPerEndpointMax,
    unit: 'calls',
    min: 1,
    max: 64,
    help: 'Calls that may share one media address; beyond it the oldest lets go.',
  },
  max_sip_packets_in_call: {
    type: 'integer',
    default: callLimits.sipMessagesMax,
    unit: 'messages',
    min: 10,
    help: 'Close a call with more SIP messages than this.',
  },
  max_invite_packets_in_call: {
    type: 'integer',
    default: callLimits.invitesMax,
    unit: 'messages',
    min: 1,
    help: 'Close a call with more INVITEs than this.',
  },
  max_calls: {
    type: 'integer',
    default: callLimits.callsMax,
    unit: 'calls',
    min: 1,
    help: 'Calls followed at one time; further INVITEs are counted, not followed.',
  },
  max_rtp_streams_in_call: {
    type: 'integer',
    default: callLimits.streamsPerCallMax,
    unit: 'streams',
    min: 1,
    help: 'RTP streams kept of one call.',
  },
  max_dtmf_in_call: {
    type: 'integer',
    default: callLimits.digitsPerCallMax,
    unit: 'digits',
    min: 0,
    help: 'DTMF digits kept of one call.',
  },
} as const satisfies SettingTable

export type CallSettings = ValuesOf<typeof callSettings>

export const callLimitsOf = (values: CallSettings): CallLimits => ({
  rtpTimeoutSeconds: values.rtptimeout,
  sipWithoutRtpTimeoutSeconds: values.sipwithoutrtptimeout,
  absoluteTimeoutSeconds: values.absolute_timeout,
  oneWayTimeoutSeconds: values.onewaytimeout,
  zombieTimeoutSeconds: values.zombie_timeout,
  byeTimeoutSeconds: values.bye_timeout,
  byeConfirmedTimeoutSeconds: values.bye_confirmed_timeout,
  callsMax: values.max_calls,
  sipMessagesMax: values.max_sip_packets_in_call,
  invitesMax: values.max_invite_packets_in_call,
  streamsPerCallMax: values.max_rtp_streams_in_call,
  callsPerEndpointMax: values.sdp_multiplication,
  digitsPerCallMax: values.max_dtmf_in_call,
})
