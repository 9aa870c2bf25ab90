import { join } from 'node:path'
import { serverCertificate, Tokens } from '../access/index.js'
import { isLoopback, type ManagerBackend, type ServiceStats } from '../manager/index.js'
import type { MetricsServer } from '../metrics/index.js'
import { diskOf } from '../spool/disk.js'
import type { MetricsPlan } from './manager-thread.js'
import { libraryVersions } from './versions.js'

/** `/metrics` and `/healthz` of a service, from what its manager is told. The packages that this needs are loaded when it is wanted. */
export async function startServiceMetrics(
  { host, port, certificate }: MetricsPlan,
  stateDirectory: string,
  backend: Pick<ManagerBackend, 'stats' | 'unanswered'>,
): Promise<ServiceMetrics> {
  const { startMetrics } = await import('../metrics/index.js')
  const directory = join(stateDirectory, 'manager')
  const secure = certificate !== undefined || !isLoopback(host)
  let shown = secure ? await serverCertificate(directory, certificate) : undefined
  const server = await startMetrics({
    host,
    port,
    certificate: shown,
    tokens: new Tokens(join(directory, 'tokens.json')),
    versions: await libraryVersions(),
    async stats() {
      const [first, ...others] = await backend.stats()
      // Its own come first.
      if (first === undefined || shown === undefined) return first === undefined ? [] : [first, ...others]
      return [{ ...first, certificates: [...(first.certificates ?? []), { use: 'metrics', notAfterMs: shown.notAfterMs }] }, ...others]
    },
    unanswered: () => backend.unanswered?.() ?? [],
  })
  return {
    url: server.url,
    close: () => server.close(),
    async renew(files) {
      if (shown === undefined) return
      shown = await serverCertificate(directory, files)
      server.show(shown)
    },
  }
}

export interface ServiceMetrics extends Pick<MetricsServer, 'url' | 'close'> {
  /** Reads the certificate anew, from these files or from its own: what is shown to clients that come from now on. */
  renew(files: MetricsPlan['certificate']): Promise<void>
}

/** With the room on the spool's disk, which is asked here and not in the thread of the packets. */
export function withDisk(stats: ServiceStats, directory: string | undefined): ServiceStats {
  if (stats.spool === undefined || directory === undefined) return stats
  return { ...stats, spool: { ...stats.spool, directory, disk: diskOf(directory) } }
}
