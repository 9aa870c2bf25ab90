import { type ChildProcess, execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KnownServers } from '../../../src/lib/access/index.js'
import { type BoardCall, CallBoard } from '../../../src/lib/live/index.js'
import { openReader } from '../../../src/lib/store/index.js'
import { openManagers, startedAgain } from '../../../src/terminal/live/manager-source.js'
import type { SourceStatus } from '../../../src/terminal/live/model.js'
import { sensorName } from '../../../src/terminal/live/open-sources.js'
import type { LiveSource } from '../../../src/terminal/live/source.js'
import { storeSource } from '../../../src/terminal/live/store-source.js'
import { scenarios, toXml } from '../../fixtures/record/scenarios.js'
import { batchOf, type Packet, sip, talk } from '../../support/ladder.js'
import { NetworkNamespace } from '../../support/netns.js'
import { pcapOf } from '../../support/pcap-file.js'
import { removeDirectory } from '../../support/remove.js'

// The screen's other sources: a running service through its manager, and the records of a store.

const root = join(import.meta.dirname, '..', '..', '..')
const program = join(root, 'bin', 'run.js')
const work = mkdtempSync(join(tmpdir(), 'earshot-sources-'))
afterAll(() => removeDirectory(work))

class Watched {
  readonly board = new CallBoard()
  readonly status: SourceStatus[] = []

  constructor(source: LiveSource) {
    source.start({ changes: (changes) => this.board.apply(changes), status: (status) => this.status.push(status) })
  }

  get calls(): BoardCall[] {
    return [...this.board.calls.values()]
  }
}

async function until<T>(what: string, look: () => T | undefined | false, seconds = 20): Promise<T> {
  for (let i = 0; i < seconds * 20; i++) {
    const found = look()
    if (found !== undefined && found !== false) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`Not within ${seconds} s: ${what}`)
}

/** A second of talk; every call ends 70 ms after the one before. */
function shortCall(n: number): { readonly callId: string; readonly packets: readonly Packet[] } {
  const [phone, pbx, audio, other] = ['10.0.0.1:5060', '10.0.0.2:5060', `10.0.0.1:${4000 + 2 * n}`, `10.0.0.2:${6000 + 2 * n}`]
  const at = n * 0.07
  const o = { callId: `short-${n}`, branch: `z9hG4bKshort${n}` }
  const packets = [
    sip(at, phone, pbx, 'INVITE', { ...o, sdp: audio }),
    sip(at + 0.01, pbx, phone, '200 OK', { ...o, toTag: 't', sdp: other }),
    sip(at + 0.02, phone, pbx, 'ACK', { ...o, toTag: 't', cseq: '1 ACK' }),
    ...talk(at + 0.03, audio, other, 50, { ssrc: 2 * n + 1 }),
    ...talk(at + 0.035, other, audio, 50, { ssrc: 2 * n + 2 }),
    sip(at + 1.04, phone, pbx, 'BYE', { ...o, toTag: 't', cseq: '2 BYE' }),
    sip(at + 1.05, pbx, phone, '200 OK', { ...o, toTag: 't', cseq: '2 BYE' }),
  ]
  return { callId: o.callId, packets }
}

