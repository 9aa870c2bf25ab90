// The manager: what a service tells and gives to others, in VoIPmonitor's plain protocol and in our own.
export { addressText, type ManagerAddress, managerPort, parseAddress } from './address.js'
export { type Audit, auditLog } from './audit.js'
export type { About, Answer, CallSource, ManagerBackend, RecordSource, ServiceCall, ServiceChanges, ServiceStats } from './backend.js'
export { AnswerError, type ClientOptions, ConnectionLost, connectManager, ManagerClient } from './client.js'
export { isLoopback } from './loopback.js'
export { type Manager, type ManagerOptions, startManager } from './server.js'
export { hostBackend, remoteCalls, statsOf } from './services.js'
export { type ManagerThread, startManagerThread } from './thread.js'
