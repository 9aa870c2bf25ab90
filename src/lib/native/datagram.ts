import koffi from 'koffi'

/** A datagram socket of the unix kind, for sending only (unix(7)): what sd_notify speaks. Node has streams only. */

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_SNDTIMEO = 21
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const PATH_MAX = 108
/** How long `send` may wait for a reader whose queue is full. */
const PATIENCE_MS = 1000

const libc = koffi.load(null)
const socket = libc.func('int socket(int, int, int)') as (domain: number, type: number, protocol: number) => number
const setsockopt = libc.func('int setsockopt(int, int, int, void *, uint32_t)')
const sendto = libc.func('long sendto(int, void *, size_t, int, void *, uint32_t)') as (
  fd: number,
  bytes: Uint8Array,
  length: number,
  flags: number,
  address: Uint8Array,
  addressLength: number,
) => number
const close = libc.func('int close(int)') as (fd: number) => number

export class DatagramSender {
  readonly #fd: number
  readonly #address: Uint8Array

  /** `path` as it stands in NOTIFY_SOCKET: a path, or `@name` in the abstract name space. Throws when there can be no such socket. */
  constructor(path: string) {
    this.#address = addressOf(path)
    this.#fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    if (this.#fd < 0) throw new Error(`no socket (errno ${koffi.errno()})`)
    // struct timeval.
    const patience = BigInt64Array.of(BigInt(Math.floor(PATIENCE_MS / 1000)), BigInt((PATIENCE_MS % 1000) * 1000))
    setsockopt(this.#fd, SOL_SOCKET, SO_SNDTIMEO, new Uint8Array(patience.buffer), 16)
  }

  /** False when it did not get there: nobody reads, or its queue is full. Only with `wait` it waits for room, a second at the most. */
  send(text: string, wait: boolean): boolean {
    const bytes = Buffer.from(text)
    const flags = MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT)
    return sendto(this.#fd, bytes, bytes.length, flags, this.#address, this.#address.length) === bytes.length
  }

  close(): void {
    close(this.#fd)
  }
}

/** struct sockaddr_un: family u16, path. An abstract name begins with a zero byte and has no end but its length. */
function addressOf(path: string): Uint8Array {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`)
  if (!/^[/@]./.test(path) || name.length > PATH_MAX) throw new Error(`"${path}" is no path of a socket`)
  const address = new Uint8Array(2 + name.length)
  new DataView(address.buffer).setUint16(0, AF_UNIX, true)
  address.set(name, 2)
  return address
}
