import type { Part } from './part.js'

/**
 * VoIPmonitor's scripts and GUIs compose the paths of a call themselves: SIP and RTP apart, in files or in archives of a minute.
 * Here both are in one file beside; this finds it, and says which part of it is meant.
 *
 *   2026-11-23/03/51/SIP/ID.pcap                                       → 2026-11-23/03/51/ID.pcap, SIP
 *   2026-11-23/03/59/RTP/rtp_2026-11-23-03-59.tar[.zst] and ID.pcap    → 2026-11-23/03/59/ID.pcap, RTP
 */
export interface Candidate {
  readonly path: string
  readonly part: Part | undefined
}

export function candidates(path: string, member?: string): Candidate[] {
  const found = /^((?:[^/]+\/)?\d{4}-\d\d-\d\d\/\d\d\/\d\d\/)(SIP|RTP|ALL)\/([^/]+)$/.exec(path)
  if (found === null) return [{ path, part: undefined }]
  const [, minute, type, name] = found as unknown as [string, string, string, string]
  const part = type === 'ALL' ? undefined : type === 'SIP' ? 'sip' : 'rtp'
  const file = member ?? name
  return [
    { path: `${minute}${type}/${file}`, part: undefined },
    { path: `${minute}${file}`, part },
  ]
}
