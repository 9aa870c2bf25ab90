// A part of the build: dist/program.cjs, all commands and what they use in one file, and beside it V8's code cache of it; and each
// thread in one file. A start then reads a handful of files instead of three hundred and compiles next to nothing
// (docs/decisions/010-one-file.md).
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { build } from 'esbuild'
import { commandFiles, root } from './commands.mjs'

const src = join(root, 'src')

/** Loaded from node_modules, each only by what uses it: native parts, their own threads, ESM that waits at its top, much for few. */
const outside = ['*.node', 'bindings', 'ink', 'koffi', 'lz4', 'mysql2', 'pino', 'prom-client', 'react', 'selfsigned', 'typescript']

const entry = `
  import { start } from './terminal/start.ts'
  export const commandNotFound = async (asked) => (await import('./terminal/hooks/command-not-found.ts')).default(asked)
  const commands = {
    ${commandFiles()
      .map(({ id, file }) => `'${id}': () => import('./commands/${file}'),`)
      .join('\n')}
  }
  export const main = (root, argv) => start({ root, commands, commandNotFound: { target: __filename, identifier: 'commandNotFound' } }, argv)
`

/**
 * Files find what lies beside them (a thread's file, package.json) as if each were where tsc puts it; what waits at its top cannot
 * be required and comes through the function that bin/run.js hands in.
 */
const ownPlaces = (directory) => ({
  name: 'own places',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/src\/.*\.tsx?$/ }, ({ path }) => {
      const place = `new URL('${relative(join(src, directory), path).replace(/\.tsx?$/, '.js')}', __place).href`
      const text = readFileSync(path, 'utf8')
      const contents = text.replaceAll('import.meta.url', place).replace(/(?<!typeof )import\('ink'\)/g, "__import('ink')")
      return { contents, loader: path.endsWith('x') ? 'tsx' : 'ts' }
    }),
})

const fewerOclif = {
  name: 'only what we use of oclif',
  setup: ({ onResolve }) => onResolve({ filter: /^@oclif\/core$/ }, () => ({ path: join(src, 'terminal', 'oclif.ts') })),
}

/** `stdin` is made into one file of `directory` in dist. */
async function bundle(stdin, directory, name) {
  const { outputFiles } = await build({
    write: false,
    stdin: { resolveDir: src, sourcefile: `${name}.ts`, loader: 'ts', contents: stdin },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    supported: { 'dynamic-import': false },
    tsconfig: join(root, 'tsconfig.json'),
    external: outside,
    absWorkingDir: root,
    plugins: [ownPlaces(directory), fewerOclif],
    banner: { js: "const __place = require('node:url').pathToFileURL(__filename)" },
    legalComments: 'none', // THIRD-PARTY-NOTICES.md has them all.
    logLevel: 'warning',
  })
  // One byte a character is half to read. (esbuild leaves comments and regular expressions as they are.)
  const ascii = outputFiles[0].text.replace(/[^\0-\x7f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
  writeFileSync(join(dist, directory, `${name}.cjs`), ascii)
}

const dist = join(root, 'dist')
// Those of the program before.
for (const name of readdirSync(dist)) if (name.includes('.cache')) rmSync(join(dist, name))
await bundle(entry, '.', 'program')
for (const file of readdirSync(join(src, 'lib'), { recursive: true, encoding: 'utf8' })) {
  if (/(^|[/-])worker\.ts$/.test(file)) await bundle(`import './lib/${file}'`, join('lib', dirname(file)), basename(file, '.ts'))
}

const dir = mkdtempSync(join(tmpdir(), 'earshot-build-'))
const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'code-cache.mjs'), dir], { encoding: 'utf8' })
rmSync(dir, { recursive: true })
// The program runs without: where a native part is missing, say, and that is told by what needs it.
if (status !== 0) console.error(`No code cache was made, starts are slower:\n${stderr}`)
