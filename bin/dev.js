#!/usr/bin/env -S node --import tsx
// The program from its TypeScript sources, for developing; workers and the manifest still come from dist/.
const { join } = require('node:path')

async function dev() {
  const { commandFiles, root } = await import('../scripts/commands.mjs')
  const { start } = await import('../src/terminal/start.ts')
  const commands = Object.fromEntries(commandFiles().map(({ id, file }) => [id, () => import(join(root, 'src', 'commands', file))]))
  const commandNotFound = { target: './src/terminal/hooks/command-not-found.ts', identifier: 'default' }
  await start({ root, commands, commandNotFound }, process.argv.slice(2))
}
dev()
