import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readIni } from '../../../src/lib/settings/ini.js'
import { resolve } from '../../../src/lib/settings/resolve.js'
import { services } from '../../../src/lib/settings/services.js'
import { serviceUser, unreadableFiles, whyUnreadable } from '../../../src/terminal/service/service-user.js'

const dir = mkdtempSync(join(tmpdir(), 'earshot-service-user-'))
chmodSync(dir, 0o755)
afterAll(() => rmSync(dir, { recursive: true }))

const user = { uid: 64_001, gids: [64_001, 64_002] }
const file = (name: string, mode: number, gid?: number): string => {
  const path = join(dir, name)
  writeFileSync(path, '')
  if (gid !== undefined && process.getuid?.() === 0) chownSync(path, 0, gid)
  chmodSync(path, mode)
  return path
}

test('the user and its groups', () => {
  const passwd = 'root:x:0:0::/root:/bin/sh\nearshot:x:999:998::/var/lib/earshot:/usr/sbin/nologin\n'
  expect(serviceUser(passwd, 'earshot:x:998:joe\nssl-cert:x:112:postgres,earshot\nadm:x:4:joe\n')).toEqual({ uid: 999, gids: [998, 112] })
  expect(serviceUser('root:x:0:0::/root:/bin/sh\n', '')).toBeUndefined()
})

test('what it may read, and why not', () => {
  mkdirSync(join(dir, 'closed'), { mode: 0o700 })
  expect(whyUnreadable(file('open.pem', 0o644), user)).toBeUndefined()
  expect(whyUnreadable(file('closed.pem', 0o600), user)).toMatch(/^the user earshot may not read it \(chgrp earshot/)
  expect(whyUnreadable(file('closed/open.pem', 0o644), user)).toBe(`the user earshot may not enter ${join(dir, 'closed')}`)
  expect(whyUnreadable(join(dir, 'none.pem'), user)).toBe('it is not there')
})

test.skipIf(process.getuid?.() !== 0)('by one of its groups [needs root]', () => {
  expect(whyUnreadable(file('group.pem', 0o640, 64_002), user)).toBeUndefined()
  expect(whyUnreadable(file('other-group.pem', 0o640, 64_003), user)).toMatch(/may not read it/)
})

test('of the settings of a service: files, with the line that names them', () => {
  const ca = file('centre.pem', 0o600)
  const path = join(dir, 'sender.conf')
  const files = [{ path, text: readIni(`[mirror-send]\ntls_ca = ${ca}\npacketbuffer_file_path = ${join(dir, 'to-be-made')}\n`) }]
  const resolution = resolve({ service: 'mirror-send', table: services['mirror-send'], files, environment: {} } as never)
  expect(unreadableFiles(resolution, dir, user)).toEqual([
    expect.stringMatching(`^${path}:2: tls_ca = ${ca}: the user earshot may not read it`),
  ])
  expect(unreadableFiles(resolution, '/etc/earshot', user)).toEqual([])
})
