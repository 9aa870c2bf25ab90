// Writes oclif.manifest.json from the built commands: with it, starting the program loads one command instead of all.
// `--check` only compares and fails when the file is stale.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Config, Plugin } from '@oclif/core'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const plugin = new Plugin({ root, type: 'core', ignoreManifest: true, errorOnManifestCreate: true, respectNoCacheDefault: true })
await Config.load({ root, devPlugins: false, userPlugins: false })
await plugin.load()
// oclif finds the commands in any order; the file has the one in which the program expects them.
const commands = Object.fromEntries(Object.entries(plugin.manifest.commands).sort(([a], [b]) => a.localeCompare(b)))
const text = `${JSON.stringify({ ...plugin.manifest, commands }, null, 2)}\n`
const file = join(root, 'oclif.manifest.json')

if (process.argv.includes('--check')) {
  const there = readFileSync(file, 'utf8').split('\n')
  const line = text.split('\n').findIndex((made, i) => made !== there[i])
  if (line >= 0) {
    console.error(`Line ${line + 1} would be: ${text.split('\n')[line]?.trim()}`)
    console.error('oclif.manifest.json is stale: run npm run build and commit it.')
    process.exit(1)
  }
} else writeFileSync(file, text)
