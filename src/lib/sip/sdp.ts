/** The media part of an SDP body (RFC 8866): which address and port wants which formats. Nonsense lines are skipped. */
export interface SdpMedia {
  /** "audio", "video", "image" … */
  readonly type: string
  /** Connection address as written; undefined when there was none. */
  readonly host: string | undefined
  /** 0 means the media line was rejected (RFC 3264 6). */
  readonly port: number
  /** "RTP/AVP", "RTP/SAVPF", "udptl" … */
  readonly protocol: string
  readonly payloadTypes: readonly number[]
  readonly rtpmap: ReadonlyMap<number, RtpMap>
  /** a=rtcp (RFC 3605), or port + 1, or the same port with rtcp-mux (RFC 5761). */
  readonly rtcpHost: string | undefined
  readonly rtcpPort: number
  readonly ptimeMs: number | undefined
  /** a=crypto or a=fingerprint, or a SAVP profile: payload is encrypted. */
  readonly encrypted: boolean
  readonly direction: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive'
}

export interface RtpMap {
  readonly name: string
  readonly clockRate: number
  readonly fmtp?: string
}

/** Media lines kept of one body (VoIPmonitor keeps 10). */
const MEDIA_MAX = 16
const FORMATS_MAX = 64

type Draft = { -readonly [K in keyof SdpMedia]: SdpMedia[K] } & {
  payloadTypes: number[]
  rtpmap: Map<number, RtpMap>
  mux: boolean
  rtcpSet: boolean
}
interface Session {
  host: string | undefined
  encrypted: boolean
  direction: SdpMedia['direction']
}

/** Reads a body of type application/sdp, or a multipart body with one in it. Answers no media when there is none. */
export function parseSdp(body: string): SdpMedia[] {
  const start = body.search(/^v=0/m)
  if (start < 0) return []
  const session: Session = { host: undefined, encrypted: false, direction: 'sendrecv' }
  const media: Draft[] = []
  for (const line of body.slice(start).split(/\r\n|\n|\r/)) {
    // The next part of a multipart body (RFC 2046 5.1.1).
    if (line.startsWith('--')) break
    const value = line.slice(2)
    if (line.startsWith('m=')) {
      const next = mediaLine(value, session)
      if (next === undefined) continue
      if (media.length >= MEDIA_MAX) break
      media.push(next)
    } else if (line.startsWith('c=')) connectionLine(value, media.at(-1) ?? session)
    else if (line.startsWith('a=')) attributeLine(value, media.at(-1), session)
  }
  return media.map(finish)
}

function mediaLine(value: string, session: Session): Draft | undefined {
  const m = /^(\S+) +(\d{1,5})(?:\/\d+)? +(\S+) *(.*)$/.exec(value)
  const port = Number(m?.[2])
  if (!m || port > 65_535) return undefined
  const protocol = m[3] as string
  const formats = (m[4] ?? '')
    .split(/\s+/)
    .filter((f) => /^\d{1,3}$/.test(f))
    .map(Number)
  return {
    type: (m[1] as string).toLowerCase(),
    host: session.host,
    port,
    protocol,
    payloadTypes: formats.filter((f) => f < 128).slice(0, FORMATS_MAX),
    rtpmap: new Map(),
    rtcpHost: undefined,
    rtcpPort: 0,
    ptimeMs: undefined,
    encrypted: session.encrypted || /SAVP/i.test(protocol),
    direction: session.direction,
    mux: false,
    rtcpSet: false,
  }
}

function connectionLine(value: string, target: { host: string | undefined }): void {
  // A multicast address may carry /ttl/count.
  const m = /^IN +IP[46] +([^\s/]+)/i.exec(value)
  if (m) target.host = m[1]
}

function attributeLine(value: string, media: Draft | undefined, session: Session): void {
  const [name = '', rest = ''] = splitOnce(value, ':')
  switch (name.toLowerCase()) {
    case 'rtpmap': {
      const m = /^ *(\d{1,3}) +([^\s/]+)\/(\d{1,7})/.exec(rest)
      if (m && media && media.rtpmap.size < FORMATS_MAX) media.rtpmap.set(Number(m[1]), { name: m[2] as string, clockRate: Number(m[3]) })
      break
    }
    case 'fmtp': {
      const m = /^ *(\d{1,3}) +(.*)$/.exec(rest)
      const map = m && media?.rtpmap.get(Number(m[1]))
      if (m && map) media?.rtpmap.set(Number(m[1]), { ...map, fmtp: (m[2] as string).slice(0, 200) })
      break
    }
    case 'ptime':
      if (media && /^ *\d{1,3}$/.test(rest)) media.ptimeMs = Number(rest)
      break
    case 'rtcp': {
      const m = /^ *(\d{1,5})(?: +IN +IP[46] +(\S+))?/i.exec(rest)
      if (m && media && Number(m[1]) <= 65_535) {
        media.rtcpPort = Number(m[1])
        media.rtcpHost = m[2]
        media.rtcpSet = true
      }
      break
    }
    case 'rtcp-mux':
      if (media) media.mux = true
      break
    case 'crypto':
    case 'fingerprint':
      ;(media ?? session).encrypted = true
      break
    case 'sendrecv':
    case 'sendonly':
    case 'recvonly':
    case 'inactive':
      ;(media ?? session).direction = name.toLowerCase() as SdpMedia['direction']
      break
    default:
  }
}

function finish({ mux, rtcpSet, ...media }: Draft): SdpMedia {
  return {
    ...media,
    rtcpHost: media.rtcpHost ?? media.host,
    // Mux is an offer until it is answered, so the media port takes RTCP either way; this is where RTCP goes besides.
    rtcpPort: rtcpSet ? media.rtcpPort : mux ? media.port : media.port === 0 || media.port === 65_535 ? 0 : media.port + 1,
  }
}

function splitOnce(text: string, separator: string): [string, string] {
  const i = text.indexOf(separator)
  return i < 0 ? [text, ''] : [text.slice(0, i), text.slice(i + 1)]
}
