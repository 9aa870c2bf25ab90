/**
 * What a client of the manager or of a mirror receiver may do. A role is what an administrator gives; a right is what a
 * request asks for.
 */
export const roles = {
  metrics: { rights: ['metrics'], help: 'read /metrics and /healthz, nothing else' },
  view: { rights: ['view', 'metrics'], help: 'see calls and statistics' },
  fetch: { rights: ['view', 'metrics', 'fetch'], help: 'view, and get packets and records' },
  send: { rights: ['send'], help: 'send packets to a receiver, nothing else' },
  admin: { rights: ['view', 'metrics', 'fetch', 'send', 'admin'], help: 'everything, also change how the service runs' },
} as const satisfies Record<string, { readonly rights: readonly Right[]; readonly help: string }>

export type Right = 'metrics' | 'view' | 'fetch' | 'send' | 'admin'
export type Role = keyof typeof roles
export const roleNames = Object.keys(roles) as Role[]

export const mayDo = (role: Role | undefined, right: Right): boolean =>
  role !== undefined && (roles[role].rights as readonly Right[]).includes(right)
