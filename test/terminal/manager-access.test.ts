import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { tokenFor } from '../../src/terminal/manager-access.js'

const dir = mkdtempSync(join(tmpdir(), 'earshot-token-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test.each([
  ['10.0.3.5:5029', 'prague'],
  ['10.0.3.5', 'prague'],
  ['10.0.3.5:5030', 'other'],
  ['[2001:db8::1]:5029', 'six'],
  ['sensor.example.com', 'named'],
  ['sensor2.example.com', 'for-all'],
])('the token for %s is %s, however its address is written', (address, token) => {
  const file = join(dir, 'token')
  const lines = ['# tokens', '10.0.3.5 prague', '10.0.3.5:5030 other', '[2001:db8::1] six', 'sensor.example.com:5029 named', 'for-all']
  writeFileSync(file, lines.join('\n'))
  expect(tokenFor(address, file)).toBe(token)
})
