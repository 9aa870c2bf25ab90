/** Time limits and bounds of calls. The names of the settings are VoIPmonitor's, so are the defaults. All time is capture time. */
export interface CallLimits {
  /** RTP was seen, and nothing came for this long. */
  readonly rtpTimeoutSeconds: number
  /** No RTP ever: this long after the first packet. */
  readonly sipWithoutRtpTimeoutSeconds: number
  /** Any call, this long after its first packet. */
  readonly absoluteTimeoutSeconds: number
  /** Only one direction of SIP is seen, and nothing came for this long. */
  readonly oneWayTimeoutSeconds: number
  /** Neither 18x nor 2xx nor RTP, this long after the first packet. */
  readonly zombieTimeoutSeconds: number
  /** After a BYE, and after its 2xx, however many packets follow. */
  readonly byeTimeoutSeconds: number
  readonly byeConfirmedTimeoutSeconds: number
  readonly callsMax: number
  readonly sipMessagesMax: number
  readonly invitesMax: number
  readonly streamsPerCallMax: number
  /** Calls that may claim one media endpoint at a time; the oldest claim goes. */
  readonly callsPerEndpointMax: number
  readonly digitsPerCallMax: number
}

export const callLimits: CallLimits = {
  rtpTimeoutSeconds: 300,
  sipWithoutRtpTimeoutSeconds: 3600,
  absoluteTimeoutSeconds: 14_400,
  oneWayTimeoutSeconds: 15,
  zombieTimeoutSeconds: 300,
  byeTimeoutSeconds: 1200,
  byeConfirmedTimeoutSeconds: 600,
  callsMax: 100_000,
  sipMessagesMax: 20_000,
  invitesMax: 10_000,
  streamsPerCallMax: 1000,
  callsPerEndpointMax: 3,
  digitsPerCallMax: 1000,
}
