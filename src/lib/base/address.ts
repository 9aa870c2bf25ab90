import type { Address, Endpoint } from './units.js'

/**
 * Addresses as numbers, so that the hot path makes no strings: IPv4 is its u32, IPv6 is interned to a number above 2^32.
 * The book is bounded: when it is full, further IPv6 addresses share one number, `OVERFLOW`, and are counted.
 */
const IPV4_LIMIT = 2 ** 32
const OVERFLOW = IPV4_LIMIT as Address

export class AddressBook {
  readonly #ids = new Map<string, Address>()
  readonly #words: Uint32Array[] = [new Uint32Array(4)]
  /** The last two hits: on a wire with IPv6, packets alternate between few addresses. */
  #lastWords = this.#words[0] as Uint32Array
  #lastId: Address = OVERFLOW
  readonly #max: number
  overflowed = 0

  constructor(max = 1_000_000) {
    this.#max = max
  }

  /** Interns the IPv6 address made of these four big-endian words; an IPv4-mapped one (::ffff:0:0/96) becomes its IPv4 number. */
  ipv6(a: number, b: number, c: number, d: number): Address {
    if (a === 0 && b === 0 && c === 0xffff) return d as Address
    const last = this.#lastWords
    if (last[3] === d && last[2] === c && last[1] === b && last[0] === a && this.#lastId !== OVERFLOW) return this.#lastId
    const key = `${a},${b},${c},${d}`
    let id = this.#ids.get(key)
    if (id === undefined) {
      if (this.#words.length > this.#max) {
        this.overflowed++
        return OVERFLOW
      }
      id = (IPV4_LIMIT + this.#words.length) as Address
      this.#ids.set(key, id)
      this.#words.push(Uint32Array.of(a, b, c, d))
    }
    this.#lastWords = this.#words[id - IPV4_LIMIT] as Uint32Array
    this.#lastId = id
    return id
  }

  /** Reads "10.0.0.1" or "2001:db8::1"; undefined for a host name or nonsense. */
  parse(text: string): Address | undefined {
    if (!text.includes(':')) return parseIpv4(text)
    const words = parseIpv6(text)
    return words && this.ipv6(words[0], words[1], words[2], words[3])
  }

  text(address: Address): string {
    if (address < IPV4_LIMIT) return ipv4Text(address)
    const words = this.#words[address - IPV4_LIMIT]
    return words === undefined || address === OVERFLOW ? '::' : ipv6Text(words)
  }

  /** `10.0.0.1:5060`, `[2001:db8::1]:5060`. */
  endpointText(endpoint: Endpoint): string {
    const address = addressOf(endpoint)
    const host = this.text(address)
    return address < IPV4_LIMIT ? `${host}:${portOf(endpoint)}` : `[${host}]:${portOf(endpoint)}`
  }
}

export const isIpv4 = (address: Address): boolean => address < IPV4_LIMIT
export const endpointOf = (address: Address, port: number): Endpoint => (address * 65536 + port) as Endpoint
export const addressOf = (endpoint: Endpoint): Address => Math.floor(endpoint / 65536) as Address
export const portOf = (endpoint: Endpoint): number => endpoint % 65536

export const ipv4Text = (address: number): string => `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`

export function parseIpv4(text: string): Address | undefined {
  const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (!m) return undefined
  let value = 0
  for (let i = 1; i <= 4; i++) {
    const part = Number(m[i])
    if (part > 255) return undefined
    value = value * 256 + part
  }
  return value as Address
}

/** Four big-endian words of an IPv6 address (RFC 4291 2.2), or undefined. A zone (`%eth0`) is ignored. */
export function parseIpv6(text: string): [number, number, number, number] | undefined {
  let body = text.split('%')[0] ?? ''
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(body)
  if (dotted) {
    const v4 = parseIpv4(dotted[2] ?? '')
    if (v4 === undefined) return undefined
    body = `${dotted[1]}${(v4 >>> 16).toString(16)}:${(v4 & 0xffff).toString(16)}`
  }
  const halves = body.split('::')
  if (halves.length > 2) return undefined
  const groups = (half: string | undefined): string[] => (half ? half.split(':') : [])
  const head = groups(halves[0])
  const tail = groups(halves[1])
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const all = [...head, ...Array<string>(halves.length === 1 ? 0 : missing).fill('0'), ...tail]
  const n = all.map((g) => (/^[0-9a-f]{1,4}$/i.test(g) ? Number.parseInt(g, 16) : Number.NaN))
  if (n.length !== 8 || n.some(Number.isNaN)) return undefined
  const word = (i: number): number => (((n[i] as number) << 16) | (n[i + 1] as number)) >>> 0
  return [word(0), word(2), word(4), word(6)]
}

/** RFC 5952: lower case, no leading zeros, the longest run of zero groups as `::`. */
export function ipv6Text(words: ArrayLike<number>): string {
  const groups: number[] = []
  for (let i = 0; i < 4; i++) groups.push((words[i] as number) >>> 16, (words[i] as number) & 0xffff)
  let best = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let j = i
    while (j < 8 && groups[j] === 0) j++
    if (j - i > bestLength) {
      best = i
      bestLength = j - i
    }
  }
  const hex = groups.map((g) => g.toString(16))
  if (best < 0) return hex.join(':')
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + bestLength).join(':')}`
}
