import { Command } from '@oclif/core'
import { OperatorError } from '../lib/base/errors.js'

/** What every command does alike: tell an operator's error in three parts, and end quietly when the reader of a pipe goes away. */
export abstract class BaseCommand extends Command {
  override async init(): Promise<void> {
    await super.init()
    // `earshot … | head` closes our stdout: that is a success.
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
  }

  override async catch(error: Error & { exitCode?: number }): Promise<void> {
    if (!(error instanceof OperatorError)) return super.catch(error)
    this.printError(error)
    process.exitCode = error.exit
  }

  printError(error: unknown): void {
    const lines = [`Error: ${error instanceof Error ? error.message : String(error)}`]
    if (error instanceof OperatorError) lines.push(...error.suggestions.map((next) => `  → ${next}`))
    process.stderr.write(`${lines.join('\n')}\n`)
  }
}
