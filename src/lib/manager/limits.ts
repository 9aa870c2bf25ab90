/** How much of this process clients may hold. Reaching one costs the client its connection and is counted, never the service. */
export interface ManagerLimits {
  readonly connectionsMax: number
  /** Connections that have not said who they are; beyond it the oldest of them goes. */
  readonly strangersMax: number
  readonly requestsPerConnection: number
  /** From a unix socket: `serve-manager` asks there for all its own clients. */
  readonly requestsPerLocalConnection: number
  /** From the first byte of a request (or the connection) to its last. */
  readonly requestMs: number
  /** An answer of which nothing is taken. */
  readonly stallMs: number
  /** Bytes of a plain request: `getfile_in_tar` lists positions. */
  readonly plainRequestBytes: number
}

export const managerLimits: ManagerLimits = {
  connectionsMax: 4096,
  strangersMax: 512,
  requestsPerConnection: 16,
  requestsPerLocalConnection: 4096,
  requestMs: 10_000,
  stallMs: 60_000,
  plainRequestBytes: 1 << 20,
}
