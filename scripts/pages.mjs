// A part of the build: the manual and the completions, made anew from the manifest into dist/, and the list of pages in package.json,
// where npm looks for what it puts into share/man.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './commands.mjs'
import { writeCompletions } from './completions.mjs'
import { cleanManual, writeManual } from './manual.mjs'

cleanManual()
const pages = writeManual().map((name) => `./dist/man/${name}`)
writeCompletions()

const file = join(root, 'package.json')
const text = readFileSync(file, 'utf8')
const listed = `${JSON.stringify({ ...JSON.parse(text), man: pages }, null, 2)}\n`
if (listed !== text) writeFileSync(file, listed)
