// A part of the build: the manual and the completions, made anew from the manifest into dist/.
import { writeCompletions } from './completions.mjs'
import { cleanManual, writeManual } from './manual.mjs'

cleanManual()
writeManual()
writeCompletions()
