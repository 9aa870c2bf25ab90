import { totalmem } from 'node:os'

const MB = 2 ** 20
const DEFAULT_MB = 500

/** The bound of packetbuffer_total_maxheap in bytes; 0 chooses one that leaves the machine its memory. */
export const memoryBound = (megabytes: number): number =>
  megabytes > 0 ? megabytes * MB : Math.floor(Math.min(DEFAULT_MB * MB, totalmem() / 4))
