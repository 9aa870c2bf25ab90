import { Command, type Interfaces } from '@oclif/core'
import { exitCodes, OperatorError } from '../lib/base/errors.js'
import { nearest } from '../lib/query/nearest.js'
import type { ServiceName } from '../lib/settings/services.js'
import type { SettingTable } from '../lib/settings/table.js'
import type { Configuration } from './configuration.js'
import type { ServiceRun } from './service/run.js'

/** Which settings a command takes from files and the environment. Without a service: what [general] says. */
export interface Configurable {
  readonly service?: ServiceName
  readonly table: SettingTable
}

/** What every command does alike: fill its settings, tell an operator's error in three parts, and end quietly when the reader of a pipe goes away. */
export abstract class BaseCommand extends Command {
  /** Undefined: no file is read. A function, so that oclif does not put the rows into its manifest. */
  static configurable: () => Configurable | undefined = () => undefined

  /** Where the settings of this run come from; after `parse`, of a command that has some. */
  protected configuration: Configuration | undefined

  /** A command that runs as a service tells its end in its log. */
  protected service: ServiceRun | undefined

  override async init(): Promise<void> {
    await super.init()
    // `earshot … | head` closes our stdout: that is a success. A terminal that is gone answers EIO. Who has calls open writes them first.
    // (oclif's own listener throws what is not EPIPE.)
    process.stdout.removeAllListeners('error')
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
      if (this.service === undefined) process.exit(0)
      this.service.stop()
    })
    // There is nobody left to tell.
    process.stderr.on('error', () => {})
  }

  /** Flags that were not given are filled from the environment and files: whoever reads flags need not know. */
  protected override async parse<
    F extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    B extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    A extends Interfaces.OutputArgs<Interfaces.ArgInput>,
  >(options?: Interfaces.Input<F, B, A>, argv?: string[]): Promise<Interfaces.ParserOutput<F, B, A>> {
    const parsed = await super.parse(options, argv).catch((error: unknown) => {
      // It was, and refused: else oclif warns that nobody did.
      this.parsed = true
      throw plainly(error, this.ctor)
    })
    const configurable = (this.ctor as typeof BaseCommand).configurable()
    if (configurable !== undefined) {
      const { configure } = await import('./configuration.js')
      this.configuration = configure(configurable, parsed)
    }
    return parsed
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

/** oclif wraps what a flag's parser says, and answers a slip with the whole help, below which it is not seen. */
function plainly(error: unknown, { id, flags }: typeof Command): unknown {
  if (error instanceof Error && error.constructor.name === 'NonExistentFlagsError') {
    const command = `earshot ${id.replaceAll(':', ' ')}`
    const typed = (error as Error & { flags: string[] }).flags
    const known = Object.entries(flags).flatMap(([name, { hidden }]) => (hidden === true ? [] : [name]))
    const meant = typed.flatMap((flag) => (flag.startsWith('--') ? (nearest(flag.slice(2), known) ?? []) : []))
    return new OperatorError('NO_FLAG', `${command} has no flag ${typed.join(', ')}.`, {
      exit: exitCodes.usage,
      suggestions: [...meant.map((name) => `Did you mean --${name}?`), `Its flags: ${command} --help`],
    })
  }
  if (error instanceof OperatorError)
    error.message = error.message.replace(/^Parsing (--\S+) \n\t(.*)\nSee more help with --help$/s, '$1: $2')
  return error
}
