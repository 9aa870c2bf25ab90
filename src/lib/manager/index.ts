// The manager: what a service tells and gives to others, in VoIPmonitor's plain protocol and in our own.
export { addressText, type ManagerAddress, managerPort, parseAddress } from './address.js'
export { type Audit, auditLog, readAudit } from './audit.js'
export type {
  About,
  Answer,
  CallSource,
  LinkStats,
  ManagerBackend,
  RecentLosses,
  RecordSource,
  RecordsStats,
  SenderStats,
  ServiceCall,
  ServiceChanges,
  ServiceStats,
  SpoolSource,
  SpoolStats,
} from './backend.js'
export { callsOf } from './call-source.js'
export { AnswerError, type ClientOptions, ConnectionLost, connectManager, ManagerClient } from './client.js'
export { type FetchOptions, fetchError, fetchPcap, type Sink } from './fetch.js'
export { askLive, type LiveSource, localLive, serveLive } from './live-source.js'
export { isLoopback } from './loopback.js'
export { type Part, selectPart } from './part.js'
export { type Manager, type ManagerOptions, startManager } from './server.js'
export { hostBackend, remoteCalls, statsOf } from './services.js'
export { tarEnd, tarHeader, tarPadding } from './tar.js'
export { fetchFromVoipmonitor, plainText, type VoipmonitorAddress, voipmonitorName } from './voipmonitor-client.js'
