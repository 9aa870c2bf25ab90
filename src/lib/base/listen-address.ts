/** Where a service listens, as a person writes it: `[ADDRESS]:PORT`, `PORT`, or `yes` for what is usual. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Metrics are for this host, unless somebody says otherwise. */
export const usualMetricsAddress: ListenAddress = { host: '127.0.0.1', port: 5031 }

/** `undefined` for "no"; "wrong" for what is no address. A port alone means the usual host; port 0 takes a free one. */
export function parseListenAddress(text: string, usual: ListenAddress): ListenAddress | undefined | 'wrong' {
  if (text === 'no') return undefined
  if (text === 'yes') return usual
  const found = /^(?:(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:/[\]]+))?:)?(\d{1,5})$/.exec(text)
  const port = Number(found?.[3])
  return found === null || port > 65_535 ? 'wrong' : { host: found[1] ?? found[2] ?? usual.host, port }
}
