import { Args } from '@oclif/core'
import { exitCodes, OperatorError } from '../../../lib/base/errors.js'
import { BaseCommand } from '../../../terminal/base-command.js'
import { openTokens, stateFlag } from '../../../terminal/tokens.js'

/** `earshot manager token remove`: shuts a client out. */
export default class ManagerTokenRemove extends BaseCommand {
  static override summary = 'Shut a client out, at once; a request that runs is still answered to its end.'
  static override examples = ['<%= config.bin %> <%= command.id %> laptop']
  static override args = { name: Args.string({ required: true, description: 'Name of the client.' }) }
  static override flags = { state: stateFlag }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ManagerTokenRemove)
    if (openTokens(flags.state).remove(args.name)) {
      process.stderr.write(`"${args.name}" is removed.\n`)
      return
    }
    throw new OperatorError('NOT_FOUND', `There is no client "${args.name}".`, {
      exit: exitCodes.notFound,
      suggestions: ['earshot manager token list shows them.'],
    })
  }
}
