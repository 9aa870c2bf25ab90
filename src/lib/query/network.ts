import { parseIpv4, parseIpv6 } from '../base/address.js'

/** An address or a CIDR block (RFC 4632, RFC 4291 2.3) as a closed range, and addresses as values that compare like numbers. */
export interface Network {
  readonly family: 4 | 6
  readonly low: AddressValue
  readonly high: AddressValue
}

/** IPv4 as its number, IPv6 as 32 hexadecimal digits: both sort as the addresses do, and never mix. */
export type AddressValue = number | string

/** `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`; undefined for anything else. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', bits, ...more] = text.replace(/^\[|\]$/g, '').split('/')
  if (more.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) return undefined
  const v4 = parseIpv4(address)
  if (v4 !== undefined) {
    const length = Number(bits ?? 32)
    if (length > 32) return undefined
    const size = 2 ** (32 - length)
    const low = Math.floor(v4 / size) * size
    return { family: 4, low, high: low + size - 1 }
  }
  const words = parseIpv6(address)
  const length = Number(bits ?? 128)
  if (words === undefined || length > 128) return undefined
  const masks = [0, 1, 2, 3].map((i) => {
    const kept = Math.max(0, Math.min(32, length - 32 * i))
    return kept === 0 ? 0 : (0xffffffff << (32 - kept)) >>> 0
  })
  const hex = (fill: (word: number, mask: number) => number): string =>
    words.map((word, i) => (fill(word, masks[i] as number) >>> 0).toString(16).padStart(8, '0')).join('')
  return { family: 6, low: hex((word, mask) => word & mask), high: hex((word, mask) => (word & mask) | ~mask) }
}

/** The address in `10.0.0.1`, `10.0.0.1:5060`, `[2001:db8::1]:5060`. */
export function addressValue(text: string): AddressValue | undefined {
  const host = text.startsWith('[')
    ? text.slice(1, text.indexOf(']'))
    : text.split(':').length === 2
      ? text.slice(0, text.indexOf(':'))
      : text
  const v4 = parseIpv4(host)
  if (v4 !== undefined) return v4
  return parseIpv6(host)
    ?.map((word) => word.toString(16).padStart(8, '0'))
    .join('')
}

export const inNetwork = ({ low, high }: Network, address: AddressValue): boolean =>
  typeof address === typeof low && address >= low && address <= high
