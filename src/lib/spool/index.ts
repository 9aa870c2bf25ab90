// The spool: one pcap per call, kept within limits.
export { type SpoolLayout, safeName, spoolPath } from './names.js'
export { openSpool, type Spool, type SpoolContent, type SpoolOptions, type SpoolStats } from './spool.js'
