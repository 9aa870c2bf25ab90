#!/usr/bin/env node
// The built program is one file. Beside it is kept, for each version of Node, what V8 made of it: with that a start compiles next to
// nothing. The build makes it, else the first runs that may write there, as with Python's .pyc (docs/decisions/010-one-file.md).
const { accessSync, chmodSync, constants, existsSync, readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs')
const { dirname, join } = require('node:path')
const { Script } = require('node:vm')
const { crc32 } = require('node:zlib')
const { setFlagsFromString } = require('node:v8')

// Less of one function is compiled into another (V8's own limit is 920): optimised code is there sooner, and is no slower
// (docs/decisions/012-inlining.md). Before anything is compiled, because V8's options are a part of what a cache is of.
setFlagsFromString('--max-inlined-bytecode-size-cumulative=200')

const root = join(__dirname, '..')
const file = join(root, 'dist', 'program.cjs')
const cache = `${file}.${process.version}-${process.arch}.cache`

/** Each run compiles what it uses and no other did: after so many the cache has what people use. */
const RUNS_MAX = 8
/** Behind the cache: the checksums of source and data, and how many runs it has seen. */
const TAIL_BYTES = 12

/** Answers what the program exports, its script, the bytes it was made of, and how many runs its cache has seen. */
function load() {
  const source = readFileSync(file)
  const { data, runs } = kept(source)
  const script = new Script(`(function (exports, require, module, __filename, __dirname, __import) {${source.latin1Slice()}\n})`, {
    filename: file,
    cachedData: data,
  })
  const program = new module.constructor(file, module)
  // oclif asks for the file as a module when there is no such command.
  require.cache[file] = program
  // A script that comes from a cache cannot import by itself (Node 20).
  script.runInThisContext()(program.exports, require, program, file, dirname(file), (name) => import(name))
  program.loaded = true
  return { main: program.exports.main, script, source, runs: script.cachedDataRejected === false ? runs : 0 }
}

/**
 * What was kept of this program, whole: V8 looks at its own version and options and at the length of the source, and believes the
 * rest. (Node before 20.15 has no checksum, and keeps nothing.)
 */
function kept(source) {
  try {
    const bytes = readFileSync(cache)
    const data = bytes.subarray(0, -TAIL_BYTES)
    const tail = (at) => bytes.readUInt32LE(data.length + at)
    if (tail(0) === crc32(source) && tail(4) === crc32(data)) return { data, runs: tail(8) }
  } catch {
    // There is none.
  }
  return { data: undefined, runs: 0 }
}

/** Appears complete or not at all, and for all who may read the program. */
function keep({ script, source }, runs) {
  const part = `${cache}.${process.pid}`
  try {
    const data = script.createCachedData()
    const tail = Uint32Array.of(crc32(source), crc32(data), runs)
    writeFileSync(part, Buffer.concat([data, Buffer.from(tail.buffer)]))
    chmodSync(part, 0o644)
    renameSync(part, cache)
  } catch {
    // It is only faster.
    rmSync(part, { force: true })
  }
}

/** Only of a plain start: V8's options are a part of what a cache is of. */
function mayKeep() {
  if (crc32 === undefined || process.execArgv.length > 0 || process.env.NODE_OPTIONS) return false
  try {
    accessSync(dirname(file), constants.W_OK)
    return true
  } catch {
    return false
  }
}

module.exports = { load, keep, root, RUNS_MAX }

if (require.main === module) {
  if (!existsSync(file)) {
    console.error(
      'Earshot is not built yet.\nNext: npm start (sets up what is missing and shows a first capture), or: npm install && npm run build',
    )
    process.exit(1)
  }
  const program = load()
  if (program.runs < RUNS_MAX && mayKeep()) process.on('exit', () => keep(program, program.runs + 1))
  program.main(root, process.argv.slice(2))
}
