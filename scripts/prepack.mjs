// What `npm pack` does first: nothing stale and nothing missing goes into the package.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './commands.mjs'
import { writeNotices } from './notices.mjs'

const dist = join(root, 'dist')
const missing = ['lib/index.js', 'program.cjs', 'man/earshot.1', 'completions/earshot.bash'].filter((file) => !existsSync(join(dist, file)))
if (missing.length > 0) {
  console.error(`Not built: ${missing.join(', ')}. Run npm run build first.`)
  process.exit(1)
}
// tsc leaves what it made of sources that are gone: a command that there is not any more would be one.
for (const file of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
  const source = /^(.*)\.(js|d\.ts)$/.exec(file)?.[1]
  if (source === undefined || !statSync(join(dist, file)).isFile()) continue
  if (!['.ts', '.tsx', '.d.ts'].some((end) => existsSync(join(root, 'src', source + end)))) rmSync(join(dist, file))
}
writeNotices()
