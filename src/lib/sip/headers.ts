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

interface Known {
  readonly name: HeaderName
  readonly letters: Uint8Array
}

/** Names and compact forms by their length: a few candidates, which are compared byte by byte. */
const byLength: readonly (readonly Known[])[] = (() => {
  const lists: Known[][] = Array.from({ length: 33 }, () => [])
  for (const [name, short] of Object.entries(headerTable) as [HeaderName, string | undefined][]) {
    for (const form of short === undefined ? [name] : [name, short]) {
      lists[form.length]?.push({ name, letters: Uint8Array.from(form, (letter) => letter.charCodeAt(0)) })
    }
  }
  return lists
})()

/** Which of the table's fields the bytes name, in whatever case (RFC 3261 7.3.1); undefined when none. */
export function headerNameOf(bytes: Uint8Array, from: number, to: number): HeaderName | undefined {
  const candidates = byLength[to - from]
  if (candidates === undefined) return undefined
  for (const { name, letters } of candidates) {
    let i = 0
    // A letter is itself or, with bit 5 cleared, its capital.
    while (i < letters.length && (bytes[from + i]! | ((letters[i]! & 0x40) >> 1)) === letters[i]) i++
    if (i === letters.length) return name
  }
  return undefined
}
