/**
 * The header fields that are kept, with their compact forms (RFC 3261 7.3.3). Others are skipped.
 * A value is decoded when asked for, by `SipMessage.header`.
 */
export const headerTable = {
  'call-id': 'i',
  from: 'f',
  to: 't',
  via: 'v',
  cseq: undefined,
  contact: 'm',
  'content-length': 'l',
  'content-type': 'c',
  'user-agent': undefined,
  server: undefined,
  reason: undefined,
  'p-asserted-identity': undefined,
  authorization: undefined,
  'proxy-authorization': undefined,
} as const satisfies Record<string, string | undefined>

export type HeaderName = keyof typeof headerTable

/** Lower-case name or compact form → the name in the table. */
export const headerNames: ReadonlyMap<string, HeaderName> = new Map(
  (Object.entries(headerTable) as [HeaderName, string | undefined][]).flatMap(([name, short]) =>
    short === undefined ? [[name, name] as const] : [[name, name] as const, [short, name] as const],
  ),
)

export const headerNameLengths: ReadonlySet<number> = new Set([...headerNames.keys()].map((name) => name.length))
