import { callSettings } from './call.js'
import { captureSettings } from './capture.js'
import { logSettings } from './log.js'
import { accessSettings, ownManagerSettings, serveManagerSettings } from './manager.js'
import { metricsSettings } from './metrics.js'
import {
  classicSendSettings,
  mirrorDestinationSettings,
  mirrorRecvSettings,
  mirrorSenderSettings,
  mirrorSendSettings,
  mirrorSettings,
} from './mirror.js'
import { pruneSettings } from './prune.js'
import { reassemblySettings } from './reassembly.js'
import { readStoreSettings, recordSettings, storeSettings, timeSettings } from './records.js'
import { sipSettings } from './sip.js'
import { readSpoolSettings, spoolLimitSettings, spoolPlaceSettings, spoolSettings } from './spool.js'
import type { SettingTable } from './table.js'

/** Which settings a service has: the rows of its section in a file, and of [general] as far as it is concerned. */

/** How calls are made of packets. */
export const trackerSettings = { ...sipSettings, ...callSettings, ...reassemblySettings } as const

/** What is written of calls, and where. */
export const outputSettings = {
  ...storeSettings,
  ...recordSettings,
  ...timeSettings,
  ...spoolPlaceSettings,
  ...spoolSettings,
  ...spoolLimitSettings,
} as const

export const sniffSettings = {
  ...captureSettings,
  ...outputSettings,
  ...ownManagerSettings,
  ...metricsSettings,
  ...trackerSettings,
  ...logSettings,
} as const

export const mirrorSendServiceSettings = {
  ...captureSettings,
  ringbuffer: { ...captureSettings.ringbuffer, default: '32MiB' },
  ...mirrorDestinationSettings,
  id_sensor: sipSettings.id_sensor,
  ...mirrorSettings,
  ...mirrorSendSettings,
  ...classicSendSettings,
  ...metricsSettings,
  ...logSettings,
} as const satisfies SettingTable

export const mirrorRecvServiceSettings = {
  ...mirrorRecvSettings,
  // It never packs.
  packetbuffer_total_maxheap: mirrorSettings.packetbuffer_total_maxheap,
  ...mirrorSenderSettings,
  ...outputSettings,
  ...ownManagerSettings,
  manager: { ...ownManagerSettings.manager, default: true },
  ...metricsSettings,
  ...trackerSettings,
  ...logSettings,
} as const satisfies SettingTable

export const serveManagerServiceSettings = {
  ...serveManagerSettings,
  id_sensor: sipSettings.id_sensor,
  ...readStoreSettings,
  ...timeSettings,
  ...readSpoolSettings,
  ...metricsSettings,
  ...logSettings,
} as const satisfies SettingTable

export const cdrPruneSettings = { ...readStoreSettings, ...timeSettings, ...pruneSettings } as const satisfies SettingTable

/** Commands with a section of their own. */
export const services = {
  sniff: sniffSettings,
  'mirror-send': mirrorSendServiceSettings,
  'mirror-recv': mirrorRecvServiceSettings,
  'serve-manager': serveManagerServiceSettings,
  'cdr-prune': cdrPruneSettings,
} as const satisfies Readonly<Record<string, SettingTable>>

export type ServiceName = keyof typeof services

/** What a person's commands take from [general]: where records and pcaps are, and who asks. */
export const readerSettings = {
  ...readStoreSettings,
  ...timeSettings,
  ...readSpoolSettings,
  ...accessSettings,
} as const satisfies SettingTable

/** Every key there is; where services differ (a ring's default), the sniffer's row. */
export const allSettings: SettingTable = {
  ...readerSettings,
  ...cdrPruneSettings,
  ...serveManagerServiceSettings,
  ...mirrorRecvServiceSettings,
  ...mirrorSendServiceSettings,
  ...sniffSettings,
}
