// The manager's own thread: serves clients, and asks the thread of the packets about the running calls.
import { getPriority, setPriority } from 'node:os'
import { join } from 'node:path'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { Tokens } from '../access/index.js'
import { OperatorError } from '../base/errors.js'
import { askLive, auditLog, callsOf, startManager } from '../manager/index.js'
import type { FromThread, MetricsPlan, ThreadOptions } from './manager-thread.js'
import { startServiceMetrics, withDisk } from './service-metrics.js'
import { spoolSource } from './spool-source.js'

const port = parentPort as MessagePort
const say = (message: FromThread): void => port.postMessage(message)

/** Where cores are scarce, clients wait and packets do not. On Linux a priority is that of the thread that asks, not of its process. */
const NICER = 10
try {
  setPriority(Math.min(19, getPriority() + NICER))
} catch {
  // Not allowed here: it serves all the same.
}

async function start({ about, spool, sipPorts, socket, tcp, stateDirectory, metrics }: ThreadOptions): Promise<void> {
  const live = askLive(port)
  const options = {
    backend: {
      about,
      spool: spool === undefined ? undefined : spoolSource(spool),
      records: undefined,
      sipPorts,
      calls: callsOf(about.name, live),
      stats: async () => [withDisk(await live.stats(), spool)],
      flush: (path: string) => live.flush(path),
    },
    certificate: undefined,
    tokens: new Tokens(join(stateDirectory, 'manager', 'tokens.json')),
    audit: auditLog(join(stateDirectory, 'manager', 'audit.log'), (error) =>
      say({ notice: `Fetches are not logged: ${error.message}`, level: 'error' }),
    ),
    plainForEverybody: false,
    givesWay: true,
  }
  const begin = (withTcp: boolean): ReturnType<typeof startManager> =>
    startManager({ ...options, socket, tcp: withTcp && tcp ? [tcp] : [] })
  const manager = await begin(true).catch((error: unknown) => {
    if (!(error instanceof OperatorError) || error.code !== 'IN_USE') throw error
    say({ notice: `${error.message.replace(/\.$/, '')}: this one answers on unix:${socket} only.`, level: 'notice' })
    return begin(false)
  })
  const served =
    metrics &&
    (await startServiceMetrics(metrics, stateDirectory, options.backend).catch((error: OperatorError) => {
      // As with the manager: the packets are what this program is for.
      say({ notice: [error.message, ...(error.suggestions ?? [])].join(' '), level: 'error' })
      return undefined
    }))
  port.on('message', (message: Partial<{ close: true; renew: Pick<MetricsPlan, 'certificate'> }>) => {
    if (message.renew !== undefined)
      served
        ?.renew(message.renew.certificate)
        .catch((error: Error) => say({ notice: `Metrics keep their certificate: ${error.message}`, level: 'error' }))
    if (message.close === true) void Promise.all([manager.close(), served?.close()]).then(() => port.close())
  })
  say({ ready: [...manager.addresses, ...(served === undefined ? [] : [`${served.url}/metrics`])] })
}

start(workerData as ThreadOptions).catch((error: unknown) => {
  const { code = 'MANAGER', message, suggestions = [] } = error as OperatorError
  say({ failed: { code, message, suggestions } })
  port.close()
})
