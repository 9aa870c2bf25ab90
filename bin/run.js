#!/usr/bin/env node
// The built program is one file. Beside it is kept, for each version of Node, what V8 made of it: with that a start compiles next to
// nothing. The build makes it, else the first run that may write there, as with Python's .pyc (docs/decisions/010-one-file.md).
const { accessSync, constants, readFileSync, renameSync, writeFileSync } = require('node:fs')
const Module = require('node:module')
const { dirname, join } = require('node:path')
const vm = require('node:vm')

const root = join(__dirname, '..')
const file = join(root, 'dist', 'program.cjs')
const cache = `${file}.${process.version}-${process.arch}.cache`

/** Answers what the program exports, and its script. V8 refuses a cache of other options or another V8, and compiles as it goes. */
function load() {
  const source = `(function (exports, require, module, __filename, __dirname, __import) {${readFileSync(file, 'latin1')}\n})`
  const script = new vm.Script(source, { filename: file, cachedData: contents(cache) })
  const module = new Module(file)
  // oclif may ask for the file as a module.
  require.cache[file] = module
  // A script from a cache cannot import by itself (Node 20).
  script.runInThisContext()(module.exports, Module.createRequire(file), module, file, dirname(file), (name) => import(name))
  module.loaded = true
  return { main: module.exports.main, script }
}

function contents(path) {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

/** Appears complete or not at all. */
function keep(script) {
  try {
    writeFileSync(`${cache}.${process.pid}`, script.createCachedData())
    renameSync(`${cache}.${process.pid}`, cache)
  } catch {
    // It is only faster.
  }
}

/** Only of a plain start: V8's options are a part of what a cache is of. */
function mayKeep() {
  if (process.execArgv.length > 0 || process.env.NODE_OPTIONS) return false
  try {
    accessSync(dirname(file), constants.W_OK)
    return true
  } catch {
    return false
  }
}

module.exports = { load, keep, root }

if (require.main === module) {
  const { main, script } = load()
  if (script.cachedDataRejected !== false && mayKeep()) process.on('exit', () => keep(script))
  main(root, process.argv.slice(2))
}
