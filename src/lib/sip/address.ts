/** What From, To, Contact and P-Asserted-Identity say: `"Alice" <sip:alice@example.com;transport=udp>;tag=88sja8x` (RFC 3261 20.10, 25.1). */
export interface NameAddress {
  readonly displayName: string | undefined
  readonly user: string | undefined
  /** Host without port; undefined in a tel: URI (RFC 3966). */
  readonly host: string | undefined
  readonly tag: string | undefined
}

export function parseNameAddress(text: string): NameAddress {
  const { quoted, rest, uri, after } = split(text)
  const open = rest.indexOf('<')
  const name = quoted !== undefined ? quoted.replace(/\\([\s\S])/g, '$1') : open >= 0 ? rest.slice(0, open).trim() : ''
  return { displayName: name === '' ? undefined : name, ...parseUri(uri), tag: tagIn(after) }
}

/** Its tag alone. */
export const tagOf = (text: string | undefined): string | undefined => (text === undefined ? undefined : tagIn(split(text).after))

/** The quoted display name, what follows it, the URI in that, and the header field's own parameters. */
function split(text: string): { quoted: string | undefined; rest: string; uri: string; after: string } {
  const quoted = text.includes('"') ? /^\s*"((?:[^"\\]|\\[\s\S])*)"\s*/.exec(text) : null
  const rest = quoted ? text.slice(quoted[0].length) : text
  const open = rest.indexOf('<')
  if (open < 0) {
    // Without angle brackets, parameters after the URI belong to the header field, not to the URI (20.10).
    const uri = before(rest, ';')
    return { quoted: quoted?.[1], rest, uri, after: rest.slice(uri.length) }
  }
  const close = rest.indexOf('>', open)
  return {
    quoted: quoted?.[1],
    rest,
    uri: rest.slice(open + 1, close < 0 ? rest.length : close),
    after: close < 0 ? '' : rest.slice(close + 1),
  }
}

function tagIn(parameters: string): string | undefined {
  if (parameters === '') return undefined
  // As everybody writes it, without the price of a regular expression.
  if (parameters.startsWith(';tag=') && parameters.charCodeAt(5) !== QUOTE) {
    const end = parameters.slice(5).search(/[;,\s"]/)
    return nonEmpty(end < 0 ? parameters.slice(5) : parameters.slice(5, 5 + end))
  }
  return nonEmpty(/;\s*tag\s*=\s*("?)([^;,\s"]*)\1/i.exec(parameters)?.[2])
}

const QUOTE = 0x22

/**
 * User and host of a sip:, sips: or tel: URI (RFC 3261 19.1.1). A URN names a service, such as urn:service:sos (RFC 5031), and is
 * given whole, as the number it stands for. Other schemes give what stands before and after the @.
 */
export function parseUri(uri: string): { user: string | undefined; host: string | undefined } {
  const scheme = /^\s*([a-z][a-z0-9+.-]*):/i.exec(uri)
  const body = scheme ? uri.slice(scheme[0].length) : uri.trim()
  const name = scheme?.[1]?.toLowerCase()
  if (name === 'tel') return { user: nonEmpty(before(body, ';')), host: undefined }
  if (name === 'urn') return { user: before(uri.trim(), ';'), host: undefined }
  const at = body.lastIndexOf('@')
  // The password after the colon is nobody's number; user parameters (`;phone-context=…`) are part of the user.
  const user = at < 0 ? undefined : nonEmpty(before(body.slice(0, at), ':'))
  const rest = body.slice(at + 1)
  const end = rest.search(/[;?>\s]/)
  const hostPort = end < 0 ? rest : rest.slice(0, end)
  const host = hostPort.startsWith('[') ? before(hostPort.slice(1), ']') : before(hostPort, ':')
  return { user, host: nonEmpty(host) }
}

/** CSeq: number and method (RFC 3261 20.16). */
export function parseCSeq(text: string | undefined): { number: number; method: string } | undefined {
  const m = /^(\d{1,10})\s+(\S+)/.exec(text ?? '')
  return m ? { number: Number(m[1]), method: m[2] as string } : undefined
}

/** Branch of the top Via (8.1.1.7). */
export const viaBranch = (via: string | undefined): string | undefined => /;\s*branch\s*=\s*([^;,\s]+)/i.exec(via ?? '')?.[1]

/** Digest user name (RFC 7616 3.4). */
export const digestUser = (authorization: string | undefined): string | undefined =>
  nonEmpty(/\busername\s*=\s*"((?:[^"\\]|\\.)*)"/i.exec(authorization ?? '')?.[1])

/** Reason header values (RFC 3326): `Q.850;cause=16;text="Terminated"`, several of them separated by commas. */
export function parseReasons(text: string): { protocol: string; cause: number | undefined; text: string | undefined }[] {
  const values = text.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []
  return values.flatMap((value) => {
    const protocol = /^\s*([^\s;]+)/.exec(value)?.[1]
    if (protocol === undefined) return []
    const cause = /;\s*cause\s*=\s*(\d{1,5})/i.exec(value)?.[1]
    const quoted = /;\s*text\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(value)
    return [
      { protocol, cause: cause === undefined ? undefined : Number(cause), text: (quoted?.[1] ?? quoted?.[2])?.replace(/\\(.)/g, '$1') },
    ]
  })
}

const nonEmpty = (text: string | undefined): string | undefined => (text === undefined || text === '' ? undefined : text)

function before(text: string, separator: string): string {
  const i = text.indexOf(separator)
  return i < 0 ? text : text.slice(0, i)
}
