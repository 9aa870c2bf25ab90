import { readFileSync } from 'node:fs'
import { close, interfaceIndex, interfaceRequest, socket } from './native.js'

/** Network interfaces by name, in the process's own network namespace (which /sys may not show). */

/** All interfaces at once, as tcpdump calls it. */
export const ANY = 'any'

const NAME_LENGTH_MAX = 15
const AF_INET = 2
const SOCK_DGRAM = 2
const SIOCGIFFLAGS = 0x8913
const SIOCGIFHWADDR = 0x8927
const IFF_UP = 1
/** Hardware types (linux/if_arp.h) whose frames begin with an Ethernet header. */
export const ARPHRD_ETHER = 1
export const ARPHRD_LOOPBACK = 772

/** Names of the interfaces there are. */
export function listInterfaces(): string[] {
  return readFileSync('/proc/net/dev', 'utf8')
    .split('\n')
    .filter((line) => line.includes(':'))
    .map((line) => line.slice(0, line.lastIndexOf(':')).trim())
}

/** The kernel's number of an interface; 0 when there is none of this name. */
export const indexOf = (name: string): number => (name.length > NAME_LENGTH_MAX ? 0 : interfaceIndex(name))

/** Whether frames begin with an Ethernet header, as they do on loopback too. */
export function isEthernet(name: string): boolean {
  const type = request(name, SIOCGIFHWADDR)
  return type === ARPHRD_ETHER || type === ARPHRD_LOOPBACK
}

export const isUp = (name: string): boolean => ((request(name, SIOCGIFFLAGS) ?? 0) & IFF_UP) !== 0

/** The 16-bit field after the name in `struct ifreq`: flags, or the hardware type. */
function request(name: string, code: number): number | undefined {
  if (name.length > NAME_LENGTH_MAX) return undefined
  const ifreq = new Uint8Array(40)
  ifreq.set(new TextEncoder().encode(name).subarray(0, NAME_LENGTH_MAX))
  const fd = socket(AF_INET, SOCK_DGRAM, 0)
  if (fd < 0) return undefined
  try {
    return interfaceRequest(fd, code, ifreq) ? new DataView(ifreq.buffer).getUint16(16, true) : undefined
  } finally {
    close(fd)
  }
}
