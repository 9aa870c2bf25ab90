import { Command } from '@oclif/core'
import { OperatorError } from '../lib/base/errors.js'
import type { ServiceRun } from './service/run.js'

/** What every command does alike: tell an operator's error in three parts, and end quietly when the reader of a pipe goes away. */
export abstract class BaseCommand extends Command {
  /** A command that runs as a service tells its end in its log. */
  protected service: ServiceRun | undefined

  override async init(): Promise<void> {
    await super.init()
    // `earshot … | head` closes our stdout: that is a success.
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
  }

  override async catch(error: Error & { exitCode?: number }): Promise<void> {
    if (!(error instanceof OperatorError)) {
      await this.service?.close()
      return super.catch(error)
    }
    this.printError(error)
    await this.service?.close()
    process.exitCode = error.exit
  }

  printError(error: unknown): void {
    const lines = [`Error: ${error instanceof Error ? error.message : String(error)}`]
    if (error instanceof OperatorError) lines.push(...error.suggestions.map((next) => `  → ${next}`))
    if (this.service !== undefined) this.service.log.event('error', lines.join('\n'))
    else process.stderr.write(`${lines.join('\n')}\n`)
  }
}
