import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { serverCertificate, Tokens } from '../../lib/access/index.js'
import { OperatorError } from '../../lib/base/errors.js'
import type { Notice } from '../../lib/base/notice.js'
import { serveManagerServiceSettings } from '../../lib/settings/services.js'
import type { ValuesOf } from '../../lib/settings/table.js'
import { spoolSource } from '../../lib/sniffer/spool-source.js'
import { openReader } from '../../lib/store/index.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { serviceConfigFlags } from '../../terminal/config-flags.js'
import type { Configuration } from '../../terminal/configuration.js'
import { readableState, runDir, stateDir } from '../../terminal/defaults.js'
import { knownServers } from '../../terminal/manager-access.js'
import { metricsPlan } from '../../terminal/metrics-plan.js'
import { recordSource } from '../../terminal/record-source.js'
import { reload } from '../../terminal/service/reload.js'
import { logReload, metricsReload } from '../../terminal/service/reload-parts.js'
import { logFlags, ServiceRun } from '../../terminal/service/run.js'
import { flagsFor, valuesOf } from '../../terminal/setting-flags.js'

/** Clients are served by the one loop of Node: when it turns, the service lives. */
const BEAT_MS = 1000

/** `earshot serve-manager`: a service over a spool and a store, that also speaks for every other service of the host. */
export default class ServeManager extends BaseCommand {
  static override summary = 'Serve calls, records and packets of this host: VoIPmonitor’s manager protocol and our own.'
  static override description =
    `Listens on TCP 5029 of loopback, for VoIPmonitor's plain protocol (scripts, GUIs) and for earshot. On other addresses only
TLS is answered, and a client needs a token (earshot manager token add) or a certificate that is known here.
The certificate is yours (--tls-cert), or one that is made at the first start; its fingerprint is shown.
Every fetch of packets is written to manager/audit.log in the state directory.`
  static override examples = [
    { description: 'For scripts on this host', command: '<%= config.bin %> <%= command.id %>' },
    { description: 'For the centre', command: '<%= config.bin %> <%= command.id %> --listen 10.0.3.5:5029' },
  ]
  static override configurable = () => ({ service: 'serve-manager' as const, table: serveManagerServiceSettings })
  static override flags = {
    ...flagsFor(serveManagerServiceSettings),
    quiet: Flags.boolean({ char: 'q', summary: 'Say nothing but errors.' }),
    ...logFlags,
    ...serviceConfigFlags,
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(ServeManager)
    const service = await ServiceRun.start('serve-manager', flags, { live: true })
    this.service = service
    const { say } = service.log
    const { addressText, auditLog, hostBackend, isLoopback, parseAddress, startManager } = await import('../../lib/manager/index.js')
    const settings = valuesOf(serveManagerServiceSettings, flags)
    const tcp = listenOf(settings).map((text) => {
      const address = parseAddress(text)
      if (address.kind !== 'tcp')
        throw new OperatorError('LISTEN', `"${text}" is no address to listen on.`, { exit: 2, suggestions: ['HOST:PORT'] })
      return { host: address.host, port: address.port, text: addressText(address) }
    })
    const far = tcp.some(({ host }) => !isLoopback(host))
    const cert = settings.tls_cert
    const directory = join(stateDir(), 'manager')
    let certificate = far || cert !== undefined ? await serverCertificate(directory, pairOf(settings)) : undefined
    const state = readableState()
    const storeUrl = settings.store ?? state.store
    const store = storeUrl === 'none' ? undefined : await this.#openStore(storeUrl, settings.store === undefined, say)
    const spool = settings.spooldir === 'none' ? undefined : resolve(settings.spooldir ?? state.spool)
    const socket = join(runDir(), `${service.instance === undefined ? 'serve-manager' : service.name}.sock`)
    const backend = hostBackend({
      about: {
        service: 'serve-manager',
        name: service.name,
        version: this.config.version,
        pid: process.pid,
        host: hostname(),
        sensorId: settings.id_sensor === 0 ? undefined : settings.id_sensor,
      },
      runDirectory: runDir(),
      ownSocket: socket,
      spool: spool === undefined ? undefined : spoolSource(spool),
      records: store && recordSource(store),
      known: knownServers(),
      certificates: () => certificate && [{ use: 'manager', notAfterMs: certificate.notAfterMs }],
      startedMs: performance.now(),
    })
    const start = (): ReturnType<typeof startManager> =>
      startManager({
        backend,
        socket,
        tcp,
        certificate,
        tokens: new Tokens(join(directory, 'tokens.json')),
        audit: auditLog(join(directory, 'audit.log'), (error) => say(`Fetches are not logged: ${error.message}`, 'error')),
        plainForEverybody: settings.insecure_voipmonitor,
      })
    const manager = await start()
      .catch(async (error: unknown) => {
        // A lone sniff has the port because it was free: it belongs to this one now.
        if (!(error instanceof OperatorError) || error.code !== 'IN_USE' || !(await backend.askToGiveWay())) throw error
        say('Another service of this host has left the port to this one.', 'notice')
        return start()
      })
      .catch(async (error: unknown) => {
        backend.close()
        await store?.close()
        throw error
      })
    const plan = metricsPlan(settings)
    const metrics =
      plan &&
      (await import('../../lib/sniffer/service-metrics.js')
        .then(({ startServiceMetrics }) => startServiceMetrics(plan, stateDir(), backend))
        .catch(async (error: unknown) => {
          await manager.close()
          backend.close()
          await store?.close()
          throw error
        }))
    say(`Listening on ${[...manager.addresses, ...(metrics === undefined ? [] : [`${metrics.url}/metrics`])].join(' ')}`)
    say(`Records: ${storeUrl}   Pcaps: ${spool ?? 'none'}`)
    if (certificate) say(`Certificate${certificate.selfSigned ? ' (made here)' : ''}: ${certificate.fingerprint}`)
    if (settings.insecure_voipmonitor && far)
      say('DANGER: whoever reaches the port reads calls and packets (--insecure-voipmonitor).', 'warning')
    const beating = setInterval(() => service.watchdog.beat(), BEAT_MS)
    service.on({
      reload: () =>
        reload(this.configuration as Configuration, service.log, [
          {
            keys: ['tls_cert', 'tls_key'],
            always: true,
            async apply() {
              // Tokens need nobody: their file is looked at whenever a client comes.
              if (certificate === undefined) return undefined
              const renewed = await serverCertificate(directory, pairOf(valuesOf(serveManagerServiceSettings, flags)))
              manager.show(renewed)
              certificate = renewed
              return `Certificate: ${renewed.fingerprint}`
            },
          },
          metricsReload(flags, metrics && ((to) => metrics.renew(to?.certificate))),
          logReload(flags, service.log),
        ]),
      status: () => ({
        line: `${manager.connections} connections`,
        fields: { connections: manager.connections, rss_bytes: process.memoryUsage().rss },
      }),
    })
    service.ready()
    if (!service.signal.aborted) await new Promise((resolve) => service.signal.addEventListener('abort', resolve, { once: true }))
    clearInterval(beating)
    await Promise.all([manager.close(), metrics?.close()])
    backend.close()
    await store?.close()
    await service.close()
  }

  /** A store that nobody named and that is not there yet is no reason not to serve packets. */
  async #openStore(
    url: string,
    implied: boolean,
    say: Notice,
  ): ReturnType<typeof openReader> extends Promise<infer R> ? Promise<R | undefined> : never {
    try {
      return await openReader(url)
    } catch (error) {
      if (!implied) throw error
      say(`No records: ${(error as Error).message}`, 'notice')
      return undefined
    }
  }
}

/** An IPv6 address stands in brackets before a port. */
const listenOf = ({ listen, managerip, managerport }: ValuesOf<typeof serveManagerServiceSettings>): readonly string[] =>
  listen.length > 0 ? listen : [`${managerip.includes(':') ? `[${managerip}]` : managerip}:${managerport}`]

/** The administrator's certificate, when there is one. */
const pairOf = ({ tls_cert, tls_key }: { readonly tls_cert: string | undefined; readonly tls_key: string | undefined }) =>
  tls_cert !== undefined && tls_key !== undefined ? { certificate: tls_cert, key: tls_key } : undefined
