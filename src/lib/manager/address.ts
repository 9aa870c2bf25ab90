import { OperatorError } from '../base/errors.js'
import { isLoopback } from './loopback.js'

/** Where a manager is: `HOST[:PORT]`, `[IPV6]:PORT`, `unix:PATH`, or `voipmonitor://HOST[:PORT]` for a real VoIPmonitor sensor. */
export type ManagerAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls: boolean }
  | { readonly kind: 'voipmonitor'; readonly host: string; readonly port: number }

export const managerPort = 5029

export function parseAddress(text: string): ManagerAddress {
  if (text.startsWith('unix:') && text.length > 5) return { kind: 'unix', path: text.slice(5) }
  const found = /^(voipmonitor:\/\/|tls:\/\/)?(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?\/?$/.exec(text)
  const host = found?.[2] ?? found?.[3]
  const port = Number(found?.[4] ?? managerPort)
  if (host === undefined || port < 1 || port > 65_535) {
    throw new OperatorError('ADDRESS', `"${text}" is no address of a manager.`, {
      exit: 2,
      suggestions: ['HOST or HOST:PORT, [2001:db8::1]:5029, unix:/run/earshot/sniff.sock, or voipmonitor://HOST:5029'],
    })
  }
  if (found?.[1] === 'voipmonitor://') return { kind: 'voipmonitor', host, port }
  return { kind: 'tcp', host, port, tls: found?.[1] === 'tls://' || !isLoopback(host) }
}

export function addressText(address: ManagerAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${address.kind === 'voipmonitor' ? 'voipmonitor://' : ''}${host}:${address.port}`
}
