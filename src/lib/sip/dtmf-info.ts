/**
 * A digit sent by SIP INFO: `application/dtmf-relay` has `Signal=5`, `application/dtmf` the bare digit.
 * Answers undefined for other bodies.
 */
export function infoDigit(contentType: string | undefined, body: string): string | undefined {
  if (!/application\/dtmf/i.test(contentType ?? '')) return undefined
  const signal = /^\s*signal\s*[=:]\s*(\S+)/im.exec(body)?.[1] ?? /^\s*([0-9A-D*#]|1[0-6])\s*$/i.exec(body)?.[1]
  if (signal === undefined) return undefined
  // Some phones send event numbers: 10 is *, 11 is # (RFC 4733 table 3).
  const digit = { '10': '*', '11': '#', '12': 'A', '13': 'B', '14': 'C', '15': 'D', '16': 'F' }[signal] ?? signal.toUpperCase()
  return /^[0-9A-DF*#]$/.test(digit) ? digit : undefined
}
