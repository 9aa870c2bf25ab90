#!/usr/bin/env node
// The built program: oclif finds the command in oclif.manifest.json and loads only that one. What needs no command needs no oclif.
const [first, ...others] = process.argv.slice(2)

if (first === undefined) (await import('../dist/terminal/short-help.js')).printShortHelp()
else if (others.length === 0 && ['--version', '-V', 'version'].includes(first))
  await (await import('../dist/terminal/versions.js')).printVersions()
else {
  const { flush, handle, run } = await import('@oclif/core')
  // Where a package's native part is missing, Node's loader leaves a second rejection that nobody holds.
  process.on('unhandledRejection', (error) => {
    if (!['ERR_DLOPEN_FAILED', 'MODULE_NOT_FOUND'].includes(error?.code)) throw error
  })
  try {
    await run(undefined, import.meta.url)
    // A stdout whose reader is gone never drains.
    if (process.stdout.writable) await flush()
  } catch (error) {
    // Only then, because it costs every start a file.
    const { tellMissingPart } = await import('../dist/terminal/missing-part.js')
    if (!tellMissingPart(error)) await handle(error)
  }
}
