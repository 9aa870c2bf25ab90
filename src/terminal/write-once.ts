import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { OperatorError } from '../lib/base/errors.js'

/** A small file that is there whole or not at all, and replaces none unless it was said. Throws an OperatorError. */
export function writeOnce(path: string, text: string, { force, mode }: { force: boolean; mode: number }): void {
  if (!force && existsSync(path))
    throw new OperatorError('EXISTS', `"${path}" is there already.`, { suggestions: ['Another name, or --force to replace it.'] })
  const partial = `${path}.part-${process.pid}`
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(partial, text, { flag: 'wx', mode })
    renameSync(partial, path)
  } catch (error) {
    rmSync(partial, { force: true })
    throw new OperatorError('WRITE', `Cannot write "${path}": ${(error as Error).message}.`, {
      cause: error,
      suggestions: ['Check the path and its permissions.'],
    })
  }
}
