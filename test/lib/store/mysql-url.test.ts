import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parseMysqlUrl } from '../../../src/lib/store/mysql/url.js'

const dir = mkdtempSync(join(tmpdir(), 'earshot-url-'))
afterAll(() => rmSync(dir, { recursive: true }))
const file = join(dir, 'password')
writeFileSync(file, 'from file\n')
writeFileSync(join(dir, 'earshot-db-password'), 'from systemd\n')

describe('the URL of a MySQL store', () => {
  test.each([
    [
      'mysql://u@h/db',
      { user: 'u', hosts: [{ host: 'h', port: 3306 }], database: 'db', socket: undefined, tls: undefined, connections: 2 },
    ],
    ['mariadb://h:3307/db', { user: 'earshot', hosts: [{ host: 'h', port: 3307 }] }],
    [
      'mysql://u@h1,h2:3307,[2001:db8::1]:3308/db?connections=4',
      {
        hosts: [
          { host: 'h1', port: 3306 },
          { host: 'h2', port: 3307 },
          { host: '2001:db8::1', port: 3308 },
        ],
        connections: 4,
      },
    ],
    ['mysql://a%40b@h/voip%2Fmonitor?socket=/run/my.sock', { user: 'a@b', database: 'voip/monitor', socket: '/run/my.sock' }],
    ['mysql://u@h/db?ssl-mode=required', { tls: { verify: 'none' } }],
    ['mysql://u@h/db?ipv6=yes&connect-timeout=2', { ipv6: true, connectTimeoutMs: 2000 }],
  ])('%s', (url, want) => expect(parseMysqlUrl(url, {})).toMatchObject(want))

  test.each([
    ['mysql://u:secret@h/db', /password in the URL is refused/],
    ['mysql://u:@h/db', /password in the URL is refused/],
    ['mysql://u@h', /not the URL/],
    ['mysql://u@h/', /names no database/],
    ['mysql://u@h:0/db', /not a host/],
    ['mysql://u@h:70000/db', /not a host/],
    ['mysql://u@h,,k/db', /not a host/],
    ['mysql://u@h/db?password=secret', /no parameter/],
    ['mysql://u@h/db?connections=0', /1 to 16/],
    ['mysql://u@h/db?ssl-mode=maybe', /no ssl-mode/],
    ['mysql://u@h/db?ssl-key=/nosuch', /Cannot read ssl-key/],
    ['mysql://u@h/%zz', /no escape/],
    [`mysql://u@h/${'x'.repeat(65)}`, /64/],
  ])('%s is refused', (url, message) => {
    let told = ''
    try {
      parseMysqlUrl(url, {})
    } catch (error) {
      told = `${(error as Error).message} ${(error as { suggestions: string[] }).suggestions}`
    }
    expect(told).toMatch(message)
    expect(told).not.toContain('secret')
  })

  test.each([
    ['a file first', `?password-file=${file}`, { EARSHOT_DB_PASSWORD: 'from env', CREDENTIALS_DIRECTORY: dir }, 'from file'],
    ['then the environment', '', { EARSHOT_DB_PASSWORD: 'from env', CREDENTIALS_DIRECTORY: dir }, 'from env'],
    ['then the systemd credential', '', { CREDENTIALS_DIRECTORY: dir }, 'from systemd'],
    ['credentials for other things only', '', { CREDENTIALS_DIRECTORY: tmpdir() }, undefined],
    ['none', '', {}, undefined],
  ])('password: %s', (_, query, environment, want) => {
    const at = parseMysqlUrl(`mysql://u@h/db${query}`, environment)
    expect(at.password).toBe(want)
    expect(at.shown).toBe('mysql://u@h/db')
  })
})
