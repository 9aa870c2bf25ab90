#!/usr/bin/env node
// The built program: oclif finds the command in oclif.manifest.json and loads only that one. What needs no command needs no oclif.
const [first, ...others] = process.argv.slice(2)

if (first === undefined) (await import('../dist/terminal/short-help.js')).printShortHelp()
else if (others.length === 0 && ['--version', '-V', 'version'].includes(first))
  await (await import('../dist/terminal/versions.js')).printVersions()
else await (await import('@oclif/core')).execute({ dir: import.meta.url })
