import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const run = join(root, 'bin', 'run.js')

test('oclif.manifest.json says what the commands say', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'manifest.mjs'), '--check'], {
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([0, ''])
})

test('starting loads neither the database nor the capture library nor tables', () => {
  const loaded = execFileSync(
    process.execPath,
    ['--import', 'data:text/javascript,process.on("exit",()=>console.log(process.moduleLoadList.length))', run, '--version'],
    { encoding: 'utf8' },
  )
  expect(loaded).toMatch(/^earshot\/\d/)
  const source = readFileSync(join(root, 'dist', 'commands', 'sniff', 'index.js'), 'utf8')
  for (const heavy of ['koffi', 'better-sqlite3', 'cli-table3', 'live-source', 'store/index', 'spool/index']) {
    expect(source.match(new RegExp(`^import .*${heavy}`, 'm'))).toBeNull()
  }
})

test('every command helps, with an example', () => {
  const { commands } = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as {
    commands: Record<string, { summary?: string; examples?: unknown[] }>
  }
  expect(Object.keys(commands)).toEqual(
    expect.arrayContaining(['cdr:query', 'cdr:show', 'fetch-pcap', 'mirror-recv', 'mirror-send', 'serve-manager', 'sniff']),
  )
  for (const command of Object.values(commands)) {
    expect(command.summary).toBeTruthy()
    expect(command.examples?.length).toBeGreaterThan(0)
  }
})
