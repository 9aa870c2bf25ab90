import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CallJson } from '../../../src/lib/call/json.js'
import { openDatabase } from '../../../src/lib/store/sqlite/driver.js'
import { pcapOf } from '../../support/frames.js'
import { type Packet, sip } from '../../support/ladder.js'
import { haveMariadb, startMariadb, type TestServer } from '../../support/mariadb.js'
import { NetworkNamespace, needsRoot } from '../../support/netns.js'

// The program itself on a wire: rows soon after a call has ended, and no row lost when the database or the program goes away.

const root = join(import.meta.dirname, '..', '..', '..')
let namespace: NetworkNamespace
let dir: string
beforeAll(() => {
  needsRoot()
  dir = mkdtempSync(join(tmpdir(), 'earshot-sniff-'))
  namespace = new NetworkNamespace()
  namespace.veth('va', 'vb')
})
afterAll(() => {
  namespace?.destroy()
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true })
})

const A = '10.0.0.1:5060'
const B = '10.0.0.2:5060'
/** A short call, answered and hung up. */
const call = (callId: string): Packet[] => [
  sip(0, A, B, 'INVITE', { callId }),
  sip(0, B, A, '180 Ringing', { callId, toTag: 'b' }),
  sip(0, B, A, '200 OK', { callId, toTag: 'b' }),
  ...hangUp(callId),
]
const hangUp = (callId: string): Packet[] => [
  sip(0, A, B, 'BYE', { callId, cseq: '2 BYE', toTag: 'b' }),
  sip(0, B, A, '200 OK', { callId, cseq: '2 BYE', toTag: 'b' }),
]

function send(packets: readonly Packet[]): void {
  const file = join(dir, 'send.pcap')
  writeFileSync(
    file,
    pcapOf(
      1,
      packets.map(({ frame }) => frame),
      1000,
    ),
  )
  namespace.run('tcpreplay', '-q', '-i', 'va', '--topspeed', file)
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
/** Asks again and again until there is an answer. */
async function until<T>(seconds: number, what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`)
    await sleep(20)
  }
}

class Sniff {
  readonly lines: string[] = []
  readonly child: ChildProcess
  readonly #exited: Promise<number | null>
  stderr = ''

  constructor(store: string, queue: string) {
    this.child = namespace.spawn(
      process.execPath,
      join(root, 'bin', 'run.js'),
      ...['sniff', '-i', 'vb', '-o', 'ndjson', '--store', store, '--queue', queue, '--spool', 'none'],
    )
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.lines.push(line))
    this.child.stderr?.on('data', (chunk) => {
      this.stderr += chunk
    })
    this.#exited = new Promise((resolve) => this.child.once('close', (code) => resolve(code)))
  }

  /** Waits until its socket is there: the packets after that are seen. */
  async begun(): Promise<void> {
    await until(20, 'the socket of the program', () => (namespace.run('cat', '/proc/net/packet').trim().includes('\n') ? true : undefined))
  }

  async said(text: RegExp): Promise<void> {
    await until(20, `${text} in:\n${this.stderr}`, () => (text.test(this.stderr) ? true : undefined))
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    this.child.kill(signal)
    return this.#exited
  }
}

interface Row {
  readonly id: number
  readonly call_id: string
  readonly revision: number
  readonly last_us: number
}
const question = 'SELECT cdr_ID AS id, call_id, revision, last_us FROM earshot_cdr'

describe('SQLite', () => {
  test('a row soon after the end; what comes later updates it; the call is printed once', { timeout: 60_000 }, async () => {
    const path = join(dir, 'early.db')
    const rows = (): Row[] | undefined => {
      try {
        const db = openDatabase(path, { readonly: true })
        try {
          return db.prepare(question).all() as Row[]
        } finally {
          db.close()
        }
      } catch {
        // Not there yet.
        return undefined
      }
    }
    const sniff = new Sniff(`sqlite:${path}`, join(dir, 'queue'))
    await sniff.begun()
    await until(20, 'the tables', rows)
    send(call('early'))
    // Before the five seconds are over that the call waits for stragglers.
    const early = await until(4.5, 'the early row', () => rows()?.[0])
    expect(early).toMatchObject({ call_id: 'early', revision: 1 })
    expect(sniff.lines).toEqual([])
    // The 2xx got lost on its way back: the BYE comes again.
    send(hangUp('early'))
    const last = await until(15, 'the last word', () => rows()?.find(({ revision }) => revision === 255))
    expect(last.id).toBe(early.id)
    expect(last.last_us).toBeGreaterThan(early.last_us)
    expect(rows()).toHaveLength(1)
    expect(await sniff.end('SIGTERM')).toBe(0)
    expect(sniff.lines.map((line) => JSON.parse(line)).filter((line: CallJson) => line.call_id === 'early')).toHaveLength(1)
    expect(sniff.stderr).toMatch(/Stored 1 record, 1 updated/)
  })
})

describe.skipIf(!haveMariadb)('MariaDB [needs mariadb-server]', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startMariadb()
  })
  afterAll(() => server?.dispose())

  test('down at the start, the program killed meanwhile: every call is there once', { timeout: 120_000 }, async () => {
    await server.sql('CREATE DATABASE voipmonitor')
    await server.kill()
    const queue = join(dir, 'queue-mariadb')
    const url = server.url('voipmonitor')
    const rows = async (): Promise<string[]> => {
      try {
        return (await server.sql<Row>(question, 'voipmonitor')).map(({ call_id }) => call_id).sort()
      } catch {
        return []
      }
    }
    const first = new Sniff(url, queue)
    await first.said(/No database server .* can be used[\s\S]*Records wait in .*queue-mariadb/)
    await first.begun()
    send([...call('one'), ...call('two')])
    // A second after their end they are in the queue on disk; from then on kill -9 costs nothing.
    await sleep(2500)
    await first.end('SIGKILL')

    const second = new Sniff(url, queue)
    await second.said(/2 records of an earlier run wait/)
    await second.begun()
    send(call('three'))
    await sleep(1000)
    await server.start()
    expect(await until(20, 'three rows', async () => ((await rows()).length === 3 ? rows() : undefined))).toEqual(['one', 'three', 'two'])
    await second.said(/The store takes records again after/)
    // And away again: the end does not wait for it.
    await server.kill()
    send(call('four'))
    await sleep(2500)
    const began = performance.now()
    expect(await second.end('SIGTERM')).toBe(0)
    expect(performance.now() - began).toBeLessThan(15_000)
    expect(second.stderr).toMatch(/1 records wait in .* next start/)

    await server.start()
    const third = new Sniff(url, queue)
    await until(20, 'four rows', async () => ((await rows()).length === 4 ? true : undefined))
    expect(await third.end('SIGTERM')).toBe(0)
    expect(third.stderr).toMatch(/Stored 1 record/)
  })
})
