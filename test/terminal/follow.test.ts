import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { anything } from '../../src/lib/query/expression.js'
import type { CdrReader } from '../../src/lib/store/cdr-store.js'
import { openReader, openWriter } from '../../src/lib/store/index.js'
import { follow } from '../../src/terminal/follow.js'
import { sampleRecords } from '../contract/records.js'
import { haveMariadb, startMariadb, type TestServer } from '../support/mariadb.js'

describe.skipIf(!haveMariadb)('following a database server [needs mariadb-server]', () => {
  let server: TestServer
  let reader: CdrReader | undefined
  beforeAll(async () => {
    if (haveMariadb) server = await startMariadb()
  })
  afterAll(async () => {
    await reader?.close()
    await server?.dispose()
  })

  test('a kill of the server is told once, and what is stored after it is printed', async () => {
    const [good] = sampleRecords()
    if (good === undefined) throw new Error('no record')
    const url = server.url('followed')
    const insert = async (callId: string): Promise<void> => {
      const writer = await openWriter(url)
      await writer.insert([{ ...good, callId }])
      await writer.close()
    }
    await insert('before')
    reader = await openReader(url)
    const stop = new AbortController()
    const seen: string[] = []
    let troubles = 0
    const following = (async () => {
      if (reader === undefined) return
      for await (const call of follow(reader, {
        where: anything,
        known: undefined,
        lists: false,
        signal: stop.signal,
        onAway: () => troubles++,
      }))
        seen.push(call.call_id)
    })()
    const until = async (done: () => boolean): Promise<void> => {
      for (let i = 0; i < 400 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 50))
    }
    await new Promise((resolve) => setTimeout(resolve, 700))
    await insert('first')
    await until(() => seen.length === 1)
    await server.kill()
    await until(() => troubles === 1)
    await server.start()
    await insert('second')
    await until(() => seen.length === 2)
    stop.abort()
    await following
    expect([seen, troubles]).toEqual([['first', 'second'], 1])
  })
})
