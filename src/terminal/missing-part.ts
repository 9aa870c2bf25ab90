/**
 * Packages with a native part whose install script did not run: npm 12 runs none that is not allowed by name. Told so that a person
 * knows what to type; answers whether this is it.
 */
export function tellMissingPart(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException
  const part = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(message ?? '')?.[1]
  const missing =
    code === 'ERR_DLOPEN_FAILED' || /Could not locate the bindings file|Cannot find module '.*build\/Release/.test(message ?? '')
  if (!missing) return false
  process.stderr.write(
    [
      `Error: A native part of Earshot is not there${part === undefined ? '' : ` (${part})`}: ${message.split('\n')[0]}`,
      '  → npm runs install scripts only where they are allowed: npm install -g --allow-scripts=better-sqlite3,koffi,lz4 earshot-VERSION.tgz',
      '  → After a change of Node: npm rebuild -g (make, g++ and python3 build what has no ready-made binary)',
      '',
    ].join('\n'),
  )
  process.exitCode = 1
  return true
}
