import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { exitCodes, OperatorError } from '../base/errors.js'

/** Addresses of the mirror, and connections to them: TLS, or plain where that was allowed. */
export const defaultPort = 5030

export interface Destination {
  readonly host: string
  readonly port: number
}

export const destinationText = ({ host, port }: Destination): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)

/** `host`, `host:port`, `[v6]:port` or a bare IPv6 address. Throws an OperatorError. */
export function parseDestination(text: string, port = defaultPort): Destination {
  const [, bracketed, plain, given] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text.trim()) ?? []
  const host = isIP(text.trim()) === 6 ? text.trim() : (bracketed ?? plain)
  const number = given === undefined ? port : Number(given)
  if (host === undefined || number < 1 || number > 65_535)
    throw new OperatorError('MIRROR_ADDRESS', `"${text}" is not an address.`, {
      exit: exitCodes.usage,
      suggestions: [`Write host, host:port or [IPv6]:port; without a port it is ${defaultPort}.`],
    })
  return { host, port: number }
}

export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^(::ffff:)?127\./.test(host)

/** Connects within `timeoutMs`; rejects with the reason. */
export function dial(to: Destination, tls: ConnectionOptions | undefined, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Error('stopped'))
    const socket =
      tls === undefined
        ? connectPlain({ host: to.host, port: to.port, noDelay: true })
        : connectTls({ ...tls, host: to.host, port: to.port, ...(isIP(to.host) === 0 && { servername: to.host }) })
    const end = (error?: Error): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      socket.off('error', end)
      if (error !== undefined) {
        socket.on('error', () => {})
        socket.destroy()
        reject(error)
      } else resolve(socket)
    }
    const onAbort = (): void => end(new Error('stopped'))
    const timer = setTimeout(() => end(new Error('no answer')), timeoutMs)
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('error', end)
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      socket.setNoDelay(true)
      end()
    })
  })
}

/**
 * The order in which a sensor tries its receivers when they share the senders: rendezvous hashing. Each sensor has an order of its own,
 * and a receiver more or less moves only the sensors that it gains or loses.
 */
export function shardOrder(destinations: readonly Destination[], sensor: string): Destination[] {
  return destinations
    .map((to) => ({ to, weight: hash(`${sensor}\0${destinationText(to)}`) }))
    .sort((a, b) => b.weight - a.weight)
    .map(({ to }) => to)
}

/** FNV-1a, then a final mix: neighbouring names come out far apart, and the same in every version. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
