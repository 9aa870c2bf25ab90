import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { OperatorError } from '../lib/base/errors.js'

/** Before anything is written of several files. Throws an OperatorError. */
export function refuseExisting(paths: readonly string[], force: boolean): void {
  const there = force ? undefined : paths.find((path) => existsSync(path))
  if (there !== undefined)
    throw new OperatorError('EXISTS', `"${there}" is there already.`, { suggestions: ['Another name, or --force to replace it.'] })
}

/** A small file that is there whole or not at all, and replaces none unless it was said. Throws an OperatorError. */
export function writeOnce(path: string, text: string, { force, mode }: { force: boolean; mode: number }): void {
  refuseExisting([path], force)
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
