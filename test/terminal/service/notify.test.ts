import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Notifier } from '../../../src/terminal/service/notify.js'
import { Watchdog } from '../../../src/terminal/service/watchdog.js'
import { NotifySocket } from '../../support/notify-socket.js'

let dir: string
let socket: NotifySocket | undefined
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'earshot-notify-'))
})
afterEach(() => {
  socket?.close()
  rmSync(dir, { recursive: true })
})

const noTrouble = (text: string): void => expect.unreachable(text)

describe('sd_notify', () => {
  const paths = [
    { name: 'a socket in the file system', path: () => join(dir, 'notify') },
    { name: 'an abstract socket', path: () => `@earshot-test-${process.pid}-${Date.now()}` },
  ]
  test.each(paths)('$name hears everything, in order', async ({ path }) => {
    socket = await new NotifySocket(path()).bound()
    const environment: NodeJS.ProcessEnv = { NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '2000000', WATCHDOG_PID: String(process.pid) }
    const notifier = await Notifier.open(environment, noTrouble)
    // Children must not speak for us.
    expect(environment).toEqual({})
    expect(notifier.watchdogMs).toBe(2000)
    notifier.ready()
    notifier.status('12 calls\nmore')
    notifier.status('12 calls\nmore')
    notifier.alive()
    notifier.reloading()
    notifier.ready()
    notifier.stopping()
    await socket.until(/^STOPPING=1$/)
    const reload = await socket.until(/^RELOADING/)
    expect(socket.heard.map(({ text }) => text.replace(/USEC=\d+/, 'USEC=n'))).toEqual([
      'READY=1',
      'STATUS=12 calls more',
      'WATCHDOG=1',
      'RELOADING=1\nMONOTONIC_USEC=n',
      'READY=1',
      'STOPPING=1',
    ])
    // systemd compares it with its own CLOCK_MONOTONIC.
    const told = Number(/USEC=(\d+)/.exec(reload.text)?.[1])
    expect(told).toBeGreaterThan(reload.monotonicMicros - 5e6)
    expect(told).toBeLessThanOrEqual(reload.monotonicMicros)
    notifier.close()
  })

  test('nobody there: everything does nothing', async () => {
    const notifier = await Notifier.open({ NOTIFY_SOCKET: join(dir, 'none') }, noTrouble)
    notifier.ready()
    notifier.alive()
    expect((await Notifier.open({}, noTrouble)).used).toBe(false)
  })

  test('no socket at all is told, and no reason to stop', async () => {
    const said: string[] = []
    const notifier = await Notifier.open({ NOTIFY_SOCKET: 'vsock:2:1234' }, (text) => said.push(text))
    expect(notifier.used).toBe(false)
    expect(said).toHaveLength(1)
  })

  test('a watchdog that is meant for another process is not ours', async () => {
    socket = await new NotifySocket(join(dir, 'notify')).bound()
    const notifier = await Notifier.open({ NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '2000000', WATCHDOG_PID: '1' }, noTrouble)
    expect(notifier.watchdogMs).toBeUndefined()
  })
})

test('the watchdog hears of a loop that turns or waits by right, and of no other', async () => {
  let told = 0
  const watchdog = new Watchdog(30, () => told++)
  const after = async (ms: number): Promise<number> => {
    const before = told
    await new Promise((resolve) => setTimeout(resolve, ms))
    return told - before
  }
  // The loop came round once: one word, however many turns of the timer follow.
  watchdog.beat()
  expect(await after(80)).toBe(1)
  expect(await after(80)).toBe(0)
  let enough: () => void = () => {}
  const waiting = watchdog.whileWaiting(
    new Promise<void>((resolve) => {
      enough = resolve
    }),
  )
  expect(await after(80)).toBeGreaterThan(1)
  enough()
  await waiting
  await after(20)
  expect(await after(80)).toBe(0)
  watchdog.close()
})
