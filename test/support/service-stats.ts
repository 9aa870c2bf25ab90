import type { ServiceStats } from '../../src/lib/manager/index.js'

/** What a service counts that does nothing yet, with what a test wants different. */
export const statsOf = (more: Partial<ServiceStats> = {}): ServiceStats => ({
  service: 'sniff',
  version: '9.9.9',
  pid: 4711,
  uptimeSeconds: 3600,
  source: 'eth0',
  packets: 0,
  rtp: 0,
  rtcp: 0,
  sip: 0,
  filtered: 0,
  calls: 0,
  open: 0,
  odd: {},
  cpuSeconds: 1,
  rssBytes: 1,
  heapBytes: 1,
  ...more,
})
