// A part of the build: does in a directory for scratch what people wait for, so that V8's cache of the program has it compiled.
import { createRequire } from 'node:module'
import { join } from 'node:path'

const { keep, load, root, RUNS_MAX } = createRequire(import.meta.url)('../bin/run.js')
const program = load()
const [dir] = process.argv.slice(2)
const store = ['--store', `sqlite:${join(dir, 'calls.db')}`, '--no-config']
for (const words of [
  ['sniff', '-r', join(root, 'test', 'fixtures', 'pbx.pcap'), ...store],
  ['cdr', 'query', ...store],
  ['cdr', 'query', '--number', '1', '-o', 'ndjson', ...store],
  ['cdr', 'show', '1', ...store],
  ['cdr', 'stats', ...store],
  ['--help'],
]) {
  await program.main(root, words)
  if (process.exitCode) throw new Error(`earshot ${words.join(' ')}: exit code ${process.exitCode}`)
}
keep(program, RUNS_MAX)
