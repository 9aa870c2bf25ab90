import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { unitNames, unitsOf } from '../../../src/terminal/service/units.js'

const analyze = spawnSync('systemd-analyze', ['--version']).status === 0
const program = ['/bin/true', '/opt/ear shot/100%/run.js']
/** A template is looked at through one of its instances. */
const files = unitNames.flatMap((name) => unitsOf(name, program)).map(({ name, text }) => ({ name: name.replace('@.', '@eth1.'), text }))

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'earshot-units-'))
  for (const { name, text } of files) writeFileSync(join(dir, name), text)
})
afterAll(() => rmSync(dir, { recursive: true }))

describe.skipIf(!analyze)(`units${analyze ? '' : ' [needs systemd-analyze]'}`, () => {
  test('systemd finds nothing wrong with any of them', () => {
    const { stdout, stderr, status } = spawnSync('systemd-analyze', ['verify', '--man=no', ...files.map(({ name }) => join(dir, name))], {
      encoding: 'utf8',
      env: { ...process.env, SYSTEMD_LOG_LEVEL: 'warning' },
    })
    // What it says about units of this machine is none of our business.
    const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('earshot'))
    expect({ ours, status }).toEqual({ ours: [], status: 0 })
  })

  const services = files.filter(({ name }) => name.endsWith('.service')).map(({ name }) => name)
  test.each(services)('%s is exposed by 2.0 at the most', (name) => {
    const text = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', join(dir, name)], { encoding: 'utf8' })
    const score = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1])
    expect(score).toBeGreaterThan(0)
    expect(score).toBeLessThanOrEqual(2)
  })
})

test('words of the command line reach the program as they are', () => {
  // systemd.service(5), "Command lines": % is doubled, a word with blanks is quoted.
  const [sniff] = unitsOf('sniff', program)
  expect(sniff?.text).toContain('ExecStart=/bin/true "/opt/ear shot/100%%/run.js" sniff\n')
})

test('Node knows the bound that the unit of the sender sets, and keeps to it; no other unit has one', () => {
  const options = (name: string): string | undefined =>
    /^Environment=NODE_OPTIONS=(.*)$/m.exec(unitsOf(name, ['/usr/bin/node'])[0]?.text ?? '')?.[1]
  expect(unitNames.filter((name) => options(name) !== undefined)).toEqual(['mirror-send'])
  const space = "require('v8').getHeapSpaceStatistics().find((s) => s.space_name === 'new_space').space_size"
  // Rubbish, and some that lives, lets the young generation grow as far as it may.
  const code = `const kept = []; for (let i = 0; i < 3e6; i++) { const o = { i }; if (i % 4 === 0) kept[i % 400000] = o }; console.log(${space})`
  const grown = (NODE_OPTIONS: string): number =>
    Number(execFileSync(process.execPath, ['-e', code], { env: { ...process.env, NODE_OPTIONS }, encoding: 'utf8' }))
  expect(grown(options('mirror-send') as string)).toBeLessThan(grown('') / 2)
})

test('only who captures has capabilities, and only a packet socket needs AF_PACKET', () => {
  const with_ = (what: string): string[] => files.filter(({ text }) => text.includes(what)).map(({ name }) => name)
  const capturing = [
    'earshot-sniff.service',
    'earshot-sniff@eth1.service',
    'earshot-mirror-send.service',
    'earshot-mirror-send@eth1.service',
  ]
  expect(with_('AmbientCapabilities=').sort()).toEqual([...capturing].sort())
  expect(with_('AF_PACKET').sort()).toEqual([...capturing].sort())
})
