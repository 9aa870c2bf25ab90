import { existsSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { haveMariadb, quickOptions, startMariadb, type TestServer } from './mariadb.js'

/** A Galera cluster on loopback: real servers, real replication, ports of its own. State goes to a joining node by rsync. */
const PROVIDER = '/usr/lib/galera/libgalera_smm.so'
export const haveGalera = haveMariadb && existsSync(PROVIDER) && existsSync('/usr/bin/rsync')
/** An rsync that root starts becomes nobody, who cannot write the state of a joining node. */
const isRoot = process.getuid?.() === 0

export async function startCluster(nodes: number): Promise<TestServer[]> {
  const bases: number[] = []
  for (let i = 0; i < nodes; i++) bases.push(await freeBlock())
  const servers: TestServer[] = []
  for (let i = 0; i < nodes; i++) {
    const base = bases[i] as number
    // The first makes the cluster; the others join whom they find.
    const members = i === 0 ? '' : bases.map((b) => `127.0.0.1:${b}`).join(',')
    const options = [
      ...quickOptions,
      '--binlog-format=ROW',
      '--innodb-autoinc-lock-mode=2',
      '--wsrep-on=ON',
      `--wsrep-provider=${PROVIDER}`,
      `--wsrep-cluster-address=gcomm://${members}`,
      '--wsrep-cluster-name=earshot-test',
      `--wsrep-node-name=node${i + 1}`,
      '--wsrep-node-address=127.0.0.1',
      '--wsrep-sst-method=rsync',
      `--wsrep-sst-receive-address=127.0.0.1:${base + 2}`,
      `--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:${base};ist.recv_addr=127.0.0.1:${base + 1};gcache.size=32M;pc.weight=1`,
    ]
    servers.push(await startMariadb(options, { tcp: true, ...(isRoot && { user: 'mysql' }) }))
  }
  for (let i = 0; i < 300; i++) {
    const sizes = await Promise.all(servers.map((s) => status(s, 'wsrep_cluster_size')))
    const ready = await Promise.all(servers.map((s) => status(s, 'wsrep_ready')))
    if (sizes.every((n) => n === String(nodes)) && ready.every((r) => r === 'ON')) return servers
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  for (const server of servers) await server.dispose()
  throw new Error('The cluster did not come together.')
}

export const status = async (server: TestServer, name: string): Promise<string | undefined> =>
  (await server.sql<{ Value: string }>(`SHOW GLOBAL STATUS LIKE '${name}'`))[0]?.Value

/** The first of three free ports in a row, as far as one can tell. */
async function freeBlock(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port > 65_530 ? freeBlock() : port
}
