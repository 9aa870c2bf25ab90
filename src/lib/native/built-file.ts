import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * The compiled file of a worker thread. A thread starts from JavaScript, so when this runs from the TypeScript sources
 * (tests, bin/dev.js) the file of the last build is taken.
 */
export function builtFile(from: string, relative: string): URL {
  const here = new URL(relative, from)
  if (!from.endsWith('.ts')) return here
  const built = new URL(here.href.replace('/src/', '/dist/'))
  if (!existsSync(fileURLToPath(built))) throw new Error('A worker thread needs the built program: run npm run build first.')
  return built
}
