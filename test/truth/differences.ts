/**
 * Where we knowingly differ from index.json of the shared captures. A row names the file and the call, says what differs,
 * and why, so that a reader can check it by hand. A row that no longer differs fails the test.
 */
export interface Difference {
  readonly file: string
  readonly callId: string
  readonly field: string
  readonly reason: string
}

export const differences: readonly Difference[] = []

/** What a later release brings; captures of these kinds are not compared yet. */
export const laterKinds = ['pppoe', 'sip-ws', 'sip-tls', 'webrtc', 't38', 'other-signalling'] as const
export const laterFiles = ['nDPI__gre_sip.pcapng']
