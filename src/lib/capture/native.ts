import koffi from 'koffi'

/**
 * The libc calls that a packet socket needs and Node lacks. 64-bit Linux on x86_64 and arm64: both are little-endian,
 * and their structures and constants here are the same.
 */

/** The process's own symbols, so that glibc and musl alike are found without a file name. */
const libc = koffi.load(null)

type Pointer = bigint

export const socket = libc.func('int socket(int, int, int)') as (domain: number, type: number, protocol: number) => number
export const close = libc.func('int close(int)') as (fd: number) => number
export const bind = libc.func('int bind(int, void *, uint32_t)') as (fd: number, address: Uint8Array, length: number) => number
export const mmap = libc.func('void *mmap(void *, size_t, int, int, int, int64_t)') as (
  address: null,
  length: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
) => Pointer
export const munmap = libc.func('int munmap(void *, size_t)') as (address: Pointer, length: number) => number
export const interfaceIndex = libc.func('uint32_t if_nametoindex(const char *)') as (name: string) => number

const setsockopt = libc.func('int setsockopt(int, int, int, void *, uint32_t)')
const getsockopt = libc.func('int getsockopt(int, int, int, void *, _Inout_ uint32_t *)')
const ioctl = libc.func('int ioctl(int, unsigned long, void *)')
const strerror = libc.func('const char *strerror(int)')
const pollBlocking = libc.func('int poll(void *, unsigned long, int)')

export const MAP_FAILED: Pointer = 0xffff_ffff_ffff_ffffn

/** A failed system call, with errno read at once. */
export class SystemError extends Error {
  readonly errno: number

  constructor(call: string) {
    const errno = koffi.errno()
    super(`${call}: ${strerror(errno)}`)
    this.name = 'SystemError'
    this.errno = errno
  }
}

export const errno = { perm: 1, acces: 13, nomem: 12, inval: 22, afnosupport: 97, netdown: 100 } as const

export function setOption(fd: number, level: number, option: number, value: Uint8Array, name: string): void {
  if (setsockopt(fd, level, option, value, value.length) !== 0) throw new SystemError(name)
}

/** Fills `value`; false when the option cannot be read. */
export function getOption(fd: number, level: number, option: number, value: Uint8Array): boolean {
  return getsockopt(fd, level, option, value, [value.length]) === 0
}

/** An ioctl over a `struct ifreq`; false when there is no such interface. */
export const interfaceRequest = (fd: number, request: number, ifreq: Uint8Array): boolean => ioctl(fd, request, ifreq) === 0

/** Waits on a thread of libuv's pool, so the event loop goes on. Any failure (EINTR above all) counts as "nothing yet". */
export function poll(descriptors: Uint8Array, timeoutMs: number): Promise<number> {
  return new Promise((resolve) => {
    pollBlocking.async(descriptors, descriptors.length / 8, timeoutMs, (error: unknown, ready: number) => resolve(error ? -1 : ready))
  })
}

export const int32 = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer)

/** A `void *` to bytes that the kernel reads during a call. Keep `bytes` reachable until the call is over. */
export const addressOf = (bytes: Uint8Array): bigint => koffi.address(bytes)
/** Foreign memory as an ArrayBuffer, in place. */
export const viewOf = (pointer: Pointer, length: number): ArrayBuffer => koffi.view(pointer, length)
