import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openFiles } from '../../../src/lib/capture/file-source.js'
import { packetSourceContract } from '../../contract/packet-source.js'
import { pcapOf } from '../../support/frames.js'
import { NetworkNamespace } from '../../support/netns.js'
import { hidden, plain } from '../filter/frames.js'

// One contract over both sources: files, and a real interface in a namespace of its own.
const folder = mkdtempSync(join(tmpdir(), 'earshot-source-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A sender refuses frames shorter than an Ethernet header. */
const frames = [...plain, ...hidden].map((row) => row.frame).filter((frame) => frame.length >= 14)
const file = join(folder, 'all.pcap')
writeFileSync(file, pcapOf(1, frames, 1000))
writeFileSync(`${file}.gz`, gzipSync(pcapOf(1, frames, 1000)))

describe.each([
  ['plain', file],
  ['gzip', `${file}.gz`],
])('a file, %s', (_, name) => {
  test.each(Object.entries(packetSourceContract))('%s', async (_promise, check) => {
    await check({ live: false, frames, open: () => openFiles([name]), send: async () => {} })
  })
})

describe('an interface', () => {
  const results = new Map<string, string | undefined>()

  beforeAll(() => {
    const namespace = new NetworkNamespace()
    try {
      namespace.veth('va', 'vb')
      const order = JSON.stringify({ from: 'va', to: 'vb', file, frames: frames.map((frame) => Buffer.from(frame).toString('hex')) })
      const child = fileURLToPath(new URL('../../support/source-contract-child.ts', import.meta.url))
      for (const line of namespace.run(process.execPath, '--import', 'tsx', child, order).trim().split('\n')) {
        const { name, failure } = JSON.parse(line) as { name: string; failure?: string }
        results.set(name, failure)
      }
    } finally {
      namespace.destroy()
    }
  }, 60_000)

  test.each(Object.keys(packetSourceContract))('%s', (name) => {
    expect([results.has(name), results.get(name)]).toEqual([true, undefined])
  })
})
