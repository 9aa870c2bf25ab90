import { OperatorError } from '../base/errors.js'

/** Where metrics are served: `[ADDRESS]:PORT`, `PORT`, or `yes`; 127.0.0.1:5031 unless told. */
export interface MetricsAddress {
  readonly host: string
  readonly port: number
}

export const defaultMetricsPort = 5031
const DEFAULT_HOST = '127.0.0.1'

/** Undefined for `no`. */
export function parseMetricsAddress(text: string): MetricsAddress | undefined {
  if (text === 'no') return undefined
  if (text === 'yes') return { host: DEFAULT_HOST, port: defaultMetricsPort }
  const found = /^(?:(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:/[\]]+))?:)?(\d{1,5})$/.exec(text)
  const port = Number(found?.[3])
  if (found === null || port > 65_535)
    throw new OperatorError('METRICS_ADDRESS', `"${text}" is no address to serve metrics on.`, {
      exit: 2,
      suggestions: [
        `This host only: --metrics :${defaultMetricsPort}`,
        `Others too, with TLS and tokens: --metrics 0.0.0.0:${defaultMetricsPort}`,
      ],
    })
  return { host: found[1] ?? found[2] ?? DEFAULT_HOST, port }
}
