// The spool: one pcap per call.
export { safeName, spoolPath } from './names.js'
export { openSpool, type Spool, type SpoolOptions, type SpoolStats } from './spool.js'
