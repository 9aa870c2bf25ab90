import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Tokens } from '../../../src/lib/access/index.js'
import { connectManager, type SenderStats, startManager, statsOf } from '../../../src/lib/manager/index.js'
import { clientOptions } from '../../support/manager.js'
import { statsOf as serviceStats } from '../../support/service-stats.js'

test('a receiver with thousands of senders is told whole, in order', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'earshot-senders-'))
  const senders = Array.from(
    { length: 4096 },
    (_, i): SenderStats => ({
      sensorId: i + 1,
      name: `a sensor with a long name, number ${i}`,
      address: '192.0.2.1:45678',
      connected: i % 2 === 0,
      protocol: 'earshot',
      packets: i,
      lagMs: i,
      dropped: { kernel: i, 'disk buffer full': 1 },
    }),
  )
  const socket = join(dir, 'manager.sock')
  const about = { service: 'mirror-recv', name: 'mirror-recv', version: '1', pid: 1, host: 'h', sensorId: undefined }
  const manager = await startManager({
    backend: {
      about,
      spool: undefined,
      records: undefined,
      sipPorts: [],
      calls: { count: async () => 0, async *pages() {}, async *watch() {} },
      stats: async () => [
        serviceStats({ service: 'one' }),
        serviceStats({ service: 'mirror-recv', senders }),
        serviceStats({ service: 'last', senders: [] }),
      ],
    },
    socket,
    tcp: [],
    certificate: undefined,
    tokens: new Tokens(join(dir, 'tokens.json')),
    audit: () => {},
    plainForEverybody: false,
  })
  const client = await connectManager({ kind: 'unix', path: socket }, clientOptions(dir))
  try {
    const found = await statsOf(client)
    expect(found.map(({ service }) => service)).toEqual(['one', 'mirror-recv', 'last'])
    expect(found[1]?.senders).toEqual(senders)
    expect(found[0]?.senders).toBeUndefined()
  } finally {
    client.close()
    await manager.close()
    rmSync(dir, { recursive: true, force: true })
  }
})
