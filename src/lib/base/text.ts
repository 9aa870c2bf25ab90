// Bytes to text. The core stands on no platform, so nothing here needs one; but where Node's own decoder is there, it is ten
// times as fast as what the language has, and a SIP message is some thirty texts.

type Latin1Slice = (this: Uint8Array, from: number, to: number) => string
const latin1Slice = (globalThis as { Buffer?: { prototype?: { latin1Slice?: Latin1Slice } } }).Buffer?.prototype?.latin1Slice

/** Up to this length a list of numbers is faster than the decoder. */
const SHORT = 8
const shortLists: readonly number[][] = Array.from({ length: SHORT + 1 }, (_, length) => new Array<number>(length).fill(0))

/** One character a byte; never fails, and a string made here keeps no larger string alive. */
export function latin1(bytes: Uint8Array, from: number, to: number): string {
  const length = to - from
  if (length <= 0) return ''
  if (length <= SHORT) {
    const list = shortLists[length] as number[]
    for (let i = 0; i < length; i++) list[i] = bytes[from + i] as number
    return String.fromCharCode.apply(null, list)
  }
  return latin1Slice === undefined ? latin1Plain(bytes, from, to) : latin1Slice.call(bytes, from, to)
}

/** The same with nothing but the language. */
export function latin1Plain(bytes: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let at = from; at < to; at += 4096) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, Math.min(to, at + 4096)) as unknown as number[])
  }
  return text
}

/** UTF-8 with every malformed byte as U+FFFD; plain ASCII takes the fast way. */
export function utf8(bytes: Uint8Array, from: number, to: number): string {
  for (let i = from; i < to; i++) {
    if ((bytes[i] as number) >= 0x80) return utf8Slow(bytes, from, to)
  }
  return latin1(bytes, from, to)
}

function utf8Slow(bytes: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let i = from; i < to; ) {
    const first = bytes[i] as number
    const more =
      first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : -1
    let code = more === 0 ? first : more === 1 ? first & 0x1f : more === 2 ? first & 0x0f : first & 0x07
    let good = more >= 0 && i + more < to
    for (let k = 1; good && k <= more; k++) {
      const next = bytes[i + k] as number
      if ((next & 0xc0) !== 0x80) good = false
      code = (code << 6) | (next & 0x3f)
    }
    // Overlong forms and surrogates are malformed too (RFC 3629 section 3).
    if (
      good &&
      ((more === 2 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) || (more === 3 && (code < 0x10000 || code > 0x10ffff)))
    )
      good = false
    text += good ? String.fromCodePoint(code) : '\ufffd'
    i += good ? more + 1 : 1
  }
  return text
}

/** Text to UTF-8; half a surrogate pair becomes U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  const bytes: number[] = []
  for (const character of text) {
    const point = character.codePointAt(0) as number
    const code = point >= 0xd800 && point <= 0xdfff ? 0xfffd : point
    if (code < 0x80) bytes.push(code)
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f))
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f))
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f))
  }
  return Uint8Array.from(bytes)
}
