#!/usr/bin/env node
// The built program is one file. Beside it is kept, for each version of Node, what V8 made of it: with that a start compiles next to
// nothing. The build makes it, else the first run that may write there, as with Python's .pyc (docs/decisions/010-one-file.md).
const { accessSync, constants, existsSync, readFileSync, renameSync, writeFileSync } = require('node:fs')
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

/** Answers what the program exports, its script, and the bytes it was made of. */
function load() {
  const source = readFileSync(file)
  const script = new Script(`(function (exports, require, module, __filename, __dirname, __import) {${source.latin1Slice()}\n})`, {
    filename: file,
    cachedData: kept(source),
  })
  const program = new module.constructor(file, module)
  // oclif asks for the file as a module when there is no such command.
  require.cache[file] = program
  // A script that comes from a cache cannot import by itself (Node 20).
  script.runInThisContext()(program.exports, require, program, file, dirname(file), (name) => import(name))
  program.loaded = true
  return { main: program.exports.main, script, source }
}

/**
 * What was kept of this program, whole: V8 looks at its own version and options and at the length of the source, and believes the
 * rest. The last eight bytes are the checksums of source and data. (Node before 20.15 has none, and keeps nothing.)
 */
function kept(source) {
  try {
    const bytes = readFileSync(cache)
    const data = bytes.subarray(0, -8)
    return bytes.readUInt32LE(data.length) === crc32(source) && bytes.readUInt32LE(data.length + 4) === crc32(data) ? data : undefined
  } catch {
    return undefined
  }
}

/** Appears complete or not at all. */
function keep({ script, source }) {
  try {
    const data = script.createCachedData()
    const sums = Buffer.alloc(8)
    sums.writeUInt32LE(crc32(source))
    sums.writeUInt32LE(crc32(data), 4)
    writeFileSync(`${cache}.${process.pid}`, Buffer.concat([data, sums]))
    renameSync(`${cache}.${process.pid}`, cache)
  } catch {
    // It is only faster.
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

module.exports = { load, keep, root }

if (require.main === module) {
  if (!existsSync(file)) {
    console.error(
      'Earshot is not built yet.\nNext: npm start (sets up what is missing and shows a first capture), or: npm install && npm run build',
    )
    process.exit(1)
  }
  const program = load()
  if (program.script.cachedDataRejected !== false && mayKeep()) process.on('exit', () => keep(program))
  program.main(root, process.argv.slice(2))
}
