import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** Services that the tests of a file start put their sockets into a directory of that file, not beside those of this machine. */
const directory = mkdtempSync(join(tmpdir(), 'earshot-run-'))
process.env['RUNTIME_DIRECTORY'] = directory
afterAll(() => rmSync(directory, { recursive: true, force: true }))