describe('a running service', () => {
  let network: NetworkNamespace
  let sniffer: ChildProcess
  const start = async (): Promise<void> => {
    sniffer = network.spawn(
      'env',
      `RUNTIME_DIRECTORY=${work}/run`,
      `STATE_DIRECTORY=${work}/state`,
      process.execPath,
      program,
      'sniff',
      '-i',
      'lo',
      '-i',
      'wire1',
    )
    let said = ''
    sniffer.stderr?.on('data', (text) => {
      said += String(text)
    })
    await until('the manager of sniff', () => said.includes('Manager: '))
  }
  beforeAll(async () => {
    network = new NetworkNamespace()
    for (const address of ['192.0.2.10', '192.0.2.20']) network.ip('address', 'add', `${address}/32`, 'dev', 'lo')
    network.veth('wire0', 'wire1')
    const scenario = scenarios.find((s) => s.name === 'busy')
    if (scenario === undefined) throw new Error('no scenario')
    for (const side of ['uac', 'uas'] as const) writeFileSync(join(work, `${side}.xml`), toXml(scenario, side, ''))
    await start()
  })
  afterAll(() => network.destroy())
  const call = (): void => {
    network.spawn('sipp', '-sf', join(work, 'uas.xml'), '-i', '192.0.2.20', '-p', '5060', '-m', '1', '-nostdin', '-timeout', '20')
    setTimeout(
      () =>
        network.spawn(
          'sipp',
          '-sf',
          join(work, 'uac.xml'),
          '-i',
          '192.0.2.10',
          '-p',
          '5060',
          '-m',
          '1',
          '-nostdin',
          '-timeout',
          '20',
          '192.0.2.20:5060',
        ),
      500,
    )
  }

  test('its calls, their messages, what it counts; lost when it is killed, found again when it runs again', async () => {
    const { localManagers } = await import('../../../src/terminal/live/manager-source.js')
    const run = join(work, 'run')
    const [address] = await localManagers(run)
    if (address === undefined) throw new Error('no manager')
    const [source] = await openManagers(
      [{ name: 'here', address, find: () => startedAgain(run, address) }],
      () => ({ known: new KnownServers(join(work, 'known')), trust: async () => false }),
      'leave out',
    )
    if (source === undefined) throw new Error('no source')
    try {
      const seen = new Watched(source)
      call()
      const found = await until('the call', () => seen.calls.find((c) => c.view.state === 'failed'))
      expect(found.view).toMatchObject({ status: 486, caller: '+15550100', callee: '+15550125', sipMessages: expect.any(Number) })
      const over = await until('its end', () => seen.calls.find((c) => c.over), 30)
      expect((await source.messages(over)).steps.map((s) => s.status ?? s.method)).toEqual(['INVITE', 100, 486, 'ACK'])
      expect((await source.packets(over, true)).packets.length).toBe(4)
      await until('what it counts', () => seen.status.some((s) => (s.services?.[0]?.sip ?? 0) >= 4))

      // Calls of a second that end one after the other, each saved in the moment of its end: nothing of them is in memory only.
      const short = Array.from({ length: 6 }, (_, n) => shortCall(n))
      const waiting = short.map(async ({ callId, packets }) => {
        const ended = await until(`the end of ${callId}`, () =>
          seen.calls.find((c) => c.view.callId === callId && c.view.state === 'ended'),
        )
        return [callId, (await source.packets(ended, true)).packets.length, packets.length]
      })
      writeFileSync(join(work, 'short.pcap'), pcapOf(batchOf(short.flatMap(({ packets }) => packets))))
      network.spawn('tcpreplay', '-q', '-i', 'wire0', join(work, 'short.pcap'))
      for (const [callId, saved, sent] of await Promise.all(waiting)) expect([callId, saved]).toEqual([callId, sent])

      sniffer.kill('SIGKILL')
      await until('the loss', () => seen.status.at(-1)?.state === 'lost')
      expect(seen.calls.length).toBe(short.length + 1)
      await start()
      await until('the new connection', () => seen.status.at(-1)?.state === 'live')
      call()
      await until('another call', () => seen.calls.length === short.length + 2)
    } finally {
      await source.close()
    }
  })
})

test('sensors have names that tell them apart', () => {
  const sensors = [
    { id: 3, name: 'Prague' },
    { id: 4, name: 'Brno' },
    { id: 5, name: 'Prague' },
    { id: 6, name: null },
  ]
  expect(sensors.map((s) => sensorName(s, sensors))).toEqual(['Prague 3', 'Brno', 'Prague 5', 'sensor 6'])
})

test('records of a store: the latest, with their ladders from the spool', async () => {
  const [db, spool] = [`sqlite:${join(work, 'calls.db')}`, join(work, 'spool')]
  execFileSync(process.execPath, [
    program,
    'sniff',
    '-q',
    '-r',
    join(root, 'test', 'fixtures', 'pbx.pcap'),
    '--store',
    db,
    '--spool',
    spool,
  ])
  const source = storeSource({
    name: 'calls.db',
    store: await openReader(db),
    where: undefined,
    limit: 100,
    packets: { spool, sensor: undefined, allSensors: false, access: {}, sensors: async () => [], temporary: tmpdir },
  })
  try {
    const seen = new Watched(source)
    await until('the records', () => seen.calls.length === 7)
    expect(seen.calls.map((c) => c.view.state).sort()).toEqual(['cancelled', 'ended', 'ended', 'ended', 'ended', 'ended', 'failed'])
    const bad = seen.calls.find((c) => c.view.callee === '+15550124')
    if (bad === undefined) throw new Error('no call')
    // As docs/records.md has it: MOS and loss of the whole call, the worse direction.
    expect(bad.view.lossPercent).toBeGreaterThan(5)
    expect(bad.view.streams.length).toBe(2)
    const { steps } = await source.messages(bad)
    expect(steps.map((s) => s.status ?? s.method)).toEqual(['INVITE', 100, 180, 200, 'ACK', 'BYE', 200])
  } finally {
    await source.close()
  }
})
